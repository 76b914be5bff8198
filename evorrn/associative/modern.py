"""ModernHopfield: the memory with a softmax over its patterns, which holds exponentially many."""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.associative.patterns import finite, numbers, positive
from evorrn.base.blas import one_thread
from evorrn.base.errors import ShapeError
from evorrn.base.memory import whole_number


class ModernHopfield:
    """A memory of real patterns: ``new state = softmax(beta state X^T) X``, one step of attention.

    Source: Ramsauer et al. 2020, equation 3; the energy is their equation 2.

    Parameters
    ----------
    patterns : array_like, shape (M, N)
    beta : float
        Inverse temperature: large values recall one pattern, small ones a mean of many.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.associative import ModernHopfield
    >>> patterns = np.random.default_rng(0).normal(size=(500, 20))
    >>> memory = ModernHopfield(patterns, beta=8.0)
    >>> bool(np.allclose(memory.recall(patterns[7] + 0.05)[0], patterns[7], atol=1e-3))
    True
    """

    def __init__(self, patterns: Any, beta: float = 1.0) -> None:
        array = numbers("patterns", patterns)
        if array.ndim != 2 or not array.size:
            raise ShapeError(f"patterns: expected shape (M, N), got {array.shape}")
        self.patterns, self.beta = finite("patterns", array, array.shape[1]), positive("beta", beta)

    def __repr__(self) -> str:
        return f"ModernHopfield({len(self.patterns):,} patterns of {self.patterns.shape[1]:,} numbers, beta {self.beta:g})"

    def recall(self, cues: Any, steps: int = 100, tolerance: float = 1e-10) -> np.ndarray:
        """Return the states (B, N) after steps that end when no entry changes by more than `tolerance`."""
        states = finite("cues", cues, self.patterns.shape[1])
        with one_thread():
            for _ in range(whole_number("steps", steps)):
                new = self.attention(states) @ self.patterns
                settled = np.abs(new - states).max(initial=0.0) <= tolerance
                states = new
                if settled:
                    break
        return states

    def attention(self, states: Any) -> np.ndarray:
        """Return the weight of each pattern, (B, M), for states (B, N); they are positive and add up to 1."""
        scores = self.beta * finite("states", states, self.patterns.shape[1]) @ self.patterns.T
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def energy(self, states: Any) -> np.ndarray:
        """Return ``-logsumexp(beta X s) / beta + s s / 2`` up to a constant, for states (B, N), shape (B,)."""
        array = finite("states", states, self.patterns.shape[1])
        scores = self.beta * array @ self.patterns.T
        top = scores.max(axis=1)
        return np.asarray(
            -(top + np.log(np.exp(scores - top[:, None]).sum(axis=1))) / self.beta
            + 0.5 * np.square(array).sum(axis=1)
        )
