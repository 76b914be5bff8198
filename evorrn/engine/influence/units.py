"""Influences in which each weight changes only states of its own unit, described by the nodes of the step's derivative.

Then the influence is a trace for each weight and state of its unit, and all units are moved on side by side: SnAp-1, and the exact
influence where units see only their own past.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from evorrn.engine.influence.groups import Influence
from evorrn.engine.influence.outline import Finder, Mixed, plain
from evorrn.engine.influence.rows import Term
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

    def wanted(self, direction: int, outputs: Mapping[str, int]) -> set[int]:
        """See `evorrn.engine.influence.outline.Outline`."""
        found: set[int] = set()
        for part in self.parts:
            for k, name in enumerate(part.states):
                if self.colours[name] == direction:
                    found |= {run.slope for run in part.runs if run.acts[k]}
                    entries = list(zip(part.states, part.entries[k]))
                    found |= {slope for _, entry in entries for slope, _ in entry.products}
                    found |= {outputs[old] for old, entry in entries if entry.old}
        return found


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
    if not plain(model, steps, influence):
        return None
    try:
        return _Finder(model, steps, own).find(influence)
    except Mixed:
        return None


class _Finder(Finder):
    """Finds the parts of an influence."""

    def __init__(self, model: Model, steps: Steps, own: bool) -> None:
        super().__init__(model, steps)
        self._own = own
        self._allowed = steps.own if own else steps.pattern.old

    def find(self, influence: Influence) -> ByUnit:
        """Return all parts."""
        steps, places = self._steps, self._places
        colours = self._colours()
        stack_of = np.full(steps.weights, -1)
        unit_of = np.full(steps.weights, -1)
        about = []
        for number, stack in enumerate(influence.stacks):
            if stack.rows.shape[1] > FEW_ROWS or (stack.slopes[1:] < steps.layout.rows).any():
                raise Mixed
            names = [self._name(states) for states in stack.rows.T]
            starts = [places[name].start for name in names]
            units = stack.rows - starts
            if (units != units[:, :1]).any():
                raise Mixed
            about.append(tuple(names))
            stack_of[stack.weights] = number
            unit_of[stack.weights] = units[:, :1]
        runs: list[list[Run]] = [[] for _ in about]
        readout = []
        for term in steps.layout.terms:
            weights = self._weights(term)
            if term.block.startswith(READOUT):
                readout.append(self._readout(term))
                continue
            number = self._only(stack_of[weights])
            if number < 0:
                continue
            units, states = np.arange(len(weights))[:, None], about[number]
            if (unit_of[weights] != units).any() or self._units(states) != len(weights):
                raise Mixed
            acts = tuple(self._diagonal(name, term) for name in states)
            runs[number].append(Run(self._node[term.slope.row], self._source(term), acts, weights))
        parts = [
            Part(names, self._dimension(names), self._entries(names), tuple(own))
            for names, own in zip(about, runs)
        ]
        return ByUnit(tuple(parts), colours, len(self._pattern.directions), self._seen(), tuple(readout))

    def _name(self, states: np.ndarray) -> str:
        """Return the name of the state that all entries belong to."""
        for name, place in self._places.items():
            if place.start <= states.min() and states.max() < place.stop:
                return name
        raise Mixed

    def _units(self, names: tuple[str, ...]) -> int:
        return self._only(np.array([self._places[name].stop - self._places[name].start for name in names]))

    def _dimension(self, names: tuple[str, ...]) -> str:
        shapes = {self._model.form.step.states[name] for name in names}
        if len(shapes) != 1 or len(shape := shapes.pop()) != 1:
            raise Mixed
        return shape[0]

    def _diagonal(self, name: str, term: Term) -> bool:
        """Return whether each entry of a slope acts on the unit of its own alone, or False where it acts on no unit."""
        acts = self._pattern.factors[self._places[name], term.slope.places]
        if not acts.any():
            return False
        if acts.shape[0] != acts.shape[1] or (acts != np.eye(len(acts), dtype=bool)).any():
            raise Mixed
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
