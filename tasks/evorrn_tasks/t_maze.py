"""T-maze: a sign at the start of a corridor says which way to turn at its end."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.environment import Environment, Starts
from evorrn.data.task import Recommended, Reference
from evorrn.kernels.deferred import compiled
from evorrn_tasks.common.chance import next_seed, seed_of, uniform
from evorrn_tasks.common.choice import is_largest

PLACE, CUE, LENGTH, SEED = range(4)
NORTH, EAST, SOUTH, WEST = range(4)
REWARD, PENALTY = 4.0, -0.1


@dataclass(frozen=True)
class TMaze(Environment):
    """A corridor of `length` steps from a start to a junction, with a reward in one arm of the junction.

    The network sees three numbers: at the start 0 1 1 if the reward is north and 1 1 0 if it is south, in the
    corridor 1 0 1, at the junction 0 1 0. The largest of four outputs, the first if several are equal, is the
    move: north, east, south or west. The episode ends with the turn at the junction: reward 4 for the right
    turn, -0.1 for the wrong one. Walking into a wall costs 0.1 and moves nothing. The sign is visible only at
    the start, `length` steps before it is needed.

    The best return is 4. Walking straight on and turning without memory of the sign gives 1.95 on average,
    (4 - 0.1) / 2. Success: the best return.

    Without noise there are only two starts, so every split has these two in turn, `train`, `valid` and `test`
    in all. With ``noise`` the corridor shows a 0 b, with a and b uniform on (0, 1) at every step, and each
    start has its own random numbers.

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
    noise: bool = setting(False, "whether the corridor shows random numbers at every step")
    time_limit: int = setting(50, "time steps until the episode ends", minimum=2)
    train: int = setting(2, "training starts", minimum=2)
    valid: int = setting(2, "validation starts", minimum=2)
    test: int = setting(2, "test starts", minimum=2)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, a time limit below the length included."""
        found = super().problems()
        if not found and self.time_limit <= self.length:
            found.append(
                f"time_limit: expected more than the length, {self.length}, for the walk and the turn, got "
                f"{self.time_limit}"
            )
        return found

    @property
    def reset(self) -> Any:
        """The function that draws a start: a sign, north or south, and the seed of the noise."""
        return drawing(self.length)

    @property
    def observe(self) -> Any:
        """The function that computes the observation: sign, corridor or junction."""
        return observe_noisy if self.noise else observe

    @property
    def step(self) -> Any:
        """The function of one step: the move and its reward."""
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
        """Return a network with gates, which can store the sign."""
        return Recommended({"cell": "gru", "hidden": 4}, {"mutation_size": 1.0} if strategy == "ga" else {})


@functools.lru_cache
def drawing(length: int) -> Any:
    """Return the function that draws a start, for a length of the corridor."""

    @compiled
    def draw(state: np.ndarray, rng: np.random.Generator) -> None:
        state[PLACE] = 0.0
        state[CUE] = 1.0 if rng.random() < 0.5 else -1.0
        state[LENGTH] = length
        state[SEED] = seed_of(rng)

    return draw


@compiled
def observe(state: np.ndarray, observation: np.ndarray) -> None:
    """Write the observation (3,) without noise."""
    start, junction = state[PLACE] == 0.0, state[PLACE] == state[LENGTH]
    north = state[CUE] > 0.0
    observation[0] = 0.0 if junction | (start & north) else 1.0
    observation[1] = 1.0 if start | junction else 0.0
    observation[2] = 0.0 if junction | (start & (not north)) else 1.0


@compiled
def observe_noisy(state: np.ndarray, observation: np.ndarray) -> None:
    """Write the observation (3,) with noise in the corridor."""
    observe(state, observation)
    corridor = (state[PLACE] > 0.0) & (state[PLACE] < state[LENGTH])
    observation[0] = uniform(state[SEED]) if corridor else observation[0]
    observation[2] = uniform(next_seed(state[SEED])) if corridor else observation[2]


@compiled
def step(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """Return the reward of a move, and whether it was the turn that ends the episode."""
    north, south = is_largest(action, NORTH), is_largest(action, SOUTH)
    east, west = is_largest(action, EAST), is_largest(action, WEST)
    place, junction = state[PLACE], state[PLACE] == state[LENGTH]
    turned = junction & (north | south)
    right = turned & (north == (state[CUE] > 0.0))
    forward, back = east & (not junction), west & (place > 0.0)
    state[PLACE] = place + (1.0 if forward else 0.0) - (1.0 if back else 0.0)
    state[SEED] = next_seed(next_seed(state[SEED]))
    reward = REWARD if right else (0.0 if forward | back else PENALTY)
    return reward, turned
