"""The plan of a sweep: every cell checked before anything runs, every run with its id and folder.

The list of runs lies in a file, in an order that keeps runs of one compiled program together; in memory are
a few bytes a cell. So a plan of a million runs takes no more memory than one of a hundred.
"""

from __future__ import annotations

import itertools
import json
import math
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from evorrn.base.errors import ConfigError
from evorrn.lab.runs.hooks import ignore
from evorrn.lab.runs.run import Run
from evorrn.lab.runs.spec import Spec, resolve
from evorrn.lab.sweep.axes import spell, text_of
from evorrn.lab.sweep.sampling import Cell, cells, spec_of
from evorrn.lab.sweep.sweep_file import Sweep


class Plan:
    """The checked runs of a grid, random or Sobol sweep.

    `repeated` counts cells that are left out, since another one gives the same spec. `programs` has what runs must
    have in common to share compiled programs, in the order of the list, and `largest` the spec of each with the most genes.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.cells = 0
        self.repeated = 0
        self.programs: list[tuple[Any, ...]] = []
        self.largest: list[Spec] = []  # of each program
        self._offsets: list[array[int]] = []  # of the first run of each cell, by program
        self._file: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", prefix="evorrn-plan-")  # noqa: SIM115

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self.cells * self.sweep.seeds

    def add(self, cell: Cell, spec: Spec) -> None:
        """Add the runs of a checked cell."""
        program = program_of(spec)
        if program not in self.programs:
            self.programs.append(program)
            self._offsets.append(array("q"))
            self.largest.append(spec)
        place = self.programs.index(program)
        self.largest[place] = max(self.largest[place], spec, key=lambda each: each.network.size)
        self._offsets[place].append(self._file.tell())
        self._file.writelines(run.line() for run in runs_of(cell, spec, self.sweep.seeds))
        self.cells += 1

    def largest_runs(self) -> list[tuple[Spec, int]]:
        """Return the run of each program with the largest network, and how many runs share the program."""
        return [(spec, len(cells) * self.sweep.seeds) for spec, cells in zip(self.largest, self._offsets)]

    def groups(self, first: int = 0) -> list[Iterator[Run]]:
        """Return the runs of each program, cell by cell; the place `first`, modulo their number, comes first."""
        count = len(self.programs)
        return [self._group((first + place) % count) for place in range(count)]

    def _group(self, place: int) -> Iterator[Run]:
        for offset in self._offsets[place]:
            self._file.seek(offset)
            lines = [self._file.readline() for _ in range(self.sweep.seeds)]
            yield from map(Run.from_line, lines)

    def __iter__(self) -> Iterator[Run]:
        return itertools.chain.from_iterable(self.groups())


def make_plan(sweep: Sweep, checked: Callable[[int], None] = ignore) -> Plan:
    """Check every cell of a sweep that is not adaptive, and list its runs.

    `checked` is called with the number of cells checked so far.

    Raises
    ------
    ConfigError
        With every cell that the spec refuses, or when there are none.
    """
    plan, refused, seen = Plan(sweep), Refusals(), set()
    for done, cell in enumerate(cells(sweep), start=1):
        checked(done)
        spec = refused.check(sweep, cell)
        if spec is None:
            continue
        mark = int(spec.id, 16)
        if mark in seen:
            plan.repeated += 1
            continue
        seen.add(mark)
        if not refused:
            plan.add(cell, spec)
    refused.tell()
    if not plan.cells:
        raise ConfigError("exclude: expected some cells to be left, got none")
    return plan


def runs_of(cell: Cell, spec: Spec, seeds: int) -> Iterator[Run]:
    """Yield the runs of a cell, one a seed."""
    home = spec.folder.parent.as_posix()
    for seed in range(seeds):
        yield Run(f"{home}/{spec.with_seed(seed).id}", seed=seed, settings=cell)


def program_of(spec: Spec) -> tuple[Any, ...]:
    """Return a key that is equal for runs that share compiled programs.

    Sizes are left out: they decide at most which of a few programs of one network is used.
    """
    network = spec.network
    settings = network.settings()
    layers = range(len(network.hidden))
    activations = [
        {n: v for n, v in network.options_of(layer).items() if isinstance(v, str)} for layer in layers
    ]
    shape = (name for name in ("loss", "direct", "feedback", "dtype") if name in settings)
    return (
        spec.task.name,
        spec.strategy.name,
        network.cell_name,
        len(network.hidden),
        json.dumps(activations, sort_keys=True),
        *(settings[name] for name in shape),
        network.reads,
        network.wiring,
    )


class Refusals:
    """Mistakes in cells: each sentence once, with all of its cells."""

    def __init__(self) -> None:
        self._cells: dict[str, list[Cell]] = {}
        self._checked = 0

    def __bool__(self) -> bool:
        return bool(self._cells)

    def check(self, sweep: Sweep, cell: Cell) -> Spec | None:
        """Return the spec of a cell; None where it is refused, and its mistakes are kept."""
        self._checked += 1
        try:
            return resolve({**spec_of(sweep, cell), "seed": 0}, sweep.home)
        except ConfigError as error:
            for problem in error.problems:
                self._cells.setdefault(problem, []).append(cell)
            return None

    def tell(self) -> None:
        """Raise ConfigError where cells were refused: one sentence for each problem, with every cell that has it."""
        if self:
            where = {problem: _where(cells, self._checked) for problem, cells in self._cells.items()}
            raise ConfigError([f"{problem} [{cells}]" for problem, cells in where.items()])


def _where(refused: Sequence[Cell], checked: int) -> str:
    """Return cells in few words: settings times settings where the cells are a product."""
    if len(refused) == checked:
        return "all cells" if checked > 1 else spell(refused[0])
    values: dict[str, dict[str, Any]] = {}
    for cell in refused:
        for name, value in cell.items():
            values.setdefault(name, {})[json.dumps(value)] = value
    product = math.prod(map(len, values.values()))
    count = f"{len(refused)} of {checked} cells"
    if product == len(refused) and all(set(cell) == set(values) for cell in refused):
        either = {name: " or ".join(map(text_of, options.values())) for name, options in values.items()}
        return f"{count}: {spell(either)}"
    return f"{count}: " + "; ".join(map(spell, refused))
