"""Gymnasium's environments that return wrong numbers or shapes: the run fails, and says where."""

import json
import re

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import evorrn
from evorrn import Network, RandomSearch
from evorrn.base.errors import EvorrnError
from evorrn.cli import main
from evorrn.data.vectorised import VectorisedEnvironment
from evorrn.training import playing
from evorrn_tasks.gym import Gym

NAN, INF = float("nan"), float("inf")


class Wrong(gymnasium.Env):
    """Returns at a time step another observation or reward than it should, given as JSON."""

    def __init__(self, at=3, observation=None, reward=1.0, kind="box"):
        self.action_space = spaces.Box(-1.0, 1.0, (1,))
        self.at, self.observation, self.reward, self.kind = at, observation, reward, kind
        self.observation_space = {
            "box": spaces.Box(-1.0, 1.0, (2,)),
            "matrix": spaces.Box(-1.0, 1.0, (1, 2)),
            "discrete": spaces.Discrete(3),
            "dict": spaces.Dict({"a": spaces.Box(-1.0, 1.0, (2,)), "b": spaces.Discrete(2)}),
        }[kind]

    def _seen(self):
        usual = {
            "box": [0.1, 0.2],
            "matrix": [[0.1, 0.2]],
            "discrete": 1,
            "dict": {"a": [0.1, 0.2], "b": 0},
        }[self.kind]
        found = self.observation if self.count == self.at and self.observation is not None else usual
        if isinstance(found, dict):
            return {name: np.array(part, np.float32) if name == "a" else part for name, part in found.items()}
        return found if self.kind == "discrete" else np.array(found, dtype=np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return self._seen(), {}

    def step(self, action):
        self.count += 1
        reward = self.reward if self.count == self.at else 1.0
        return self._seen(), reward, self.count == 6, False, {}


gymnasium.register("evorrn-tests/Wrong-v0", Wrong, disable_env_checker=True)


def episodes(**options):
    environment = Gym(id="evorrn-tests/Wrong-v0", options=options, limit=20)
    network = Network.for_task(environment, hidden=2)
    genomes = network.init_many(np.random.default_rng(0), 4)
    return playing.episodes(environment, network, genomes, np.array([[11.0], [12.0]]))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"observation": [0.1, NAN]}, "environment gym ID: expected a finite observation 2, got nan"),
        ({"observation": [INF, 0.1]}, "environment gym ID: expected a finite observation 1, got inf"),
        ({"observation": [0.0, -INF]}, "environment gym ID: expected a finite observation 2, got -inf"),
        (
            {"observation": [[0.1, NAN]], "kind": "matrix"},
            "environment gym ID: expected a finite observation",
        ),
        ({"reward": NAN}, "environment gym ID: expected a finite reward, got nan"),
        ({"reward": -INF}, "environment gym ID: expected a finite reward, got -inf"),
        ({"reward": [1.0, 2.0]}, "gym ID: expected a number as reward, got [1.0, 2.0]"),
        ({"reward": None}, "gym ID: expected a number as reward, got None"),
        ({"observation": [0.1]}, "gym ID: expected an observation of shape (2,), got (1,)"),
        ({"observation": [[0.1, 0.2]]}, "gym ID: expected an observation of shape (2,), got (1, 2)"),
        ({"observation": 0.5}, "gym ID: expected an observation of shape (2,), got ()"),
        ({"observation": [0.1, 0.2], "kind": "matrix"}, "gym ID: expected an observation of shape (1, 2)"),
        ({"observation": 3, "kind": "discrete"}, "gym ID: expected an observation of Discrete(3), got 3"),
        ({"observation": {"a": [0.1, 0.2]}, "kind": "dict"}, "gym ID: expected an observation of Dict("),
        (
            {"observation": {"a": [0.1], "b": 0}, "kind": "dict"},
            "gym ID: expected an observation['a'] of shape (2,), got (1,)",
        ),
    ],
)
def test_wrong_observations_and_rewards_name_environment_time_step_and_seed(options, sentence):
    """A shape that is wrong was an error of NumPy; NaN was a return like any other."""
    told = (
        re.escape(sentence.replace("ID", "evorrn-tests/Wrong-v0"))
        + ".* at time step 3 of the episode from seed 11"
    )
    with pytest.raises(EvorrnError, match=told):
        episodes(**options)


@pytest.mark.parametrize("observation", [[0.1, NAN], [0.1, 0.2, 0.3]])
def test_a_wrong_first_observation_is_at_the_start(observation):
    with pytest.raises(EvorrnError, match=r"Wrong-v0: expected .* at the start of the episode from seed 11$"):
        episodes(at=0, observation=observation)


