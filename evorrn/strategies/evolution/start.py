"""Start: where a search over real vectors begins."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from evorrn.strategies.base import State

SIGMA = "initial step size; the standard deviation of the start genomes by default"
TENTH = "initial step size; a tenth of the standard deviation of the start genomes by default"
WIDTH = "start weights are uniform between -width and width; by default as the network initialises them"
"""What settings of several strategies mean."""


@dataclass(frozen=True)
class Start:
    """Where a method begins, in the coordinates it works in.

    Attributes
    ----------
    point : ndarray, shape (n,)
        The start point or mean.
    deviation : float
        Root mean square of the standard deviations of the start genes: the default step size of a method,
        before the factor of a block multiplies it.
    draw : callable
        ``draw(count)`` returns start points (count, n).
    restarts : int
        Restarts before this start.
    layout : dict of str to tuple of int
        ``{block name: shape}`` of the genome, in order.
    scale : ndarray, shape (n,)
        Genes divided by coordinates: the unit times the factor on the step size of each gene's block.
    previous : dict, optional
        The method's state at the restart that led to this start; None at the first start.
    unit : float
        Genes in one unit of the coordinates, before the factor of a block; 1 but for huge deviations.
    """

    point: np.ndarray
    deviation: float
    draw: Callable[[int], np.ndarray]
    restarts: int
    layout: dict[str, tuple[int, ...]]
    scale: np.ndarray
    previous: State | None = None
    unit: float = 1.0

    def within(self, width: float, rng: np.random.Generator) -> Start:
        """Return a start whose genes are uniform between -width and width."""

        def draw(count: int) -> np.ndarray:
            return rng.uniform(-width, width, (count, self.point.size)) / self.scale

        return replace(self, point=draw(1)[0], deviation=width / math.sqrt(3), draw=draw)

    def population(self, count: int) -> np.ndarray:
        """Return a start population (count, n), for methods whose step sizes follow its spread.

        The first individual is the start point. The others are drawn, and their distances from it are
        multiplied by the step size factors of their blocks.
        """
        if count == 1:
            return self.point[None]
        distances = self.draw(count - 1) - self.point
        return np.concatenate([self.point[None], self.point + distances * (self.scale / self.unit)])
