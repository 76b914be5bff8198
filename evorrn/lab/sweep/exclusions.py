"""Exclusions: cells of a sweep that are left out, written as ``[[exclude]]`` with settings and their values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evorrn.base.errors import nearest, unknown
from evorrn.lab.sweep.axes import Axis, entries


@dataclass(frozen=True)
class Exclusion:
    """Cells that are left out: those with one of the values of every setting named."""

    values: Mapping[str, tuple[Any, ...]]

    def __contains__(self, cell: Mapping[str, Any]) -> bool:
        return all(name in cell and cell[name] in wanted for name, wanted in self.values.items())


def parse_exclusions(
    tables: Sequence[Mapping[str, Any]], axes: Sequence[Axis], varied: Collection[str], found: list[str]
) -> list[Exclusion]:
    """Return the exclusions of a sweep file's tables; mistakes are added to `found`.

    A setting that is in `varied` but in no axis is passed over: the mistakes in its axis are reported already.
    """
    exclusions, known = [], {name: axis for axis in axes for name in axis.names}
    for place, table in enumerate(tables):
        values: dict[str, tuple[Any, ...]] = {}
        for name, value in entries(table):
            path = f"exclude[{place}].{name}"
            if name in varied and name not in known:
                continue
            if name not in known:
                found.append(f"{path}: {unknown('axis', name, known)}")
                continue
            wanted = (
                tuple(value)
                if isinstance(value, list) and all(point.get(name) != value for point in known[name].points)
                else (value,)
            )
            values[name] = wanted
            if known[name].finite:
                there = [point[name] for point in known[name].points if name in point]
                for one in wanted:
                    if one not in there:
                        guess = nearest(one, [str(item) for item in there])
                        hint = f"; did you mean {guess!r}?" if guess else ""
                        found.append(f"{path}: {one!r} is no value of that axis{hint}")
        if not table:
            found.append(f"exclude[{place}]: expected settings and their values, got none")
        elif values:
            exclusions.append(Exclusion(values))
    return exclusions
