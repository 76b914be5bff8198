"""What the outputs of a network mean under each loss: predicted means, their derivatives, and the loss's curvature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.losses.sequence import SequenceLoss

if TYPE_CHECKING:
    from evorrn.losses.base import Loss
    from evorrn.network.network import Network


def check_steps(name: str, network: Network) -> None:
    """Raise ConfigError for a loss that is no sum over time steps, and for steps that do not follow each other."""
    if isinstance(network.loss_function, SequenceLoss):
        raise ConfigError(
            f"strategy {name}: expected a loss that is a sum over time steps; {network.loss_name} is a loss on whole "
            f"sequences, which bptt and evolution serve"
        )
    from evorrn.network.arguments import check_chain

    check_chain(network, f"strategy {name}")


def predicted(loss: Loss, outputs: np.ndarray) -> np.ndarray:
    """Return what outputs (R, O) predict of targets (R, O): probabilities of classes, else the outputs."""
    return loss.feed(outputs, "probability") if loss.logits else outputs


def probability_derivative(loss: Loss, outputs: np.ndarray) -> np.ndarray:
    """Return the derivative (R, O, O) of the probabilities of classes with respect to logits (R, O)."""
    p = loss.feed(outputs, "probability")
    if not loss.labels:
        return _diagonal(p * (1 - p))
    return _diagonal(p) - p[:, :, None] * p[:, None, :]


def predicted_derivative(loss: Loss, outputs: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """Return the Jacobian (R, O, n) of `predicted` from that of the outputs (R, O)."""
    return probability_derivative(loss, outputs) @ jacobian if loss.logits else jacobian


def output_gradient(loss: Loss, outputs: np.ndarray, targets: np.ndarray, entries: float) -> np.ndarray:
    """Return the gradient (R, O) of the summed loss over `entries`, for targets (R, O) that are 0 or 1 for classes."""
    factor = (1.0 if loss.logits else 2.0) / entries
    return factor * (predicted(loss, outputs) - targets)


def curvature_root(loss: Loss, outputs: np.ndarray, entries: float) -> np.ndarray:
    """Return matrices (R, O, O) whose product with their transposes is the loss's Hessian by outputs (R, O).

    Source: Schraudolph 2002, section 3: losses and their matching outputs. The root for classes is that of
    ``diag(p) - p p'``, which is ``(diag(p) - p p') diag(p)^(-1/2)``.
    """
    if not loss.logits:
        root = np.sqrt(2.0 / entries) * np.eye(outputs.shape[1])
        return np.broadcast_to(root, (len(outputs), *root.shape))
    p = loss.feed(outputs, "probability")
    if not loss.labels:
        return _diagonal(np.sqrt(p * (1 - p) / entries))
    share = np.sqrt(p)
    return (_diagonal(share) - p[:, :, None] * share[:, None, :]) / np.sqrt(entries)


def _diagonal(values: np.ndarray) -> np.ndarray:
    """Return diagonal matrices (R, O, O) of vectors (R, O)."""
    return values[:, :, None] * np.eye(values.shape[1])
