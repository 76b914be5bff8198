"""Horizons and folds in words."""

from __future__ import annotations

from evorrn.base.text import counted, listed
from evorrn.lab.study.backtest import ahead
from evorrn.lab.study.comparison import Comparison


def _known(comparison: Comparison) -> tuple[list[int | None], list[int]]:
    """Return the horizons and the folds."""
    parts = comparison.parts
    return list(dict.fromkeys(part.horizon for part in parts)), sorted({part.fold for part in parts})


def spread(comparison: Comparison) -> str:
    """Return over which horizons and folds a comparison goes, with a blank before; empty for one of each."""
    horizons, folds = _known(comparison)
    found = [f"horizons {listed(list(map(str, horizons)))}"] if len(horizons) > 1 else []
    found += [counted(len(folds), "fold")] if len(folds) > 1 else []
    return f" over {' and '.join(found)}" if found else ""


def in_folds(comparison: Comparison, a: str, b: str) -> str:
    """Return in how many folds one entry is better than another, with a blank before; empty where there is one fold."""
    _, folds = _known(comparison)
    return f" and {ahead(comparison, a, b)} of {counted(len(folds), 'fold')}" if len(folds) > 1 else ""


def reading(comparison: Comparison) -> list[str]:
    """Return how horizons and folds enter the numbers, none where there is one of each."""
    horizons, folds = _known(comparison)
    found = []
    if len(horizons) > 1:
        found.append(
            f"Every way is trained separately for each of the horizons {listed(list(map(str, horizons)))} (direct forecasts). The ranking "
            f"takes the mean of {comparison.metric} over the horizons; the table has each of them."
        )
    if len(folds) > 1:
        found.append(
            f"A backtest of {len(folds)} folds with a rolling origin: in each, everything is learned from the rows before its "
            "test block, columns, scaling and filling included. The interval of a median is a bootstrap over folds and seeds. "
            "P-values compare seeds by their mean over the folds; in how many folds a way is ahead shows whether its lead "
            "comes back at other times."
        )
    if found:
        found.append(
            "Curves, predictions, populations and genomes are those of the first horizon and the last fold."
        )
    return found
