"""Influences in which each weight changes only states of its own unit, described by the nodes of the step's derivative.

Then the influence is a trace for each weight and state of its unit, and all units are moved on side by side: SnAp-1, and the exact
influence where units see only their own past.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evorrn.compile.op import WEIGHTS
from evorrn.engine.influence.groups import Influence
from evorrn.engine.influence.rows import Term, layout
from evorrn.engine.influence.steps import READOUT, Steps
from evorrn.engine.influence.tables import FEW_ROWS
from evorrn.engine.model import Model


class Run(NamedTuple):
    """Weights with one slope and one source, a row of weights for each unit.

    Attributes
    ----------
    slope : int
        The node of what the product with the source is the derivative of, which depends on the direction.
    source : int or None
        The node that the weights multiply; None for 1.
    acts : tuple of bool
        Whether the slope of each state of the unit can differ from zero.
    weights : ndarray of int, shape (H, M)
    """

    slope: int
    source: int | None
    acts: tuple[bool, ...]
    weights: np.ndarray


class Entry(NamedTuple):
    """A derivative of a new state with respect to an old one of the same unit.

    Attributes
    ----------
    old : bool
        Whether the derivative besides products of weights and old states can differ from zero.
    products : tuple of (int, str)
        The slope of each such product, and the block of its weights, of which the diagonal is taken.
    """

    old: bool
    products: tuple[tuple[int, str], ...]


class Part(NamedTuple):
    """Weights that change the same states of their units.

    Attributes
    ----------
    states : tuple of str
        The K names of the states.
    dimension : str
        The dimension of each of them, whose size is the number of units.
    entries : tuple of tuple of Entry
        The derivative of each new state (K) with respect to each old one (K).
    runs : tuple of Run
    """

    states: tuple[str, ...]
    dimension: str
    entries: tuple[tuple[Entry, ...], ...]
    runs: tuple[Run, ...]


class ByUnit(NamedTuple):
    """An influence by units.

    Attributes
    ----------
    parts : tuple of Part
    colours : dict of str to int
        The direction that gives the derivatives of each new state.
    directions : int
    seen : dict of str to int
        The first unit of each state among those that the readout sees.
    readout : tuple of (int or None, ndarray of int)
        The source and the weights (O, M) of each product in the readout.
    """

    parts: tuple[Part, ...]
    colours: dict[str, int]
    directions: int
    seen: dict[str, int]
    readout: tuple[tuple[int | None, np.ndarray], ...]


class _Mixed(Exception):
    """Raised where units are not apart."""


def by_unit(model: Model, steps: Steps, influence: Influence, own: bool) -> ByUnit | None:
    """Return an influence by units, or None where some weight changes states of several units.

    Parameters
    ----------
    model : Model
    steps : Steps
    influence : Influence
    own : bool
        Whether derivatives through products of weights and old states are left out.
    """
    step = model.form.step
    if not step.plain or step.feeds_back or steps.starts or not influence.stacks:
        return None
    try:
        return _Finder(model, steps, own).find(influence)
    except _Mixed:
        return None


class _Finder:
    """Finds the parts of an influence."""

    def __init__(self, model: Model, steps: Steps, own: bool) -> None:
        self._model, self._steps, self._own = model, steps, own
        self._pattern, self._places = steps.pattern, steps.places
        self._allowed = steps.own if own else steps.pattern.old
        _, derivative, first = layout(steps.lifted, model)
        self._nodes, self._count = derivative.graph.nodes, len(steps.lifted.graph.nodes)
        self._node = {row: index for index, row in first.items()}

    def find(self, influence: Influence) -> ByUnit:
        """Return all parts."""
        steps, places = self._steps, self._places
        colours = {name: self._only(self._pattern.colours[place]) for name, place in places.items()}
        stack_of = np.full(steps.weights, -1)
        unit_of = np.full(steps.weights, -1)
        about = []
        for number, stack in enumerate(influence.stacks):
            if stack.rows.shape[1] > FEW_ROWS or (stack.slopes[1:] < steps.layout.rows).any():
                raise _Mixed
            names = [self._name(states) for states in stack.rows.T]
            starts = [places[name].start for name in names]
            units = stack.rows - starts
            if (units != units[:, :1]).any():
                raise _Mixed
            about.append(tuple(names))
            stack_of[stack.weights] = number
            unit_of[stack.weights] = units[:, :1]
        runs: list[list[Run]] = [[] for _ in about]
        readout = []
        for term in steps.layout.terms:
            weights = self._weights(term)
            if term.block.startswith(READOUT):
                if self._nodes[self._node[term.slope.row]].name != "d.output":
                    raise _Mixed
                readout.append((self._source(term), weights))
                continue
            number = self._only(stack_of[weights])
            if number < 0:
                continue
            units, states = np.arange(len(weights))[:, None], about[number]
            if (unit_of[weights] != units).any() or self._units(states) != len(weights):
                raise _Mixed
            acts = tuple(self._diagonal(name, term) for name in states)
            runs[number].append(Run(self._node[term.slope.row], self._source(term), acts, weights))
        parts = [
            Part(names, self._dimension(names), self._entries(names), tuple(own))
            for names, own in zip(about, runs)
        ]
        return ByUnit(tuple(parts), colours, len(self._pattern.directions), self._seen(), tuple(readout))

    def _only(self, values: np.ndarray) -> int:
        """Return the one value that all are."""
        found = np.unique(values)
        if len(found) != 1:
            raise _Mixed
        return int(found[0])

    def _name(self, states: np.ndarray) -> str:
        """Return the name of the state that all entries belong to."""
        for name, place in self._places.items():
            if place.start <= states.min() and states.max() < place.stop:
                return name
        raise _Mixed

    def _units(self, names: tuple[str, ...]) -> int:
        return self._only(np.array([self._places[name].stop - self._places[name].start for name in names]))

    def _dimension(self, names: tuple[str, ...]) -> str:
        shapes = {self._model.form.step.states[name] for name in names}
        if len(shapes) != 1 or len(shape := shapes.pop()) != 1:
            raise _Mixed
        return shape[0]

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
            raise _Mixed
        return index

    def _diagonal(self, name: str, term: Term) -> bool:
        """Return whether each entry of a slope acts on the unit of its own alone, or False where it acts on no unit."""
        acts = self._pattern.factors[self._places[name], term.slope.places]
        if not acts.any():
            return False
        if acts.shape[0] != acts.shape[1] or (acts != np.eye(len(acts), dtype=bool)).any():
            raise _Mixed
        return True

    def _entries(self, names: tuple[str, ...]) -> tuple[tuple[Entry, ...], ...]:
        return tuple(tuple(self._entry(new, old) for old in names) for new in names)

    def _entry(self, new: str, old: str) -> Entry:
        units = np.arange(self._units((new, old)))
        direct = self._only(self._allowed[self._places[new].start + units, self._places[old].start + units])
        products = []
        for term in self._steps.layout.terms if not self._own else ():
            if term.state == old and self._diagonal(new, term):
                products.append((self._node[term.slope.row], term.block))
        return Entry(bool(direct), tuple(products))

    def _seen(self) -> dict[str, int]:
        found, seen = {}, self._steps.seen
        for name, place in self._places.items():
            at = np.flatnonzero((seen >= place.start) & (seen < place.stop))
            if len(at):
                if not np.array_equal(seen[at], np.arange(place.start, place.stop)) or at[-1] - at[
                    0
                ] + 1 != len(at):
                    raise _Mixed
                found[name] = int(at[0])
        return found
