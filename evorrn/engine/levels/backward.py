"""The listing of loss and gradient of linked steps.

It runs forward over the tiles of a group and stores what the adjoint reads, then runs the adjoint from the last tile to
the first: the gradient with respect to the state of a node is complete when all nodes above it are done, since each of
them adds its share to those of its predecessors.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from evorrn.compile.step import OUTPUT, Step
from evorrn.engine.lanes.backward import BLOCK, OUTER, Derivative
from evorrn.engine.lanes.forward import step_names
from evorrn.engine.levels.forward import BASES, TAPE, LinkedRows, step_of
from evorrn.engine.listing.kernel import fixed
from evorrn.engine.listing.listing import SCRATCH, STEP, Listing, Place
from evorrn.engine.listing.writer import StageRows
from evorrn.engine.model import Model
from evorrn.engine.stages import variable

SCATTER = fixed("scatter", home="links")
AGAIN = frozenset({"contract", "pairs"})
"""Operations whose large results the adjoint computes again rather than read from memory."""


class WantedLevelsGradient(NamedTuple):
    """What a gradient listing of linked steps reads.

    Attributes
    ----------
    lanes : int
    kinds : tuple of int
        The kinds of tiles that there are.
    target_rows : int
        Rows of the targets; 0 if the gradient with respect to the outputs is given.
    """

    lanes: int
    kinds: tuple[int, ...]
    target_rows: int


class _Kind(NamedTuple):
    """The rows of one kind of tiles."""

    step: Step
    derivative: Derivative
    record: StageRows
    back: StageRows


class GradientLevels(LinkedRows):
    """The listing of loss and gradient of linked steps.

    For each kind of tiles there are the sections ``score``, a tile forward with the gradient of the loss, ``adjoint``, a
    tile back, and ``products``, which adds the products of a block of tiles to the gradient; ``before`` runs once.

    Parameters
    ----------
    model : Model
    wanted : WantedLevelsGradient
    whole : bool
        Whether each `Loop` stage is one kernel.
    """

    def __init__(self, model: Model, wanted: WantedLevelsGradient, whole: bool = False) -> None:
        listing = Listing(wanted.lanes, (*BASES, "gradient", "given", "scale", TAPE))
        super().__init__(model, listing, BLOCK * wanted.lanes)
        self._wanted = wanted
        derivatives = {kind: Derivative(step_of(self.step, kind), again=AGAIN) for kind in wanted.kinds}
        rows = {name: rows for name, _, rows in self.states()}
        shared = {
            **rows,
            **{f"d.{name}": count for name, count in rows.items()},
            "d.output": self.sizes.of("O"),
        }
        own = {kind: self._own_rows(step_of(self.step, kind), found) for kind, found in derivatives.items()}
        self._stride = (
            sum(shared.values()) + max(sum(each.values()) for each in own.values())
        ) * wanted.lanes
        tape = self._places(shared, 0)
        listing.room(self._stride, TAPE)
        self._states = {name: tape[name] for name in rows}
        self._d_states = {name: tape[f"d.{name}"] for name in rows}
        self._d_output = tape["d.output"] if wanted.target_rows else self.series("given", self.sizes.of("O"))
        self._kinds = {
            kind: self._kind(
                step_of(self.step, kind), found, self._places(own[kind], sum(shared.values())), whole
            )
            for kind, found in derivatives.items()
        }
        for kind, parts in self._kinds.items():
            self._score(parts)
            listing.section(f"score_{kind}")
            self._adjoint(parts)
            listing.section(f"adjoint_{kind}")
            self._products(parts)
            listing.section(f"products_{kind}")
        for name, count in rows.items():
            self.clear(self._states[name], count)
            self.clear(self._d_states[name], count)
        for parts in self._kinds.values():
            parts.record.prologue()
            parts.back.prologue()
        listing.section("before")

    def timetable(self, sections: Mapping[str, int], span: tuple[int, ...]) -> np.ndarray:
        """Return the entries of a group, from the kinds of its tiles."""
        kinds = np.array([kind for kind in span if kind >= 0])
        entries = [(sections["before"], 0, 0, 0)]
        entries += [(sections[f"score_{kind}"], tile, 0, 0) for tile, kind in enumerate(kinds, 1)]
        runs = np.split(np.arange(len(kinds)), np.flatnonzero(np.diff(kinds)) + 1)  # of equal kinds
        blocks = [run[start : start + BLOCK] for run in runs for start in range(0, len(run), BLOCK)]
        for block in reversed(blocks):
            kind, first = kinds[block[0]], block[0] + 1
            back = range(len(block) - 1, -1, -1)
            entries += [(sections[f"adjoint_{kind}"], first + step, step, 0) for step in back]
            entries.append((sections[f"products_{kind}"], first, 0, len(block)))
        return np.array(entries, np.int64)

    @cached_property
    def spare(self) -> int:
        """See `StageRows.spare`; the largest of all kinds of tiles."""
        return max(
            parts.record.spare(parts.derivative.record) + parts.back.spare(parts.derivative.back)
            for parts in self._kinds.values()
        )

    # --- Places -------------------------------------------------------------------------------------

    def _own_rows(self, step: Step, derivative: Derivative) -> dict[str, int]:
        """Return the rows of what one kind of tiles stores: states of predecessors, and nodes of the forward pass."""
        inputs = step.graph.leaves("input")
        rows = {
            name: self.sizes.count(step.graph.nodes[inputs[name]].shape)
            for name in step.sources
            if name in inputs
        }
        return {**rows, **{str(i): self.sizes.count(step.graph.nodes[i].shape) for i in derivative.taped}}

    def _places(self, rows: Mapping[str, int], first: int) -> dict[str, Place]:
        """Return the places on the tape of tiles that follow each other, from a number of rows on."""
        places = {}
        for name, count in rows.items():
            places[name] = self.on_tape(first * self.listing.lanes, self._stride, variable(name))
            first += count
        return places

    def _kind(self, step: Step, derivative: Derivative, tape: Mapping[str, Place], whole: bool) -> _Kind:
        """Return the stages of one kind of tiles, with the places of all that they read and write."""
        graph, listing, names = step.graph, self.listing, step_names(step)
        inputs = graph.leaves("input")
        where = {inputs["x"]: self.series("x", self.sizes.of("I"))} if "x" in inputs else {}
        for name, (link, state) in step.predecessors.items():
            if name in inputs:
                where[inputs[name]] = tape[name] if state else self.there(link)
        where |= {index: tape[str(index)]._replace(name=names[index]) for index in derivative.taped}
        where |= {graph.outputs[name]: place for name, place in self._states.items()}
        for index in graph.outputs.values():
            if index not in where:
                where[index] = listing.tile(self.sizes.count(graph.nodes[index].shape), names[index])
        about = listing, self.sizes, self.numbers
        record = StageRows(graph, names, *about, where, whole)
        back = {**where, **self._adjoint_places(step, derivative)}
        return _Kind(
            step, derivative, record, StageRows(derivative.graph, derivative.names(step), *about, back, whole)
        )

    def _adjoint_places(self, step: Step, derivative: Derivative) -> dict[int, Place]:
        """Return the places of the inputs and results of the adjoint, and of the factors of products."""
        graph, listing, names = derivative.graph, self.listing, derivative.names(step)
        inputs = graph.leaves("input")
        given = {"d.output": self._d_output, **{f"d.next.{n}": place for n, place in self._d_states.items()}}
        where = {inputs[name]: place for name, place in given.items() if name in inputs}
        for index in graph.outputs.values():
            where[index] = listing.tile(self.sizes.count(graph.nodes[index].shape), names[index])
        for index in derivative.ring:
            size = (self.sizes.count(graph.nodes[index].shape) + 1) * listing.lanes  # see GradientRows
            start = listing.room(BLOCK * size)
            where[index] = Place(SCRATCH, start, size, mask=BLOCK - 1, clock=STEP, name=names[index])
        return where

    # --- Sections -----------------------------------------------------------------------------------

    def _score(self, parts: _Kind) -> None:
        """Write a tile forward, which stores what the adjoint reads, and the gradient of its loss."""
        self.gather(parts.step, parts.record.where, self._states, self._stride)
        parts.record.write(parts.derivative.record)
        if self._wanted.target_rows:
            y = parts.record.where[parts.step.graph.outputs[OUTPUT]]
            self.loss(y, self._wanted.target_rows, self._d_output)
        for name, _, rows in self.states():
            self.clear(self._d_states[name], rows)

    def _adjoint(self, parts: _Kind) -> None:
        """Write a tile of the adjoint, which adds the gradients of the states of predecessors to theirs."""
        outputs = parts.derivative.graph.outputs
        parts.back.write(parts.derivative.back)
        for name, (link, state) in parts.step.predecessors.items():
            if name in outputs:
                rows = self.sizes.count(parts.step.states[state])
                tiles = self._d_states[state]._replace(mask=0)
                text = f"d_{variable(state)} of predecessor {link + 1} += d_{variable(name)}"
                about = (parts.back.where[outputs[name]], self.links(link), rows, self.listing.lanes)
                self.listing.row(SCATTER, tiles, self._stride, *about, equation=text)

    def _products(self, parts: _Kind) -> None:
        """Write the rows that add the products of a block of tiles to the gradient."""
        back, lanes = parts.back, self.listing.lanes
        for name, factors in parts.derivative.terms:
            numbers: list[Place | int] = []
            for index in factors:
                place, rows = back.where[index], back.rows_of(index)
                ring = index in parts.derivative.ring
                numbers += [place._replace(mask=0) if ring else place, place.stride, rows]
            if len(factors) == 1:
                numbers += [self.numbers.ones, lanes, 1]
            target = Place("gradient", self.sizes.offsets[name], name=f"d_{variable(name)}")
            text = f"{target.name} += " + " x ".join(back.names[index] for index in factors)
            self.listing.row(OUTER, target, *numbers, lanes, equation=text)
