"""The listings of a network: each is written when first needed and kept for later calls."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from evorrn.engine.inputs import Conditions
from evorrn.engine.listing.leaves import Numbers
from evorrn.engine.listing.listing import Listing
from evorrn.engine.listing.walk import Base, Walk, base
from evorrn.engine.model import Individuals, Model, Modules
from evorrn.engine.packing import Packed
from evorrn.kernels.threads import Work, share

W = TypeVar("W", bound=Hashable)
K = TypeVar("K")
V = TypeVar("V")

LISTINGS, TIMETABLES = 64, 16
"""How many listings a network keeps, and how many timetables a listing."""

LONG_RUN = 2 * 10**9
"""From this many numbers of `StageRows.spare` on, each `Loop` stage of a network becomes one kernel.

Compiling these takes about as long as was spent on those numbers. They give the same bytes.
"""


class Written(Protocol):
    """A listing with what its runs need."""

    listing: Listing
    numbers: Numbers

    @property
    def spare(self) -> int:
        """See `StageRows.spare`."""

    def timetable(self, sections: Mapping[str, int], span: tuple[int, ...]) -> np.ndarray:
        """Return the entries of one tile, see `evorrn.engine.listing.jobs.run_jobs`."""


class Task(NamedTuple):
    """The genomes and sequences of one run of a listing.

    Attributes
    ----------
    individuals : Individuals
        Genomes (P, n), or (n,) of one.
    packed : Packed
    conditions : Conditions
    spans : ndarray of int64, shape (Q, K)
        What the timetable of each tile depends on.
    """

    individuals: Individuals
    packed: Packed
    conditions: Conditions
    spans: np.ndarray


class Call(NamedTuple, Generic[W]):
    """One run of a listing, with all its arrays but those of the genomes.

    Attributes
    ----------
    wanted : hashable
        What the listing computes.
    individuals : Individuals
        Genomes (P, n), or (n,) of one.
    spans : ndarray of int64, shape (Q, K)
        What the timetable of each tile depends on.
    bases : mapping of str to Base
        Where the arrays are.
    memory : mapping of str to int, or None
        See `Walk.run`.
    steps : int
        The time steps of one genome on all tiles.
    """

    wanted: W
    individuals: Individuals
    spans: np.ndarray
    bases: Mapping[str, Base]
    memory: Mapping[str, int] | None
    steps: int


class _Ready:
    """A listing that can be run, and its last timetables."""

    def __init__(self, written: Written, dtype: np.dtype) -> None:
        self.written = written
        self.walk = Walk(written.listing, dtype)
        self._timetables: OrderedDict[bytes, tuple[np.ndarray, np.ndarray]] = OrderedDict()
        self._numbers: tuple[bytes, np.ndarray] | None = None

    def numbers(self, options: np.ndarray) -> np.ndarray:
        """Return the constants and numeric options that the listing reads."""
        key, found = options.tobytes(), self._numbers
        if found is None or found[0] != key:
            self._numbers = found = key, self.written.numbers.values(options)
        return found[1]

    def timetable(self, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the timetable of all tiles, and the first and last entry of each."""
        key = spans.tobytes()
        found = self._timetables.get(key)
        if found is None:
            tables: dict[tuple[int, ...], np.ndarray] = {}
            for span in map(tuple, spans.tolist()):
                if span not in tables:
                    tables[span] = self.written.timetable(self.walk.sections, span)
            ends = dict(zip(tables, np.cumsum([len(table) for table in tables.values()]).tolist()))
            parts = [(ends[span] - len(tables[span]), ends[span]) for span in map(tuple, spans.tolist())]
            whole = self.walk.expanded(np.concatenate(list(tables.values())))
            found = whole, np.array(parts)
            keep(self._timetables, key, found, TIMETABLES)
        return found


