"""Addition: the sum of two numbers, written digit by digit after the question was read."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Recommended, Splits
from evorrn_tasks.common.answers import Answers, Pairs


@dataclass(frozen=True)
class Addition(Answers):
    """Questions such as ``12+7`` and their answers, ``19``, character by character.

    Each number has from 1 to `digits` digits, equally likely, each digit is uniform, and leading zeros are dropped. With `backwards` the
    question is read from its last character to its first. No question is in two splits, nor one with the same numbers in the
    other order: with two digits there are 5,050 different ones.

    Source: "Sequence to sequence learning for performing number addition" (Keras' examples, S. Tang 2015): 5,000 examples of two digits, of
    which 500 are held out; the reversed question follows Sutskever, Vinyals and Le 2014. Deviations: questions and answers are not filled with
    spaces, which count as characters there; of the 500 held out 250 choose the weights and 250 are test.
    """

    name = "addition"
    asked = "0123456789+"
    answered = "0123456789"

    train: int = setting(4500, "training pairs", minimum=1)
    valid: int = setting(250, "validation pairs", minimum=1)
    test: int = setting(250, "test pairs", minimum=1)
    digits: int = setting(2, "digits of the longest number", minimum=1, maximum=9)
    backwards: bool = setting(True, "whether the question is read backwards")

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = super().problems()
        if found:
            return found
        numbers, wanted = 10**self.digits, self.train + self.valid + self.test
        most = numbers * (numbers + 1) // 2
        if wanted > most:
            found.append(
                f"train, valid, test: expected at most {most}, the different questions of {self.digits} digits, got {wanted}"
            )
        return found

    def draw(self, rng: np.random.Generator, count: int) -> Pairs:
        """Return questions and their answers."""
        lengths = rng.integers(1, self.digits + 1, (2, 4 * count))
        numbers = rng.integers(0, 10**9, (2, 4 * count)) % 10**lengths
        return [(self._question(int(a), int(b)), str(a + b)) for a, b in numbers.T]

    def key(self, question: str) -> str:
        """Return the two numbers in their order of size."""
        return "+".join(sorted(self._forward(question).split("+")))

    def baselines(self, splits: Splits) -> dict[str, list[np.ndarray]]:
        """Return the most common answers, that of the nearest question, and the larger number of the question itself."""
        assert splits.test is not None
        numbers = [re.findall(r"\d+", self._forward(question)) for question in self.questions(splits.test)]
        copied = [self.numbers(max(given, key=int, default="")) for given in numbers]
        return {**super().baselines(splits), "copy of the larger number": copied}

    def recommended(self, strategy: str) -> Recommended:
        """Return gated units for gradients, few units where weights are searched for."""
        found = super().recommended(strategy)
        return Recommended(found.network, {**found.strategy, "rate": 0.003}) if strategy == "bptt" else found

    def _question(self, first: int, second: int) -> str:
        return self._forward(f"{first}+{second}")

    def _forward(self, question: str) -> str:
        """Return a question in the other order of reading."""
        return question[::-1] if self.backwards else question
