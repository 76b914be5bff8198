from dataclasses import dataclass

from numba import njit

from evorrn import Environment


@njit
def reset(state, rng):
    state[0], state[1], state[2] = rng.uniform(-1, 1), 0.0, rng.uniform(-1, 1)


@njit
def observe(state, observation):
    observation[0] = state[0]


@njit
def step(state, action):
    state[1] += 0.1 * (min(max(action[0], -2.0), 2.0) + state[2])
    state[0] += 0.1 * state[1]
    return 1 - abs(state[0]) / 3, abs(state[0]) > 3.0


@dataclass(frozen=True)
class MyWorld(Environment):
    """Hold a ball at zero against a wind that differs from start to start."""

    name, observations, actions, states, time_limit = "ball", 1, 1, 3, 200
    reset, observe, step = staticmethod(reset), staticmethod(observe), staticmethod(step)
