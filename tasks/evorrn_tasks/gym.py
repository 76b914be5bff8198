"""Any environment of gymnasium, at the speed of Python."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.base.settings import setting
from evorrn.data.task import Recommended
from evorrn.data.vectorised import VectorisedEnvironment, Worlds

STEPS = 1000
"""Time steps at most where neither the environment nor the user sets a limit."""


@dataclass(frozen=True)
class Gym(VectorisedEnvironment):
    """A gymnasium environment, stepped by gymnasium's own vector API; ``gym:CartPole-v1`` is short for its `id`.

    The network sees the flattened observation, a number that names one of several things as one input for
    each of them, as `gymnasium.spaces.utils.flatten` gives it; nothing is scaled. Of discrete actions the one
    whose output is the first of the largest is done, and there is one output for each. Actions that are
    boxes have an output for each of their numbers, brought to its bounds by ``squash``: with ``"tanh"``, low +
    (tanh(output) + 1) / 2 (high - low), with ``"clip"`` the output cut off at them; without bounds it is
    the output itself. Other spaces of actions are refused, and observations that cannot be flattened.

    A start is the seed of an episode, given to the environment's reset, so the same starts give the same episodes.
    Episodes run as copies of the environment in this process, in Python. Needs ``pip install 'evorrn[gym]'``.
    """

    name = "gym"
    short = "id"

    id: str = setting("CartPole-v1", "the environment, as gymnasium.make takes it")
    options: dict[str, Any] | None = setting(None, "further arguments of gymnasium.make, as a table")
    squash: str = setting("tanh", "how outputs are brought to the bounds of a box", choices=("tanh", "clip"))
    limit: int | None = setting(
        None, "time steps at most; the environment's own limit by default, or 1000", minimum=1
    )
    train: int = setting(5, "training starts", minimum=1)
    valid: int = setting(10, "validation starts", minimum=1)
    test: int = setting(50, "test starts", minimum=1)

    def worlds(self, count: int) -> Worlds:
        """Return `count` copies of the environment."""
        made = _vector(self.id, self._arguments, count)
        return GymWorlds(made, _action(self.id, made.single_action_space, self.squash))

    @property
    def observations(self) -> int:
        """Length of the flattened observation."""
        return int(np.prod(self._one.single_observation_space.shape, dtype=np.int64))

    @property
    def actions(self) -> int:
        """Choices, or numbers of a box."""
        return _action(self.id, self._one.single_action_space, self.squash).outputs

    @property
    def time_limit(self) -> int:
        """As `limit` says, or the environment, or 1000."""
        own = self._one.spec.max_episode_steps if self._one.spec is not None else None
        return self.limit or own or STEPS

    def recommended(self, strategy: str) -> Recommended:
        """Return a small network."""
        return Recommended({"cell": "elman", "hidden": 8})

    @property
    def _arguments(self) -> str:
        return json.dumps(self.options or {}, sort_keys=True)

    @property
    def _one(self) -> Any:
        return _vector(self.id, self._arguments, 1)


class GymWorlds:
    """Copies of an environment behind `evorrn.data.vectorised.Worlds`."""

    def __init__(self, made: Any, action: Discrete | Box) -> None:
        self.made = made
        self.action = action

    def begin(self, seeds: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        """Reset some copies, each with its seed."""
        observations, _ = self.made.reset(seed=seeds.tolist(), options={"reset_mask": lanes})
        return observations.reshape(len(seeds), -1)

    def step(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Step all copies."""
        observations, rewards, over, cut, _ = self.made.step(self.action(outputs))
        return observations.reshape(len(outputs), -1), rewards, over | cut


@dataclass(frozen=True)
class Discrete:
    """One of `outputs` choices, counted from `first`."""

    outputs: int
    first: int

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """Return the number (N,) of the largest output."""
        return outputs.argmax(axis=1) + self.first


@dataclass(frozen=True)
class Box:
    """Numbers between bounds, see `Gym`."""

    low: np.ndarray
    high: np.ndarray
    squash: str
    dtype: np.dtype

    @property
    def outputs(self) -> int:
        """How many numbers there are."""
        return self.low.size

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs as actions (N, ...)."""
        actions = np.asarray(outputs, dtype=np.float64).reshape(-1, *self.low.shape)
        if self.squash == "tanh":
            bounded = np.isfinite(self.low) & np.isfinite(self.high)
            low, high = np.where(bounded, self.low, -1.0), np.where(bounded, self.high, 1.0)
            actions = np.where(bounded, low + 0.5 * (np.tanh(actions) + 1.0) * (high - low), actions)
        return np.clip(actions, self.low, self.high).astype(self.dtype)


def _action(id: str, space: Any, squash: str) -> Discrete | Box:
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return Discrete(int(space.n), int(space.start))
    if isinstance(space, spaces.Box):
        return Box(space.low, space.high, squash, space.dtype)
    raise EvorrnError(f"gym {id}: expected discrete actions or a box, got {space}")


@functools.lru_cache(maxsize=4)
def _vector(id: str, arguments: str, count: int) -> Any:
    """Return `count` copies of an environment with flat observations, kept for the next call."""
    try:
        import gymnasium
        from gymnasium import spaces
        from gymnasium.vector import AutoresetMode
        from gymnasium.wrappers import FlattenObservation
    except ImportError:
        raise EvorrnError("gym: gymnasium is not installed; pip install 'evorrn[gym]'") from None
    options = json.loads(arguments)
    try:
        with gymnasium.make(id, **options) as one:
            space = one.observation_space
        flat = isinstance(space, spaces.Box) and len(space.shape) == 1
        if not space.is_np_flattenable:
            raise EvorrnError(f"gym {id}: expected observations that can be flattened, got {space}")
        return gymnasium.make_vec(
            id,
            num_envs=count,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode.DISABLED},
            wrappers=() if flat else (FlattenObservation,),
            **options,
        )
    except EvorrnError:
        raise
    except Exception as problem:  # what a maker of environments does is not ours
        raise EvorrnError(f"gym {id}: cannot be made: {problem}") from None
