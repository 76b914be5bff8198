"""The sweep file: what to vary, how often, and how to choose; every mistake in it told at once.

What the file says is checked in three steps: its shape here, by pydantic; its axes in
`evorrn.lab.sweep.axes`; and every cell that follows from them in `evorrn.lab.sweep.plan`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evorrn.base.errors import ConfigError, unknown
from evorrn.lab.runs.typed import read
from evorrn.lab.sweep.axes import Axis, entries, parse_axes
from evorrn.lab.sweep.exclusions import Exclusion, parse_exclusions

SAMPLERS = ("grid", "random", "sobol", "tpe", "cmaes")
ADAPTIVE = ("tpe", "cmaes")
"""Samplers that choose by what earlier runs have reached, so that one process must lead them."""


class SearchTable(BaseModel):
    """The table ``[search]``: how cells are chosen from the axes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sampler: Literal["grid", "random", "sobol", "tpe", "cmaes"] = "grid"
    runs: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    ahead: Annotated[int, Field(ge=1)] = 8
    prune: bool = True


class SweepTable(BaseModel):
    """A whole sweep file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    axes: dict[str, Any]
    name: str | None = None
    seeds: Annotated[int, Field(ge=1)] = 1
    base: dict[str, Any] = {}
    exclude: list[dict[str, Any]] = []
    search: SearchTable = SearchTable()


@dataclass(frozen=True)
class Sweep:
    """A checked sweep file.

    Attributes
    ----------
    name : str
        Of its folder below ``RUNS/sweeps``.
    seeds : int
        Runs of each cell: seeds 0, 1, 2, ...
    base : dict
        The spec that all cells have in common.
    axes : tuple of Axis
    exclusions : tuple of Exclusion
    search : SearchTable
    home : Path
        Folder that relative paths start from.
    text : str
        The file as it was read.
    """

    name: str
    seeds: int
    base: dict[str, Any]
    axes: tuple[Axis, ...]
    exclusions: tuple[Exclusion, ...]
    search: SearchTable
    home: Path
    text: str = field(repr=False, default="")

    @property
    def adaptive(self) -> bool:
        """Whether cells are chosen by what earlier ones have reached."""
        return self.search.sampler in ADAPTIVE

    @property
    def cells_wanted(self) -> int:
        """How many cells a sampler is to draw; of a grid, all there are before exclusions."""
        if self.search.sampler == "grid":
            count = 1
            for axis in self.axes:
                count *= len(axis)
            return count
        assert self.search.runs is not None  # checked when the file was read
        return self.search.runs // self.seeds


def read_sweep(path: Path) -> Sweep:
    """Read and check a sweep file.

    Raises
    ------
    ConfigError
        With every mistake, each led by its path in the file.
    """
    content = read(path)
    sweep = check_sweep(content, path.stem, path.resolve().parent)
    return Sweep(**{**vars(sweep), "text": path.read_text(encoding="utf-8")})


def check_sweep(content: Mapping[str, Any], name: str, home: Path) -> Sweep:
    """Check the content of a sweep file.

    Parameters
    ----------
    content : mapping
        As TOML reads it.
    name : str
        What the sweep is called unless it says so itself.
    home : Path
        Folder that relative paths start from.

    Raises
    ------
    ConfigError
        With every mistake, each led by its path in the file.
    """
    found: list[str] = []
    try:
        table = SweepTable.model_validate(dict(content))
    except ValidationError as error:
        found += [_sentence(problem) for problem in error.errors()]
        table = SweepTable.model_construct(axes={})  # so that the axes tell their mistakes too
        for key, kind in (("name", str), ("axes", Mapping), ("base", Mapping), ("exclude", list)):
            if isinstance(content.get(key), kind):
                setattr(table, key, content[key])
        table.exclude = [one for one in table.exclude if isinstance(one, Mapping)]
    called = table.name if isinstance(table.name, str) else name
    if not re.fullmatch(r"\w[\w.+-]*", called):
        origin = "" if called == table.name else " from the name of the file; give the sweep a name"
        found.append(
            f"name: expected letters, digits, '_', '-', '+' and '.', as it names a folder, got {called!r}{origin}"
        )
    if "seed" in table.base:
        found.append("base.seed: a sweep runs many seeds; give seeds, their number")
    if not table.axes and not any(problem.startswith("axes") for problem in found):
        found.append("axes: expected at least one axis, got none")
    axes = parse_axes(table.axes, table.base, home, found)
    varied = {part.strip() for label, _ in entries(table.axes) for part in label.split(",")}
    exclusions = parse_exclusions(table.exclude, axes, varied, found)
    found += _search_problems(table, axes)
    if found:
        raise ConfigError(found)
    return Sweep(called, table.seeds, table.base, tuple(axes), tuple(exclusions), table.search, home)


def _search_problems(table: SweepTable, axes: list[Axis]) -> list[str]:
    """Return what does not fit between the sampler and the rest of the file."""
    search, found = table.search, []
    endless = [axis.label for axis in axes if not axis.finite]
    if search.sampler == "grid":
        found += [
            f"axes.{label}: a range without steps has endlessly many values, and the sampler is a grid; give a "
            'list, range, log2 or log10, or in [search] sampler = "random", "sobol", "tpe" or "cmaes"'
            for label in endless
        ]
        if search.runs is not None:
            found.append("search.runs: a grid has as many runs as its axes say; leave it out")
    elif search.runs is None:
        found.append(f"search.runs: expected how many runs {search.sampler} is to make, got nothing")
    elif search.runs % table.seeds:
        found.append(
            f"search.runs: expected a multiple of the {table.seeds} seeds, since every cell runs in every seed, "
            f"got {search.runs}"
        )
    if search.sampler not in ADAPTIVE:
        found += [
            f"search.{name}: has a meaning only for {' and '.join(ADAPTIVE)}"
            for name in ("ahead", "prune")
            if name in search.model_fields_set
        ]
        return found
    found += [
        f"axes.{axis.label}: {search.sampler} minimises one validation loss, and those of different tasks cannot "
        "be compared; use grid, random or sobol, or a sweep for each task"
        for axis in axes
        if any(name.split(".")[0] == "task" for name in axis.names)
    ]
    if search.sampler == "cmaes":
        found += [
            f"axes.{axis.label}: cmaes needs numbers in order, this axis has {axis.describe()}; use tpe"
            for axis in axes
            if not axis.ordered
        ]
        if len(axes) < 2:
            found.append("search.sampler: cmaes needs at least two axes; use tpe")
    return found


def _sentence(problem: Mapping[str, Any]) -> str:
    """Return one of pydantic's findings as a sentence led by its path."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])[1:]
    value = problem.get("input")
    if problem["type"] == "extra_forbidden":
        inside = problem["loc"][0] == "search" and len(problem["loc"]) > 1
        known = SearchTable.model_fields if inside else SweepTable.model_fields
        return f"{path}: {unknown('entry', problem['loc'][-1], known)}"
    if problem["type"] == "missing":
        return f"{path}: expected at least one axis, got none"
    if problem["type"] == "literal_error":
        return f"{path}: {unknown('value', value, SAMPLERS)}"
    wanted = {
        "int_type": "a whole number",
        "greater_than_equal": f"a whole number of at least {problem.get('ctx', {}).get('ge')}",
        "string_type": "text",
        "dict_type": "a table",
        "list_type": "a list of tables, written [[exclude]]",
        "model_type": "a table",
        "bool_type": "true or false",
    }.get(problem["type"], problem["msg"])
    return f"{path}: expected {wanted}, got {value!r}"
