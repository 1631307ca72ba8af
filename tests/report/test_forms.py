"""Each form is read back with a program that knows it."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from html.parser import HTMLParser

import jsonschema
import openpyxl
import pypdf

from provisioning.report import book, machine, page, paper, sheets
from provisioning.report.model import Report, Section, moment


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
        if tag in ("td", "th", "h1", "h2", "p"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self._open in ("td", "th", "h1", "h2", "p"):
            self.cells[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def test_html_has_every_text_escaped_and_stands_alone(report: Report) -> None:
    read = _Page()
    read.feed(page.html(report))
    assert "script" not in read.tags
    assert read.sources and all(source.startswith("data:image/webp;base64,") for source in read.sources)
    assert "Small <board>" in read.cells and "<script>alert(1)</script>" in read.cells and "<remark>" in read.cells
    for _section, table in report.tables:
        if table.form != "points":
            assert all(text in read.cells for row in table.texts for text in row if text)


def test_pdf_says_the_same_in_text(report: Report) -> None:
    read = pypdf.PdfReader(io.BytesIO(paper.pdf(page.html(report))))
    text = " ".join(" ".join(part.extract_text().split()) for part in read.pages)
    assert "Small <board>" in text and "9.50 s" in text and "+90.0%" in text and "$12.5" in text
    assert moment(report.span.end) in text and "Time zone UTC" in text
    assert sum(len(part.images) for part in read.pages) >= 5, "a picture of each panel"


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
