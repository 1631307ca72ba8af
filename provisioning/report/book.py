"""A report as a workbook: the head on the first sheet, then a sheet for each section with its tables below each other."""

from __future__ import annotations

import io
import re

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell, WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from provisioning.report.model import Report, Value
from provisioning.report.page import facts

_LONGEST_TEXT, _LONGEST_NAME = 32_767, 31
"""Limits of the format, in characters."""
_BOLD = Font(bold=True)


def xlsx(report: Report) -> bytes:
    """Numbers are numbers; times are texts in ISO 8601, for the format knows no time zones."""
    book = Workbook(write_only=True)
    taken: set[str] = set()
    head = _sheet(book, "Report", taken)
    head.append([_cell(head, report.title, bold=True)])
    for label, text in (*facts(report), *(("Remark", remark) for remark in report.remarks)):
        head.append([_cell(head, label), _cell(head, text)])
    for section in report.sections:
        sheet = _sheet(book, section.title, taken)
        sheet.append([_cell(sheet, section.title, bold=True)])
        if section.note:
            sheet.append([_cell(sheet, section.note)])
        for table in section.tables:
            sheet.append([])
            sheet.append([_cell(sheet, column.heading, bold=True) for column in table.columns])
            for row in table.rows:
                sheet.append([_cell(sheet, value) for value in row])
    body = io.BytesIO()
    book.save(body)
    return body.getvalue()


def _sheet(book: Workbook, title: str, taken: set[str]) -> WriteOnlyWorksheet:
    plain = re.sub(r"[\[\]:*?/\\']", " ", _clean(title)).strip()[:_LONGEST_NAME] or "Panel"
    name, count = plain, 1
    while name.lower() in taken:
        count += 1
        name = f"{plain[: _LONGEST_NAME - len(str(count)) - 1]} {count}"
    taken.add(name.lower())
    sheet = book.create_sheet(name)
    assert isinstance(sheet, WriteOnlyWorksheet)
    return sheet


def _cell(sheet: WriteOnlyWorksheet, value: Value, bold: bool = False) -> Cell:
    """A text stays a text, even one that begins as a formula does."""
    cell = WriteOnlyCell(sheet, _clean(value) if isinstance(value, str) else value)
    if isinstance(value, str):
        cell.data_type = "s"
    if bold:
        cell.font = _BOLD
    return cell


def _clean(text: str) -> str:
    kept = ILLEGAL_CHARACTERS_RE.sub("", text)
    return kept if len(kept) <= _LONGEST_TEXT else f"{kept[: _LONGEST_TEXT - 1]}…"
