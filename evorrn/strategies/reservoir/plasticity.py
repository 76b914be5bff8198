"""Intrinsic plasticity: gains and biases of the units of a reservoir, adapted until activations have a chosen density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

CELLS = ("elman", "leaky")
UPDATE = 20
"""Operations on a unit at a time step, the activation included."""


@dataclass(frozen=True)
class Plasticity:
    """The rule of intrinsic plasticity.

    Attributes
    ----------
    rate : float
        The learning rate, η.
    epochs : int
        Passes over the training sequences.
    mean : float
        The mean of the wanted density, μ; above 0 for a logistic function.
    deviation : float
        The standard deviation of the wanted density of tanh, σ.

    Notes
    -----
    Source: Schrauwen, Wardermann, Verstraeten, Steil and Stroobandt 2008, "Improving reservoirs using intrinsic
    plasticity", for tanh and a Gaussian density; Triesch 2005, "A gradient rule for the plasticity of a neuron's intrinsic
    excitability", for the logistic function and an exponential density. A unit is ``y = f(a s + b)`` with the gain a and the
    sum s of its weighted inputs; both rules descend the Kullback-Leibler divergence of the density of y from the wanted one.
    """

    rate: float
    epochs: int
    mean: float
    deviation: float

    def slope(self, y: np.ndarray, function: str) -> np.ndarray:
        """Return the direction of the bias (N,) for activations y (N,); that of the gain is ``1 / a + s`` times it."""
        if function == "tanh":
            variance = self.deviation**2
            return self.mean / variance - y / variance * (2 * variance + 1 - y * y + self.mean * y)
        return 1 - (2 + 1 / self.mean) * y + y * y / self.mean

    def adapt(self, problem: Problem, genome: np.ndarray) -> None:
        """Adapt a genome (n,) in place, one layer after the other, and charge the work.

        Gains and biases are put into the genome: the weights into a unit are multiplied by its gain, so that the spectral
        radius of the result is another.
        """
        network, batch = problem.network, problem.batch("train")
        functions = check_plasticity("plasticity", network, self.mean)
        blocks = network.unpack(genome)
        leak = {**network.cell.options, **network.cell_options}.get("leak", 1.0)
        assert batch.lengths is not None
        sequences = [
            np.asarray(batch.inputs[row, :length], np.float64) for row, length in enumerate(batch.lengths)
        ]
        for layer, units in enumerate(network.hidden):
            weights, recurrent, bias = (blocks[f"layer{layer}.{name}"] for name in ("W_x", "W_h", "b"))
            unit = _Units(weights, recurrent, bias, float(leak), functions)
            with one_thread():
                for _ in range(self.epochs):
                    for sequence in sequences:
                        unit.run(sequence, self)
                weights *= unit.gain[:, None]
                recurrent *= unit.gain[:, None]
                bias[...] = unit.bias
                further = layer + 1 < len(network.hidden)
                settled = _Units(weights, recurrent, bias, float(leak), functions)
                steps = sum(map(len, sequences)) * (self.epochs + further)
                problem.charge(steps * units * (weights.shape[1] + units + UPDATE))
                if further:
                    sequences = [settled.run(sequence, None) for sequence in sequences]


class _Units:
    """A layer with a gain and a bias of each unit, which starts with the gain 1."""

    def __init__(
        self, weights: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, leak: float, function: str
    ) -> None:
        self.weights, self.recurrent = weights.copy(), recurrent.copy()
        self.gain, self.bias = np.ones(len(bias)), bias.copy()
        self.leak, self.name, self.function = leak, function, FUNCTIONS[function]

    def run(self, inputs: np.ndarray, rule: Plasticity | None) -> np.ndarray:
        """Return the states (T, N) for inputs (T, I), adapting gains and biases after each step if there is a rule."""
        driven, state = inputs @ self.weights.T, np.zeros(len(self.bias))
        states = np.empty((len(inputs), len(state)))
        for step, drive in enumerate(driven):
            net = drive + self.recurrent @ state
            y = self.function(self.gain * net + self.bias)
            state = (1 - self.leak) * state + self.leak * y
            states[step] = state
            if rule is not None:
                slope = rule.slope(y, self.name)
                self.bias += rule.rate * slope
                self.gain += rule.rate * (1 / self.gain + slope * net)
        return states


def _logistic(v: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-v))


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"tanh": np.tanh, "sigmoid": _logistic}


def check_plasticity(name: str, network: Network, mean: float) -> str:
    """Return the activation of a network whose units can be adapted.

    Raises
    ------
    ConfigError
        For another cell than elman or leaky, another activation than tanh or sigmoid, fed-back outputs, and a mean that the
        activations cannot have.
    """
    function = {**network.cell.activations, **network.cell_options}.get("activation")
    function = str(getattr(function, "__name__", function))
    if network.cell.name not in CELLS or function not in FUNCTIONS or network.feedback:
        raise ConfigError(
            f"strategy {name}: intrinsic plasticity needs units tanh or sigmoid of the cells elman or leaky without "
            f"feedback, got {network.cell.name} with {function}" + " and feedback" * network.feedback
        )
    low = -1.0 if function == "tanh" else 0.0
    if not low < mean < 1:
        raise ConfigError(
            f"strategy {name}: activity_mean: expected more than {low:g} and less than 1 for {function}, got {mean:g}"
        )
    return function
