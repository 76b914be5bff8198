"""The forward listing of linked steps: it gathers the states of predecessors, then computes a tile of nodes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from evorrn.compile.absent import with_numbers
from evorrn.compile.schedule import Schedule, schedule
from evorrn.compile.step import OUTPUT, Step
from evorrn.engine.lanes.forward import NetworkRows, step_names
from evorrn.engine.levels.packing import FULL, LEAF, parts_of
from evorrn.engine.listing.kernel import fixed
from evorrn.engine.listing.listing import Listing, Place
from evorrn.engine.listing.writer import StageRows
from evorrn.engine.model import Model
from evorrn.engine.stages import variable

GATHER = fixed("gather", home="links")
BASES = ("genome", "x", "targets", "weights", "links", "there", "losses", "outputs", "hidden")
TAPE = "tape"
"""Base: what is stored for every tile of a group."""


class WantedLevels(NamedTuple):
    """What a forward listing of linked steps reads and computes.

    Attributes
    ----------
    lanes : int
    kinds : tuple of int
        The kinds of tiles that there are, see `evorrn.engine.levels.packing.parts_of`.
    target_rows : int
        Rows of the targets; 0 if no loss is computed.
    series : str
        ``"outputs"`` or ``"hidden"``, empty for neither.
    """

    lanes: int
    kinds: tuple[int, ...]
    target_rows: int
    series: str = ""


def step_of(step: Step, kind: int) -> Step:
    """Return the step of one kind of tiles: what its nodes have or lack is put in as numbers."""
    predecessors, reads = parts_of(kind)
    numbers = {} if reads else {"x": 0.0}
    for name, (_, state) in step.predecessors.items():
        if predecessors == LEAF or (predecessors == FULL and not state):
            numbers[name] = float(predecessors == FULL)
    return with_numbers(step, numbers)


class LinkedRows(NetworkRows):
    """What the listings of linked steps share.

    Parameters
    ----------
    model : Model
    listing : Listing
    ones : int
        How many numbers 1 it reads.
    """

    def __init__(self, model: Model, listing: Listing, ones: int = 1) -> None:
        super().__init__(model, listing, ones)
        self._wide = 8 // model.dtype.itemsize  # numbers of the dtype in the memory of an integer of 64 bits
        self._arity = self.step.arity

    def links(self, link: int) -> Place:
        """Return the place of the links of a tile to one of the predecessors."""
        size = self.listing.lanes * self._wide
        return Place("links", link * size, self._arity * size, mask=-1)

    def there(self, link: int) -> Place:
        """Return the place of the numbers that say whether the nodes of a tile have one of the predecessors."""
        return Place("there", link * self.listing.lanes, self._arity * self.listing.lanes, mask=-1)

    def losses(self) -> Place:
        """Return the place of the losses of the nodes of a tile, in float64."""
        return Place("losses", 0, self.listing.lanes * self._wide, mask=-1)

    def on_tape(self, offset: int, stride: int, name: str) -> Place:
        """Return a place that every tile has."""
        return Place(TAPE, offset, stride, mask=-1, name=name)

    def gather(
        self, step: Step, where: Mapping[int, Place], states: Mapping[str, Place], stride: int
    ) -> None:
        """Write the rows that read the states of predecessors that a step reads."""
        inputs = step.graph.leaves("input")
        for name, (link, state) in step.predecessors.items():
            if state and name in inputs:
                rows = self.sizes.count(step.states[state])
                tiles = states[state]._replace(mask=0)
                text = f"{variable(name)} = {variable(state)} of predecessor {link + 1}"
                about = (where[inputs[name]], tiles, stride, self.links(link), rows, self.listing.lanes)
                self.listing.row(GATHER, *about, equation=text)


class ForwardLevels(LinkedRows):
    """The forward listing of linked steps, with one section for each kind of tiles; ``before`` runs once.

    Parameters
    ----------
    model : Model
    wanted : WantedLevels
    whole : bool
        Whether each `Loop` stage is one kernel.
    """

    def __init__(self, model: Model, wanted: WantedLevels, whole: bool = False) -> None:
        super().__init__(model, Listing(wanted.lanes, (*BASES, TAPE)))
        self._wanted = wanted
        self._stride = sum(rows for _, _, rows in self.states()) * wanted.lanes
        self._states = {
            name: self.on_tape(self.listing.room(rows * wanted.lanes, TAPE), self._stride, variable(name))
            for name, _, rows in self.states()
        }
        self._plans: list[tuple[StageRows, Schedule]] = []
        for kind in wanted.kinds:
            self._tile(step_of(self.step, kind), whole)
            self.listing.section(f"tile_{kind}")
        for name, _, rows in self.states():
            self.clear(self._states[name], rows)
        for stages, _ in self._plans:
            stages.prologue()
        self.listing.section("before")

    def timetable(self, sections: Mapping[str, int], span: tuple[int, ...]) -> np.ndarray:
        """Return the entries of a group, from the kinds of its tiles."""
        kinds = np.array([kind for kind in span if kind >= 0])
        table = np.zeros((len(kinds) + 1, 4), np.int64)
        table[0, 0] = sections["before"]
        table[1:, 0] = [sections[f"tile_{kind}"] for kind in kinds]
        table[1:, 1] = np.arange(1, len(table))
        return table

    @cached_property
    def spare(self) -> int:
        """See `StageRows.spare`; the largest of all kinds of tiles."""
        return max(stages.spare(plan) for stages, plan in self._plans)

    def _tile(self, step: Step, whole: bool) -> None:
        """Write the rows of a tile of one kind."""
        graph, listing = step.graph, self.listing
        inputs = graph.leaves("input")
        where = {inputs["x"]: self.series("x", self.sizes.of("I"))} if "x" in inputs else {}
        for name, (link, state) in step.predecessors.items():
            if name in inputs:
                rows = self.sizes.count(step.states[state]) if state else 0
                where[inputs[name]] = listing.tile(rows, variable(name)) if state else self.there(link)
        for name, index in graph.outputs.items():
            rows = self.sizes.count(graph.nodes[index].shape)
            where[index] = self._states.get(name) or listing.tile(rows, f"{variable(name)}_new")
        self.gather(step, where, self._states, self._stride)
        stages = StageRows(graph, step_names(step), listing, self.sizes, self.numbers, where, whole)
        plan = schedule(graph, graph.outputs.values())
        stages.write(plan)
        self._plans.append((stages, plan))
        y, hidden = where[graph.outputs[OUTPUT]], where[graph.outputs[step.hidden]]
        if self._wanted.target_rows:
            self.loss(y, self._wanted.target_rows)
        if self._wanted.series:
            place, dimension = (y, "O") if self._wanted.series == "outputs" else (hidden, step.width)
            rows = self.sizes.of(dimension)
            self.copy(self.series(self._wanted.series, rows), place, rows)
