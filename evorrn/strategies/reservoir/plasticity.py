"""Intrinsic plasticity: gains and biases of the units of a reservoir, adapted until activations have a chosen density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.kernels.deferred import cached
from evorrn.strategies.reservoir.units import (
    Units,
    activate,
    add_sparse,
    check_alike,
    run,
    sparse_rows,
    start_of,
    units_of,
)

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

    def adapt(self, problem: Problem, genome: np.ndarray) -> None:
        """Adapt a genome (n,) in place, one layer after the other, and charge the work.

        Gains and biases are put into the genome: the weights into a unit are multiplied by its gain, so that the spectral
        radius of the result is another.
        """
        network, batch = problem.network, problem.batch("train")
        check_plasticity("plasticity", network, self.mean)
        blocks = network.unpack(genome)
        assert batch.lengths is not None
        sequences = [
            np.asarray(batch.inputs[row, :length], np.float64) for row, length in enumerate(batch.lengths)
        ]
        for layer, count in enumerate(network.hidden):
            units = units_of(network, genome, layer)
            gain, bias, linked = np.ones(count), units.bias.copy(), sparse_rows(units.recurrent)
            rule = self.rate, self.mean, self.deviation
            with one_thread():
                driven = [sequence @ units.inputs.T for sequence in sequences]
            for _ in range(self.epochs):
                for drive in driven:
                    adapt_intrinsic(drive, linked, units.step, gain, bias, rule)
            weights, recurrent = blocks[f"layer{layer}.W_x"], blocks[f"layer{layer}.W_h"]
            weights *= gain[:, None]
            recurrent *= gain[:, None]
            blocks[f"layer{layer}.b"][...] = bias
            further = layer + 1 < len(network.hidden)
            steps = sum(map(len, sequences)) * (self.epochs + further)
            problem.charge(steps * count * (weights.shape[1] + linked[0].shape[1] + UPDATE))
            if further:
                sequences = outputs_of(units_of(network, genome, layer), sequences)
        problem.charge_pass(self.epochs * sum(map(len, sequences)), 0)


@cached
def adapt_intrinsic(
    drive: np.ndarray,
    linked: tuple[np.ndarray, np.ndarray],
    units: tuple[np.ndarray, np.ndarray, np.ndarray, int, bool],
    gain: np.ndarray,
    bias: np.ndarray,
    rule: tuple[float, float, float],
) -> None:
    """Adapt gains and biases (H,) in place over a sequence of weighted inputs (T, H).

    `linked` are the `sparse_rows` of the recurrent weights, `units` those of `Units.step`, and `rule` is rate, mean and
    deviation.
    """
    _, kept, taken, function, _ = units
    rate, mean, deviation = rule
    count = drive.shape[1]
    variance = deviation * deviation
    state, net, y = np.zeros(count), np.zeros(count), np.zeros(count)
    for t in range(len(drive)):
        net[:] = drive[t]
        add_sparse(linked[0], linked[1], state, net)
        for i in range(count):
            y[i] = gain[i] * net[i] + bias[i]
        activate(y, function)
        for i in range(count):
            state[i] = kept[i] * state[i] + taken[i] * y[i]
            if function == 0:
                slope = mean / variance - y[i] / variance * (2 * variance + 1 - y[i] * y[i] + mean * y[i])
            else:
                slope = 1 - (2 + 1 / mean) * y[i] + y[i] * y[i] / mean
            bias[i] += rate * slope
            gain[i] += rate * (1 / gain[i] + slope * net[i])


def outputs_of(units: Units, sequences: list[np.ndarray]) -> list[np.ndarray]:
    """Return the outputs (T, H) of a layer for each sequence of inputs (T, I)."""
    linked, found = sparse_rows(units.recurrent), []
    for sequence in sequences:
        with one_thread():
            drive = sequence @ units.inputs.T
        found.append(np.empty_like(drive))
        run(drive, linked, *start_of(units), units.step, found[-1])
    return found


def check_plasticity(name: str, network: Network, mean: float) -> str:
    """Return the activation of a network whose units can be adapted.

    Raises
    ------
    ConfigError
        For another cell than elman or leaky, another activation than tanh or sigmoid, fed-back outputs, and a mean that the
        activations cannot have.
    """
    check_alike(f"strategy {name}: intrinsic plasticity", network)
    function = {**network.cell.activations, **network.cell_options}.get("activation")
    function = str(getattr(function, "__name__", function))
    if network.cell.name not in CELLS or function not in ("tanh", "sigmoid") or network.feedback:
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
