"""Cart-pole with two poles as written for gymnasium: an environment in Python's numbers, a loop over its steps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from evorrn.bench.session import Contender

GRAVITY, TIME_STEP, TRACK, FALLEN = 9.8, 0.01, 2.4, 36 * math.pi / 180
CART_MASS, CART_FRICTION, HINGE_FRICTION = 1.0, 5e-4, 2e-6
POLES = ((0.1, 0.5), (0.01, 0.05))
"""Mass and half-length of each pole."""

TIMED = 2
"""Individuals that are timed, one after the other; the next ones would take as long."""


class TwoPoles:
    """The environment, with gymnasium's two methods.

    Parameters
    ----------
    fitness : str
        ``"standard"`` or ``"damping"``.
    start : sequence of 6 floats
    """

    def __init__(self, fitness: str, start: np.ndarray) -> None:
        self.damping = fitness == "damping"
        self.start = start.tolist()

    def reset(self) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the first observation."""
        self.state = list(self.start)
        self.swings: deque[float] = deque(maxlen=100)
        self.earned = 0.0
        return self._observation(), {}

    def step(self, action: float) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Return observation, reward, whether the episode is over, whether it is cut, and nothing."""
        force = 10 * math.tanh(action)
        if abs(force) < 10 / 256:
            force = 10 / 256 if force >= 0 else -10 / 256
        for _ in range(2):
            self.state = advance(self.state, force)
        x, _, long, _, short, _ = self.state
        upright = abs(x) <= TRACK and abs(long) <= FALLEN and abs(short) <= FALLEN
        reward = (self._damping_reward() if self.damping else 1.0) if upright else 0.0
        return self._observation(), reward, not upright, False, {}

    def _observation(self) -> np.ndarray:
        return np.array([self.state[0] / TRACK, self.state[2] / FALLEN, self.state[4] / FALLEN])

    def _damping_reward(self) -> float:
        self.swings.append(sum(map(abs, self.state[:4])))
        earned = 0.75 / sum(self.swings) if len(self.swings) == 100 else 0.0
        reward = 0.1 / 1000 + 0.9 * (earned - self.earned)
        self.earned = earned
        return reward


def episodes(
    form: str,
    fitness: str,
    weights: Mapping[str, np.ndarray],
    start: np.ndarray,
    time_limit: int,
    checked_steps: int,
) -> Contender:
    """Return the contender that plays one episode after the other; see `evorrn.bench.peers.jax_control_peer`."""
    environment = TwoPoles(fitness, start)
    count = len(weights["readout.W"])
    individuals = [
        {name: values[k].astype(np.float64) for name, values in weights.items()} for k in range(count)
    ]

    def run() -> list[int]:
        return [play(environment, one, time_limit)[0] for one in individuals[:TIMED]]

    def check() -> list[np.ndarray]:
        _, returns, states = zip(*(play(environment, one, checked_steps) for one in individuals))
        return [np.array(min(run())), np.array(returns), np.array(states)]

    return Contender(f"Python loop over a {form} environment", run, check, work=min(TIMED, count) / count)


def play(
    environment: TwoPoles, w: Mapping[str, np.ndarray], time_limit: int
) -> tuple[int, float, list[list[float]]]:
    """Return how many steps were balanced, the return, and the states that were observed."""
    observation, _ = environment.reset()
    hidden, total = np.zeros(len(w["layer0.W_h"])), 0.0
    states: list[list[float]] = []
    over = cut = False
    while not (over or cut) and len(states) < time_limit:
        states.append(environment.state)
        hidden = np.tanh(w["layer0.W_x"] @ observation + w["layer0.W_h"] @ hidden)
        observation, reward, over, cut, _ = environment.step(float(w["readout.W"][0] @ hidden))
        total += reward
    return len(states) - over, total, states


def advance(state: list[float], force: float) -> list[float]:
    """Take one Runge-Kutta step of the fourth order."""
    first = rates(state, force)
    second = rates([s + 0.5 * TIME_STEP * r for s, r in zip(state, first)], force)
    third = rates([s + 0.5 * TIME_STEP * r for s, r in zip(state, second)], force)
    fourth = rates([s + TIME_STEP * r for s, r in zip(state, third)], force)
    return [
        s + TIME_STEP / 6 * (a + 2 * (b + c) + d)
        for s, a, b, c, d in zip(state, first, second, third, fourth)
    ]


def rates(state: list[float], force: float) -> list[float]:
    """Return the time derivatives of cart position and velocity, and of each pole's angle and speed."""
    pulling, moved = force - math.copysign(CART_FRICTION, state[1]) * (state[1] != 0), CART_MASS
    poles = []
    for (mass, half), angle, speed in zip(POLES, state[2::2], state[3::2]):
        sine, cosine = math.sin(angle), math.cos(angle)
        fall = HINGE_FRICTION * speed / (mass * half) - GRAVITY * sine
        pulling += mass * half * speed * speed * sine + 0.75 * mass * cosine * fall
        moved += mass * (1 - 0.75 * cosine * cosine)
        poles.append((cosine, fall, half, speed))
    push = pulling / moved
    slopes = [state[1], push]
    for cosine, fall, half, speed in poles:
        slopes += [speed, -0.75 / half * (push * cosine + fall)]
    return slopes
