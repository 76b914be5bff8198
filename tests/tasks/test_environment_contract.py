"""Every registered environment keeps the contract, and the check finds those that do not."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numba import njit

import evorrn
from evorrn import Environment
from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.data.environment import Starts
from evorrn.data.find import task_kinds
from evorrn.data.task import Recommended
from evorrn.strategies.find import make_strategy, strategies
from evorrn.testing import check_environment
from evorrn.training.playing import starts_of
from evorrn_tasks.bandit import Bandit
from evorrn_tasks.cart_pole import CartPole
from evorrn_tasks.t_maze import TMaze

ENVIRONMENTS = [name for name, kind in task_kinds().items() if issubclass(kind, Environment)]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_defaults_keep_the_contract(name):
    check_environment(evorrn.task(name))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("cart-pole", {"poles": 2, "fitness": "damping", "velocities": False}),
        ("t-maze", {"noise": True, "length": 1, "train": 3}),
        ("bandit", {"time_limit": 1, "probability": 1.0}),
        ("gym:FrozenLake-v1", {"train": 1, "valid": 1, "test": 2}),
    ],
)
def test_other_settings_keep_the_contract(name, settings):
    check_environment(evorrn.task(name, **settings), seed=2**40 + 3)


def test_all_the_promised_environments_are_there():
    assert set(ENVIRONMENTS) >= {"cart-pole", "t-maze", "bandit", "gym"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("seed", [-1, 1.5, "0", None, True])
def test_a_seed_is_a_whole_number_from_0_on(name, seed):
    with pytest.raises(ConfigError, match="seed: expected a whole number of at least 0"):
        starts_of(evorrn.task(name), seed)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_advice_makes_real_networks_and_strategies(name):
    environment = evorrn.task(name)
    for strategy, kind in strategies().items():
        advice = environment.recommended(strategy)
        assert isinstance(advice, Recommended)
        if set(advice.strategy):
            make_strategy(kind.name, advice.strategy)
        net = evorrn.Network.for_task(environment, **advice.network)
        assert (net.inputs, net.outputs) == (environment.observations, environment.actions)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_references_say_where_they_are_from(name):
    for reference in evorrn.task(name).references:
        assert np.isfinite(reference.value) and reference.metric and reference.conditions and reference.source


@njit
def random_step(state, action):
    return np.random.random(), False  # noqa: NPY002  (a generator cannot be made in compiled code)


@njit
def priceless_step(state, action):
    return np.nan, True


@dataclass(frozen=True)
class Silent(Bandit):
    note: str = setting("", "text")


class Restless(Bandit):
    """Draws starts that no seed decides."""

    def arrange_starts(self, starts):
        return replace(starts, train=starts.train + np.random.default_rng().random())


class Deaf(Bandit):
    """Starts from the same states whatever the seed."""

    def arrange_starts(self, starts):
        return Starts(*(np.ones_like(split) for split in (starts.train, starts.valid, starts.test)))


class Short(Bandit):
    """Has too few starts."""

    def arrange_starts(self, starts):
        return replace(starts, valid=starts.valid[1:])


class Marked(Bandit):
    """Defines success, but does not list the metric."""

    def succeeded(self, returns, lengths):
        return returns > 10


class Counting(TMaze):
    """Returns numbers as success."""

    def succeeded(self, returns, lengths):
        return returns


class Nameless(TMaze):
    """Has two outputs of one name."""

    output_names = ("go", "go", "turn", "back")


class Lucky(Bandit):
    """Gives another episode each time."""

    step = staticmethod(random_step)


class Parted(CartPole):
    """Has a part of its step that differs from the step."""

    @property
    def parts(self):
        return (6, CartPole(poles=1, fitness="damping").parts[1], super().parts[2])


class Priceless(Bandit):
    """Has a reward that is NaN."""

    step = staticmethod(priceless_step)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Silent, "expected a docstring"),
        (Restless, "expected the same bytes again"),
        (Deaf, "expected another seed to draw different starts"),
        (Short, r"expected valid of shape \(200, 5\), got \(199, 5\)"),
        (Marked, "expected success if and only if"),
        (Counting, "succeeded: expected booleans"),
        (Nameless, "output_names: expected 4 different ones"),
        (Lucky, "expected the same episode from the same start"),
        (Priceless, "step: expected finite rewards"),
    ],
)
def test_broken_promises_are_noticed(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_environment(broken())


def test_parts_that_do_not_do_what_the_step_does_are_noticed():
    with pytest.raises(AssertionError, match="parts: expected"):
        check_environment(Parted(poles=2, fitness="damping"))
