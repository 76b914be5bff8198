"""The sweep file: what to vary, how often, and how to choose; all mistakes are reported at once.

What the file says is checked in three steps: its shape here; its axes in
`evorrn.lab.sweep.axes`; and every cell that follows from them in `evorrn.lab.sweep.plan`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evorrn.base.errors import ConfigError
from evorrn.base.settings import Settings, setting
from evorrn.lab.runs.typed import build_what_is_right, read, table_of
from evorrn.lab.sweep.axes import Axis, assigned, entries, parse_axes
from evorrn.lab.sweep.exclusions import Exclusion, parse_exclusions

SAMPLERS = ("grid", "random", "sobol", "tpe", "cmaes")
ADAPTIVE = ("tpe", "cmaes")
"""Samplers that choose by the results of earlier runs, so that one process must lead them."""


MANY = 1_000_000
"""Runs from which a sweep must be confirmed."""
TABLES = ("axes", "base", "search")


@dataclass(frozen=True)
class Search(Settings):
    """The table ``[search]``: how cells are chosen from the axes."""

    sampler: str = setting("grid", "How cells are chosen.", choices=SAMPLERS)
    runs: int | None = setting(None, "Runs of all cells together; a grid has its own number.", minimum=1)
    seed: int = setting(0, "Seed of the sampler.", minimum=0)
    ahead: int = setting(8, "Cells that tpe and cmaes choose before they learn of the first.", minimum=1)
    prune: bool = setting(True, "Whether tpe and cmaes stop runs that fall behind.")


@dataclass(frozen=True)
class SweepTable(Settings):
    """The top of a sweep file; its tables are checked separately."""

    name: str | None = setting(None, "Name of the folder below RUNS/sweeps; that of the file by default.")
    seeds: int = setting(1, "Runs of each cell: seeds 0, 1, 2, ...", minimum=1)
    axes: Any = setting(None, "What the sweep varies.")
    base: Any = setting(None, "The spec that all cells have in common.")
    search: Any = setting(None, "How cells are chosen.")
    exclude: Any = setting(None, "Cells that are left out.")


@dataclass(frozen=True)
class Sweep:
    """A checked sweep file, and its text as it was read.

    `base` is the spec that all cells have in common; relative paths start from `home`. For the rest see `SweepTable`.
    """

    name: str
    seeds: int
    base: dict[str, Any]
    axes: tuple[Axis, ...]
    exclusions: tuple[Exclusion, ...]
    search: Search
    home: Path
    text: str = field(repr=False, default="")

    @property
    def adaptive(self) -> bool:
        """Whether cells are chosen by the results of earlier ones."""
        return self.search.sampler in ADAPTIVE

    @property
    def cells_wanted(self) -> int:
        """How many cells a sampler is to draw; of a grid, all there are before exclusions."""
        if self.search.sampler == "grid":
            return math.prod(map(len, self.axes))
        assert self.search.runs is not None  # checked when the file was read
        return self.search.runs // self.seeds

    @property
    def runs_wanted(self) -> int:
        """How many runs those cells are."""
        return self.cells_wanted * self.seeds


def read_sweep(path: Path, many: bool = False) -> Sweep:
    """Read and check a sweep file, see `check_sweep`.

    Raises
    ------
    ConfigError
        With every mistake, each led by its path in the file.
    """
    sweep = check_sweep(read(path), path.stem, path.resolve().parent, many)
    return dataclasses.replace(sweep, text=path.read_text(encoding="utf-8-sig"))


def check_sweep(content: Mapping[str, Any], name: str, home: Path, many: bool = False) -> Sweep:
    """Check the content of a sweep file, as TOML reads it.

    Parameters
    ----------
    name : str
        Name of the sweep where the file gives none.
    home : Path
        Folder that relative paths start from.
    many : bool
        Whether more than a million runs are meant.

    Raises
    ------
    ConfigError
        With every mistake, each led by its path in the file.
    """
    found: list[str] = []
    table = build_what_is_right(SweepTable, content, "", found)
    axes_table, base, search_table = (table_of(content, key, found) for key in TABLES)
    quoted = {name: value for name, value in base.items() if "." in name}  # as the names of axes may be
    base = assigned({name: value for name, value in base.items() if name not in quoted}, quoted)
    search = build_what_is_right(Search, search_table, "search", found)
    excluded = content.get("exclude", [])
    if not isinstance(excluded, list) or not all(isinstance(one, Mapping) for one in excluded):
        found.append(f"exclude: expected a list of tables, written [[exclude]], got {excluded!r}")
        excluded = []
    called = name if table.name is None else table.name
    if not re.fullmatch(r"\w[\w.+-]*", called):
        origin = "" if called == table.name else " from the name of the file; give the sweep a name"
        found.append(
            f"name: expected letters, digits, '_', '-', '+' and '.', as it names a folder, got {called!r}{origin}"
        )
    if "seed" in base:
        found.append("base.seed: a sweep runs many seeds; give seeds, their number")
    if not axes_table and not any(problem.startswith("axes") for problem in found):
        found.append("axes: expected at least one axis, got none")
    axes = parse_axes(axes_table, base, home, found)
    varied = {part.strip() for label, _ in entries(axes_table) for part in label.split(",")}
    exclusions = parse_exclusions(excluded, axes, varied, found)
    found += _search_problems(search, axes, table.seeds, search_table)
    if found:
        raise ConfigError(found)
    sweep = Sweep(called, table.seeds, base, tuple(axes), tuple(exclusions), search, home)
    if sweep.runs_wanted > MANY and not many:
        raise ConfigError(
            f"axes: {sweep.runs_wanted:,} runs ({sweep.cells_wanted:,} cells x {sweep.seeds} seeds) are more than a "
            "million; --yes if they are meant"
        )
    return sweep


def _search_problems(search: Search, axes: list[Axis], seeds: int, given: Mapping[str, Any]) -> list[str]:
    """Return the contradictions between the sampler and the rest of the file."""
    found = []
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
    elif search.runs % seeds:
        found.append(
            f"search.runs: expected a multiple of the {seeds} seeds, since every cell runs in every seed, "
            f"got {search.runs}"
        )
    if search.sampler not in ADAPTIVE:
        found += [
            f"search.{name}: has a meaning only for {' and '.join(ADAPTIVE)}"
            for name in ("ahead", "prune")
            if name in given
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
