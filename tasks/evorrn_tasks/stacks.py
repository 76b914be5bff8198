"""Tasks that a pushdown automaton solves: manipulation of a stack, and modular arithmetic with brackets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Splits
from evorrn_tasks.common.growing import Transduction

ACTIONS = ("pop", "push 0", "push 1")


@dataclass(frozen=True)
class StackManipulation(Transduction):
    """A stack of bits from bottom to top, then actions: pop, push 0, push 1. The stack that results is asked for.

    The answer is the stack from top to bottom and, at the end, the symbol 2. To pop an empty stack changes nothing. Of
    a length the stack has a number of bits that is uniform from 1 to one less, and the rest are actions, drawn uniformly;
    length 1 is a stack of one bit alone. Inputs are one-hot over two bits, three actions and an empty symbol, which follows
    as often as the answer has symbols; only these steps are scored. Lengths are uniform from `shortest` to `longest` in
    training and validation, and beyond in test. Training, validation and test have separate random streams.

    Source: Delétang et al. 2023, "Neural networks and the Chomsky hierarchy": lengths 1 to 40 in training, to 500 in
    test. Deviations: a fixed set of training strings, where they draw new ones for each step; they go on with unscored
    empty steps after the symbol 2.
    """

    name = "stack-manipulation"
    symbols = 5
    outputs = 3
    input_names = ("0", "1", *ACTIONS, "empty")
    output_names = ("0", "1", "end")

    def answer_length(self, length: int) -> int:
        """Return the number of symbols when every action is a push."""
        return length + 1

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a stack with actions, and the stack that results from top to bottom with the symbol 2."""
        size = int(rng.integers(1, length)) if length > 1 else 1
        bits, actions = rng.integers(0, 2, size), rng.integers(0, 3, length - size)
        stack = bits.tolist()
        for action in actions.tolist():
            if action:
                stack.append(action - 1)
            else:
                del stack[-1:]
        return np.r_[bits, 2 + actions], np.array([*reversed(stack), 2])


@dataclass(frozen=True)
class BracketedArithmetic(Transduction):
    """The value, modulo `modulus`, of an expression with brackets, such as ``((1+3)-(-2))``.

    Of a length below 5 an expression is a number, its negative, or one of them in brackets: ``4``, ``-4``, ``(4)``,
    ``(-4)``. A longer one is ``(`` left operator right ``)``, where the length of the left expression is uniform from 1
    to the length - 4 and the operator from + and -, with `products` also from *; numbers are from 0 to `modulus` - 1. Inputs are
    one-hot over the numbers, + - * ( ) and an empty symbol, which follows the expression once; only this step is scored,
    with the value as label. Lengths are uniform from `shortest` to `longest` in training and validation, and beyond in
    test. Training, validation and test have separate random streams.

    Source: Delétang et al. 2023, "Neural networks and the Chomsky hierarchy": modulus 5, lengths 1 to 40 in training, to
    500 in test. Deviation: a fixed set of training strings, where they draw new ones for each step.
    """

    name = "bracketed-arithmetic"

    modulus: int = setting(5, "numbers are computed modulo this", minimum=2, maximum=10)
    products: bool = setting(False, "whether there are products as well as sums and differences")

    @property
    def symbols(self) -> int:  # type: ignore[override]
        """Number of symbols: the numbers and + - * ( )."""
        return self.modulus + 5

    @property
    def outputs(self) -> int:
        """Number of classes: the values."""
        return self.modulus

    @property
    def input_names(self) -> tuple[str, ...]:
        """The symbols."""
        return (*map(str, range(self.modulus)), *"+-*()", "empty")

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the most frequent value, and the last number of the expression."""
        assert splits.test is not None
        last = np.array(splits.test.inputs[:, :, : self.modulus], dtype=np.float64)
        for step in range(1, last.shape[1]):
            other = last[:, step].sum(axis=1) == 0
            last[other, step] = last[other, step - 1]
        return {**super().baselines(splits), "last number": last}

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a random expression and its value."""
        symbols, value = self._expression(rng, length)
        return np.array(symbols), np.array([value % self.modulus])

    def _expression(self, rng: np.random.Generator, length: int) -> tuple[list[int], int]:
        """Return the symbols of a random expression of a length, and its value."""
        plus, minus, times, left_bracket, right_bracket = range(self.modulus, self.symbols)
        if length < 5:
            number = int(rng.integers(0, self.modulus))
            symbols, value = ([minus, number], -number) if length in (2, 4) else ([number], number)
            return ([left_bracket, *symbols, right_bracket] if length > 2 else symbols), value
        size = int(rng.integers(1, length - 3))
        left, a = self._expression(rng, size)
        right, b = self._expression(rng, length - 3 - size)
        operator = int(rng.integers(plus, times + 1 if self.products else times))
        value = {plus: a + b, minus: a - b, times: a * b}[operator] % self.modulus
        return [left_bracket, *left, operator, *right, right_bracket], value
