"""Two-sequence: store the class of the first input through hundreds of steps of noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Reference
from evorrn_tasks.common.two_classes import TwoClasses


@dataclass(frozen=True)
class TwoSequence(TwoClasses):
    """The first `informative` inputs are 1 (class 1) or -1 (class 0), all later ones are Gaussian noise.

    The noise has mean 0 and variance 0.2. The number of steps is uniform on the whole numbers from `shortest` to
    `longest`. Only the last step is scored. Training, validation and test have separate random streams.
    Nothing is scaled.

    Source: Bengio, Simard and Frasconi 1994, "Learning long-term dependencies with gradient descent is
    difficult"; lengths, variance and numbers of sequences as Hochreiter and Schmidhuber 1996, "Bridging long
    time lags by weight guessing and 'Long short-term memory'".
    """

    name = "two-sequence"
    references = (
        Reference(
            1.0,
            "binary_accuracy",
            "lengths 500 to 600, about 718 guesses of the weights of a network",
            "Hochreiter and Schmidhuber 1996",
        ),
    )

    informative: int = setting(1, "steps at the start that show the class", minimum=1)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, too many informative steps included."""
        found = super().problems()
        if not found and self.informative > self.shortest:
            found.append(f"informative: expected at most shortest, {self.shortest}, got {self.informative}")
        return found

    def draw(self, rng: np.random.Generator, answer: int, steps: int) -> np.ndarray:
        """Return inputs (T,): 1 or -1 for the class, then noise."""
        values = rng.normal(0.0, np.sqrt(0.2), steps)
        values[: self.informative] = 2.0 * answer - 1.0
        return values
