"""The Loss contract: what a network is trained to make small, one file for each.

A file of this folder defines one subclass of `Loss`, and two compiled functions of one time step on a tile
(outputs, lanes), which emitted programs call:

- ``add_loss(y, target, weight, total)`` adds the loss of every lane to its total in float64;
- ``loss_gradient(y, target, weight, scale, gradient)`` sets the gradient of ``scale`` times that loss.

``weight`` is positive where the step of a lane is scored; elsewhere target and output have no effect, even
when they are not finite.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

JIT = {"fastmath": {"contract"}, "error_model": "numpy"}
"""Options of the compiled functions."""


class Loss:
    """A loss: its targets, its mean, and what follows from it for metrics and solved readouts.

    Attributes
    ----------
    name : str
        As given to `evorrn.Network`.
    targets : str
        ``"values"`` for floats (B, T, O), ``"labels"`` for integers (B, T), ``"none"`` where fitness comes from
        an environment.
    metrics : tuple of str
        Keys of `evorrn.data.metrics.METRICS` that a run without a task reports; the first one ranks.
    logits : bool
        Whether outputs are logits, so that a network cannot see its own output as the next target.
    """

    name: ClassVar[str]
    targets: ClassVar[str] = "values"
    metrics: ClassVar[tuple[str, ...]] = ()
    logits: ClassVar[bool] = False

    @property
    def module(self) -> str:
        """The module of the compiled functions."""
        return type(self).__module__

    @property
    def labels(self) -> bool:
        """Whether targets are integer labels of classes."""
        return self.targets == "labels"

    def entries(self, steps: np.ndarray, outputs: int) -> np.ndarray:
        """Return how many entries are averaged where `steps` are scored: one a step for labels."""
        return steps if self.labels else steps * outputs

    def mean(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Return the mean loss of outputs (R, O) against targets (R, O), or labels (R,)."""
        raise NotImplementedError

    def learned(self, outputs: np.ndarray, targets: np.ndarray, tolerance: float) -> np.ndarray:
        """Return which steps (B, T) are right, for outputs (B, T, O) and targets (B, T, O) or labels (B, T)."""
        raise NotImplementedError

    def regression_targets(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        """Return the values (R, O) that ridge regression fits for targets (R, O), or labels (R,)."""
        raise NotImplementedError

    def scale_derivatives(
        self, outputs: np.ndarray, targets: np.ndarray, scale: float
    ) -> tuple[float, float]:
        """Return first and second derivative of the mean loss of ``scale * outputs`` by `scale`; only for logits."""
        raise NotImplementedError
