"""OpenAIES: Adam on a gradient estimated from mirrored noise of constant size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.mirrored import MirroredStrategy
from evorrn.strategies.evolution.start import Start
from evorrn.strategies.gradient.optimisers import Coefficients, adam


@dataclass(frozen=True)
class OpenAIES(MirroredStrategy):
    """Evolution strategy that estimates a gradient by mirrored sampling; cost is linear in the genes.

    With directions e_k and the centred ranks r of the points m + s e_k and m - s e_k, Adam descends along

        g = w m - 1/P sum_k (r_k+ - r_k-) e_k,    k = 1 ... P/2,

    where s is constant and w is the weight decay.

    Notes
    -----
    Source: T. Salimans, J. Ho, X. Chen, S. Sidor and I. Sutskever, Evolution Strategies as a Scalable
    Alternative to Reinforcement Learning (2017), algorithm 1 with the mirrored sampling, rank
    transformation and weight decay of its section 2.1; g is scaled as in the authors' published code, so
    that weight decay means the same. Adam: D. P. Kingma and J. Ba (2015), algorithm 1. Deviations: equal
    fitness gets equal ranks; standardised raw fitness can replace ranks; Adam's epsilon is added to the
    corrected root, as in its paper. Defaults that differ: noise is a tenth of the standard deviation of the
    start genomes and the learning rate half of it (0.02 and 0.01 in the code for every network); no weight
    decay (0.005); 32 individuals (hundreds to thousands). Weight decay acts on the coordinates of the
    search, which are genes divided by the step size factors of their blocks.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.OpenAIES(sigma=0.1).search(np.ones(5), seed=1)
    >>> while not search.done("100gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -0.1)
    True
    """

    name: ClassVar[str] = "openai-es"

    weight_decay: float = setting(
        0.0, "coefficient: this times the mean is added to the gradient of the loss", minimum=0
    )
    sigma: float | None = setting(
        None, "step size; a tenth of the standard deviation of the start genomes by default", above=0
    )
    rate: float | None = setting(None, "learning rate of Adam; half of sigma by default", above=0)
    momentum: float = setting(
        0.9, "beta 1 of Adam, the share of the mean gradient that is kept", minimum=0, below=1
    )
    decay: float = setting(
        0.999, "beta 2 of Adam, the share of the mean squared gradient that is kept", minimum=0, below=1
    )

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return mean, step size and learning rate; Adam's moments are empty."""
        size = start.point.size
        sigma = self.sigma or 0.1 * start.deviation
        return {
            "mean": start.point,
            "sigma": np.full(size, sigma),
            "rate": self.rate or 0.5 * sigma,
            "moments": {},
            "noise": np.zeros((0, size)),
        }

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the state after a step of Adam along the estimated gradient with weight decay."""
        plus, minus = self.split_fitness(fitness)
        mean = method["mean"]
        gradient = self.weight_decay * mean - (plus - minus) @ method["noise"] / len(fitness)
        coefficients = Coefficients(momentum=self.momentum, decay=self.decay)
        mean, moments = adam(mean, gradient, method["rate"], method["moments"], coefficients)
        return {**method, "mean": mean, "moments": moments, "noise": np.zeros((0, mean.size))}

    def shape(self, genomes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return raw fitness, because weight decay is part of the gradient."""
        return values
