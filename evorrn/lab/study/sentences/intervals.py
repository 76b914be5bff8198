"""Prediction intervals in words: which fall short of what they are to cover, and how to read them."""

from __future__ import annotations

import math

from evorrn.base.text import figure, listed
from evorrn.lab.study.backtest import horizons
from evorrn.lab.study.comparison import Comparison

SHORT = 0.05
"""How far below its level a coverage has to lie for a warning."""


def share(value: float) -> str:
    """Return a share as a percentage."""
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def title(level: float) -> str:
    """Return what intervals of a level are called."""
    return f"{100 * level:g} % prediction intervals"


def short(comparison: Comparison) -> list[str]:
    """Return a warning about conformal intervals that cover much less on test than they are to, none otherwise."""
    found = []
    for part in horizons(comparison) or [comparison]:
        ahead = f"{part.task['horizon']} ahead, " if part is not comparison else ""
        for row in part.rows:
            for intervals in row.intervals:
                worst = min(intervals.coverage)
                if intervals.kind == "conformal" and worst < comparison.level - SHORT:
                    found.append(f"{row.strategy} ({ahead}{share(worst)})")
    if not found:
        return []
    return [
        f"The {title(comparison.level)} from validation cover fewer values on test than they are to: {listed(found)}. The "
        "errors have grown since validation, or validation is too short; adaptive intervals follow such a drift."
    ]


def reading(comparison: Comparison) -> list[str]:
    """Return how the intervals are made, none where there are none."""
    if not any(row.intervals for part in horizons(comparison) or [comparison] for row in part.rows):
        return []
    return [
        f"Prediction intervals are to cover {figure(100 * comparison.level)} % of the values. Conformal ones have the width that "
        "does so on validation (split conformal), and keep it; adaptive ones follow the errors as they become known on "
        "test (Gibbs and Candès 2021). Validation has also chosen the network, so its errors are somewhat small. The range of "
        "seeds is where their predictions lie: it tells how training varies, and is no interval for the next value."
    ]
