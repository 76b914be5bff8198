"""Quantities of random networks that are computed without training, for experiments that were published."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.compile.ops import identity
from evorrn.diagnostics.cost import CostSlope
from evorrn.diagnostics.decay import GradientDecay
from evorrn.diagnostics.density import ActivityDensity
from evorrn.diagnostics.lyapunov import lyapunov_spectrum
from evorrn.diagnostics.maps import HenonExponents
from evorrn.diagnostics.memory import memory_capacity
from evorrn.diagnostics.quantity import Quantity
from evorrn.network.network import Network


@dataclass(frozen=True)
class LargestExponent(Quantity):
    """The largest Lyapunov exponent of ``x+ = J tanh x``, entries of J normal with the variance ``gain² / units``.

    An Elman network without input and biases is the same map of ``tanh x``, so it has the same exponents.

    Source: Sompolinsky, Crisanti and Sommers 1988, "Chaos in random neural networks", here in discrete time.
    """

    title = "largest Lyapunov exponent per time step"

    units: int = setting(200, "Units.", minimum=1)
    gain: float = setting(1.5, "Gain g.", above=0)
    steps: int = setting(2000, "Time steps that are averaged, after 500 that are not.", minimum=1)

    def compute(self, seed: int) -> float:
        """Return the exponent of a network and a first state that a seed draws."""
        rng = np.random.default_rng(seed)
        network = Network(1, 1, hidden=self.units, biases=False, dtype="float64")
        blocks = network.unpack(np.zeros(network.size))
        blocks["layer0.W_h"][:] = self.gain / np.sqrt(self.units) * rng.normal(size=(self.units, self.units))
        x, state = np.zeros((1, 500 + self.steps, 1)), np.tanh(rng.normal(size=(1, self.units)))
        return float(lyapunov_spectrum(network, network.pack(blocks), x, 1, state=state, washout=500)[0])


@dataclass(frozen=True)
class CycleMemory(Quantity):
    """The linear memory capacity of a cycle of linear units that sees the input at one unit.

    It is exactly ``units - 1 + radius ** (2 units)`` over all delays from 1 on.

    Source: Jaeger 2001, "Short term memory in echo state networks"; Rodan and Tino 2011, "Minimum complexity echo state
    network".
    """

    title = "linear memory capacity"

    units: int = setting(50, "Units.", minimum=1)
    radius: float = setting(0.95, "The weight of every link of the cycle.", above=0)
    delays: int = setting(200, "The longest delay.", minimum=1)
    steps: int = setting(20_000, "Time steps that are fitted.", minimum=1)

    def compute(self, seed: int) -> float:
        """Return the capacity estimated with the random input that a seed draws."""
        options = {"activation": identity}
        network = Network(1, 1, hidden=self.units, biases=False, cell_options=options, dtype="float64")
        blocks = network.unpack(np.zeros(network.size))
        blocks["layer0.W_h"][:] = self.radius * np.roll(np.eye(self.units), 1, axis=0)
        blocks["layer0.W_x"][0] = 1.0
        return float(memory_capacity(network, network.pack(blocks), self.delays, self.steps, seed))


QUANTITIES: dict[str, type[Quantity]] = {
    "largest-exponent": LargestExponent,
    "memory-capacity": CycleMemory,
    "cost-slope": CostSlope,
    "gradient-decay": GradientDecay,
    "henon-exponents": HenonExponents,
    "activity-density": ActivityDensity,
}
"""The quantities by the names that they have as the measure of an experiment."""