class Listings(Generic[W]):
    """Runs the listings of a network.

    Parameters
    ----------
    model : Model
    modules : Modules
        Receives the time that writing listings and compiling their kernels takes.
    write : callable
        Writes the listing for a model, a description of what is wanted, and whether each `Loop` stage is one kernel.
    """

    def __init__(self, model: Model, modules: Modules, write: Callable[[Model, W, bool], Written]) -> None:
        self._model = model
        self._modules = modules
        self._write = write
        self._ready: OrderedDict[tuple[W, bool], _Ready] = OrderedDict()
        self._spare = 0
        self._lock = threading.Lock()

    def run(
        self,
        wanted: W,
        task: Task,
        bases: Mapping[str, Base],
        memory: Mapping[str, int] | None = None,
    ) -> None:
        """Run a listing on every genome and tile of a task; see `work`."""
        work = self.work(wanted, task, bases, memory)
        share(work.jobs, work.run)

    def work(
        self,
        wanted: W,
        task: Task,
        bases: Mapping[str, Base],
        memory: Mapping[str, int] | None = None,
    ) -> Work:
        """Return the work of running a listing on every genome and tile of a task.

        Parameters
        ----------
        wanted : hashable
            What the listing computes.
        task : Task
        bases : mapping of str to Base
            Where the arrays of the listing are, besides those of the task.
        memory : mapping of str to int, optional
            See `Walk.run`.
        """
        packed, dtype = task.packed, self._model.dtype
        given = {**packed.bases, **bases}
        if "state" not in given:
            given["state"] = base(packed.tiling.pack(task.conditions.state[:, None], dtype), "q")
        if task.conditions.teacher is not None:
            given["teacher"] = base(packed.tiling.pack(task.conditions.teacher, dtype), "q")
        steps = int(packed.span[:, 1].sum())
        call = Call(wanted, task.individuals, task.spans, given, memory, steps)
        return self._work(call)

    def walk(self, call: Call[W]) -> None:
        """Run a listing for every genome and every row of spans."""
        work = self._work(call)
        share(work.jobs, work.run)

    def bound(
        self, wanted: W, individuals: Individuals, spans: np.ndarray, bases: Mapping[str, Base]
    ) -> dict[str, np.ndarray]:
        """Return the arrays by which `run_jobs` runs a listing on one genome, see `Walk.bound`; the caller holds them."""
        ready = self._get(wanted)
        numbers, (timetable, parts) = ready.numbers(individuals.options), ready.timetable(spans)
        given = {**bases, "numbers": base(numbers), "genome": base(individuals.genomes)}
        held = {"numbers": numbers, "genomes": individuals.genomes}
        return {**ready.walk.bound(given, timetable, parts), **held}

    def _work(self, call: Call[W]) -> Work:
        ready, genomes = self._get(call.wanted), call.individuals.genomes
        given = {
            **call.bases,
            "numbers": base(ready.numbers(call.individuals.options)),
            "genome": base(genomes, "p" if genomes.ndim == 2 else ""),
        }
        count = len(genomes) if genomes.ndim == 2 else 1
        with self._lock:
            self._spare += ready.written.spare * count * call.steps
        return ready.walk.work(count * len(call.spans), given, *ready.timetable(call.spans), call.memory)

    def size(self, wanted: W, base: str) -> int:
        """Return how many numbers of a base a listing uses, in one time step if the base is a tape."""
        return self._get(wanted).written.listing.size[base]

    def _get(self, wanted: W) -> _Ready:
        key = wanted, self._spare >= LONG_RUN
        with self._lock:
            if key in self._ready:
                self._ready.move_to_end(key)
            else:
                made = self._modules.timed(lambda: _Ready(self._write(self._model, *key), self._model.dtype))
                keep(self._ready, key, made, LISTINGS)
            return self._ready[key]


def keep(table: OrderedDict[K, V], key: K, value: V, size: int) -> None:
    """Add an entry to a table; the oldest one goes when there are more than `size`."""
    table[key] = value
    while len(table) > size:
        table.popitem(last=False)
