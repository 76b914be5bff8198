"""Axes: what a sweep varies, as lists, ranges or distributions, several settings together where wanted.

An axis is written as ``"setting" = values``, where values are a list or one of the tables

- ``{ range = [first, last, step] }``, the last included,
- ``{ log2 = [first, last] }`` and ``{ log10 = [first, last] }``, each value 2 or 10 times the one before,
- ``{ uniform = [low, high] }`` and ``{ loguniform = [low, high] }``, for samplers that draw.

Settings that go together are named in one key, ``"task.name, task.horizon" = [["sunspots", 1], ...]``, and
a whole table may be an axis, ``strategy = [{ name = "ga", population = 64 }, { name = "esn" }]``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from evorrn.base.checks import is_number
from evorrn.base.errors import nearest, unknown
from evorrn.lab.sweep.known import TABLES, known_settings

FORMS = ("range", "log2", "log10", "uniform", "loguniform")
LONGEST = 1_000_000
"""Most values of one axis: a range that is longer is a slip of the step."""


@dataclass(frozen=True)
class Axis:
    """One axis: the dotted names of the settings that it varies together, and its values.

    Each point has what one value assigns, by dotted name. A distribution has no points but a range, `low` to `high`,
    and may be uniform in the logarithm. `ordered` is whether values are numbers, so that near ones are alike.
    """

    names: tuple[str, ...]
    points: tuple[dict[str, Any], ...] = ()
    low: float = math.nan
    high: float = math.nan
    logarithmic: bool = False
    ordered: bool = False

    @property
    def label(self) -> str:
        """The axis as the file names it."""
        return ", ".join(self.names)

    @property
    def finite(self) -> bool:
        """Whether its values can be listed."""
        return bool(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def draw(self, share: float) -> dict[str, Any]:
        """Return the value at a share of the axis, from 0 to below 1; uniform shares give the axis's distribution."""
        if self.points:
            return self.points[min(int(share * len(self.points)), len(self.points) - 1)]
        if self.logarithmic:
            low, high = math.log(self.low), math.log(self.high)
            value = math.exp(low + share * (high - low))
        else:
            value = self.low + share * (self.high - self.low)
        return {self.names[0]: min(max(value, self.low), self.high)}

    def describe(self) -> str:
        """Return its values in a few words."""
        if not self.points:
            kind = "loguniform" if self.logarithmic else "uniform"
            return f"{kind} from {self.low:g} to {self.high:g}"
        several = len(self.names) > 1
        shown = [spell(point) if several else text_of(*point.values()) for point in self.points[:6]]
        comma = "; " if several else ", "
        return comma.join(shown) + (f"{comma}... ({len(self.points)} values)" if len(self.points) > 6 else "")


def parse_axes(table: Mapping[str, Any], base: Mapping[str, Any], home: Path, found: list[str]) -> list[Axis]:
    """Return the axes of a sweep file; mistakes are added to `found`, each led by its path."""
    axes: list[Axis] = []
    taken: dict[str, str] = {}
    strange: list[str] = []
    for label, value in entries(table):
        names = tuple(name.strip() for name in label.split(","))
        if any(name.split(".")[0] not in TABLES for name in names):
            strange.append(label)
            continue
        sentences = ["names a setting twice"] if len(set(names)) < len(names) else []
        axis = _axis(names, value, sentences)
        found += [f"axes.{label}: {sentence}" for sentence in sentences]
        if axis is None:
            continue
        for name in axis.names:
            other = next(
                (o for o in taken if o == name or o.startswith(f"{name}.") or name.startswith(f"{o}.")), None
            )
            if other is not None:
                what = (
                    f"is varied by the axis {taken[other]} already"
                    if other == name
                    else f"is in the axis {taken[other]} too"
                )
                found.append(f"axes.{label}: {name} {what}; a setting has one axis")
        taken.update(dict.fromkeys(axis.names, label))
        axes.append(axis)
    found += _unknown_names(axes, strange, base, home)
    return axes


def spell(cell: Mapping[str, Any]) -> str:
    """Return the settings of a cell as text."""
    return ", ".join(f"{name}={text_of(value)}" for name, value in cell.items())


