"""Small worlds that tests let networks act in, and their rollout in plain Python, which compiles nothing."""

import math
from collections import defaultdict
from dataclasses import dataclass

import naive
import numpy as np
from numba import njit

from evorrn.base.settings import setting
from evorrn.data.environment import Environment
from evorrn.kernels.trigonometry import cos, sin

PULL = 0.3


@njit
def swing(angle, speed, push):
    """The acceleration of a pendulum."""
    return push - sin(angle) - PULL * speed * cos(angle)


@njit
def release(state, rng):
    state[0] = rng.uniform(-0.5, 0.5)
    state[1] = rng.normal()
    for place in range(2, state.shape[0]):
        state[place] = 0.0


@njit
def look(state, observation):
    observation[0] = state[0]
    observation[1] = 0.5 * state[1]


@njit
def move(state, action):
    for _ in range(2):
        state[1] += 0.1 * swing(state[0], state[1], action[0])
        state[0] += 0.1 * state[1]
    state[2] += 1.0
    return 1.0 - state[0] * state[0] + 0.01 * action[1], abs(state[0]) > 0.8


@njit
def move_roughly(state, action):
    """The same motion with what keeps a loop from being vectorised: math, a loop with a condition, branches."""
    left = 2
    while left > 0:
        state[1] += 0.1 * (action[0] - math.sin(state[0]) - PULL * state[1] * math.cos(state[0]))
        state[0] += 0.1 * state[1]
        left -= 1
    state[2] += 1.0
    if state[0] > 0.8:
        return 1.0 - state[0] * state[0] + 0.01 * action[1], True
    if state[0] < -0.8:
        return 1.0 - state[0] * state[0] + 0.01 * action[1], True
    return 1.0 - state[0] * state[0] + 0.01 * action[1], False


@dataclass(frozen=True)
class Pendulum(Environment):
    """A pendulum that is to be held near the bottom; some starts are lost at once."""

    name = "pendulum"
    observations = 2
    actions = 2
    states = 3

    rough: bool = setting(False, "whether the motion is written so that it cannot be vectorised")
    time_limit: int = setting(30, "time steps of an episode", minimum=1)

    reset = staticmethod(release)
    observe = staticmethod(look)

    @property
    def step(self):
        return move_roughly if self.rough else move


@njit
def fill_tape(state, rng):
    state[0] = 1.0
    for place in range(1, state.shape[0]):
        state[place] = rng.random()


@njit
def read_tape(state, observation):
    observation[0] = state[int(state[0])]


@njit
def turn_tape(state, action):
    place = int(state[0])
    state[place] += 0.1 * action[0]
    state[0] = place + 1
    return state[place], place + 1 == state.shape[0]


@dataclass(frozen=True)
class Tape(Environment):
    """A world of many numbers, at which the network looks one after the other and changes them."""

    name = "tape"
    observations = 1
    actions = 1
    states = 40
    time_limit = 100

    reset = staticmethod(fill_tape)
    observe = staticmethod(read_tape)
    step = staticmethod(turn_tape)


@njit
def judge_echo(state):
    """Reward a position that is near that of 30 steps ago, which it forgets."""
    place = 3 + int(state[2]) % 30
    old = state[place]
    state[place] = state[0]
    return 1.0 - (state[0] - old) ** 2, abs(state[0]) > 0.8


@njit
def step_echo(state, action):
    move(state, action)
    return judge_echo(state)


@dataclass(frozen=True)
class Echo(Pendulum):
    """A pendulum whose reward needs a long memory: its step is given in parts."""

    name = "echo"
    states = 33
    time_limit: int = setting(70, "time steps of an episode", minimum=1)

    step = staticmethod(step_echo)
    parts = (3, move, judge_echo)


def plain(function):
    return getattr(function, "py_func", function)


def rollout(network, genome, environment, start, limit):
    """Return observations, actions, rewards and states of an episode, run in float64 by NumPy and Python."""
    blocks = defaultdict(float)  # a bias that a network lacks is zero
    blocks.update({name: np.asarray(value, float) for name, value in network.unpack(genome).items()})
    dimensions = naive.STATES.get(network.cell.name, {"h": "H"})
    layers = [
        {name: np.zeros(size if d == "H" else network.outputs) for name, d in dimensions.items()}
        for size in network.hidden
    ]
    state, y = np.array(start, float), np.zeros(network.outputs)
    record = ([], [], [], [])
    for _ in range(limit):
        observation = np.zeros(network.inputs)
        plain(environment.observe)(state, observation)
        signal = np.concatenate([observation, y]) if network.feedback else observation
        for k in range(len(layers)):
            own = defaultdict(float)
            own.update({n.split(".")[1]: value for n, value in blocks.items() if n.startswith(f"layer{k}.")})
            layers[k] = naive.CELLS[network.cell.name](own, signal, layers[k], y, network.cell_options)
            signal = layers[k]["h"]
        y = blocks["readout.W"] @ signal + blocks["readout.b"]
        if network.direct:
            y = y + blocks["readout.W_x"] @ observation
        record[3].append(state.copy())
        reward, done = plain(environment.step)(state, y)
        for series, value in zip(record, (observation, y, reward)):
            series.append(value)
        if done:
            break
    return [np.array(series) for series in record]
