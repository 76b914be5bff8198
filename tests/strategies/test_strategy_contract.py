"""Every registered strategy keeps the contract, and the check finds those that do not."""

from dataclasses import dataclass

import numpy as np
import pytest
from stand_in import problem

from evorrn import GeneticAlgorithm, RandomSearch
from evorrn.strategies.base import generator, generator_state
from evorrn.strategies.find import strategies
from evorrn.testing import check_strategy


@pytest.mark.parametrize("name", list(strategies()))
def test_every_registered_strategy_keeps_the_contract(name):
    check_strategy(strategies()[name]())


def test_any_problem_will_do():
    check_strategy(RandomSearch(count=3), problem, steps=2, seed=7)


class Changing(RandomSearch):
    def step(self, problem, state):
        state["rng"] = {}
        return super().step(problem, {**state, "rng": generator_state(np.random.default_rng(0))})


class Global(RandomSearch):
    def step(self, problem, state):
        np.random.random()  # noqa: NPY002
        return super().step(problem, state)


class Remembering(RandomSearch):
    """Keeps data outside its state, so that later runs differ from the first."""

    calls = 0

    def step(self, problem, state):
        type(self).calls += 1
        return {**super().step(problem, state), "record": {"calls": self.calls}}


class Objects(RandomSearch):
    def step(self, problem, state):
        return {**super().step(problem, state), "thing": generator(state)}


class Free(RandomSearch):
    def step(self, problem, state):
        work = problem.meter.work
        after = super().step(problem, state)
        problem.meter.work = work
        return after


class Shapeless(RandomSearch):
    def step(self, problem, state):
        return {**super().step(problem, state), "candidate": np.zeros(1)}


class Fickle(RandomSearch):
    def step(self, problem, state):
        after = super().step(problem, state)
        return {**after, "record": {**after["record"], f"fitness {after['train_loss']}": 0}}


class Silent(RandomSearch):
    def step(self, problem, state):
        return {key: value for key, value in super().step(problem, state).items() if key != "record"}


class Wordless(RandomSearch):
    def step(self, problem, state):
        return {**super().step(problem, state), "record": {"text": "many"}}


@dataclass(frozen=True)
class Gullible(GeneticAlgorithm):
    """Takes the last genome for the best, finite or not."""

    def tell(self, state, genomes, fitness):
        return {
            **super().tell(state, genomes, fitness),
            "best_genome": genomes[-1],
            "best_fitness": fitness[-1],
        }


@dataclass(frozen=True)
class Forgetful(GeneticAlgorithm):
    """Reports the best of the last generation only."""

    def tell(self, state, genomes, fitness):
        after = super().tell(state, genomes, fitness)
        return {**after, "best_fitness": float(fitness.max()) if np.isfinite(fitness.max()) else -np.inf}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Changing, "changed the state it was given"),
        (Global, "global random generator"),
        (Remembering, "a resumed run has another history"),
        (Objects, "expected a state of plain data"),
        (Free, "expected work to be charged"),
        (Shapeless, r"expected a candidate of shape \(3,\), got \(1,\)"),
        (Fickle, "expected the record"),
        (Silent, "lacks record"),
        (Wordless, "expected numbers in the record"),
        (Gullible, "without finite fitness became the best"),
        (Forgetful, "expected the best fitness so far"),
    ],
)
def test_broken_promises_are_noticed(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_strategy(broken(), problem, steps=8)
