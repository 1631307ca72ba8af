"""A report as one HTML file: no script, nothing to fetch, every text escaped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from html import escape

from provisioning.report.model import Column, Report, Section, Table, moment

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; font-variant-ligatures: none; color: #1f2329; background: #fff;
  max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; break-after: avoid; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dt { color: #5f6773; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: 12px; } thead { display: table-header-group; }
th, td { text-align: left; padding: 3px 8px; border-bottom: 1px solid #e3e6ea; vertical-align: top; overflow-wrap: anywhere; }
th { border-bottom: 2px solid #b8bec6; } .number, .words { overflow-wrap: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
tr, img { break-inside: avoid; } img { max-width: 100%; border: 1px solid #e3e6ea; } .note { color: #8a4b00; }
""".strip()
_SHORT = 16
"""Letters of a word that is not broken."""
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
    yield f'<section id="{escape(section.key)}">\n<h2>{escape(section.title)}</h2>'
    if section.note:
        yield f'<p class="note">{escape(section.note)}</p>'
    if section.picture:
        picture = b64encode(section.picture).decode()
        yield f'<img alt="{escape(section.title)}" src="data:image/webp;base64,{picture}">'
    for table in section.tables:
        if table.form != "points":
            yield from _table(table)
    yield "</section>"


def _kind(column: Column) -> str:
    """A column of short words is not made so narrow that they break; ids and commands may break anywhere."""
    if column.kind == "number":
        return ' class="number"'
    longest = max((len(word) for text in column.texts for word in text.split()), default=0)
    return ' class="words"' if longest <= _SHORT else ""


def _table(table: Table) -> Iterator[str]:
    kinds = [_kind(column) for column in table.columns]
    heads = "".join(f"<th{kind}>{escape(column.name)}</th>" for kind, column in zip(kinds, table.columns, strict=True))
    yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>"
    for row in table.texts:
        cells = "".join(f"<td{kind}>{escape(text)}</td>" for kind, text in zip(kinds, row, strict=True))
        yield f"<tr>{cells}</tr>"
    yield "</tbody>\n</table>"
