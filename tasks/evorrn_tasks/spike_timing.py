"""Precise timing: measure the interval between two spikes, or give spikes at an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Recommended
from evorrn_tasks.common.advice import by_strategy
from evorrn_tasks.common.examples import Example
from evorrn_tasks.common.growing import BitSequences, Growing


@dataclass(frozen=True)
class SpikeIntervals(Growing):
    """Spikes at random intervals; at each spike, how long ago the last one was.

    The input is 1 at a spike and 0 elsewhere; the first step is a spike. An interval is `base` steps plus a number that is
    drawn uniformly from 0 to `choices` - 1. Scored are all spikes but the first, and the label there is this number for the
    interval that has just ended; the sequence ends with its last spike. Lengths count intervals; they are uniform from
    `shortest` to `longest` in training and validation, and beyond in test. Training, validation and test have separate
    random streams. Long intervals alone are shown, so a network cannot begin with short ones and extend them.

    Source: Gers, Schraudolph and Schmidhuber 2002, "Learning precise timing with LSTM recurrent networks", measuring of
    spike delays, where peepholes tell 50 steps from 49. Deviation: the form of inputs and targets is ours.
    """

    name = "spike-intervals"
    inputs = 1
    input_names = ("spike",)

    base: int = setting(10, "steps of the shortest interval", minimum=1)
    choices: int = setting(2, "different intervals, each one step longer than the one before", minimum=2)
    longest: int = setting(10, "largest number of intervals in training and validation", minimum=1)
    test_longest: int = setting(30, "largest number of intervals in test", minimum=1)
    train: int = setting(100, "training sequences", minimum=1)
    valid: int = setting(100, "validation sequences", minimum=1)
    test: int = setting(100, "test sequences", minimum=1)

    @property
    def outputs(self) -> int:
        """Number of classes: the intervals."""
        return self.choices

    def steps(self, length: int) -> int:
        """Return the number of time steps when every interval is the longest."""
        return 1 + length * (self.base + self.choices - 1)

    def recommended(self, strategy: str) -> Recommended:
        """Return small networks, or a reservoir."""
        return by_strategy(strategy, trained=8)

    def draw(self, rng: np.random.Generator, length: int) -> Example:
        """Return `length` random intervals."""
        drawn = rng.integers(0, self.choices, length)
        spikes = np.r_[0, np.cumsum(self.base + drawn)]
        inputs = np.zeros((spikes[-1] + 1, 1))
        inputs[spikes] = 1.0
        targets, scored = np.zeros(len(inputs), dtype=np.int64), np.zeros(len(inputs), dtype=bool)
        targets[spikes[1:]], scored[spikes[1:]] = drawn, True
        return Example(inputs, targets, scored)


@dataclass(frozen=True)
class SpikeGeneration(BitSequences):
    """One input names an interval, and spikes must be given at this interval from then on, without any further input.

    There is an input for each of `choices` intervals, which are `base` steps, `base` + 1 and so on. After a pause of up to
    `base` steps, uniform, one input is 1 at one step; all other inputs are 0. The target is 1 at each whole number of intervals
    after that step and 0 elsewhere; all steps are scored, and the last one is a spike. Lengths count spikes; they are
    uniform from `shortest` to `longest` in training and validation, and beyond in test. Training, validation and test have
    separate random streams. ``exact_match`` is the share of sequences in which no spike is missing, early or late. A
    network that never gives a spike is right at all steps but one in `base` or a few more.

    Source: Gers, Schraudolph and Schmidhuber 2002, "Learning precise timing with LSTM recurrent networks", generation of
    timed spikes without resets or teaching by the true spikes. Deviation: the form of inputs and targets is ours.
    """

    name = "spike-generation"
    metrics = ("binary_cross_entropy", "exact_match", "token_accuracy")
    outputs = 1
    output_names = ("spike",)

    base: int = setting(10, "steps of the shortest interval", minimum=1)
    choices: int = setting(2, "different intervals, each one step longer than the one before", minimum=1)
    shortest: int = setting(3, "smallest number of spikes in training and validation", minimum=1)
    longest: int = setting(5, "largest number of spikes in training and validation", minimum=1)
    test_longest: int = setting(20, "largest number of spikes in test", minimum=1)
    train: int = setting(100, "training sequences", minimum=1)
    valid: int = setting(50, "validation sequences", minimum=1)
    test: int = setting(50, "test sequences", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of inputs: the intervals."""
        return self.choices

    def steps(self, length: int) -> int:
        """Return the largest number of time steps: the longest pause and the longest intervals."""
        return self.base + 1 + length * (self.base + self.choices - 1)

    def recommended(self, strategy: str) -> Recommended:
        """Return small networks, or a reservoir."""
        return by_strategy(strategy, trained=8)

    def draw(self, rng: np.random.Generator, length: int) -> Example:
        """Return a request of `length` spikes."""
        pause, choice = int(rng.integers(0, self.base + 1)), int(rng.integers(0, self.choices))
        interval = self.base + choice
        inputs = np.zeros((pause + 1 + length * interval, self.choices))
        inputs[pause, choice] = 1.0
        targets = np.zeros((len(inputs), 1))
        targets[pause + interval :: interval] = 1.0
        return Example(inputs, targets, np.ones(len(inputs), dtype=bool))
