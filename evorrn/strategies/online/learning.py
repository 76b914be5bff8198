"""The base of the strategies that learn online."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.data.task import Recommended
from evorrn.losses.sequence import SequenceLoss
from evorrn.strategies.gradient.descent import Gradient, GradientDescent
from evorrn.strategies.online.stream import Estimator, Stream

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class OnlineStrategy(GradientDescent):
    """Base of the strategies that update weights while sequences go on, from derivatives carried forward in time.

    A subclass defines `estimator`. One step is one epoch: every training sequence once, in minibatches; the sequences of
    a minibatch run side by side, and after every `update_every` time steps there is an update with the gradient of the
    loss of these steps. States and what the method carries are kept between updates; each sequence starts with the
    network's first state. Cells with noise are trained without it.
    """

    version: ClassVar[int] = 5

    update_every: int = setting(10, "time steps from one update to the next", minimum=1)

    one_step: ClassVar[bool] = True
    usual_speed: ClassVar[float] = 2e8
    usual_overhead: ClassVar[float] = 0.0
    whole: ClassVar[str] = "bptt"
    """The strategy that serves where a loss has no time steps."""
    serves: ClassVar[tuple[str, ...]] = ()
    """The cells that the method is made for, where it cannot train all; of others that tasks recommend the first takes the place."""

    @classmethod
    def advice(cls, task: Task | Environment) -> Recommended:
        """Return the network and the settings that a task recommends, with a cell that the method can train."""
        found = super().advice(task)
        if not cls.serves or found.network.get("cell") in cls.serves:
            return found
        rest = {name: value for name, value in found.network.items() if name != "cell_options"}
        return Recommended({**rest, "cell": cls.serves[0]}, found.strategy)

    def check(self, problem: Problem) -> None:
        """Raise ConfigError when the method cannot train the network of a problem."""
        found = self.refusals(problem)
        if found:
            raise ConfigError(found)

    def refusals(self, problem: Problem) -> list[str]:
        """Return one sentence for each reason why the method cannot train this network on these data."""
        if isinstance(problem.network.loss_function, SequenceLoss) or problem.batch("train").whole:
            return [
                f"strategy: {self.name} needs a loss that is a sum over time steps, and {problem.network.loss_name} is one "
                f"on whole sequences; {self.whole} trains on it"
            ]
        if problem.network.arity or not problem.network.causal:
            why = "are linked to others" if problem.network.arity else "also run from the last to the first"
            return [
                f"strategy: {self.name} carries derivatives forward along a chain of time steps, and those of "
                f"{problem.network} {why}; {self.whole} trains it"
            ]
        return []

    def estimator(self, problem: Problem, rng: np.random.Generator) -> Estimator:
        """Return what the method carries from time step to time step."""
        raise NotImplementedError

    def feedback_weights(self, problem: Problem) -> np.ndarray | None:
        """Return the weights through which the loss goes back to the units; None for those of the readout."""
        return None

    def gradient(
        self, problem: Problem, genome: np.ndarray, rng: np.random.Generator
    ) -> tuple[float, np.ndarray]:
        """Return the loss of a genome (n,) on all training data, and the method's gradient of it (n,), without updates."""
        estimator, feedback = self.estimator(problem, rng), self.feedback_weights(problem)
        stream = Stream(problem, None, estimator, self.update_every, feedback)
        found = [stream.gradient(number, genome) for number in range(len(stream.chunks))]
        if len(found) == 1:
            return found[0]
        losses, gradients = zip(*found)
        weights = [scored for _, scored in stream.chunks]
        return float(np.average(losses, weights=weights)), np.average(gradients, axis=0, weights=weights)

    def _gradients(self, problem: Problem, rng: np.random.Generator) -> Iterator[tuple[Gradient, int]]:
        """Yield the gradient of each chunk of an epoch, and its number of scored steps."""
        for sequences in self._minibatches(problem, rng):
            shown, estimator = self._shown(problem, sequences, rng), self.estimator(problem, rng)
            feedback = self.feedback_weights(problem)
            stream = Stream(problem, shown, estimator, self.update_every, feedback)
            for number, (_, scored) in enumerate(stream.chunks):
                yield partial(stream.gradient, number), scored
