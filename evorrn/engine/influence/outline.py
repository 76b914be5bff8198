"""What the emitted steps of a program need to know of an influence: directions, what the readout sees, and nodes by states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from evorrn.compile.op import WEIGHTS
from evorrn.engine.influence.groups import Influence
from evorrn.engine.influence.rows import Term, layout
from evorrn.engine.influence.steps import READOUT, Steps
from evorrn.engine.model import Model

MOST_DIRECTIONS = 3
"""With more directions than this, programs would become long."""


class Outline(Protocol):
    """What all programs know of an influence."""

    @property
    def colours(self) -> dict[str, int]:
        """The direction that gives the derivatives of each new state."""

    @property
    def directions(self) -> int:
        """The number of directions."""

    @property
    def seen(self) -> dict[str, int]:
        """The first unit of each state among those that the readout sees."""

    @property
    def readout(self) -> tuple[tuple[int | None, np.ndarray], ...]:
        """The source and the weights (O, M) of each product in the readout."""

    def wanted(self, direction: int, outputs: Mapping[str, int]) -> set[int]:
        """Return the nodes that are read of the derivative along a direction, from its outputs by name."""


class ByState(NamedTuple):
    """Which nodes give the derivatives of a time step.

    Attributes
    ----------
    colours, directions, seen, readout
        See `Outline`.
    slopes : tuple of (int, int, int)
        The direction, the first row among the factors, and the node of each factor that depends on a direction.
    olds : tuple of (int, str)
        The direction and the old state of each derivative besides products of weights and old states.
    sources : tuple of (int, int)
        The first row among the factors and the node of each value that weights multiply.
    """

    colours: dict[str, int]
    directions: int
    seen: dict[str, int]
    readout: tuple[tuple[int | None, np.ndarray], ...]
    slopes: tuple[tuple[int, int, int], ...]
    olds: tuple[tuple[int, str], ...]
    sources: tuple[tuple[int, int], ...]

    def wanted(self, direction: int, outputs: Mapping[str, int]) -> set[int]:
        """See `Outline`."""
        found = {node for number, _, node in self.slopes if number == direction}
        return found | {outputs[old] for number, old in self.olds if number == direction}


class Mixed(Exception):
    """Raised where what belongs to one state or unit belongs to several."""


class Finder:
    """Finds what belongs to states and units; its methods raise `Mixed`.

    Parameters
    ----------
    model : Model
    steps : Steps
    """

    def __init__(self, model: Model, steps: Steps) -> None:
        self._model, self._steps = model, steps
        self._pattern, self._places = steps.pattern, steps.places
        _, derivative, first = layout(steps.lifted, model)
        self._nodes, self._count = derivative.graph.nodes, len(steps.lifted.graph.nodes)
        self._node = {row: index for index, row in first.items()}

    def by_state(self) -> ByState:
        """Return the nodes that give the derivatives of a time step."""
        colours, pattern = self._colours(), self._pattern
        slopes, olds, sources = set(), set(), set()
        readout = []
        for term in self._steps.layout.terms:
            if term.block.startswith(READOUT):
                readout.append(self._readout(term))
                continue
            for name, place in self._places.items():
                if pattern.factors[place, term.slope.places].any():
                    slopes.add((colours[name], term.slope.row, self._node[term.slope.row]))
            node = self._source(term)
            if node is not None and term.source is not None:
                sources.add((term.source.row, node))
        for new, rows in self._places.items():
            for old, columns in self._places.items():
                if pattern.old[rows, columns].any():
                    olds.add((colours[new], old))
        found = tuple(sorted(slopes)), tuple(sorted(olds)), tuple(sorted(sources))
        return ByState(colours, len(pattern.directions), self._seen(), tuple(readout), *found)

    def _colours(self) -> dict[str, int]:
        return {name: self._only(self._pattern.colours[place]) for name, place in self._places.items()}

    def _only(self, values: np.ndarray) -> int:
        """Return the one value that all are."""
        found = np.unique(values)
        if len(found) != 1:
            raise Mixed
        return int(found[0])

    def _readout(self, term: Term) -> tuple[int | None, np.ndarray]:
        """Return the source and the weights of a product in the readout."""
        if self._nodes[self._node[term.slope.row]].name != "d.output":
            raise Mixed
        return self._source(term), self._weights(term)

    def _weights(self, term: Term) -> np.ndarray:
        """Return the places of a term's weights, a row for each entry of its slope."""
        block = self._steps.slices[term.block]
        weights = np.arange(block.start, block.stop)
        if term.source is None:
            return weights[:, None]
        shape = (term.slope.rows, term.source.rows)
        return weights.reshape(shape) if term.first else weights.reshape(shape[::-1]).T

    def _source(self, term: Term) -> int | None:
        if term.source is None:
            return None
        index = self._node[term.source.row]
        if index >= self._count or self._nodes[index].op in WEIGHTS:
            raise Mixed
        return index

    def _seen(self) -> dict[str, int]:
        found, seen = {}, self._steps.seen
        for name, place in self._places.items():
            at = np.flatnonzero((seen >= place.start) & (seen < place.stop))
            if len(at):
                whole = np.arange(place.start, place.stop)
                if not np.array_equal(seen[at], whole) or at[-1] - at[0] + 1 != len(at):
                    raise Mixed
                found[name] = int(at[0])
        return found


def plain(model: Model, steps: Steps, influence: Influence) -> bool:
    """Return whether programs along the units can be emitted for a step, whose states are not the last outputs."""
    step = model.form.step
    simple = all(len(shape) == 1 for shape in step.states.values())
    return simple and step.plain and not step.feeds_back and not steps.starts and bool(influence.stacks)


def by_state(model: Model, steps: Steps, influence: Influence) -> ByState | None:
    """Return the nodes that give the derivatives of a time step; None where no program can be emitted, or one too long."""
    if not plain(model, steps, influence) or len(steps.pattern.directions) > MOST_DIRECTIONS:
        return None
    try:
        return Finder(model, steps).by_state()
    except Mixed:
        return None
