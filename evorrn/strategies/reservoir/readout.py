"""Solved readouts: their loss, the scale of their logits, and how they are written into a genome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.losses.base import Loss

if TYPE_CHECKING:
    from evorrn.network.network import Network

NEWTON_STEPS = 30


def mean_loss(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the loss of outputs (R, O), logits for classes, as a network computes it."""
    with np.errstate(over="ignore", invalid="ignore"):
        return loss.mean(outputs, targets)


def logit_scale(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the factor that turns regression outputs (R, O) into the logits of least loss.

    Regression outputs of classes lie near 0 and 1: read as logits they are right about the class but
    too timid about its probability. The loss is convex in one factor for all of them, found by
    Newton's method and kept between 1e-2 and 1e3; 1 for a loss without logits.

    Source: Guo, Pleiss, Sun & Weinberger 2017, section 4.2 (temperature scaling).
    """
    if not loss.logits:
        return 1.0
    scale = 1.0
    for _ in range(NEWTON_STEPS):
        slope, curvature = loss.scale_derivatives(outputs, targets, scale)
        if not curvature > 0:
            break
        # At most a doubling or halving, since Newton's steps overshoot where logits saturate.
        scale = float(np.clip(scale - slope / curvature, 0.5 * scale, 2 * scale))
        scale = float(np.clip(scale, 1e-2, 1e3))
    return scale


def check_bias(strategy: str, network: Network) -> None:
    """Refuse a network without biases: a readout is solved with one.

    Raises
    ------
    ConfigError
    """
    if not network.biases:
        raise ConfigError(
            f"strategy {strategy}: solves a readout with a bias, and needs network.biases = true"
        )


def write_readout(network: Network, genome: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> None:
    """Write a solved readout into a genome (n,).

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
        Changed in place.
    weights : ndarray, shape (O, F)
        From the inputs, where the network's readout is direct, and then from the states.
    bias : ndarray, shape (O,)
    """
    inputs = network.inputs if network.direct else 0
    blocks = network.unpack(genome)
    blocks["readout.W"][...] = weights[:, inputs:]
    blocks["readout.b"][...] = bias
    if network.direct:
        blocks["readout.W_x"][...] = weights[:, :inputs]
