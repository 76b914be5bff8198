"""Ends of runs: budgets that may never be reached, and results of runs that have learned."""

import dataclasses

import numpy as np
import pytest
from stand_in import TRUTH, LinearNetwork, batch
from test_training import Walk

from evorrn.base.errors import ConfigError
from evorrn.data.batch import Batch
from evorrn.network.network import Network
from evorrn.strategies.reservoir.echo_state import EchoState
from evorrn.training.budget import Budget
from evorrn.training.loop import fit


@pytest.mark.parametrize(
    ("budget", "named"),
    [
        (Budget(learned=0.95), "learned = 0.95"),
        (Budget(learned=0.95, tolerance=0.1), "learned = 0.95"),
        (Budget(loss=0), "loss = 0"),
        (Budget(loss=0.5, learned=1), "loss = 0.5 or learned = 1"),
    ],
)
def test_a_budget_that_may_never_be_reached_is_refused_with_what_to_add(budget, named):
    wanted = f"budget: walk has no end of its own, and may never reach {named}; add a limit of cost: work,"
    with pytest.raises(ConfigError, match=wanted):
        fit(Walk(), LinearNetwork(), batch(0), budget=budget)
    ended = dataclasses.replace(budget, generations=3)
    assert fit(Walk(), LinearNetwork(), batch(0), budget=ended).stopped_by in (
        "generations",
        "loss",
        "learned",
    )


class Approaching(Walk):
    """Is at the truth from the third step on, and near it before."""

    def step(self, problem, state):
        genome = TRUTH + (0.3 if state["steps"] < 2 else 0.0)
        return {**super().step(problem, state), "candidate": genome}


@pytest.mark.parametrize(("best_on_validation", "noted"), [(TRUTH, False), (TRUTH + 0.3, True)])
def test_a_result_says_when_it_is_not_the_network_that_has_learned(best_on_validation, noted):
    network, x = LinearNetwork(), batch(1).inputs
    valid = Batch(x, network.predict(best_on_validation, x))
    train = Batch(batch(0).inputs, network.predict(TRUTH, batch(0).inputs))
    result = fit(Approaching(), network, (train, valid), budget=Budget(learned=1.0, generations=9))
    assert (result.stopped_by, len(result.seconds)) == ("learned", 3)
    assert np.array_equal(result.genome, best_on_validation)
    assert [("the result is that of step 1 of 3" in text) for text in result.notes] == [True] * noted


def test_a_strategy_with_an_end_of_its_own_needs_no_limit_of_cost():
    x = np.random.default_rng(0).standard_normal((2, 30, 1))
    noise = Batch(x, np.random.default_rng(1).standard_normal((2, 30, 1)))
    network = Network(1, 1, cell="leaky", hidden=3)
    result = EchoState(reservoirs=2, washout=0).fit(network, noise, budget=Budget(learned=1.0, tolerance=0.0))
    assert len(result.seconds) == 2
