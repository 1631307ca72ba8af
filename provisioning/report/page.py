"""A report as one HTML file: no script, nothing to fetch, every text escaped."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from html import escape

from provisioning.report.changes import CHANGES, LEAST_SHARE, MOST_OF_A_PANEL, foremost
from provisioning.report.model import Column, Report, Section, Table, moment

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; font-variant-ligatures: none; color: #1f2329; background: #fff;
  max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; break-after: avoid; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dt { color: #5f6773; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: 12px; } thead { display: table-header-group; }
th, td { text-align: left; padding: 3px 8px; border-bottom: 1px solid #e3e6ea; vertical-align: top; }
th { border-bottom: 2px solid #b8bec6; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.time { min-width: 5.7em; } .above td { border-bottom: none; } .below { break-before: avoid; }
.below td { padding-left: 24px; font-size: 11px; color: #5f6773; overflow-wrap: anywhere; }
tr, img { break-inside: avoid; } img { max-width: 100%; border: 1px solid #e3e6ea; } .note { color: #8a4b00; }
""".strip()
_FITS = 24
"""Letters of a word that fits into a column. Columns with longer ones, ids and commands, are written below their rows."""
_LEGIBLE = 6
"""Columns of a table whose picture can be read on paper; of one with more the figures alone are shown."""
_MOST = f"Of each panel the {MOST_OF_A_PANEL} figures that changed most, from {LEAST_SHARE:.0%} of what they were. All"
_FRACTION = re.compile(r"(\.\d+)?Z$")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def html(report: Report) -> str:
    """Points of graphs are left to the other formats: their pictures show them."""
    return "\n".join(_parts(report)) + "\n"


def _parts(report: Report) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>{escape(report.title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>"
    yield f"<h1>{escape(report.title)}</h1>\n<dl>"
    for label, text in facts(report):
        yield f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>"
    yield "</dl>"
    for remark in report.remarks:
        yield f'<p class="note">{escape(remark)}</p>'
    for section in report.sections:
        yield from _section(section)
    yield "</body>\n</html>"


def facts(report: Report) -> list[tuple[str, str]]:
    """What the whole is about, by label: for the head of a report in any form."""
    return [
        ("Range", f"{moment(report.span.start)} to {moment(report.span.end)}"),
        ("Compared with", f"{moment(report.before.start)} to {moment(report.before.end)}"),
        ("Time zone", "UTC"),
        *((f"Filter {name}", text) for name, text in report.variables.items()),
    ]


def _section(section: Section) -> Iterator[str]:
    tables = [read(section, table) for table in section.tables if table.form != "points"]
    yield f'<section id="{escape(section.key)}">\n<h2>{escape(section.title)}</h2>'
    if section.note:
        yield f'<p class="note">{escape(section.note)}</p>'
    if section.key == CHANGES and section.tables:
        yield f"<p>{_MOST} {len(section.tables[0].rows)} figures are in the other forms of this report.</p>"
    if (
        section.picture
        and not section.note
        and not any(table.form == "rows" and len(table.columns) > _LEGIBLE for table in tables)
    ):
        picture = b64encode(section.picture).decode()
        yield f'<img alt="{escape(section.title)}" src="data:image/webp;base64,{picture}">'
    for table in tables:
        yield from _table(table)
    yield "</section>"


def read(section: Section, table: Table) -> Table:
    """A table as people read it: what changed most, times to the second, and no units beside texts that have them."""
    if section.key == CHANGES:
        table = foremost(table)
    unnamed = section.key == CHANGES or table.form in ("values", "series")
    columns = table.columns[:-1] if unnamed and table.columns[-1].name == "Unit" else table.columns
    return replace(table, columns=tuple(_to_the_second(column) if column.kind == "time" else column for column in columns))


def _to_the_second(column: Column) -> Column:
    return replace(column, texts=tuple(_FRACTION.sub("", text).replace("T", " ") for text in column.texts))


def _fits(column: Column) -> bool:
    return all(len(word) <= _FITS for text in column.texts for word in text.split())


def _table(table: Table) -> Iterator[str]:
    beside = [column for column in table.columns if _fits(column)]
    below = [column for column in table.columns if not _fits(column)]
    classes = ["" if column.kind == "text" else f' class="{column.kind}"' for column in beside]
    heads = "".join(f"<th{kind}>{escape(column.name)}</th>" for kind, column in zip(classes, beside, strict=True))
    yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>"
    for number in range(len(table.rows)):
        cells = "".join(f"<td{kind}>{escape(column.texts[number])}</td>" for kind, column in zip(classes, beside, strict=True))
        told = [f"{escape(one.name)}: <code>{escape(one.texts[number])}</code>" for one in below if one.texts[number]]
        yield f'<tr class="above">{cells}</tr>' if told else f"<tr>{cells}</tr>"
        if told:
            yield f'<tr class="below"><td colspan="{max(1, len(beside))}">{"<br>".join(told)}</td></tr>'
    yield "</tbody>\n</table>"
