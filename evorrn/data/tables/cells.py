"""One cell of a table: whether it is a number, a truth value or missing, and if none of these, why."""

from __future__ import annotations

import re

MISSING = frozenset(
    (
        *("", "na", "n/a", "n.a.", "#n/a", "#na", "nan", "-nan"),
        *("null", "nil", "none", "missing", "-", "--", "?", "."),
    )
)
TRUTH = {"true": 1.0, "false": 0.0}
_NUMBERS = {
    ".": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?", re.ASCII),
}
_NUMBER_LIKE = re.compile(
    r"\(?[+\-−–]?\s*[$€£¥]?\s*[.,]?\d(?:[\d.,'’ \xa0\u2009\u202f]*\d)?[.,]?(?:[eE][+-]?\d+)?\s*(?:[^\d\s.,:;/\-][^\d\s:;]{0,4})?\)?[-]?",
)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_BARE = re.compile(r"\d+", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = {
    ",": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII),
    ".": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?", re.ASCII),
}
_GROUPED = re.compile(r"[+-]?\d{1,3}([ \xa0\u2009\u202f'’]\d{3})+([.,]\d+)?")
MAYBE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)
"""Numbers with a point that may separate thousands."""


def is_missing(cell: str) -> bool:
    """Return whether a cell stands for a missing value."""
    return cell.lower() in MISSING


def is_number(cell: str, decimal: str = ".") -> bool:
    """Return whether a cell is a decimal number, without separators of thousands."""
    return _NUMBERS[decimal or "."].fullmatch(cell) is not None


def is_bare(cell: str) -> bool:
    """Return whether a cell consists of digits alone."""
    return _BARE.fullmatch(cell) is not None


def is_truth(cell: str) -> bool:
    """Return whether a cell is true or false."""
    return cell.lower() in TRUTH


def is_number_like(cell: str) -> bool:
    """Return whether a cell looks like a number to a reader: with separators, signs of currency or a short unit."""
    return _NUMBER_LIKE.fullmatch(cell) is not None or _INFINITE.fullmatch(cell) is not None


def as_float(cell: str, decimal: str = ".") -> float:
    """Return a number or a truth value as a float, infinity where a number is too large."""
    truth = TRUTH.get(cell.lower())
    return float(cell.replace(",", ".") if decimal == "," else cell) if truth is None else truth


def why_no_number(cell: str, decimal: str, separator: str) -> str:
    """Return what keeps a cell that looks like a number from being one, and what a user can do about it."""
    if _INFINITE.fullmatch(cell):
        return "it is not finite"
    thousands = "it has separators of thousands; write it without"
    if decimal == ",":
        if is_number(cell) or _THOUSANDS["."].fullmatch(cell):
            return "it has a point, but the decimal mark is a comma; write it without separators of thousands"
    elif _THOUSANDS[","].fullmatch(cell):
        if separator == "," or cell.count(",") > 1 or "." in cell:
            return thousands
        return "its comma is a decimal mark (then say --decimal ,) or separates thousands (then write it without)"
    elif _DECIMAL_COMMA.fullmatch(cell):
        return "it has a decimal comma; state it with --decimal ,"
    if any(form.fullmatch(cell) for form in (*_THOUSANDS.values(), _GROUPED)):
        return thousands
    if cell.endswith(("%", "‰")):
        return "it has a percent sign; write it without"
    if any(sign in cell for sign in "$€£¥"):
        return "it has a sign of currency; write it without"
    if cell.startswith("("):
        return "it is in brackets; write negative numbers with a minus sign"
    if "−" in cell or "–" in cell:
        return "its minus sign is not the plain one (-)"
    return "it is not a plain number, without a unit or other signs"


def shown_cell(cell: str) -> str:
    """Return a cell for a message, shortened to 40 characters."""
    return repr(cell if len(cell) <= 40 else f"{cell[:37]}...")