def test_environments_of_every_kind_of_observation_run():
    for kind in ("box", "matrix", "discrete", "dict"):
        returns, lengths = episodes(kind=kind)
        assert (returns == 6).all() and (lengths == 6).all()


def test_a_network_that_diverges_is_no_fault_of_the_environment():
    environment = Gym(id="evorrn-tests/Wrong-v0")
    network = Network.for_task(environment, hidden=2)
    genomes = network.init_many(np.random.default_rng(0), 3)
    genomes[1] = NAN
    returns, lengths = playing.episodes(environment, network, genomes, np.array([[1.0], [2.0]]))
    assert np.isnan(returns).tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert (lengths[1] == 1).all() and (lengths[[0, 2]] == 6).all()
    _, actions, rewards, _ = playing.trajectory(environment, network, genomes[1], np.array([1.0]), 20)
    assert len(rewards) == 1 and np.isnan(rewards).all() and np.isnan(actions).all()


def test_a_trajectory_stops_too():
    environment = Gym(id="evorrn-tests/Wrong-v0", options={"reward": NAN})
    network = Network.for_task(environment, hidden=2)
    with pytest.raises(EvorrnError, match="got nan at time step 3 of the episode from seed 5"):
        playing.trajectory(environment, network, network.init(seed=0), np.array([5.0]), 20)


class Copies:
    """Worlds of one's own whose observations, rewards and ends have given shapes."""

    def __init__(self, count, shapes):
        self.shapes = [tuple(count if size == "N" else size for size in shape) for shape in shapes]

    def begin(self, seeds, lanes):
        return np.zeros((len(seeds), 2))

    def step(self, outputs):
        observations, rewards, ends = (np.zeros(shape) for shape in self.shapes)
        return observations, rewards, ends.astype(bool)


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ((("N", 3), ("N",), ("N",)), r"expected observations of shape \(4, 2\), got \(4, 3\)"),
        ((("N", 2), ("N", 1), ("N",)), r"expected rewards of shape \(4,\), got \(4, 1\)"),
        ((("N", 2), ("N",), (1,)), r"expected ends of shape \(4,\), got \(1,\)"),
    ],
)
def test_worlds_of_ones_own_are_checked_as_well(shapes, sentence):
    class Own(VectorisedEnvironment):
        """Copies that are stepped together."""

        name, observations, actions, time_limit = "own", 2, 1, 5

        def worlds(self, count):
            return Copies(count, shapes)

    network = Network(2, 1, hidden=2, loss="reward")
    with pytest.raises(EvorrnError, match=f"environment own: {sentence} at time step 1 of the episode"):
        playing.episodes(Own(), network, network.init_many(np.random.default_rng(0), 4), np.array([[1.0]]))


WORLD = '''
from dataclasses import dataclass
import evorrn
from numba import njit

@njit
def reset(state, rng):
    state[0] = rng.uniform(0.5, 1.0)

@njit
def observe(state, observation):
    observation[0] = state[0]

@njit
def step(state, action):
    state[0] -= 0.25
    return state[0] ** 0.5, False

@dataclass(frozen=True)
class Rooted(evorrn.Environment):
    """Rewards the root of a number that becomes negative."""

    name, observations, actions, states, time_limit = "rooted", 1, 1, 1, 20
    reset, observe, step = staticmethod(reset), staticmethod(observe), staticmethod(step)
'''


def test_a_run_of_ones_own_compiled_environment_fails_with_the_sentence_and_exit_code_1(tmp_path, capsys):
    (tmp_path / "world.py").write_text(WORLD)
    words = (
        f"run {tmp_path}/world.py:Rooted --strategy random --hidden 2 --budget 2gen --runs {tmp_path}/runs"
    )
    with pytest.raises(SystemExit) as left:
        main(words.split())
    said = capsys.readouterr()
    assert left.value.code == 1
    sentence = "environment rooted: expected a finite reward, got nan at time step"
    assert sentence in " ".join(said.err.split()) and "Traceback" not in said.err
    (status,) = (tmp_path / "runs").rglob("status.json")
    told = json.loads(status.read_text())
    assert told["status"] == "failed" and told["error"].startswith(sentence)


def test_training_in_gymnasium_stops_at_a_nan():
    task = evorrn.task("gym:evorrn-tests/Wrong-v0", options={"reward": NAN}, train=1, valid=1, test=1)
    with pytest.raises(EvorrnError, match="got nan at time step 3"):
        RandomSearch(count=2).fit(Network.for_task(task, hidden=1), task, budget="1gen")
