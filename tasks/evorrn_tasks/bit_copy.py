"""Copying of random bits: once, or as often as a number says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn_tasks.common.examples import Example
from evorrn_tasks.common.growing import BitSequences


@dataclass(frozen=True)
class BitCopy(BitSequences):
    """Random vectors of bits, then a delimiter, then as many steps at which the vectors must be given again in order.

    Inputs are `bits` channels, which are 0 from the delimiter on, and a channel that is 1 at the delimiter alone.
    Targets are the bits at the steps after the delimiter, which alone are scored. Lengths count vectors; they are
    uniform from `shortest` to `longest` in training and validation, and beyond in test. Training, validation and test
    have separate random streams. ``bit_errors`` is the mean number of wrong bits of a sequence; without memory it is
    half of `bits` times the mean length.

    Source: Graves, Wayne and Danihelka 2014, "Neural Turing machines", section 4.1: 8 bits, lengths 1 to 20 in training,
    to 120 in test. Deviation: a fixed set of training sequences, where they draw new ones for each step.
    """

    name = "bit-copy"

    bits: int = setting(8, "bits of a vector", minimum=1)
    longest: int = setting(20, "largest number of vectors in training and validation", minimum=1)
    test_longest: int = setting(80, "largest number of vectors in test", minimum=1)
    test: int = setting(100, "test sequences", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of inputs: the bits and the delimiter."""
        return self.bits + 1

    @property
    def outputs(self) -> int:
        """Number of outputs: the bits."""
        return self.bits

    def steps(self, length: int) -> int:
        """Return the number of time steps: the vectors twice and the delimiter."""
        return 2 * length + 1

    def draw(self, rng: np.random.Generator, length: int) -> Example:
        """Return `length` random vectors to copy."""
        drawn = rng.integers(0, 2, (length, self.bits)).astype(np.float64)
        inputs = np.zeros((self.steps(length), self.inputs))
        inputs[:length, : self.bits] = drawn
        inputs[length, self.bits] = 1.0
        targets = np.full((len(inputs), self.bits), np.nan)
        targets[length + 1 :] = drawn
        return Example(inputs, targets, np.arange(len(inputs)) > length)


@dataclass(frozen=True)
class RepeatCopy(BitSequences):
    """Random vectors of bits and a number; the vectors must be given that many times, then an end mark.

    Inputs are `bits` channels, a channel that is 1 at the first step alone, before the vectors, and one that holds the number of
    repeats, divided by `repeats`, at the step after them. At all later steps the inputs are 0.
    Outputs are the bits and an end mark, which is 1 at the last step alone, where the bits are 0. The steps after the number
    alone are scored. Lengths count vectors, uniform from `shortest` to `longest` in training and validation, and beyond
    in test; repeats are uniform from 1 to `repeats`, in test to `test_repeats`. Training, validation and test have separate
    random streams.

    Source: Graves, Wayne and Danihelka 2014, "Neural Turing machines", section 4.2: 8 bits, 1 to 10 vectors and repeats in
    training, to 20 of either in test. Deviations: the number is above 0, where they scale it to mean 0, so that its step
    can always be told; a fixed set of training sequences, where they draw new ones for each step.
    """

    name = "repeat-copy"

    bits: int = setting(8, "bits of a vector", minimum=1)
    repeats: int = setting(10, "largest number of repeats in training and validation", minimum=1)
    test_repeats: int = setting(10, "largest number of repeats in test", minimum=1)
    longest: int = setting(10, "largest number of vectors in training and validation", minimum=1)
    test_longest: int = setting(20, "largest number of vectors in test", minimum=1)
    train: int = setting(300, "training sequences", minimum=1)
    valid: int = setting(100, "validation sequences", minimum=1)
    test: int = setting(100, "test sequences", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of inputs: the bits, the start and the number of repeats."""
        return self.bits + 2

    @property
    def outputs(self) -> int:
        """Number of outputs: the bits and the end."""
        return self.bits + 1

    def steps(self, length: int) -> int:
        """Return the largest number of time steps: start, vectors, number, all repeats, end."""
        return length + 3 + length * max(self.repeats, self.test_repeats)

    def draw(self, rng: np.random.Generator, length: int) -> Example:
        """Return `length` random vectors, to repeat as often as in training."""
        return self._example(rng, length, int(rng.integers(1, self.repeats + 1)))

    def draw_test(self, rng: np.random.Generator, length: int) -> Example:
        """Return `length` random vectors, to repeat as often as in test."""
        return self._example(rng, length, int(rng.integers(1, self.test_repeats + 1)))

    def _example(self, rng: np.random.Generator, length: int, repeats: int) -> Example:
        """Return `length` random vectors to repeat."""
        drawn = rng.integers(0, 2, (length, self.bits)).astype(np.float64)
        inputs = np.zeros((length + 3 + length * repeats, self.inputs))
        inputs[0, self.bits] = 1.0
        inputs[1 : length + 1, : self.bits] = drawn
        inputs[length + 1, self.bits + 1] = repeats / self.repeats
        targets = np.full((len(inputs), self.outputs), np.nan)
        targets[length + 2 :] = 0.0
        targets[length + 2 : -1, : self.bits] = np.tile(drawn, (repeats, 1))
        targets[-1, self.bits] = 1.0
        return Example(inputs, targets, np.arange(len(inputs)) > length + 1)
