"""The base class of losses.

Every other file of this folder defines one subclass of `Loss`, and two compiled functions that emitted programs
call at each time step with outputs ``y`` of shape (O, lanes), one sequence in each lane:

- ``add_loss(y, target, weight, total)`` adds the loss of each lane to its entry of ``total`` (lanes,), float64;
- ``loss_gradient(y, target, weight, scale, gradient)`` sets ``gradient`` (O, lanes) to that of ``scale`` x loss.

A loss whose outputs are logits has two more functions for each value that can go back into the network, where `kind`
is ``probability`` or ``bit``:

- ``feed_kind(y)`` replaces outputs (O, lanes) with these values;
- ``feed_kind_gradient(y, gradient)`` replaces the gradient (O, lanes) with respect to these values with that with
  respect to the outputs ``y`` (O, lanes).

``weight`` (lanes,) is positive where the time step of a lane is scored. In the other lanes outputs and targets have
no effect, even when they are not finite.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np


class Loss:
    """Base class of losses.

    Attributes
    ----------
    name : str
        The value of the argument `loss` of `evorrn.Network`.
    targets : str
        ``"values"`` for floats (B, T, O), ``"labels"`` for integers (B, T), ``"none"`` if the fitness comes from
        an environment.
    metrics : tuple of str
        Keys of `evorrn.data.metrics.METRICS` that a run without a task reports; runs are ranked by the first.
    logits : bool
        Whether outputs are logits; a logit cannot be fed back in place of a target.
    target_range : tuple of float
        The smallest and the largest target that the loss is defined for.
    fed_back : tuple of str
        The values of the argument `fed_back` of `evorrn.Network` for this loss; the first is the default.
    """

    name: ClassVar[str]
    targets: ClassVar[str] = "values"
    metrics: ClassVar[tuple[str, ...]] = ()
    logits: ClassVar[bool] = False
    target_range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    fed_back: ClassVar[tuple[str, ...]] = ("output",)

    @property
    def module(self) -> str:
        """The name of the module with the compiled functions."""
        return type(self).__module__

    @property
    def labels(self) -> bool:
        """Whether targets are integer labels of classes."""
        return self.targets == "labels"

    def entries(self, steps: np.ndarray, outputs: int) -> np.ndarray:
        """Return the number of entries in the mean for numbers of scored steps: one per label, else one per output."""
        return steps if self.labels else steps * outputs

    def feed(self, outputs: np.ndarray, kind: str) -> np.ndarray:
        """Return the values (R, O) that go back into a network with outputs (R, O), see `fed_back`."""
        return outputs

    def one_hot(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        """Return targets (..., O) as they are, labels (...) as vectors (..., O) with 1 at the label, else 0."""
        return np.eye(outputs)[np.clip(targets, 0, outputs - 1)] if self.labels else targets

    def mean(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Return the mean loss of outputs (R, O) against targets (R, O), or labels (R,)."""
        raise NotImplementedError

    def learned(self, outputs: np.ndarray, targets: np.ndarray, tolerance: float) -> np.ndarray:
        """Return a boolean array (B, T): True where the outputs of a time step are right.

        Parameters
        ----------
        outputs : ndarray, shape (B, T, O)
        targets : ndarray, shape (B, T, O), or (B, T) of labels
        tolerance : float
            The largest absolute error of a right output; not used for classes.
        """
        raise NotImplementedError

    def regression_targets(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        """Return the values (R, O) to which ridge regression fits the outputs, for targets (R, O) or labels (R,)."""
        raise NotImplementedError

    def scale_derivatives(
        self, outputs: np.ndarray, targets: np.ndarray, scale: float
    ) -> tuple[float, float]:
        """Return the first and second derivative of the mean loss of ``scale * outputs`` with respect to `scale`.

        Only losses with logits have this method.
        """
        raise NotImplementedError
