"""The readout of a given genome, solved by the steps of a run: one step, nothing drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.strategies.base import State, generator

if TYPE_CHECKING:
    from evorrn.training.problem import Problem


class Solving(Protocol):
    """The part of `evorrn.EchoState` that solves a readout."""

    @property
    def name(self) -> str:
        """The name on the command line."""

    @property
    def requires(self) -> frozenset[str]:
        """What a problem must provide."""

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return a state; raise ConfigError for a network whose readout cannot be solved."""

    def solve(
        self, problem: Problem, genome: np.ndarray, rng: np.random.Generator
    ) -> tuple[float, dict[str, float]]:
        """Solve the readout of a genome (n,) in place; return training loss and record."""


@dataclass(frozen=True)
class GivenReservoir:
    """A strategy of one step, which solves the readout of a genome (n,)."""

    strategy: Solving
    genome: np.ndarray
    ends_by_itself: bool = True

    @property
    def name(self) -> str:
        """The name on the command line."""
        return self.strategy.name

    @property
    def requires(self) -> frozenset[str]:
        """What a problem must provide."""
        return self.strategy.requires

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the step."""
        return {**self.strategy.start(problem, rng), "candidate": None, "finished": ""}

    def step(self, problem: Problem, state: State) -> State:
        """Return the state with the solved genome.

        Raises
        ------
        ConfigError
            When the states of the genome are not finite.
        """
        genome = np.array(problem.network.check_genome(self.genome))
        train_loss, record = self.strategy.solve(problem, genome, generator(state))
        if not np.isfinite(train_loss):
            raise ConfigError("fit_readout: the states of this genome are not finite on the training data")
        solved = {"candidate": genome, "train_loss": train_loss, "record": record}
        return {**state, **solved, "finished": "readout solved"}


class either:
    """Make a method that, called on the class, works on an instance with the default settings."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self.function.__get__(owner() if instance is None else instance, owner)
