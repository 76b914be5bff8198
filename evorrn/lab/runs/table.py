"""Runs as one table, a row a run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evorrn.lab.runs.left_out import completed
from evorrn.lab.runs.run import FIRST, LAST, Run

SPLITS = ("test", "valid", "train")


@dataclass(frozen=True)
class Runs:
    """The runs of a folder or of a sweep; the folders of the rows are relative to `root`.

    The name of the sweep is empty for a folder. The axes are the dotted names of the settings that the sweep varies,
    without the seed.
    """

    rows: list[Run]
    root: Path
    sweep: str = ""
    axes: tuple[str, ...] = ()

    def completed(self) -> Runs:
        """Return the runs with the settings that their specs leave out."""
        return replace(self, rows=completed(self.rows))

    def columns(self) -> list[str]:
        """Return every column that a run has: id, status, seed, settings, metrics, costs, the rest."""
        settings: dict[int, Mapping[str, Any]] = {id(row.settings): row.settings for row in self.rows}
        names = {name for shared in settings.values() for name in shared}
        metrics = {name for names in _shared_names(self.rows) for name in names}
        order = ("budget", "parent", "task", "network", "strategy", "files")
        first = {name: place for shared in settings.values() for place, name in enumerate(shared)}
        ranked = sorted(names, key=lambda name: (_place(name.split(".")[0], order), first[name], name))
        scored = sorted(metrics, key=lambda name: (_place(name.split(".")[0], SPLITS), name))
        return [*FIRST, "seed", *ranked, *scored, *LAST]

    def values(self, name: str) -> list[Any]:
        """Return a column, None where a run has no such value."""
        if name in (*FIRST, "seed", *LAST):
            return [getattr(row, name) for row in self.rows]
        if name.split(".")[0] not in SPLITS:
            return [row.settings.get(name) for row in self.rows]
        place = {
            id(names): names.index(name) if name in names else None for names in _shared_names(self.rows)
        }
        places = [place[id(row.metric_names)] for row in self.rows]
        return [None if at is None else row.metric_values[at] for row, at in zip(self.rows, places)]


def ranking_metrics(rows: Sequence[Run], split: str = "test") -> list[str]:
    """Return the metrics that rank the tasks of some runs: the first of a split."""
    rankings = (row.ranking_metric(split) for row in rows)
    return sorted({name for name in rankings if name is not None})


def csv_text(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Return lines of a table as CSV: empty where there is no value, numbers with all their digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return text.getvalue()


def plain_text(value: Any) -> str:
    """Return a value as text for comparing and grouping: lists as in TOML, ``none`` for a missing value."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shared_names(rows: Sequence[Run]) -> list[tuple[str, ...]]:
    """Return the different tuples of metric names that rows have; many rows share one."""
    return list({id(row.metric_names): row.metric_names for row in rows}.values())


def _place(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)
