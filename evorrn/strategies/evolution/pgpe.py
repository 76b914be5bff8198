"""PGPE: policy gradients with parameter-based exploration, which learns the mean and one step size per gene."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.mirrored import MirroredStrategy
from evorrn.strategies.evolution.start import TENTH, Start
from evorrn.strategies.gradient.optimisers import Coefficients, adam


@dataclass(frozen=True)
class PGPE(MirroredStrategy):
    """Gradient ascent on the expected fitness in the mean and the step sizes; cost is linear in the genes.

    With directions e_k and the centred ranks r of the points m + s * e_k and m - s * e_k, k = 1 ... P/2,

        g_m = 2/P sum_k (r_k+ - r_k-)/2 * s * e_k,    g_s = 2/P sum_k (r_k+ + r_k-)/2 * s * (e_k^2 - 1);

    the mean follows g_m by ClipUp or Adam, the step sizes change by s <- s + rate_sigma * g_s.

    Notes
    -----
    Source: F. Sehnke, C. Osendorfer, T. Rückstieß, A. Graves, J. Peters and J. Schmidhuber,
    Parameter-exploring policy gradients, Neural Networks 23 (2010), algorithm 1 with symmetric sampling; N.
    E. Toklu, P. Liskowski and R. K. Srivastava, ClipUp (2020), for centred ranks as fitness, the optimiser
    and its defaults: maximum speed 1/15 of the initial radius s sqrt(n), rate half of that, momentum 0.9,
    rate_sigma 0.1, and step sizes that change by a fifth at most. Deviations: the baseline is the mean of the
    generation, which is 0 for ranks, where the first paper keeps a running mean; equal fitness gets equal
    ranks; raw fitness is standardised. Adam's default rate gives steps as long as ClipUp's maximum speed.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.PGPE(sigma=0.3).search(np.ones(5), seed=1)
    >>> while not search.done("100gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -0.1)
    True
    """

    name: ClassVar[str] = "pgpe"

    sigma: float | None = setting(None, TENTH, above=0)
    rate_sigma: float = setting(0.1, "learning rate of the step sizes", minimum=0)
    change: float = setting(
        0.2, "largest change of a step size in a generation, as a share of the step size", above=0, below=1
    )
    optimiser: str = setting("clipup", "optimiser of the mean", choices=("clipup", "adam"))
    rate: float | None = setting(
        None,
        "learning rate of the mean; by default half of max_speed for clipup, a 15th of sigma for adam",
        above=0,
    )
    max_speed: float | None = setting(
        None,
        "longest step of the mean with clipup; by default a 15th of sigma times the root of the number of genes",
        above=0,
    )
    momentum: float = setting(
        0.9,
        "share of the velocity (clipup) or of the mean gradient (adam) that is kept at each step",
        minimum=0,
        below=1,
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return mean and step sizes, learning rate and maximum speed; the initial velocity is 0."""
        size = start.point.size
        sigma = self.sigma or 0.1 * start.deviation
        max_speed = self.max_speed or sigma * math.sqrt(size) / 15
        return {
            "mean": start.point,
            "sigma": np.full(size, sigma),
            "rate": self.rate or (0.5 * max_speed if self.optimiser == "clipup" else sigma / 15),
            "max_speed": max_speed,
            "moments": {} if self.optimiser == "adam" else {"velocity": np.zeros(size)},
            "noise": np.zeros((0, size)),
        }

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state after a step along both gradients."""
        plus, minus = self.split_fitness(fitness)
        noise, sigma, pairs = method["noise"], method["sigma"], len(plus)
        mean_gradient = sigma * ((plus - minus) / 2 @ noise) / pairs
        average = (plus + minus) / 2
        sigma_gradient = sigma * (average @ np.square(noise) - average.sum()) / pairs
        stepped = sigma + self.rate_sigma * sigma_gradient
        mean, moments = self._moved(method, mean_gradient)
        return {
            **method,
            "mean": mean,
            "sigma": np.clip(stepped, (1 - self.change) * sigma, (1 + self.change) * sigma),
            "moments": moments,
            "noise": np.zeros((0, sigma.size)),
        }

    def _moved(self, method: State, gradient: np.ndarray) -> tuple[np.ndarray, State]:
        """Return the mean after a step of the optimiser, and the optimiser's moments."""
        mean, rate, moments = method["mean"], method["rate"], method["moments"]
        if self.optimiser == "adam":
            return adam(mean, -gradient, rate, moments, Coefficients(momentum=self.momentum))
        velocity = clipup(gradient, moments["velocity"], rate, self.momentum, method["max_speed"])
        return mean + velocity, {"velocity": velocity}


def clipup(
    gradient: np.ndarray, velocity: np.ndarray, rate: float, momentum: float, max_speed: float
) -> np.ndarray:
    """Return the next velocity (n,): it uses only the gradient's direction, and its length is bounded.

    Source: Toklu, Liskowski & Srivastava 2020, algorithm ClipUp.
    """
    length = math.sqrt(np.square(gradient).sum())
    faster = momentum * velocity + (gradient * (rate / length) if length > 0 else 0.0)
    speed = math.sqrt(np.square(faster).sum())
    return faster * (max_speed / speed) if speed > max_speed else faster
