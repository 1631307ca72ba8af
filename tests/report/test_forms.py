"""Each form is read back with a program that knows it."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from html import escape
from html.parser import HTMLParser

import jsonschema
import openpyxl
import pypdf

from provisioning.report import book, machine, page, paper, sheets
from provisioning.report.model import Report, Section, Table, moment, number_column, text_column, time_column
from tests.report.test_changes_and_record import SPAN


def _section(report: Report, title: str) -> Section:
    [found] = [section for section in report.sections if section.title == title]
    return found


class _Page(HTMLParser):
    """The texts of headings and of cells, the tags, and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.sources: list[str] = []
        self.cells: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        self._open = tag
        if tag in ("td", "th", "h1", "h2", "p", "code"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self._open in ("td", "th", "h1", "h2", "p", "code"):
            self.cells[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def test_html_has_every_text_escaped_and_stands_alone(report: Report) -> None:
    read = _Page()
    read.feed(page.html(report))
    assert "script" not in read.tags
    assert read.sources and all(source.startswith("data:image/webp;base64,") for source in read.sources)
    assert "Small <board>" in read.cells and "<script>alert(1)</script>" in read.cells and "<remark>" in read.cells
    for section, table in report.tables:
        if table.form != "points":
            assert all(text in read.cells for row in page.read(section, table).texts for text in row if text)


def test_what_no_column_holds_is_written_below_its_row() -> None:
    """Ids and commands would be broken into letters, or make all else narrow."""
    command, ids = "curl -sS 'http://127.0.0.1:3000/api/traces?fields=core,basic'", ["4f9277" * 6, ""]
    table = Table(
        (
            time_column("When", [1_800_000_000.0, 1_800_000_060.0]), text_column("Command", [command, "none"]),
            text_column("Request", ids), number_column("Took", [25.0, 7.81], "s", ["25 s", "7.81 s"]),
        )
    )  # fmt: skip
    text = page.html(Report("t", "T", SPAN, SPAN, {}, (), (Section("panel-1", "Slow", (table,)),)))
    assert '<th class="time">When</th><th class="number">Took</th></tr>' in text
    assert '<td class="time">2027-01-15 08:00:00</td><td class="number">25 s</td></tr>' in text
    first, second = text.split('<tr class="below"><td colspan="2">')[1:]
    assert first.startswith(f"Command: <code>{escape(command)}</code><br>Request: <code>{ids[0]}</code></td></tr>")
    assert second.startswith("Command: <code>none</code></td></tr>"), "and nothing is said of what is not there"


def test_a_picture_of_a_wide_table_is_left_out() -> None:
    """On paper nobody could read it, and the table follows."""

    def pictures(columns: int) -> int:
        table = Table(tuple(number_column(str(number), [1.0]) for number in range(columns)))
        section = Section("panel-1", "Wide", (table,), picture=b"a picture")
        return page.html(Report("t", "T", SPAN, SPAN, {}, (), (section,))).count("<img ")

    assert (pictures(6), pictures(7)) == (1, 0)


def test_pdf_says_the_same_in_text(report: Report) -> None:
    read = pypdf.PdfReader(io.BytesIO(paper.pdf(page.html(report))))
    text = " ".join(" ".join(part.extract_text().split()) for part in read.pages)
    assert "Small <board>" in text and "9.50 s" in text and "+90.0%" in text and "$12.5" in text
    assert moment(report.span.end) in text and "Time zone UTC" in text
    assert sum(len(part.images) for part in read.pages) >= 4, "a picture of each panel that has figures"


def test_a_workbook_holds_numbers_and_no_formulas(report: Report) -> None:
    read = openpyxl.load_workbook(io.BytesIO(book.xlsx(report)))
    assert read.sheetnames[:2] == ["Report", "What changed"]
    cells = [cell for sheet in read for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert "=1+1" in [cell.value for cell in cells]
    rows = [row for row in read["All"].iter_rows(values_only=True) if any(value is not None for value in row)]
    [table] = _section(report, "All").tables
    assert rows[1] == tuple(column.heading for column in table.columns)
    assert rows[2:] == list(table.rows)


def test_sheets_with_equal_or_impossible_names_are_told_apart(report: Report) -> None:
    twins = tuple(Section(str(number), "A/b: " + "x" * 40, (), "none") for number in range(3))
    read = openpyxl.load_workbook(io.BytesIO(book.xlsx(Report("t", "T", report.span, report.before, {}, (), twins))))
    assert len({name.lower() for name in read.sheetnames}) == 4 and max(map(len, read.sheetnames)) <= 31


def test_csv_is_guarded_against_formulas(report: Report) -> None:
    body = sheets.single(_section(report, "All").tables)
    assert body is not None
    heads, *rows = csv.reader(io.StringIO(body.decode()))
    [table] = _section(report, "All").tables
    assert heads == [column.heading for column in table.columns]
    assert [row[1] for row in rows] == ["'=1+1", "<script>alert(1)</script>", 'żółw & "co"']
    assert [float(row[2]) if row[2] else None for row in rows] == [12.5, -3, None], "a negative number stays a number"


def test_csv_of_one_graph_is_its_points(report: Report) -> None:
    body = sheets.single(_section(report, "In progress").tables)
    assert body is not None and body.decode().splitlines()[0] == "Time,clerk"


def test_a_zip_has_a_file_for_each_table_and_is_the_same_each_time(report: Report) -> None:
    body = sheets.zipped(report)
    assert body == sheets.zipped(report)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert len(archive.namelist()) == len(report.tables)
        assert archive.read("003-all-rows.csv").decode() == sheets.text(_section(report, "All").tables[0])


def test_json_keeps_its_schema(report: Report) -> None:
    told = json.loads(machine.as_json(report))
    jsonschema.Draft202012Validator(machine.SCHEMA).validate(told)
    [all_] = [section for section in told["sections"] if section["title"] == "All"]
    assert [tuple(row) for row in all_["tables"][0]["rows"]] == list(_section(report, "All").tables[0].rows)
    assert told["range"]["to"] == moment(report.span.end) and told["timezone"] == "UTC"
