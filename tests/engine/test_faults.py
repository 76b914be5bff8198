"""Environments that return numbers that are not finite: the run ends, and the error says where it happened."""

from dataclasses import dataclass

import numpy as np
import pytest
import worlds
from numba import njit

from evorrn import Network
from evorrn.base.errors import EvorrnError
from evorrn.base.settings import setting
from evorrn.data.environment import Environment
from evorrn.training import playing

WRONG = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


@njit
def begin(state, rng):
    state[0], state[1] = 0.0, rng.random()
    for place in range(2, state.shape[0]):
        state[place] = 0.0


@njit
def look(state, observation):
    observation[0] = state[1]
    observation[1] = state[2]


@njit
def count(state, action):
    state[0] += 1.0
    state[1] += 0.001 * action[0]


@njit
def judge(state):
    # States 3 and 4 say when, and which number, is wrong; 5 is the wrong number.
    due = state[0] == state[3]
    state[2] = state[5] if due and state[4] == 0.0 else 0.5
    return (state[5] if due and state[4] == 1.0 else 1.0), state[0] == 20.0


@njit
def step(state, action):
    count(state, action)
    return judge(state)


@dataclass(frozen=True)
class Faulty(Environment):
    """Counts time steps, and returns one wrong number where its start says so."""

    name = "faulty"
    observations, actions, time_limit = 2, 1, 50
    reset, observe, step = staticmethod(begin), staticmethod(look), staticmethod(step)

    states: int = setting(6, "length of the state")
    split: bool = setting(False, "whether the step has parts")

    @property
    def parts(self):
        return (2, count, judge) if self.split else None


FORMS = [Faulty(), Faulty(states=40), Faulty(states=40, split=True)]
NAMED = [
    pytest.param(FORMS[0], id="vector code"),
    pytest.param(FORMS[1], id="one by one", marks=pytest.mark.thorough),
    pytest.param(FORMS[2], id="in parts", marks=pytest.mark.thorough),
]


def start(environment, when, which, value):
    state = np.zeros(environment.states)
    state[3:6] = when, which, value
    return state


@pytest.mark.parametrize("environment", NAMED)
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("activation", ["tanh", pytest.param("relu", marks=pytest.mark.thorough)])
def test_a_wrong_number_stops_with_its_time_step_and_start(environment, wrong, activation):
    """Also where the network makes a finite action of it: tanh of infinity, or relu of NaN."""
    network = Network(2, 1, cell="elman", hidden=2, cell_options={"activation": activation})
    genomes = network.init_many(np.random.default_rng(0), 20)
    for when, which, what in ((7, 0, "observation 2"), (1, 1, "reward"), (20, 1, "reward")):
        starts = np.stack([start(environment, 99, 0, 0.0), start(environment, when, which, WRONG[wrong])])
        sentence = (
            f"environment faulty: expected a finite {what}, got {wrong} at time step {when} of the episode "
            f"from state [0, 0, 0, {when}, {which}, {wrong}{', ...' if environment.states > 6 else ''}]"
        )
        with pytest.raises(EvorrnError) as error:
            network.simulate(genomes, environment, starts)
        assert str(error.value) == sentence
        assert np.isfinite(network.simulate(genomes, environment, starts[:1])[0]).all()


def test_a_wrong_first_observation_is_at_the_start():
    environment = Faulty()
    state = start(environment, 99, 0, 0.0)
    state[1] = np.nan
    network = Network(2, 1, hidden=2)
    with pytest.raises(EvorrnError, match=r"finite observation 1, got nan at the start of the episode from"):
        network.simulate(network.init_many(np.random.default_rng(0), 3), environment, state[None])


def test_the_last_observation_of_an_episode_is_not_seen_and_not_checked():
    environment = Faulty()
    network = Network(2, 1, hidden=2)
    returns, lengths = network.simulate(
        network.init(seed=0)[None], environment, start(environment, 20, 0, np.nan)[None]
    )
    assert (returns.item(), lengths.item()) == (20.0, 20)


def test_a_network_that_diverges_is_no_fault_of_the_environment():
    """Its return is NaN, even where the environment answers with NaN to an action that is NaN."""
    pendulum = worlds.Pendulum()
    network = Network(2, 2, hidden=2)
    genomes = network.init_many(np.random.default_rng(0), 3)
    genomes[1] = np.nan
    returns, lengths = network.simulate(genomes, pendulum, np.zeros((1, 3)))
    assert np.isnan(returns[:, 0]).tolist() == [False, True, False] and lengths[1, 0] == 1


@njit
def pay(state, action):
    return 1.0e308, False


@dataclass(frozen=True)
class Rich(Faulty):
    """Pays so much that the sum of two rewards is infinite."""

    name = "rich"
    step = staticmethod(pay)


def test_a_sum_of_finite_rewards_that_is_infinite_stops_too():
    network = Network(2, 1, hidden=2)
    with pytest.raises(
        EvorrnError, match="rich: expected a finite sum of rewards, got inf at time step 2 of"
    ):
        network.simulate(network.init(seed=0)[None], Rich(), np.zeros((1, 6)))


def test_the_baselines_of_a_faulty_environment_stop_too():
    environment = Faulty()
    with pytest.raises(EvorrnError, match="faulty: expected a finite reward, got nan at time step 4"):
        playing.play(environment, lambda count: np.zeros((count, 1)), start(environment, 4, 1, np.nan)[None])
