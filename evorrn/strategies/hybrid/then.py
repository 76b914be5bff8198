"""Then: one way of training after another, from the best that the first one found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.base.settings import build, setting
from evorrn.strategies.base import EvolutionStrategy, State, Strategy, generator, generator_state
from evorrn.strategies.evolution.vectors import POPULATION_RECORD, STEP_SIZE

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

USUAL = {"first": "ga", "second": "bptt"}


@dataclass(frozen=True)
class Then(Strategy):
    """Train by one strategy, and from the best network of that by another.

    ``Then(GeneticAlgorithm(population=64), BPTT())`` in Python; in a spec

        [strategy]
        name = "then"
        first = {name = "ga", population = 64}
        second = {name = "bptt"}

    The second takes over when a `share` of the budget is used, after a number of `steps`, or when the first
    ends by itself, whichever comes first. It starts from the network that was best on validation: this is the
    first of the genomes that the problem initialises for it, and the others are drawn as ever. So a
    gradient method goes on from there, a distribution has its mean there, and a population holds it. What
    the first one drew for the cell, such as a reservoir's leak, is kept.

    Notes
    -----
    Without a training loop there is no budget to take a share of: then `steps` decides. What the two record
    about a step differs, so that of a hybrid the stage is recorded, and where one of the two evolves a
    population its course, which is NaN in the stage of the other.
    """

    name: ClassVar[str] = "then"
    requires: ClassVar[frozenset[str]] = frozenset({"fitness", "gradient"})  # of the usual two

    first: Strategy | dict[str, Any] | str | None = setting(
        None, "the strategy that begins: a name, or a table of its name and settings; ga by default"
    )
    second: Strategy | dict[str, Any] | str | None = setting(
        None, "the strategy that goes on from its best network; bptt by default"
    )
    share: float | None = setting(
        0.5, "share of the budget after which the second takes over", above=0, below=1
    )
    steps: int | None = setting(None, "steps of the first after which the second takes over", minimum=1)

    def __post_init__(self) -> None:
        found = []
        for label, usual in USUAL.items():
            try:
                object.__setattr__(self, label, _made(label, getattr(self, label), usual))
            except ConfigError as error:
                found += error.problems
            except EvorrnError as error:
                found.append(f"{label}.name: {error}")
        if found:
            raise ConfigError(found + self.problems())
        super().__post_init__()
        one, two = self.stages
        object.__setattr__(self, "requires", one.requires | two.requires)
        object.__setattr__(self, "network_defaults", {**two.network_defaults, **one.network_defaults})

    @property
    def stages(self) -> tuple[Strategy, Strategy]:
        """The two strategies."""
        assert isinstance(self.first, Strategy) and isinstance(self.second, Strategy)
        return self.first, self.second

    def values(self) -> dict[str, Any]:
        """Return the settings as plain data, each strategy as a table."""
        tables = {
            label: {"name": strategy.name, **strategy.values()} for label, strategy in zip(USUAL, self.stages)
        }
        return {**tables, "share": self.share, "steps": self.steps}

    @property
    def ends_by_itself(self) -> bool:
        """Whether both strategies do, or the second does and the first has a number of steps."""
        one, two = self.stages
        return two.ends_by_itself and (one.ends_by_itself or self.steps is not None)

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first step of the first strategy."""
        own, second = (np.random.default_rng(seed) for seed in rng.integers(2**63, size=(2, 4)))
        return {
            "stage": 1,
            "stage_steps": 0,
            "inner": self.stages[0].start(problem, own),
            "options": {},
            "best_genome": None,
            "best_options": {},
            "best_valid": math.inf,
            "rng": generator_state(second),
            "candidate": None,
            "cell_options": {},
            "train_loss": math.inf,
            "finished": "",
            "record": {},
        }

    def step(self, problem: Problem, state: State) -> State:
        """Take a step of the strategy whose turn it is."""
        if state["stage"] == 1 and self._over(problem, state):
            state = self._handed_over(problem, state)
        strategy = self.stages[state["stage"] - 1]
        inner = strategy.step(problem.with_options(state["options"]), state["inner"])
        options = {**state["options"], **inner.get("cell_options", {})}
        state = {
            **state,
            "inner": inner,
            "stage_steps": state["stage_steps"] + 1,
            "candidate": inner["candidate"],
            "cell_options": options,
            "train_loss": inner["train_loss"],
            "finished": inner["finished"] if state["stage"] == 2 else "",
            "record": {
                "stage": state["stage"],
                "stage_steps": state["stage_steps"] + 1,
                **self._course(problem, inner["record"]),
            },
        }
        return self._remembered(problem, state) if state["stage"] == 1 else state

    def _over(self, problem: Problem, state: State) -> bool:
        """Return whether the first strategy has had its turn."""
        taken = state["stage_steps"]
        if taken == 0:
            return False
        used = None if problem.budget is None else problem.budget.share(problem.meter, taken)
        return (
            bool(state["inner"]["finished"])
            or (self.steps is not None and taken >= self.steps)
            or (self.share is not None and used is not None and used >= self.share)
        )

    def _course(self, problem: Problem, record: Mapping[str, float]) -> dict[str, float]:
        """Return what a stage records of a population, under the names that all populations share."""
        if not any(isinstance(strategy, EvolutionStrategy) for strategy in self.stages):
            return {}
        names = [*POPULATION_RECORD, *(f"{STEP_SIZE}{block}" for block in problem.network.blocks)]
        return {name: float(record.get(name, math.nan)) for name in names}

    def _handed_over(self, problem: Problem, state: State) -> State:
        """Return the state before the first step of the second strategy."""
        options, genome = state["best_options"], state["best_genome"]
        variant = problem.with_options(options)
        if genome is not None:
            variant = variant.starting_from(genome)
        inner = self.stages[1].start(variant, generator(state))
        return {**state, "stage": 2, "stage_steps": 0, "inner": inner, "options": options}

    def _remembered(self, problem: Problem, state: State) -> State:
        """Return the state with the candidate as the best where validation, which is charged once, says so."""
        candidate, options = state["candidate"], state["cell_options"]
        if candidate is None:
            return state
        valid = problem.with_options(options).validate(candidate)
        if not valid < state["best_valid"]:
            return state
        return {**state, "best_genome": np.array(candidate), "best_options": options, "best_valid": valid}


def _made(label: str, given: Any, usual: str) -> Any:
    """Return a strategy as it is, or from its name or its table; anything else as it came."""
    from evorrn.strategies.find import find_strategy

    if isinstance(given, Strategy):
        return given
    table = {"name": given} if isinstance(given, str) else {} if given is None else given
    if not isinstance(table, Mapping):
        return given
    settings = {name: value for name, value in table.items() if name != "name"}
    return build(find_strategy(table.get("name", usual)), settings, label)