def text_of(value: Any) -> str:
    """Return a value of a setting as text."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def entries(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values; a dotted name may be one quoted key or nested tables."""
    for key, value in table.items():
        inside = f"{prefix}{key}" in (*TABLES, "network.cell_options", "network.initial")
        if isinstance(value, Mapping) and (inside or (not prefix and "." not in key)):
            yield from entries(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def assigned(table: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of nested tables with values at dotted names."""
    found = {name: dict(value) if isinstance(value, Mapping) else value for name, value in table.items()}
    for name, value in values.items():
        *path, last = name.split(".")
        inside = found
        for part in path:
            inner = inside.get(part)
            inside[part] = dict(inner) if isinstance(inner, Mapping) else {}
            inside = inside[part]
        inside[last] = value
    return found


def _axis(names: tuple[str, ...], value: Any, found: list[str]) -> Axis | None:
    if isinstance(value, Mapping):
        if len(names) > 1:
            found.append(f"expected a list of lists with {len(names)} values each, got {dict(value)!r}")
            return None
        return _ranged(names[0], value, found)
    if not isinstance(value, list):
        found.append(f"expected a list or a table such as {{ log2 = [16, 64] }}, got {value!r}")
        return None
    if not value:
        found.append("expected at least one value, got none")
        return None
    points = []
    for item in value:
        if len(names) > 1:
            if not isinstance(item, list) or len(item) != len(names):
                found.append(f"expected lists of {len(names)} values, one for each setting, got {item!r}")
                continue
            points.append(dict(zip(names, item)))
        elif names[0] in ("task", "network", "strategy"):
            if not isinstance(item, Mapping):
                found.append(f"expected tables such as {{ name = ... }}, got {item!r}")
                continue
            points.append({f"{names[0]}.{key}": one for key, one in entries(item)})
        else:
            points.append({names[0]: item})
    for place, point in enumerate(points):
        if point in points[:place]:
            found.append(f"{text_of(value[place])} is there twice")
    if found:
        return None
    every = tuple(dict.fromkeys(itertools.chain.from_iterable(points)))
    ordered = len(every) == 1 and all(_is_finite(point[every[0]]) for point in points)
    return Axis(every, tuple(points), ordered=ordered)


def _ranged(name: str, table: Mapping[str, Any], found: list[str]) -> Axis | None:
    forms = [key for key in table if key in FORMS]
    found += [unknown("form", key, FORMS) for key in table if key not in FORMS]
    if len(forms) != 1 and not found:
        found.append(f"expected one of {', '.join(FORMS)}, got {', '.join(forms) or 'none'}")
    if found:
        return None
    form, given = forms[0], table[forms[0]]
    count = 3 if form == "range" else 2
    if not isinstance(given, list) or len(given) != count or not all(map(_is_finite, given)):
        what = "three numbers, [first, last, step]" if form == "range" else "two numbers, [first, last]"
        found.append(f"{form}: expected {what}, got {given!r}")
        return None
    first, last = given[:2]
    if form in ("log2", "log10", "loguniform") and first <= 0:
        found.append(f"{form}: expected numbers above 0, got {given!r}")
    elif form == "range" and (given[2] <= 0 or last < first):
        found.append(f"range: expected a last value not below the first and a step above 0, got {given!r}")
    elif form != "range" and last <= first:
        found.append(f"{form}: expected a last value above the first, got {given!r}")
    if found:
        return None
    if form in ("uniform", "loguniform"):
        return Axis(
            (name,), low=float(first), high=float(last), logarithmic=form == "loguniform", ordered=True
        )
    if form == "range" and (last - first) / given[2] > LONGEST:
        found.append(f"range: {given!r} has more than {LONGEST:,} values")
        return None
    values = _steps(first, last, given[2]) if form == "range" else _powers(first, last, int(form[3:]))
    return Axis((name,), tuple({name: value} for value in values), ordered=True)


def _steps(first: float, last: float, step: float) -> list[float]:
    """Return first, first + step, ... up to last, exact in the decimals that were typed."""
    start, stop, width = (Decimal(str(number)) for number in (first, last, step))
    whole = all(isinstance(number, int) for number in (first, step))
    values = [start + place * width for place in range(int((stop - start) / width) + 1)]
    return [int(value) if whole else float(value) for value in values]


def _powers(first: float, last: float, factor: int) -> list[float]:
    """Return first, factor times first, ... up to last, exact in the decimals that were typed."""
    value, values = Decimal(str(first)), []
    while value <= Decimal(str(last)):
        values.append(int(value) if isinstance(first, int) else float(value))
        value *= factor
    return values


def _is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def _unknown_names(
    axes: Sequence[Axis], strange: Sequence[str], base: Mapping[str, Any], home: Path
) -> list[str]:
    """Return one sentence for each name in the axes and the base that is not a setting of the sweep.

    Axes whose names cannot be settings were not made; `strange` has their labels.
    """
    values: dict[str, list[Any]] = {}
    for axis in axes:
        for point in axis.points:
            for name, value in point.items():
                values.setdefault(name, []).append(value)
    found: list[str] = []
    known = known_settings(base, values, home, found)
    labels = [("axes", label) for label in (*strange, *(axis.label for axis in axes))]
    labels += [("base", label) for label, _ in entries(base) if label != "seed"]
    for table, label in labels:
        for name in (part.strip() for part in label.split(",")):
            free = name.startswith(("network.cell_options.", "network.initial."))
            table_of_one = ".".join(name.split(".")[:2])  # strategy.first of strategy.first.population
            if free or {name, table_of_one, f"{name.split('.')[0]}.*"} & known:
                continue
            if name in ("seed", "seeds"):
                found.append(
                    f"axes.{label}: seeds are no axis; give seeds = 10 beside the axes: every cell runs in all"
                )
                continue
            ends = {setting.rpartition(".")[2]: setting for setting in sorted(known) if "." in setting}
            guess = ends.get(name) or nearest(name, known)
            hint = f"; did you mean {guess!r}?" if guess else f" (settings begin with {', '.join(TABLES)})"
            found.append(f"{table}.{label}: {name!r} names no setting of any task or strategy here{hint}")
    return found
