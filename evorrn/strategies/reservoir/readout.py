"""Readouts by regression: the targets for each loss, the scale of logits, the readout in a genome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.data import metrics

if TYPE_CHECKING:
    from evorrn.network.network import Network

NEWTON_STEPS = 30


def regression_targets(loss: str, targets: np.ndarray, outputs: int) -> np.ndarray:
    """Return the regression targets (R, O) of a readout.

    Parameters
    ----------
    loss : str
        ``"mse"``: the targets themselves. ``"cross-entropy"``: 1 at the label and 0 elsewhere.
        ``"binary-cross-entropy"``: -1 and 1 for targets of 0 and 1.
    targets : ndarray, shape (R, O), or (R,) of labels
    outputs : int
    """
    if loss == "cross-entropy":
        return np.eye(outputs)[targets]
    values = np.asarray(targets, dtype=np.float64)
    return 2 * values - 1 if loss == "binary-cross-entropy" else values


def mean_loss(loss: str, outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the loss of outputs (R, O), logits for classes, as a network computes it."""
    with np.errstate(over="ignore", invalid="ignore"):
        if loss == "cross-entropy":
            return metrics.cross_entropy(outputs, targets)
        if loss == "binary-cross-entropy":
            return float(np.mean(np.logaddexp(0, outputs) - targets * outputs))
        return metrics.mse(outputs, targets)


def logit_scale(loss: str, outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the factor that turns regression outputs (R, O) into the logits of least loss.

    Regression outputs of classes are near 0 and 1: as logits they choose the right class, but give it too
    low a probability. One factor for all outputs corrects that. The loss is convex in it; it is found by
    Newton's method and kept between 1e-2 and 1e3. It is 1 for the squared error.

    Source: Guo, Pleiss, Sun & Weinberger 2017, section 4.2 (temperature scaling).
    """
    if loss == "mse":
        return 1.0
    scale = 1.0
    for _ in range(NEWTON_STEPS):
        logits = scale * outputs
        if loss == "cross-entropy":
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            mean = (weights * outputs).sum(axis=1)
            slope = np.mean(mean - outputs[np.arange(len(outputs)), targets])
            curvature = np.mean((weights * np.square(outputs - mean[:, None])).sum(axis=1))
        else:
            probability = 0.5 * (1 + np.tanh(0.5 * logits))
            slope = np.mean((probability - targets) * outputs)
            curvature = np.mean(probability * (1 - probability) * np.square(outputs))
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


def write_readout(network: Network, genome: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> None:
    """Write a solved readout into a genome (n,).

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
        Changed in place.
    weights : ndarray, shape (O, F)
        Weights from the inputs, if the network has ``direct=True``, followed by those from the states.
    bias : ndarray, shape (O,)
    """
    inputs = network.inputs if network.direct else 0
    blocks = network.unpack(genome)
    blocks["readout.W"][...] = weights[:, inputs:]
    blocks["readout.b"][...] = bias
    if network.direct:
        blocks["readout.W_x"][...] = weights[:, :inputs]
