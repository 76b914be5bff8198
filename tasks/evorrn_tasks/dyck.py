"""Dyck: which bracket may be closed, in random words of balanced brackets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Splits
from evorrn_tasks.common.examples import Example, bit_frequencies
from evorrn_tasks.common.growing import BitSequences

BRACKETS = "()[]{}<>"


@dataclass(frozen=True)
class Dyck(BitSequences):
    """Balanced words of brackets of some kinds; after each symbol the closing brackets that may follow are asked for.

    A length counts pairs of brackets. All arrangements of pairs of a length are equally likely, and so are the kinds
    of each pair. Inputs are one-hot over the opening and closing brackets of each kind. There is one output for each kind, and
    its target is 1 when the innermost open bracket is of this kind, else 0; after a whole word all are 0. Opening brackets may
    always follow, so they are no outputs. All steps are scored. Lengths are uniform from `shortest` to `longest` in
    training and validation, and beyond in test. Training, validation and test have separate random streams.

    One kind needs a counter, two or more need a stack.

    Source: Suzgun, Gehrmann, Belinkov and Shieber 2019, "Memory-augmented recurrent neural networks can learn generalized
    Dyck languages", for the prediction of the brackets that may follow; Arnold and Sleep 1980, "Uniform random generation of
    balanced parenthesis strings", for the draw. Deviations from the former: arrangements are uniform, where they draw
    from a probabilistic grammar, and no outputs for opening brackets.
    """

    name = "dyck"
    metrics = ("token_accuracy", "exact_match", "binary_cross_entropy")

    kinds: int = setting(2, "kinds of brackets", minimum=1, maximum=4)
    longest: int = setting(20, "largest number of pairs in training and validation", minimum=1)
    test_longest: int = setting(40, "largest number of pairs in test", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of inputs: an opening and a closing bracket of each kind."""
        return 2 * self.kinds

    @property
    def outputs(self) -> int:
        """Number of outputs: the closing bracket of each kind."""
        return self.kinds

    @property
    def input_names(self) -> tuple[str, ...]:
        """The brackets."""
        return tuple(BRACKETS[: self.inputs])

    @property
    def output_names(self) -> tuple[str, ...]:
        """The closing brackets."""
        return self.input_names[1::2]

    def steps(self, length: int) -> int:
        """Return the number of brackets."""
        return 2 * length

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the frequencies of each target in training, over all steps and after the present bracket."""
        return {
            **super().baselines(splits),
            "frequencies after a bracket": bit_frequencies(splits, by_input=True),
        }

    def draw(self, rng: np.random.Generator, length: int) -> Example:
        """Return a random word of `length` pairs."""
        shown = np.zeros((2 * length, self.inputs))
        closing = np.zeros((2 * length, self.kinds))
        opened: list[int] = []
        kinds = iter(rng.integers(0, self.kinds, length).tolist())
        for step, draw in enumerate(rng.random(2 * length)):
            if draw < _share_of_opening(2 * length - step, len(opened)):
                opened.append(next(kinds))
                shown[step, 2 * opened[-1]] = 1.0
            else:
                shown[step, 2 * opened.pop() + 1] = 1.0
            if opened:
                closing[step, opened[-1]] = 1.0
        return Example(shown, closing, np.ones(2 * length, dtype=bool))


def _share_of_opening(left: int, depth: int) -> float:
    """Return the share of balanced endings that begin by opening, with `left` symbols to come and `depth` brackets open.

    Source: Arnold and Sleep 1980; a ratio of two numbers of the ballot theorem.
    """
    return (depth + 2) * (left - depth) / (2 * left * (depth + 1))
