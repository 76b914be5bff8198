"""Solved readouts: their loss, the scale of their logits, and the readout in a genome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.strategies.reservoir.conditions import LARGEST_STATE, sees_output
from evorrn.strategies.reservoir.noise import noisy_states

if TYPE_CHECKING:
    from evorrn.losses.base import Loss
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

NEWTON_STEPS = 30


def readout_features(
    problem: Problem, genome: np.ndarray, rows: np.ndarray, noise: float, rng: np.random.Generator
) -> np.ndarray | None:
    """Return what the readout sees at the training steps of a mask (B, T), shape (R, F); None when states diverged.

    With `noise` above 0 it is that standard deviation of the noise of the states, whose key is drawn from `rng`.

    These are the inputs, of a network with ``direct=True``, followed by the units that are read. A network that sees
    its own output is given the true outputs.
    """
    network, batch = problem.network, problem.batch("train")
    inputs = network.inputs if network.direct else 0
    features = np.empty((int(rows.sum()), inputs + network.readout_width))
    if inputs:
        features[:, :inputs] = batch.inputs[rows]
    states = features[:, inputs:]
    found = (
        noisy_states(problem, genome, noise, int(rng.integers(2**63)))
        if noise
        else problem.readout_states(genome, teacher=sees_output(network))
    )
    states[...] = found[rows]
    return features if -LARGEST_STATE < states.min() <= states.max() < LARGEST_STATE else None  # None for NaN


def mean_loss(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the loss of outputs (R, O), logits for classes, as a network computes it."""
    with np.errstate(over="ignore", invalid="ignore"):
        return loss.mean(outputs, targets)


def logit_scale(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the factor that turns regression outputs (R, O) into the logits of least loss.

    Regression outputs of classes are near 0 and 1: as logits they choose the right class, but give it too
    low a probability. One factor for all outputs corrects that. The loss is convex in it; it is found by
    Newton's method and kept between 1e-2 and 1e3. It is 1 for a loss without logits.

    Source: Guo, Pleiss, Sun & Weinberger 2017, section 4.2 (temperature scaling).
    """
    if not loss.logits:
        return 1.0
    scale = 1.0
    for _ in range(NEWTON_STEPS):
        slope, curvature = loss.scale_derivatives(outputs, targets, scale)
        if not curvature > 0:
            break
        # At most doubled or halved, because Newton's steps overshoot when logits saturate.
        scale = float(np.clip(scale - slope / curvature, 0.5 * scale, 2 * scale))
        scale = float(np.clip(scale, 1e-2, 1e3))
    return scale


def check_bias(strategy: str, network: Network) -> None:
    """Check that a network has biases, because a readout is solved with a bias.

    Raises
    ------
    ConfigError
        When it has none.
    """
    if not network.biases:
        raise ConfigError(
            f"strategy {strategy}: solves a readout with a bias, and needs network.biases = true"
        )


def write_readout(network: Network, genome: np.ndarray, weights: np.ndarray, bias: np.ndarray | None) -> None:
    """Write a solved readout into a genome (n,).

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
        Changed in place.
    weights : ndarray, shape (O, F)
        Weights from the inputs, if the network has ``direct=True``, followed by those from the states.
    bias : ndarray, shape (O,), or None
        None for a network without biases.
    """
    inputs = network.inputs if network.direct else 0
    blocks = network.unpack(genome)
    blocks["readout.W"][...] = weights[:, inputs:]
    if bias is not None:
        blocks["readout.b"][...] = bias
    if network.direct:
        blocks["readout.W_x"][...] = weights[:, :inputs]
