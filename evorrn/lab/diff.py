"""What differs between two runs: in spec, in environment, in outcome."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evorrn.base.text import listed
from evorrn.lab.catalogue import Page
from evorrn.lab.query import text
from evorrn.lab.report.tables import text_table
from evorrn.lab.runs.left_out import left_out
from evorrn.lab.runs.reader import Reader
from evorrn.lab.runs.run import COSTS, Run, flatten
from evorrn.lab.runs.store import RunFolder

OUTCOME = ("status", "stopped_by", "error")

Pairs = dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Difference:
    """What differs between two runs, by dotted name: the value of the one and that of the other.

    `runs` are the ids. None stands for what a run does not have; the spec is None when one cannot be read.
    """

    runs: tuple[str, str]
    spec: Pairs | None
    environment: Pairs
    outcome: Pairs

    def as_dict(self) -> dict[str, Any]:
        """Return the difference as plain data."""
        return dataclasses.asdict(self)


def difference(a: RunFolder, b: RunFolder) -> Difference:
    """Return the differences of two runs in any state."""
    readers = [Reader(run.path.resolve().parent) for run in (a, b)]
    rows = [reader.run(run.id) for reader, run in zip(readers, (a, b))]
    specs = [reader.spec(run.id) for reader, run in zip(readers, (a, b))]
    environments = [flatten(run.environment()) for run in (a, b)]
    return Difference(
        (a.id, b.id),
        spec=None if specs[0] is None or specs[1] is None else _differing_specs(specs[0], specs[1]),
        environment=_differing(*environments),
        outcome=_differing(*(_outcome(row) for row in rows)),
    )


def page(found: Difference) -> Page:
    """Return a difference as a page to print."""
    columns = ("", *found.runs)
    parts = (("spec", found.spec), ("environment", found.environment), ("outcome", found.outcome))
    tables = [
        text_table(
            name, columns, [(key, *(_shown(key, value) for value in values)) for key, values in pairs.items()]
        )
        for name, pairs in parts
        if pairs
    ]
    same = [name for name, pairs in parts if pairs == {}]
    said = [f"no difference in {listed(same)}"] if same else []
    said += ["the specs cannot be compared"] if found.spec is None else []
    return Page("", "; ".join(said), tables=tables)


def _outcome(row: Run) -> dict[str, Any]:
    return {name: row.get(name) for name in OUTCOME} | row.metrics() | {name: row.get(name) for name in COSTS}


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> Pairs:
    names = [*a, *(name for name in b if name not in a)]
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}


def _differing_specs(a: Mapping[str, Any], b: Mapping[str, Any]) -> Pairs:
    """Return in what two specs differ; what one leaves out and the other holds has the value that this means."""
    left_outs = [
        {name: value for name, value in left_out(one).items() if name in two} for one, two in ((a, b), (b, a))
    ]
    return _differing({**a, **left_outs[0]}, {**b, **left_outs[1]})


def _shown(name: str, value: Any) -> str:
    return "–" if value is None else text(name, value)
