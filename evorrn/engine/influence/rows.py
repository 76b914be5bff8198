"""The listing of time steps with their derivatives, whose lanes are directions.

Each lane runs a sequence, and has a direction of its own: weights of the new state. The adjoint of each time step, without
the later ones, gives the derivative of this combination with respect to the old state and to all weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from evorrn.compile.graph import Node
from evorrn.compile.lifted import LIFTED, lifted
from evorrn.compile.op import count_of
from evorrn.compile.step import INPUT_NAME, OUTPUT, Step
from evorrn.engine.lanes.backward import Derivative
from evorrn.engine.lanes.forward import (
    BASES,
    CLEAR_OVERRIDDEN,
    OVERRIDE,
    NetworkRows,
    step_names,
)
from evorrn.engine.listing.listing import Listing, Place
from evorrn.engine.listing.writer import StageRows
from evorrn.engine.model import Model
from evorrn.engine.stages import variable

RESULTS = ("outputs", "errors", "old", "factors", "inputs")
"""Bases of the results, with an entry for each time step."""


class WantedRows(NamedTuple):
    """What a listing of step derivatives reads.

    Attributes
    ----------
    lanes : int
    target_rows : int
        Rows of the targets; 0 if no loss is computed.
    teacher : bool
    inputs : bool
        Whether the derivative with respect to the input is wanted, too.
    """

    lanes: int
    target_rows: int
    teacher: bool = False
    inputs: bool = False


class Factor(NamedTuple):
    """Where one factor of a weight's derivative is among those of a time step.

    Attributes
    ----------
    row, rows : int
        First row, and their number.
    """

    row: int
    rows: int

    @property
    def places(self) -> slice:
        """The rows."""
        return slice(self.row, self.row + self.rows)


class Term(NamedTuple):
    """A part of the derivative with respect to a block of weights.

    Attributes
    ----------
    block : str
    slope : Factor
        Depends on the direction. The derivative is its outer product with `source`, or itself where this is None.
    source : Factor or None
        A value of the forward pass, which the weights multiply.
    first : bool
        Whether the slope is the first factor of the outer product.
    state : str
        The name of the old state that `source` is a copy of, which a lifted product reads; empty for others.
    """

    block: str
    slope: Factor
    source: Factor | None = None
    first: bool = True
    state: str = ""


class Layout(NamedTuple):
    """How the factors of a time step are laid out.

    Attributes
    ----------
    rows : int
        Rows of all factors, R.
    terms : tuple of Term
    """

    rows: int
    terms: tuple[Term, ...]


def layout(step: Step, model: Model, inputs: bool = False) -> tuple[Layout, Derivative, dict[int, int]]:
    """Return the layout of the factors of a lifted step, its derivative, and the first row of each factor's node.

    With `inputs` the derivative has the gradient with respect to the input, too.
    """
    derivative = Derivative(step, inputs)
    nodes, seeded = derivative.graph.nodes, _seeded(derivative)
    first: dict[int, int] = {}
    total = 0
    for index in (index for _, pair in derivative.terms for index in pair):
        if index not in first:
            first[index] = total
            total += count_of(nodes[index].shape, model.sizes)

    def factor(index: int) -> Factor:
        return Factor(first[index], count_of(nodes[index].shape, model.sizes))

    terms = []
    for name, pair in derivative.terms:
        slope, *sources = sorted(pair, key=lambda index: index not in seeded)
        state = (
            nodes[sources[0]].name.removeprefix(LIFTED) if sources and _is_lifted(nodes[sources[0]]) else ""
        )
        source = factor(sources[0]) if sources else None
        terms.append(Term(name, factor(slope), source, slope == pair[0], state))
    return Layout(total, tuple(terms)), derivative, first


def _is_lifted(node: Node) -> bool:
    return node.op == "input" and node.name.startswith(LIFTED)


def _seeded(derivative: Derivative) -> set[int]:
    """Return the nodes that depend on the direction."""
    found: set[int] = set()
    for index, node in enumerate(derivative.graph.nodes):
        seed = node.op == "input" and node.name.startswith("d.")
        if seed or found.intersection(node.reads):
            found.add(index)
    return found


class DerivativeRows(NetworkRows):
    """The listing of time steps with their derivatives.

    ``before`` runs once, ``step`` at each time step, ``step_ended`` where a sequence of the tile has ended, ``after``
    once.

    Parameters
    ----------
    model : Model
    wanted : WantedRows
    whole : bool
        Whether each `Loop` stage is one kernel.
    """

    def __init__(self, model: Model, wanted: WantedRows, whole: bool = False) -> None:
        listing = Listing(wanted.lanes, (*BASES, *RESULTS, "scale", "directions", "last_state"))
        super().__init__(model, listing)
        self.step = lifted(self.step)
        self._wanted = wanted
        self._layout, self._derivative, self._first = layout(self.step, model, wanted.inputs)
        self._old = {name: listing.slots(rows, variable(name)) for name, _, rows in self.states()}
        forward = self._forward_places()
        about = self.listing, self.sizes, self.numbers
        self._record = StageRows(self.step.graph, step_names(self.step), *about, forward, whole)
        names = self._derivative.names(self.step)
        where = {**forward, **self._adjoint_places()}
        self._back = StageRows(self._derivative.graph, names, *about, where, whole)
        for ended in (False, True):
            self._time_step(ended)
            listing.section("step" + "_ended" * ended)
        for name, start, rows in self.states():
            self.copy(self._old[name], self.first_state(name, start), rows)
        self.clear(self._d_output, self.sizes.of("O"))
        self._record.prologue()
        self._back.prologue()
        listing.section("before")
        for name, start, rows in self.states():
            self.copy(Place("last_state", start * wanted.lanes), self._old[name], rows)
        listing.section("after")

    def timetable(self, sections: Mapping[str, int], span: tuple[int, ...]) -> np.ndarray:
        """Return the entries of one tile, from its shortest and longest length."""
        shortest, longest, _ = span
        table = np.zeros((longest + 2, 4), np.int64)
        table[1:, 1] = np.arange(longest + 1)
        table[1:, 0] = sections["step"]
        table[1 + shortest :, 0] = sections["step_ended"]
        table[0, 0], table[-1, 0] = sections["before"], sections["after"]
        return table

    @cached_property
    def spare(self) -> int:
        """See `StageRows.spare`."""
        return self._record.spare(self._derivative.record) + self._back.spare(self._derivative.back)

    # --- Places -------------------------------------------------------------------------------------

    def _entry(self, base: str, row: int, rows: int, of: int) -> Place:
        """Return the place of rows of a result that has `of` rows at each time step."""
        return Place(base, row * self.listing.lanes, of * self.listing.lanes, mask=-1)

    def _forward_places(self) -> dict[int, Place]:
        graph, listing = self.step.graph, self.listing
        inputs, names = graph.leaves("input"), step_names(self.step)
        where = self.inputs()
        for name, place in self._old.items():
            where |= {inputs[leaf]: place for leaf in (name, LIFTED + name) if leaf in inputs}
        for name, index in graph.outputs.items():
            if name in self._old:
                where[index] = self._old[name].later()
        for index in (*self._derivative.taped, *graph.outputs.values()):
            if index not in where:
                where[index] = listing.tile(self.sizes.count(graph.nodes[index].shape), names[index])
        self._y = where[graph.outputs[OUTPUT]]
        outputs = self.sizes.of("O")
        self._d_output = listing.tile(outputs, "d_output")
        self._outputs = listing.tile(outputs, "outputs_before_feed")
        return where

    def _adjoint_places(self) -> dict[int, Place]:
        graph, listing = self._derivative.graph, self.listing
        inputs, count = graph.leaves("input"), len(self.step.graph.nodes)
        self._d_new = {name: listing.tile(rows, f"d_{variable(name)}") for name, _, rows in self.states()}
        given = {
            "d.output": self._d_output,
            **{f"d.next.{name}": place for name, place in self._d_new.items()},
        }
        where = {inputs[name]: place for name, place in given.items() if name in inputs}
        total = sum(rows for _, _, rows in self.states())
        self._d_old = {name: self._entry("old", start, rows, total) for name, start, rows in self.states()}
        self._d_inputs = {}
        if self._wanted.inputs and INPUT_NAME in graph.outputs:
            rows = self.sizes.of("I")
            self._d_inputs = {INPUT_NAME: self._entry("inputs", 0, rows, rows)}
        written = {**self._d_old, **self._d_inputs}
        where |= {graph.outputs[name]: place for name, place in written.items() if name in graph.outputs}
        for index, row in self._first.items():
            if index >= count and index not in where:
                where[index] = self._entry(
                    "factors", row, self.sizes.count(graph.nodes[index].shape), self._layout.rows
                )
        return where

    # --- Sections -----------------------------------------------------------------------------------

    def _time_step(self, ended: bool) -> None:
        """Write a time step forward, and its adjoint."""
        sizes, lanes, wanted = self.sizes, self.listing.lanes, self._wanted
        outputs = sizes.of("O")
        if wanted.teacher and self.step.feeds_back:
            self.listing.row(OVERRIDE, self._old[OUTPUT], self.series("teacher", outputs), outputs * lanes)
        self._record.write(self._derivative.record)
        self.copy(self.series("outputs", outputs), self._y, outputs)
        if wanted.target_rows:
            self.loss(self._y, wanted.target_rows, self.series("errors", outputs))
        if self.feed and self.step.feeds_back:
            self.copy(self._outputs, self._y, outputs)
            self.listing.row(self.feed, self._y, outputs, lanes)
        for name, start, rows in self.states():
            self.copy(self._d_new[name], Place("directions", start * lanes), rows)
        if self.gradient_of_feed and self.step.feeds_back:
            self.listing.row(self.gradient_of_feed, self._d_new[OUTPUT], self._outputs, outputs, lanes)
        self._step_back()
        for name, _, rows in self.states() if ended else ():
            self.select(self._old[name].later(), self._old[name], rows)

    def _step_back(self) -> None:
        """Write the adjoint of a time step."""
        graph, wanted = self._derivative.graph, self._wanted
        self._back.write(self._derivative.back)
        for name, place in self._d_inputs.items():
            if self._back.where[graph.outputs[name]] != place:  # also a factor
                self.copy(place, self._back.where[graph.outputs[name]], self.sizes.of("I"))
        for name, _, rows in self.states():
            if name not in graph.outputs:
                self.clear(self._d_old[name], rows)
            elif self._back.where[graph.outputs[name]] != self._d_old[name]:  # also a factor
                self.copy(self._d_old[name], self._back.where[graph.outputs[name]], rows)
        if wanted.teacher and self.step.feeds_back:
            outputs = self.sizes.of("O")
            numbers = outputs * self.listing.lanes
            self.listing.row(CLEAR_OVERRIDDEN, self._d_old[OUTPUT], self.series("teacher", outputs), numbers)
        for index, row in self._first.items():
            rows = self._back.rows_of(index)
            place = self._entry("factors", row, rows, self._layout.rows)
            if self._back.where[index] != place:
                self.copy(place, self._back.where[index], rows)
