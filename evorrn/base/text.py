"""Text for readers: numbers with the digits that matter, intervals, lists and plurals."""

from __future__ import annotations

import math
from collections.abc import Sequence


def note(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return a warning as a line for readers, in place of `warnings.formatwarning`, without its place in the code."""
    return f"evorrn: note: {message}\n"


def figure(value: float) -> str:
    """Return a number with three significant digits, ``failed`` for an infinite one and a dash for NaN."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "failed"
    return f"{value:#.3g}".removesuffix(".") if abs(value) < 1000 else f"{value:.2e}"


def interval(low: float, high: float) -> str:
    """Return the two ends of an interval in brackets, a dash where there is none."""
    return "–" if math.isnan(low) else f"[{figure(low)}, {figure(high)}]"


def amount(value: float | None, infinite: str = "–") -> str:
    """Return a cost as budgets are typed, for instance ``5.02G``; a dash where it is not known."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return infinite
    return with_letter(value, ".3g")


def with_letter(value: float, form: str) -> str:
    """Return a number with the letter of its thousands, as budgets are typed: 500M, 2G."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:{form}}{letter}"
    return f"{value:{form}}"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them: ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun in the singular or the plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or f'{noun}s'}"
