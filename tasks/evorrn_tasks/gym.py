"""Gym: any gymnasium environment, run in Python."""

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
from evorrn_tasks.common.gym_actions import Box, Discrete, actions_of

STEPS = 1000
"""Time limit when neither the environment nor the user sets one."""


@dataclass(frozen=True)
class Gym(VectorisedEnvironment):
    """A gymnasium environment, stepped by gymnasium's own vector API; ``gym:CartPole-v1`` is short for its `id`.

    The network sees the observation flattened by `gymnasium.spaces.utils.flatten`, where a discrete value is
    one-hot; nothing is scaled. Discrete actions have one output each, and the action with the largest output,
    the first if several are equal, is taken. A box of actions has one output for each number, mapped to its
    bounds by ``squash``: with ``"tanh"`` to low + (tanh(output) + 1) / 2 (high - low), with ``"clip"`` by
    clipping. A box of whole numbers divides the same range into equal parts, one for each number. With one bound or
    none, the number is the output, rounded for whole numbers and clipped at the bound; a bound as large as the largest
    number of its type is none, except for integers of 8 and 16 bits. Other action spaces, and
    observations that cannot be flattened, are errors.

    A start is the seed that the environment is reset with, so the same starts give the same episodes. Episodes
    run in copies of the environment in this process. An observation or a reward that is NaN, infinite or of another
    shape than the environment says is an error and ends the run. Needs ``pip install 'evorrn[gym]'``.
    """

    name = "gym"
    version = 2  # whole numbers of a box, and bounds that are none
    short = "id"

    id: str = setting("CartPole-v1", "id of the environment for gymnasium.make")
    options: dict[str, Any] | None = setting(None, "further arguments of gymnasium.make, as a table")
    squash: str = setting("tanh", "how outputs are mapped to the bounds of a box", choices=("tanh", "clip"))
    limit: int | None = setting(
        None, "time limit of an episode; by default the environment's own, or 1000", minimum=1
    )
    train: int = setting(5, "training starts", minimum=1)
    valid: int = setting(10, "validation starts", minimum=1)
    test: int = setting(50, "test starts", minimum=1)

    @property
    def label(self) -> str:
        """The word gym and the id of the environment."""
        return f"gym {self.id}"

    def worlds(self, count: int) -> Worlds:
        """Return `count` copies of the environment."""
        made = _vector(self.id, self._arguments, count)
        return GymWorlds(made, actions_of(self.id, made.single_action_space, self.squash))

    @property
    def observations(self) -> int:
        """Length of the flattened observation."""
        return int(np.prod(self._one.single_observation_space.shape, dtype=np.int64))

    @property
    def actions(self) -> int:
        """Number of outputs: discrete actions, or numbers of a box."""
        return actions_of(self.id, self._one.single_action_space, self.squash).outputs

    @property
    def time_limit(self) -> int:
        """`limit`, or the environment's own limit, or 1000."""
        own = self._one.spec.max_episode_steps if self._one.spec is not None else None
        return self.limit or own or STEPS

    def recommended(self, strategy: str) -> Recommended:
        """Return a small network."""
        return Recommended({"cell": "elman", "hidden": 8})

    @property
    def _arguments(self) -> str:
        """The options as text, which `_vector` can be cached by."""
        return json.dumps(self.options or {}, sort_keys=True)

    @property
    def _one(self) -> Any:
        """One copy of the environment."""
        return _vector(self.id, self._arguments, 1)


class GymWorlds:
    """Copies of an environment, with the interface of `evorrn.data.vectorised.Worlds`."""

    def __init__(self, made: Any, action: Discrete | Box) -> None:
        self.made = made
        self.action = action

    def begin(self, seeds: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        """Reset the copies in `lanes`, each with its seed; return the observations (N, I)."""
        observations, _ = self.made.reset(seed=seeds.tolist(), options={"reset_mask": lanes})
        return observations.reshape(len(seeds), -1)

    def step(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Step all copies; return observations (N, I), rewards (N,) and which episodes ended (N,)."""
        observations, rewards, terminated, truncated, _ = self.made.step(self.action(outputs))
        return observations.reshape(len(outputs), -1), rewards, terminated | truncated


@functools.lru_cache(maxsize=4)
def _vector(id: str, arguments: str, count: int) -> Any:
    """Return `count` copies of an environment with flat observations; cached."""
    try:
        import gymnasium
        from gymnasium import spaces
        from gymnasium.vector import AutoresetMode
        from gymnasium.wrappers import FlattenObservation

        from evorrn_tasks.common.gym_observations import CheckedEnvironment
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
            wrappers=(CheckedEnvironment,) if flat else (CheckedEnvironment, FlattenObservation),
            **options,
        )
    except EvorrnError:
        raise
    except Exception as problem:  # any error of code outside evorrn
        raise EvorrnError(f"gym {id}: cannot be made: {problem}") from None
