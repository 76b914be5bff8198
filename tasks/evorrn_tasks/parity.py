"""Parity: is the number of ones in a long sequence of bits odd?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.data.task import Reference
from evorrn_tasks.common.two_classes import TwoClasses


@dataclass(frozen=True)
class Parity(TwoClasses):
    """Bits, -1 or 1 with equal probability, whose number of ones is odd (class 1) or even (class 0).

    The number of steps is uniform on the whole numbers from `shortest` to `longest`. All bits but the last are
    drawn; the last one makes the class, of which there are equally many. Only the last step is scored.
    Training, validation and test are drawn from streams of their own. Nothing is scaled.

    Gradients through hundreds of steps say nothing here: a change of any one bit changes the answer. A network
    of two states solves it, and random guessing of weights finds one.

    Source: Hochreiter and Schmidhuber 1996, "Bridging long time lags by weight guessing and 'Long short-term
    memory'": lengths 500 to 600, 100 training and 100 test sequences.
    """

    name = "parity"
    references = (
        Reference(
            1.0,
            "binary_accuracy",
            "lengths 500 to 600, about 250 guesses of the weights of a network of ten hidden units",
            "Hochreiter and Schmidhuber 1996",
        ),
    )

    def draw(self, rng: np.random.Generator, answer: int, steps: int) -> np.ndarray:
        """Return bits (T,) with an odd or even number of ones."""
        bits = rng.integers(0, 2, steps)
        bits[-1] = (answer - bits[:-1].sum()) % 2
        return 2.0 * bits - 1.0
