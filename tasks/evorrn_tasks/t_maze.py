"""T-maze: a sign at the start says which way to turn at the end of a corridor."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from evorrn.base.settings import setting
from evorrn.data.environment import Environment, Starts
from evorrn.data.task import Recommended, Reference
from evorrn_tasks.common.chance import following, seed_of, uniform
from evorrn_tasks.common.choice import chosen

PLACE, CUE, LENGTH, SEED = range(4)
NORTH, EAST, SOUTH, WEST = range(4)
REWARD, PENALTY = 4.0, -0.1

compiled = numba.njit(error_model="numpy")


@dataclass(frozen=True)
class TMaze(Environment):
    """A corridor of `length` steps from a start to a junction, where one arm holds a reward.

    The network sees three numbers: at the start 0 1 1 when the reward lies north and 1 1 0 when it lies
    south, in the corridor 1 0 1, at the junction 0 1 0. Of four outputs, north, east, south and west, the
    first of the largest is done. The episode ends with the turn at the junction: 4 for the right one, -0.1
    for the wrong one. Standing still, by going into a wall, costs 0.1. The sign is seen at the start alone,
    `length` steps before it is needed.

    The best return is 4. Whoever walks straight on and turns without memory of the sign reaches 1.95 in the
    mean, which is the reward of either arm half of the time. Success: the best return.

    Without noise there are two starts, so all splits are these two, one after the other, and have
    `train`, `valid` and `test` of them; with ``noise`` the corridor shows a 0 b, with a and b uniform on
    (0, 1) at every step, and each start has numbers of its own.

    Source: Bakker 2002, "Reinforcement learning with long short-term memory".
    """

    name = "t-maze"
    input_names = ("left", "middle", "right")
    output_names = ("north", "east", "south", "west")
    state_names = ("place (steps)", "sign (north 1, south -1)")
    observations = 3
    actions = 4
    states = 4
    metrics = ("return", "success", "steps")
    references = (
        Reference(4.0, "return", "any length: the best policy", "the rewards as defined"),
        Reference(1.95, "return", "any length: the best policy without memory", "(4 - 0.1) / 2"),
    )

    length: int = setting(10, "steps from the start to the junction", minimum=1)
    noise: bool = setting(False, "whether the corridor looks different at every step")
    time_limit: int = setting(50, "time steps until the episode ends", minimum=2)
    train: int = setting(2, "training starts", minimum=2)
    valid: int = setting(2, "validation starts", minimum=2)
    test: int = setting(2, "test starts", minimum=2)

    def problems(self) -> list[str]:
        """Return what is wrong with each setting, and with the time limit for the length."""
        found = super().problems()
        if not found and self.time_limit <= self.length:
            found.append(
                f"time_limit: expected more than the length, {self.length}, for the way and the turn, got "
                f"{self.time_limit}"
            )
        return found

    @property
    def reset(self) -> Any:
        """A sign, north or south, and a seed of the noise."""
        return drawing(self.length)

    @property
    def observe(self) -> Any:
        """Sign, corridor or junction."""
        return observe_noisy if self.noise else observe

    @property
    def step(self) -> Any:
        """The move and its reward."""
        return step

    def arrange_starts(self, starts: Starts) -> Starts:
        """Return the drawn starts with north and south in turn; the noise of each stays as drawn."""
        for states in (starts.train, starts.valid, starts.test):
            states[:, CUE] = np.where(np.arange(len(states)) % 2 == 0, 1.0, -1.0)
        return starts

    def succeeded(self, returns: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return which episodes had the best return."""
        return np.asarray(returns >= REWARD)

    def recommended(self, strategy: str) -> Recommended:
        """Return a network with gates, which keep a sign."""
        return Recommended({"cell": "gru", "hidden": 4}, {"mutation_size": 1.0} if strategy == "ga" else {})


@functools.lru_cache
def drawing(length: int) -> Any:
    """Return the function that draws a start of a maze of some length."""

    @compiled
    def draw(state: np.ndarray, rng: np.random.Generator) -> None:
        state[PLACE] = 0.0
        state[CUE] = 1.0 if rng.random() < 0.5 else -1.0
        state[LENGTH] = length
        state[SEED] = seed_of(rng)

    return draw


@compiled
def observe(state: np.ndarray, observation: np.ndarray) -> None:
    """What is seen without noise."""
    start, junction = state[PLACE] == 0.0, state[PLACE] == state[LENGTH]
    north = state[CUE] > 0.0
    observation[0] = 0.0 if junction | (start & north) else 1.0
    observation[1] = 1.0 if start | junction else 0.0
    observation[2] = 0.0 if junction | (start & (not north)) else 1.0


@compiled
def observe_noisy(state: np.ndarray, observation: np.ndarray) -> None:
    """What is seen where the corridor is noise."""
    observe(state, observation)
    corridor = (state[PLACE] > 0.0) & (state[PLACE] < state[LENGTH])
    observation[0] = uniform(state[SEED]) if corridor else observation[0]
    observation[2] = uniform(following(state[SEED])) if corridor else observation[2]


@compiled
def step(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """Go one step, or turn at the junction."""
    north, south = chosen(action, NORTH), chosen(action, SOUTH)
    east, west = chosen(action, EAST), chosen(action, WEST)
    place, junction = state[PLACE], state[PLACE] == state[LENGTH]
    turned = junction & (north | south)
    right = turned & (north == (state[CUE] > 0.0))
    forward, back = east & (not junction), west & (place > 0.0)
    state[PLACE] = place + (1.0 if forward else 0.0) - (1.0 if back else 0.0)
    state[SEED] = following(following(state[SEED]))
    reward = REWARD if right else (0.0 if forward | back else PENALTY)
    return reward, turned
