"""Actions of gymnasium's spaces, computed from the outputs of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.errors import EvorrnError

LARGEST = float(np.finfo(np.float32).max)
"""The largest float32, which is often written as a bound of float64 that is none."""


@dataclass(frozen=True)
class Discrete:
    """Discrete actions: `outputs` numbers from `first` on."""

    outputs: int
    first: int

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """Return the actions (N,) with the largest outputs (N, O)."""
        return outputs.argmax(axis=1) + self.first


@dataclass(frozen=True)
class Box:
    """A box of actions: numbers between bounds, see `evorrn_tasks.gym.Gym`.

    Attributes
    ----------
    low, high : ndarray, shape of an action, float64
        Bounds, infinite where there is none.
    squash : str
        ``"tanh"`` or ``"clip"``.
    dtype : dtype
        Type of the actions.
    """

    low: np.ndarray
    high: np.ndarray
    squash: str
    dtype: np.dtype

    @classmethod
    def of(cls, space: Any, squash: str) -> Box:
        """Return the mapping of a gymnasium box."""
        low, high = (np.array(bound, dtype=np.float64) for bound in (space.low, space.high))
        least, most = _limits(space.dtype)
        no_low, no_high = ~np.asarray(space.bounded_below), ~np.asarray(space.bounded_above)
        return cls(
            np.where(no_low | (low <= least), -np.inf, low),
            np.where(no_high | (high >= most), np.inf, high),
            squash,
            space.dtype,
        )

    @property
    def outputs(self) -> int:
        """The number of numbers in the box."""
        return self.low.size

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """Return actions (N, ...) for finite outputs (N, O)."""
        numbers = np.asarray(outputs, dtype=np.float64).reshape(-1, *self.low.shape)
        bounded = np.isfinite(self.low) & np.isfinite(self.high)
        low, high = np.where(bounded, self.low, 0.0), np.where(bounded, self.high, 1.0)
        if self.squash == "tanh":
            share = 0.5 * (np.tanh(numbers) + 1.0)
        else:
            width = np.where(high > low, high - low, 1.0)
            share = np.clip((numbers - low) / width, 0.0, 1.0)
        if np.issubdtype(self.dtype, np.integer):
            inside = low + np.minimum(np.floor(share * (high - low + 1.0)), high - low)
            numbers = np.rint(numbers)
        else:
            inside = low + share * (high - low)
        return self._typed(np.where(bounded, inside, np.clip(numbers, self.low, self.high)))

    def _typed(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers in the type of the actions; those beyond its range become its limits."""
        if np.issubdtype(self.dtype, np.integer):
            limits = np.iinfo(self.dtype)
            # The largest int64 is not a float64; a comparison decides, and the cast is of numbers inside alone.
            most = numbers >= float(limits.max)
            inside = np.where(most, 0.0, np.maximum(numbers, float(limits.min)))
            return np.where(most, limits.max, inside.astype(self.dtype)).astype(self.dtype)
        limit = float(np.finfo(self.dtype).max)
        return np.clip(numbers, -limit, limit).astype(self.dtype)


def actions_of(id: str, space: Any, squash: str) -> Discrete | Box:
    """Return the mapping from outputs to an action space; raise EvorrnError for a space that has none."""
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return Discrete(int(space.n), int(space.start))
    if isinstance(space, spaces.Box):
        return Box.of(space, squash)
    raise EvorrnError(f"gym {id}: expected discrete actions or a box, got {space}")


def _limits(dtype: np.dtype) -> tuple[float, float]:
    """Return the lower and the upper bound from which on a box of a type counts as unbounded.

    For real numbers that is half of the largest one, since bounds such as 3.4e38 stand for it. Integers of 8 and 16
    bits are counted out in full, and 0 is a bound of those without sign.
    """
    if not np.issubdtype(dtype, np.integer):
        limit = 0.5 * min(float(np.finfo(dtype).max), LARGEST)
        return -limit, limit
    limits = np.iinfo(dtype)
    if limits.bits < 32:
        return -np.inf, np.inf
    return float(limits.min) if limits.min < 0 else -np.inf, float(limits.max)
