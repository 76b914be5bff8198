"""How well a memory recalls: along one recall, against the share of a cue that is wrong, and against its load."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.associative.bam import BAM
from evorrn.associative.hopfield import Hopfield
from evorrn.associative.patterns import numbers, some
from evorrn.base.errors import EvorrnError, ShapeError, UnknownName
from evorrn.base.memory import whole_number
from evorrn.base.settings import check_seed

DRIVES = ("x", "y", "both")
NEAR = 0.95
"""Overlap from which a pattern counts as recovered."""


@dataclass(frozen=True)
class Curve:
    """How well patterns are recalled at several points.

    Attributes
    ----------
    points : ndarray, shape (K,)
        Shares of wrong units, or patterns for each unit.
    overlap : ndarray, shape (K,)
        The mean overlap of what is recalled with its pattern.
    recovered : ndarray, shape (K,)
        The share of recalls with an overlap of at least 0.95.
    label : str
        What the points are.
    """

    points: np.ndarray
    overlap: np.ndarray
    recovered: np.ndarray
    label: str

    def plot(self, axes: Any = None) -> Any:
        """Draw both against the points, by default in a new figure, and return the matplotlib axes."""
        return importlib.import_module("evorrn.lab.report.memories").draw_curve(self, axes)


def basins(
    memory: Hopfield,
    patterns: Any,
    wrong: Sequence[float] = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
    *,
    trials: int = 10,
    order: str = "asynchronous",
    seed: int = 0,
) -> Curve:
    """Return how well patterns are recalled from cues in which a share of the units is wrong.

    Parameters
    ----------
    memory : Hopfield
    patterns : array_like, shape (M, N)
        Of -1 and 1, stored before.
    wrong : sequence of float
        Shares of wrong units, from 0 to 1; the units are drawn for each cue.
    trials : int
        Cues of each pattern and share.
    order : str
        Of the updates, see `Hopfield.recall`.
    seed : int
        Of cues and orders.

    Raises
    ------
    EvorrnError
        When a share is not between 0 and 1, or there are no trials.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.associative import Hopfield, basins
    >>> patterns = np.random.default_rng(0).choice([-1.0, 1.0], (5, 100))
    >>> found = basins(Hopfield(100).store(patterns), patterns, wrong=(0.1, 0.5))
    >>> [bool(found.recovered[0] > 0.9), bool(found.recovered[1] < 0.5)]
    [True, True]
    """
    if not isinstance(memory, Hopfield):
        raise EvorrnError(f"memory: expected a Hopfield network, got {type(memory).__name__}")
    true = some("patterns", patterns, memory.units)
    shares = _shares(wrong, trials)
    rng, overlaps = np.random.default_rng(check_seed(seed)), []
    wanted = np.repeat(true, trials, axis=0)
    for share in shares:
        cues = with_wrong_units(wanted, share, rng)
        found = memory.recall(cues, order=order, seed=int(rng.integers(2**31))).states
        overlaps.append((found * wanted).mean(axis=1))
    return _curve(shares, overlaps, "share of wrong units in the cue")


def pair_basins(
    memory: BAM,
    x: Any,
    y: Any,
    wrong: Sequence[float] = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
    *,
    drive: str = "x",
    trials: int = 10,
    seed: int = 0,
) -> Curve:
    """Return how well pairs are recalled from cues of one layer in which a share of the units is wrong.

    Parameters
    ----------
    memory : BAM
    x, y : array_like, shapes (M, n) and (M, m)
        Of -1 and 1, stored before.
    wrong, trials, seed
        As for `basins`.
    drive : str
        The layer that has the cues: ``"x"``, ``"y"``, or ``"both"`` at once.

    Returns
    -------
    Curve
        The overlap of a pair is that of all units of both layers.

    Raises
    ------
    EvorrnError
        As `basins`, and when there is no such layer.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.associative import BAM, pair_basins
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.choice([-1.0, 1.0], (4, 60)), rng.choice([-1.0, 1.0], (4, 80))
    >>> found = pair_basins(BAM(60, 80).store(x, y), x, y, wrong=(0.1, 0.5), drive="y")
    >>> [bool(found.recovered[0] > 0.9), bool(found.recovered[1] < 0.5)]
    [True, True]
    """
    if drive not in DRIVES:
        raise UnknownName("layer", drive, DRIVES)
    if not isinstance(memory, BAM):
        raise EvorrnError(f"memory: expected a BAM, got {type(memory).__name__}")
    true = some("x", x, memory.x_units), some("y", y, memory.y_units)
    if len(true[0]) != len(true[1]):
        raise ShapeError(f"y: expected one pattern for each of {len(true[0])} of x, got {len(true[1])}")
    shares = _shares(wrong, trials)
    rng, overlaps = np.random.default_rng(check_seed(seed)), []
    wanted = {letter: np.repeat(patterns, trials, axis=0) for letter, patterns in zip("xy", true)}
    for share in shares:
        driven = wanted if drive == "both" else (drive,)
        cues: dict[str, Any] = {each: with_wrong_units(wanted[each], share, rng) for each in driven}
        found = memory.recall(**cues)
        right = (found.x * wanted["x"]).sum(axis=1) + (found.y * wanted["y"]).sum(axis=1)
        overlaps.append(right / (memory.x_units + memory.y_units))
    return _curve(shares, overlaps, f"share of wrong units in the cue of {drive}")


def capacity(
    units: int,
    loads: Sequence[float] = (0.05, 0.1, 0.138, 0.2, 0.3),
    rule: str = "hebb",
    *,
    wrong: float = 0.0,
    trials: int = 5,
    seed: int = 0,
) -> Curve:
    """Return how well a Hopfield network recalls random patterns, by the number of them for each unit.

    Parameters
    ----------
    units : int
        N.
    loads : sequence of float
        Patterns divided by units; the number of patterns is rounded, and at least one.
    rule : str
        See `Hopfield.store`.
    wrong : float
        Share of wrong units in the cues.
    trials : int
        Sets of patterns for each load.
    seed : int
        Of patterns, cues and orders.

    Examples
    --------
    >>> from evorrn.associative import capacity
    >>> found = capacity(200, loads=(0.05, 0.3), trials=2)
    >>> [bool(found.overlap[0] > 0.99), bool(found.overlap[1] < 0.7)]
    [True, True]
    """
    units, (share,) = whole_number("units", units), _shares([wrong], trials)
    given, rng, overlaps = _checked("loads", loads, trials), np.random.default_rng(check_seed(seed)), []
    whole_number("patterns of the largest load", max(round(given.max() * units), 1), units)
    for load in given:
        found = []
        for _ in range(trials):
            patterns = rng.choice([-1.0, 1.0], (max(round(load * units), 1), units))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that these are more than the rule holds is the question
                memory = Hopfield(units).store(patterns, rule=rule)
            cues = with_wrong_units(patterns, share, rng)
            states = memory.recall(cues, seed=int(rng.integers(2**31))).states
            found.append((states * patterns).mean(axis=1))
        overlaps.append(np.concatenate(found))
    return _curve(given, overlaps, "patterns for each unit")


def with_wrong_units(patterns: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return patterns (B, N) with a share of the units of each, drawn anew, turned round."""
    places = np.argsort(rng.random(patterns.shape), axis=1)[:, : round(share * patterns.shape[1])]
    cues = patterns.copy()
    np.put_along_axis(cues, places, -np.take_along_axis(cues, places, axis=1), axis=1)
    return cues


def _shares(wrong: Sequence[float], trials: int) -> np.ndarray:
    shares = _checked("wrong", wrong, trials)
    if shares.max() > 1:
        raise EvorrnError(f"wrong: expected shares from 0 to 1, got {shares.max():g}")
    return shares


def _checked(name: str, values: Sequence[float], trials: int) -> np.ndarray:
    found = np.atleast_1d(numbers(name, values))
    if found.ndim != 1 or not found.size or not (np.isfinite(found).all() and found.min() >= 0):
        raise EvorrnError(f"{name}: expected numbers of at least 0, got {values!r}")
    whole_number("trials", trials)
    return found


def _curve(points: np.ndarray, overlaps: list[np.ndarray], label: str) -> Curve:
    means = [float(each.mean()) for each in overlaps]
    return Curve(
        points, np.array(means), np.array([float((each >= NEAR).mean()) for each in overlaps]), label
    )
