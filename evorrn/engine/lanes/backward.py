"""The listing of loss and gradient of a network whose lanes are the sequences of a batch.

It runs forward and stores the values that the adjoint reads ("tape"), then runs the adjoint from the last time step
to the first. To save memory, long sequences are divided into segments: a first forward pass stores only the state
before each segment, and a second one, segment by segment, the tape. A job is one tile.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from evorrn.compile.graph import Graph
from evorrn.compile.schedule import Schedule, kept_for_adjoint, schedule
from evorrn.compile.step import INPUT_NAME, OUTPUT, Step
from evorrn.engine.lanes.forward import (
    BASES,
    CLEAR_ENDED,
    CLEAR_OVERRIDDEN,
    OVERRIDE,
    NetworkRows,
    step_names,
)
from evorrn.engine.listing.kernel import fixed
from evorrn.engine.listing.listing import SCRATCH, STEP, TIME, Listing, Place
from evorrn.engine.listing.writer import StageRows
from evorrn.engine.model import Model
from evorrn.engine.stages import Names, variable

BLOCK = 16
"""Time steps whose outer products are added in one go."""

TAPE, STARTS = "tape", "starts"
"""Bases: what is stored for every time step of a segment, and the states before every segment."""

FURTHER = ("gradient", "given", "scale", "last_state", "outputs", "d_last", "d_first", "d_x")
"""Bases of what a gradient listing reads and writes besides those of a forward one."""

RECORD, RETURN = 1, 2
"""Halves of a run whose tape is kept: forward, and backward."""

OUTER = fixed("outer")


class WantedGradient(NamedTuple):
    """What a gradient listing reads.

    Attributes
    ----------
    lanes : int
    target_rows : int
        Rows of the targets; 0 if the gradient with respect to the outputs is given.
    teacher : bool
    part : int
        0 for a network of its own. For a part of a larger one the rows of the array that its series is a part of:
        the gradient of its last state is given, and that of its first one is computed.
    inputs : bool
        Whether the gradient with respect to the inputs is computed.
    """

    lanes: int
    target_rows: int
    teacher: bool = False
    part: int = 0
    inputs: bool = False


class Derivative:
    """The schedules of a gradient listing, and the nodes that it stores.

    Parameters
    ----------
    step : Step
    inputs : bool
        Whether the gradient with respect to the inputs is wanted.
    keep : bool
        Whether outputs are stored for every time step.
    again : frozenset of str
        Operations whose results are computed again where a product reads them, rather than stored.

    Attributes
    ----------
    graph : Graph
        Forward nodes, then those of the adjoint.
    terms : tuple of (str, tuple of int)
        The block of each product that is added to the gradient, and its one or two factors; the other one is 1.
    taped : list of int
        Forward nodes stored for every time step of a segment, besides the states.
    ring : list of int
        Adjoint nodes stored for a block of time steps.
    record, back : Schedule
        The schedules of the forward pass that stores values, and of the adjoint.
    """

    def __init__(
        self, step: Step, inputs: bool = False, keep: bool = True, again: frozenset[str] = frozenset()
    ) -> None:
        derived, forward = step.adjoint_with_input if inputs else step.adjoint, step.graph
        self.graph: Graph = derived.graph
        nodes, count = self.graph.nodes, len(forward.nodes)
        self.terms = tuple(
            (name, nodes[term].operands if nodes[term].op == "outer" else (term,))
            for name, term in derived.parameter_terms
        )
        factors = [index for _, pair in self.terms for index in pair]
        wanted = [*self.graph.outputs.values(), *factors]
        computed = self.graph.reachable(wanted, range(count))
        stored = [index for index in factors if nodes[index].op not in again]
        kept = kept_for_adjoint(self.graph, count, computed, stored)
        if keep:
            kept.add(forward.outputs[OUTPUT])
        # A new state is stored as the old state of the next time step.
        self.taped = sorted(kept - {forward.outputs[name] for name in step.states})
        made = {i for i in factors if i >= count or nodes[i].op in again}
        self.ring = sorted({i for i in made - kept if nodes[i].op != "input"})
        self.record: Schedule = schedule(forward, [*forward.outputs.values(), *self.taped])
        self.back: Schedule = schedule(self.graph, wanted, available=kept)

    def names(self, step: Step) -> Names:
        """Return the variables of nodes, for readers."""
        old = {index: f"d_{variable(name)}" for name, index in self.graph.outputs.items()}
        return Names(self.graph, {**step_names(step).given, **old})


class GradientRows(NetworkRows):
    """The listing of loss and gradient.

    Section ``before`` runs once; ``enter`` begins a segment, and ``leave`` ends one whose adjoint comes later; ``last``
    copies the state after the last time step;
    ``record`` is a time step of the first pass, and ``score`` one of the second, with the gradient of the loss;
    ``adjoint`` is a time step back, and ``products`` adds the products of a block of time steps to the gradient.
    Those with ``_ended`` are for time steps at which a sequence of the tile has ended. Those of a part are
    ``turn``, which copies the gradient of the last state, and ``first``, which copies that of the first one.

    Parameters
    ----------
    model : Model
    wanted : WantedGradient
    whole : bool
        Whether each `Loop` stage is one kernel.
    """

    def __init__(self, model: Model, wanted: WantedGradient, whole: bool = False) -> None:
        listing = Listing(wanted.lanes, (*BASES, *FURTHER, TAPE, STARTS))
        super().__init__(model, listing, BLOCK * wanted.lanes)
        self._wanted = wanted
        self._backward = model.form.backward
        self._given = bool(wanted.part) and not wanted.target_rows
        """Whether the gradient of the outputs is read where it is given, and the outputs are written to a series."""
        self._derivative = Derivative(self.step, wanted.inputs, not self._given)
        self._old: dict[str, Place] = {}
        self._d_new: dict[str, Place] = {}
        self._starts: dict[str, Place] = {}
        for name, _, rows in self.states():
            size = rows * wanted.lanes
            self._d_new[name] = self.listing.slots(rows, f"d_{variable(name)}")
            start = self.listing.room(size, STARTS)
            text = f"{variable(name)}_starts"
            self._starts[name] = Place(STARTS, start, mask=-1, clock=STEP, name=text)
        stride = self.listing.size[STARTS]  # the states of a time step, one after the other
        self._starts = {name: place._replace(stride=stride) for name, place in self._starts.items()}
        forward = self._tape()
        about = self.listing, self.sizes, self.numbers
        self._record = StageRows(self.step.graph, step_names(self.step), *about, forward, whole)
        names = self._derivative.names(self.step)
        where = {**forward, **self._adjoint_places()}
        self._back = StageRows(self._derivative.graph, names, *about, where, whole)
        for scores in (False, True):
            for ended in (False, True):
                self._time_step(scores, ended)
                self.listing.section(("score" if scores else "record") + "_ended" * ended)
        for ended in (False, True):
            self._step_back(ended)
            self.listing.section("adjoint" + "_ended" * ended)
        self._products()
        self.listing.section("products")
        self._begin_and_end()

    def timetable(self, sections: Mapping[str, int], span: tuple[int, ...]) -> np.ndarray:
        """Return the entries of one tile, from its shortest and longest length and the steps of a segment.

        A fourth number says which half of the work is done, where the tape of a single segment is kept from one run to
        the next: `RECORD` or `RETURN`.
        """
        shortest, longest, segment, *half = span
        segment = min(segment, longest)
        count = -(-longest // segment)
        moments = np.arange(longest)[:: -1 if self._backward else 1]
        tables = [np.array([[sections["before"], moments[-1], 0, 0]])]
        if self._wanted.part and half != [RECORD]:
            tables.append(np.array([[sections["turn"], moments[-1], 0, 0]]))
        for part in range(2 * count - 1):
            index = part if part < count else 2 * count - 2 - part
            first = index * segment
            steps = min(segment, longest - first)
            last_pass = part >= count - 1
            tables.append(np.array([[sections["enter"], first, index, 0]]))
            forward = np.zeros((steps, 4), np.int64)
            forward[:, 2] = np.arange(steps)
            forward[:, 1] = moments[first : first + steps]
            name = "score" if last_pass else "record"
            forward[:, 0] = np.where(forward[:, 1] < shortest, sections[name], sections[f"{name}_ended"])
            if half != [RETURN]:
                tables.append(forward)
            if part == count - 1:
                tables.append(np.array([[sections["last"], 0, steps, 0]]))
            if half == [RECORD]:
                continue
            if last_pass:
                tables.append(_backward(sections, forward[::-1], shortest))
            else:
                tables.append(np.array([[sections["leave"], index + 1, steps, 0]]))
        if self._wanted.part and half != [RECORD]:
            tables.append(np.array([[sections["first"], moments[0], 0, 0]]))
        return np.concatenate(tables)

    @cached_property
    def spare(self) -> int:
        """See `StageRows.spare`."""
        return self._record.spare(self._derivative.record) + self._back.spare(self._derivative.back)

    # --- Places -------------------------------------------------------------------------------------

    def _tape(self) -> dict[int, Place]:
        """Return the places of the nodes of the forward pass. Those of a time step follow each other on the tape."""
        graph, listing, lanes = self.step.graph, self.listing, self.listing.lanes
        inputs = graph.leaves("input")
        rows = {name: rows for name, _, rows in self.states()}
        rows |= {str(i): self.sizes.count(graph.nodes[i].shape) for i in self._derivative.taped}
        if not self._given:
            rows["d.output"] = self.sizes.of("O")
        if self.step.feeds_back:  # outputs, in place of which `feed` puts what goes back
            rows["outputs"] = self.sizes.of("O")
        stride = sum(rows.values()) * lanes
        names = step_names(self.step)
        tape = {}
        for key, count in rows.items():
            name = names[int(key)] if key.isdigit() else variable(key)
            offset = listing.room(count * lanes, TAPE)
            tape[key] = Place(TAPE, offset, stride, mask=-1, clock=STEP, name=name)
        self._d_output = tape.get("d.output") or self._shared("given")
        self._outputs = tape.get("outputs", self._d_output)
        self._old = {name: tape[name] for name in self.step.states}
        where = self.inputs()
        where |= {inputs[name]: place for name, place in self._old.items() if name in inputs}
        where |= {index: tape[str(index)] for index in self._derivative.taped}
        for name, index in graph.outputs.items():
            if name in self._old:
                where[index] = self._old[name].later()
            elif name == OUTPUT and self._given:
                where[index] = self._shared("outputs")
            elif index not in where:
                where[index] = listing.tile(self.sizes.count(graph.nodes[index].shape), names[index])
        self._y = where[graph.outputs[OUTPUT]]
        return where

    def _adjoint_places(self) -> dict[int, Place]:
        """Return the places of the inputs and results of the adjoint, and of the factors of products."""
        graph, listing = self._derivative.graph, self.listing
        inputs = graph.leaves("input")
        given = {
            "d.output": self._d_output,
            **{f"d.next.{name}": place for name, place in self._d_new.items()},
        }
        where = {inputs[name]: place for name, place in given.items() if name in inputs}
        self._d_old = {name: place.later() for name, place in self._d_new.items()}
        where |= {
            graph.outputs[name]: self._d_old[name] for name in self.step.states if name in graph.outputs
        }
        if INPUT_NAME in graph.outputs:
            where[graph.outputs[INPUT_NAME]] = self._d_input = self.series("d_x", self.sizes.of("I"))
        names = self._derivative.names(self.step)
        for index in self._derivative.ring:
            size = self.sizes.count(graph.nodes[index].shape) * listing.lanes
            size += listing.lanes  # powers of two would put all time steps at the same places of the cache
            start = listing.room(BLOCK * size)
            where[index] = Place(SCRATCH, start, size, mask=BLOCK - 1, clock=STEP, name=names[index])
        return where

    def _shared(self, base: str) -> Place:
        """Return the place of a series that is a part of a wider one."""
        return self.series(base, self._wanted.part)

    # --- Sections -----------------------------------------------------------------------------------

    def _time_step(self, scores: bool, ended: bool) -> None:
        """Write a time step forward, which stores what the adjoint reads."""
        outputs, lanes = self.sizes.of("O"), self.listing.lanes
        if self._wanted.teacher and self.step.feeds_back:
            self.listing.row(OVERRIDE, self._old[OUTPUT], self.series("teacher", outputs), outputs * lanes)
        self._record.write(self._derivative.record)
        if scores and self._wanted.target_rows:
            self.loss(self._y, self._wanted.target_rows, self._d_output)
        elif scores and not self._given:
            self.copy(self._d_output, self.series("given", outputs), outputs)
        if self._given and ended:
            self.clear_ended(self._y, outputs)
        if self.feed and self.step.feeds_back:
            self.copy(self._outputs, self._y, outputs)
            self.listing.row(self.feed, self._y, outputs, lanes)
        if ended:
            for name, _, rows in self.states():
                self.select(self._old[name].later(), self._old[name], rows)

    def _step_back(self, ended: bool) -> None:
        """Write a time step of the adjoint. Sequences that have ended keep the gradients of their states."""
        graph = self._derivative.graph
        lengths, lanes = self.vector("lengths"), self.listing.lanes
        aside = {name: self.listing.tile(rows, f"{variable(name)}_aside") for name, _, rows in self.states()}
        for name, _, rows in self.states() if ended else ():
            self.copy(aside[name], self._d_new[name], rows)
            self.listing.row(CLEAR_ENDED, self._d_new[name], lengths, rows, lanes)
        if self.gradient_of_feed and self.step.feeds_back:
            about = self._d_new[OUTPUT], self._outputs, self.sizes.of("O"), lanes
            self.listing.row(self.gradient_of_feed, *about)
        self._back.write(self._derivative.back)
        for name, _, rows in self.states():
            if name not in graph.outputs:
                self.clear(self._d_old[name], rows)
            elif self._back.where[graph.outputs[name]] != self._d_old[name]:  # also a factor of a product
                self.copy(self._d_old[name], self._back.where[graph.outputs[name]], rows)
        if INPUT_NAME in graph.outputs and self._back.where[graph.outputs[INPUT_NAME]] != self._d_input:
            self.copy(self._d_input, self._back.where[graph.outputs[INPUT_NAME]], self.sizes.of("I"))
        if self._wanted.teacher and self.step.feeds_back:
            outputs = self.sizes.of("O")
            self.listing.row(
                CLEAR_OVERRIDDEN, self._d_old[OUTPUT], self.series("teacher", outputs), outputs * lanes
            )
        for name, _, rows in self.states() if ended else ():
            self.select(self._d_old[name], aside[name], rows)

    def _products(self) -> None:
        """Write the rows that add the products of a block of time steps to the gradient."""
        lanes = self.listing.lanes
        for name, factors in self._derivative.terms:
            numbers: list[Place | int] = []
            for index in factors:
                place, rows = self._back.where[index], self._back.rows_of(index)
                ring = index in self._derivative.ring
                back = (
                    self._backward and place.clock == TIME
                )  # the time steps of a block run against its steps
                stride = -place.stride if back else place.stride
                numbers += [place._replace(mask=0) if ring else place, stride, rows]
            if len(factors) == 1:
                numbers += [self.numbers.ones, lanes, 1]
            target = Place("gradient", self.sizes.offsets[name], name=f"d_{variable(name)}")
            text = f"{target.name} += " + " x ".join(self._back.names[index] for index in factors)
            self.listing.row(OUTER, target, *numbers, lanes, equation=text)

    def _begin_and_end(self) -> None:
        """Write the sections that begin and end a run and its segments."""
        part = self._wanted.part
        for name, start, rows in self.states():
            self.clear(self._d_new[name], rows)
            self.copy(self._starts[name], self.first_state(name, start), rows)
        self._record.prologue()
        self._back.prologue()
        self.listing.section("before")
        for name, _, rows in self.states():
            self.copy(self._old[name]._replace(mask=0), self._starts[name], rows)
        self.listing.section("enter")
        for name, _, rows in self.states():
            self.copy(self._starts[name]._replace(clock=TIME), self._old[name], rows)
        self.listing.section("leave")
        for name, start, rows in self.states():
            self.copy(self._of_state("last_state", name, start), self._old[name], rows)
        self.listing.section("last")
        if part:
            for name, start, rows in self.states():
                self.copy(self._d_new[name], self._of_state("d_last", name, start), rows)
            self.listing.section("turn")
            for name, start, rows in self.states():
                self.copy(self._of_state("d_first", name, start), self._d_old[name], rows)
            self.listing.section("first")

    def _of_state(self, base: str, name: str, start: int) -> Place:
        """Return the place of a state in an array of all states, from its first row there."""
        return Place(base, start * self.listing.lanes, name=f"{base.partition('_')[0]}_{variable(name)}")


def _backward(sections: Mapping[str, int], steps: np.ndarray, shortest: int) -> np.ndarray:
    """Return the entries of the adjoint of a segment, for those of its time steps from the last to the first."""
    back = steps.copy()
    back[:, 0] = np.where(back[:, 1] < shortest, sections["adjoint"], sections["adjoint_ended"])
    first = np.flatnonzero(back[:, 2] % BLOCK == 0)  # of each block
    products = back[first]
    products[:, 0] = sections["products"]
    products[:, 3] = np.minimum(BLOCK, len(steps) - products[:, 2])
    return np.insert(back, first + 1, products, axis=0)
