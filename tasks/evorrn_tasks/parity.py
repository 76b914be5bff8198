"""Parity: whether the number of ones in a long sequence of bits is odd."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.data.task import Reference
from evorrn_tasks.common.two_classes import TwoClasses


@dataclass(frozen=True)
class Parity(TwoClasses):
    """Bits, -1 or 1 with equal probability, whose number of ones is odd (class 1) or even (class 0).

    The number of steps is uniform on the whole numbers from `shortest` to `longest`. All bits but the last are
    drawn at random; the last one makes the class, and both classes are equally frequent. Only the last step is
    scored. Training, validation and test have separate random streams. Nothing is scaled.

    Gradients through hundreds of steps are not informative here, because a change of any bit changes the
    answer. A network with two states solves the task, and random search of the weights finds one.

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
        """Return bits (T,), -1 or 1, with an odd number of ones for answer 1 and an even number for 0."""
        bits = rng.integers(0, 2, steps)
        bits[-1] = (answer - bits[:-1].sum()) % 2
        return 2.0 * bits - 1.0
