"""Latching: keep what the first steps told through noise, or what the last pulse of each channel told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Recommended, Splits
from evorrn_tasks.common.advice import by_strategy
from evorrn_tasks.common.examples import Example
from evorrn_tasks.common.growing import BitSequences
from evorrn_tasks.common.two_classes import TwoClasses


@dataclass(frozen=True)
class Latching(TwoClasses):
    """The sign of the first `informative` inputs, which are `level` or -`level` with noise, told after a lag of noise alone.

    All inputs have Gaussian noise of mean 0 and standard deviation `noise`; the first `informative` ones have
    `level` added for class 1 and subtracted for class 0. The number of steps is uniform on the whole numbers from
    `shortest` to `longest`. Only the last step is scored. Training, validation and test have separate random streams.

    No network can do better than the Bayes rate, the normal distribution function of ``level * sqrt(informative) /
    noise``; the baseline ``"Bayes, optimal"`` has it, by the sum of the informative inputs. `two-sequence` is the same without
    noise on the informative inputs.

    Source: Bengio, Simard and Frasconi 1994, "Learning long-term dependencies with gradient descent is difficult"; Lin,
    Horne, Tiňo and Giles 1996, "Learning long-term dependencies in NARX recurrent neural networks", who ask up to which
    lag training succeeds. Deviations: the informative inputs are given, where theirs are learned; classes, where their
    targets are 0.8 and -0.8.
    """

    name = "latching"

    shortest: int = setting(30, "steps of the shortest sequence", minimum=1)
    longest: int = setting(30, "steps of the longest sequence", minimum=1)
    informative: int = setting(3, "steps at the start that show the class", minimum=1)
    level: float = setting(0.5, "absolute mean of the informative inputs", above=0)
    noise: float = setting(0.45, "standard deviation of the noise", above=0)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, too many informative steps included."""
        found = super().problems()
        if not found and self.informative > self.shortest:
            found.append(f"informative: expected at most shortest, {self.shortest}, got {self.informative}")
        return found

    def draw(self, rng: np.random.Generator, answer: int, steps: int) -> np.ndarray:
        """Return inputs (T,): noise, with the level of the class at the first steps."""
        values = rng.normal(0.0, self.noise, steps)
        values[: self.informative] += self.level * (2 * answer - 1)
        return values

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the more frequent class, and the log odds of class 1 given the informative inputs."""
        assert splits.test is not None
        told = np.array(splits.test.inputs, dtype=np.float64)
        told[:, self.informative :] = 0.0
        odds = 2 * self.level / self.noise**2 * np.cumsum(told, axis=1)
        return {**super().baselines(splits), "Bayes, optimal": odds}

    def recommended(self, strategy: str) -> Recommended:
        """Return a small network of gated or slow units, whose state can be constant for a long time."""
        return by_strategy(strategy, trained=4, evolved=2, cell="lstm")


@dataclass(frozen=True)
class FlipFlop(BitSequences):
    """Channels with rare pulses of 1 or -1; the sign of the last pulse of each channel is asked for at every step.

    Every channel has a pulse at the first step, and later ones with probability `rate` at each step, all of either sign
    with equal probability; at other steps its input is 0. The target of a channel is 1 when its last pulse, that of the
    present step included, was 1, else 0. All steps are scored. Lengths count steps; they are uniform from `shortest` to `longest` in
    training and validation, and beyond in test. Training, validation and test have separate random streams. The present
    pulse alone is right at a pulse, and by chance elsewhere; the baseline has this rate.

    Source: Sussillo and Barak 2013, "Opening the black box: low-dimensional dynamics in high-dimensional recurrent neural
    networks", the 3-bit flip-flop. Deviations: bits, where their targets are 1 and -1, and a pulse at the first step.
    """

    name = "flip-flop"
    metrics = ("bit_errors", "token_accuracy", "binary_accuracy", "binary_cross_entropy")

    channels: int = setting(3, "number of channels", minimum=1)
    rate: float = setting(0.1, "probability of a pulse at a step", above=0, maximum=1)
    shortest: int = setting(50, "smallest number of steps in training and validation", minimum=1)
    longest: int = setting(100, "largest number of steps in training and validation", minimum=1)
    test_longest: int = setting(300, "largest number of steps in test", minimum=1)
    train: int = setting(100, "training sequences", minimum=1)
    valid: int = setting(50, "validation sequences", minimum=1)
    test: int = setting(50, "test sequences", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of inputs: the channels."""
        return self.channels

    @property
    def outputs(self) -> int:
        """Number of outputs: the channels."""
        return self.channels

    def steps(self, length: int) -> int:
        """Return the number of time steps."""
        return length

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the value of each bit that is more frequent in training, and the present pulse."""
        assert splits.test is not None
        return {**super().baselines(splits), "present pulse": np.array(splits.test.inputs, dtype=np.float64)}

    def draw(self, rng: np.random.Generator, length: int) -> Example:
        """Return `length` steps of random pulses."""
        shape = (length, self.channels)
        pulses = np.where(rng.random(shape) < self.rate, rng.choice([-1.0, 1.0], shape), 0.0)
        pulses[0] = rng.choice([-1.0, 1.0], self.channels)
        last = np.maximum.accumulate(np.where(pulses != 0, np.arange(length)[:, None], 0), axis=0)
        targets = (np.take_along_axis(pulses, last, axis=0) > 0).astype(np.float64)
        return Example(pulses, targets, np.ones(length, dtype=bool))
