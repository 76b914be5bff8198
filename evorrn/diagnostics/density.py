"""The density of the activations that intrinsic plasticity makes, as a quantity of an experiment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.diagnostics.quantity import Quantity
from evorrn.network.network import Network
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir
from evorrn.strategies.reservoir.plasticity import Plasticity
from evorrn.training.problem import Problem

BINS = 40
TRANSIENT = 100
SCALES = Scales(spectral_radius=0.9, links=10, inputs=1.0, biases=0.1, feedback=0.0)


@dataclass(frozen=True)
class ActivityDensity(Quantity):
    """Activations of a random reservoir after intrinsic plasticity, driven by normal numbers.

    The rule aims at a Gaussian density between -1 and 1 for tanh, and at an exponential one between 0 and 1 for the logistic
    function. The divergence is that of Kullback and Leibler of each unit's histogram of 40 bins, averaged over units.

    Source: Schrauwen, Wardermann, Verstraeten, Steil and Stroobandt 2008, "Improving reservoirs using intrinsic plasticity";
    Triesch 2005 for the logistic function.
    """

    title = "mean, deviation or divergence of activations"

    of: str = setting("divergence", "What is computed.", choices=("mean", "deviation", "divergence"))
    activation: str = setting("tanh", "The units: tanh or sigmoid.", choices=("tanh", "sigmoid"))
    mean: float = setting(0.0, "Mean of the density; above 0 for sigmoid.")
    deviation: float = setting(0.3, "Standard deviation of the Gaussian density before it is cut.", above=0)
    adapted: bool = setting(True, "Whether the rule is applied.")
    units: int = setting(50, "Units.", minimum=1)
    steps: int = setting(2500, "Time steps.", minimum=200)
    epochs: int = setting(4, "Passes of the rule.", minimum=1)
    rate: float = setting(2e-3, "Learning rate of the rule.", above=0)

    def compute(self, seed: int) -> float:
        """Return the quantity of a reservoir and an input that a seed draws."""
        rng = np.random.default_rng(seed)
        inputs = rng.normal(size=(1, self.steps, 1))
        options = {"activation": self.activation}
        network = Network(1, 1, hidden=self.units, cell_options=options, dtype="float64")
        genome, _ = draw_reservoir(network, SCALES, rng)
        if self.adapted:
            rule = Plasticity(self.rate, self.epochs, self.mean, self.deviation)
            rule.adapt(Problem(network, Batch(inputs, inputs)), genome)
        y = network.readout_states(genome, inputs)[0, TRANSIENT:]
        if self.of == "mean":
            return float(y.mean())
        return float(y.std()) if self.of == "deviation" else self._divergence(y)

    def _divergence(self, y: np.ndarray) -> float:
        """Return the mean divergence of the histograms of units (T, H) from the wanted density."""
        edges = np.linspace(-1.0 if self.activation == "tanh" else 0.0, 1.0, BINS + 1)
        middle = (edges[1:] + edges[:-1]) / 2
        wanted = (
            np.exp(-((middle - self.mean) ** 2) / (2 * self.deviation**2))
            if self.activation == "tanh"
            else np.exp(-middle / self.mean)
        )
        wanted /= wanted.sum()
        each = []
        for unit in y.T:
            share = np.histogram(unit, edges)[0] / len(unit)
            used = share > 0
            each.append((share[used] * np.log(share[used] / wanted[used])).sum())
        return float(np.mean(each))
