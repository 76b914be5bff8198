"""Then: one strategy after another, which starts from the best network of the first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.base.settings import build, setting
from evorrn.strategies.base import EvolutionStrategy, State, Strategy, generator, generator_state
from evorrn.strategies.evolution.vectors import POPULATION_RECORD, STEP_SIZE

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

DEFAULTS = {"first": "ga", "second": "bptt"}


@dataclass(frozen=True)
class Then(Strategy):
    """Train with one strategy, then with another that starts from the best network of the first.

    ``Then(GeneticAlgorithm(population=64), BPTT())`` in Python; in a spec

        [strategy]
        name = "then"
        first = {name = "ga", population = 64}
        second = {name = "bptt"}

    The second strategy begins when a `share` of the budget is used, after a number of `steps`, or when the
    first strategy ends by itself, whichever comes first. It starts from the best network on validation: the
    first genome that the problem initialises for it is that network, the others are random. So a gradient
    method continues from it, a search distribution has its mean there, and a population contains it. Options
    that the first strategy drew for the cell, such as a reservoir's leak, are kept.

    Notes
    -----
    A strategy that is stepped without a training loop has no budget; then `steps` decides. The two strategies
    record different numbers, so the record has the stage, and the numbers of a population if one of the two is
    an evolution strategy, NaN in the stage of the other.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> strategy = evorrn.Then(evorrn.GeneticAlgorithm(population=8), evorrn.BPTT(), steps=2)
    >>> result = strategy.fit(network, task, budget="5gen")
    >>> [int(stage) for stage in result.history["stage"]]
    [1, 1, 2, 2, 2]
    """

    name: ClassVar[str] = "then"
    requires: ClassVar[frozenset[str]] = frozenset({"fitness", "gradient"})  # of the two defaults

    first: Strategy | dict[str, Any] | str | None = setting(
        None, "the first strategy: a name, or a table with its name and settings; ga by default"
    )
    second: Strategy | dict[str, Any] | str | None = setting(
        None, "the second strategy, given in the same way; bptt by default"
    )
    share: float | None = setting(
        0.5, "share of the budget after which the second strategy begins", above=0, below=1
    )
    steps: int | None = setting(None, "steps of the first strategy after which the second begins", minimum=1)

    def __post_init__(self) -> None:
        found = []
        for label, default in DEFAULTS.items():
            try:
                object.__setattr__(self, label, _made(label, getattr(self, label), default))
            except ConfigError as error:
                found += error.problems
            except EvorrnError as error:
                found.append(f"{label}.name: {error}")
        if found:
            raise ConfigError(found + self.problems())
        super().__post_init__()
        one, two = self.stages
        object.__setattr__(self, "requires", one.requires | two.requires)
        object.__setattr__(self, "one_step", one.one_step or two.one_step)
        object.__setattr__(self, "network_defaults", {**two.network_defaults, **one.network_defaults})

    @property
    def stages(self) -> tuple[Strategy, Strategy]:
        """The two strategies."""
        assert isinstance(self.first, Strategy) and isinstance(self.second, Strategy)
        return self.first, self.second

    def values(self) -> dict[str, Any]:
        """Return the settings as plain data, each strategy as a table."""
        tables = {label: {"name": _name(one), **one.values()} for label, one in zip(DEFAULTS, self.stages)}
        return {**tables, "share": self.share, "steps": self.steps}

    def stored_values(self) -> dict[str, Any]:
        """Return what a stored spec holds, each strategy as a table."""
        tables = {
            label: {**one.stored_table(), "name": _name(one)} for label, one in zip(DEFAULTS, self.stages)
        }
        return {**self.values(), **tables}

    @classmethod
    def from_stored(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a stored spec, its two tables completed as well."""
        from evorrn.strategies.find import find_strategy

        tables = {}
        for label in DEFAULTS:
            table = values.get(label)
            if isinstance(table, Mapping) and isinstance(table.get("name"), str):
                with suppress(EvorrnError):  # an unknown name is reported when the strategy is made
                    tables[label] = find_strategy(table["name"]).from_stored(table)
        return {**values, **tables}

    @property
    def ends_by_itself(self) -> bool:
        """Whether the second strategy ends by itself, and the first does or `steps` is set."""
        one, two = self.stages
        return two.ends_by_itself and (one.ends_by_itself or self.steps is not None)

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the strategy that needs more of them takes."""
        return max(strategy.bytes_held(network, sequences, steps) for strategy in self.stages)

    def check(self, problem: Problem) -> None:
        """Raise ConfigError when one of the two strategies cannot train the network of a problem."""
        for strategy in self.stages:
            strategy.check(problem)

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
        """Return the state after one step of the strategy of the current stage."""
        if state["stage"] == 1 and self._first_ended(problem, state):
            state = self._second_started(problem, state)
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
                **self._population_record(problem, inner["record"]),
            },
        }
        return self._with_best(problem, state) if state["stage"] == 1 else state

    def _first_ended(self, problem: Problem, state: State) -> bool:
        """Return whether the stage of the first strategy has ended."""
        taken = state["stage_steps"]
        if taken == 0:
            return False
        used = None if problem.budget is None else problem.budget.share(problem.meter, taken)
        return (
            bool(state["inner"]["finished"])
            or (self.steps is not None and taken >= self.steps)
            or (self.share is not None and used is not None and used >= self.share)
        )

    def _population_record(self, problem: Problem, record: Mapping[str, float]) -> dict[str, float]:
        """Return the numbers of a population in a record, under the names that all populations share.

        The restarts of a gradient method are under the same name as those of a population.
        """
        if not any(isinstance(strategy, EvolutionStrategy) for strategy in self.stages):
            return {}
        names = [*POPULATION_RECORD, *(f"{STEP_SIZE}{block}" for block in problem.network.blocks)]
        numbers = {"restarts": record.get("start", math.nan), **record}
        return {name: float(numbers.get(name, math.nan)) for name in names}

    def _second_started(self, problem: Problem, state: State) -> State:
        """Return the state before the first step of the second strategy."""
        options, genome = state["best_options"], state["best_genome"]
        variant = problem.with_options(options)
        if genome is not None:
            variant = variant.starting_from(genome)
        inner = self.stages[1].start(variant, generator(state))
        return {**state, "stage": 2, "stage_steps": 0, "inner": inner, "options": options}

    def _with_best(self, problem: Problem, state: State) -> State:
        """Return the state with the candidate as the best genome if its validation loss is lower.

        The validation of a candidate is charged once, here or in the training loop.
        """
        candidate, options = state["candidate"], state["cell_options"]
        if candidate is None:
            return state
        valid = problem.with_options(options).validate(candidate)
        if not valid < state["best_valid"]:
            return state
        return {**state, "best_genome": np.array(candidate), "best_options": options, "best_valid": valid}


def _name(strategy: Strategy) -> str:
    """Return a name from which the class of a strategy is found again."""
    from evorrn.strategies.find import STRATEGIES

    return STRATEGIES.reference(type(strategy))


def _made(label: str, given: Any, default: str) -> Any:
    """Return a strategy given as an object, a name or a table; other objects are returned unchanged."""
    from evorrn.strategies.find import find_strategy

    if isinstance(given, Strategy):
        return given
    table = {"name": given} if isinstance(given, str) else {} if given is None else given
    if not isinstance(table, Mapping):
        return given
    settings = {name: value for name, value in table.items() if name not in ("name", "version")}
    return build(find_strategy(table.get("name", default)), settings, label)
