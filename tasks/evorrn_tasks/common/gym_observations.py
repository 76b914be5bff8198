"""The check that a gymnasium environment returns observations of its own space, and rewards that are numbers."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from evorrn.base.errors import EvorrnError
from evorrn.data.faults import moment


class CheckedEnvironment(gymnasium.Wrapper):
    """An environment whose observations and rewards are checked.

    Bounds of a box are not checked, because many environments do not keep them; that numbers are finite is checked
    where the copies are stepped.

    Raises
    ------
    EvorrnError
        Naming the environment, the time step and the seed, when a reward is not a number, or an observation has
        another shape than its space.
    """

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        """Reset the environment."""
        self.time_step, self.start = 0, f"seed {seed}"
        observation, info = self.env.reset(seed=seed, options=options)
        self._check(observation)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, Any]:
        """Step the environment."""
        self.time_step += 1
        observation, given, terminated, truncated, info = self.env.step(action)
        self._check(observation)
        reward: Any = given
        if np.ndim(reward) or not isinstance(reward, int | float | np.number | np.bool_ | np.ndarray):
            raise self._error(f"expected a number as reward, got {reward!r}")
        return observation, reward, terminated, truncated, info

    def _check(self, observation: Any) -> None:
        problem = misfit(self.env.observation_space, observation)
        if problem:
            raise self._error(problem)

    def _error(self, problem: str) -> EvorrnError:
        id = self.env.spec.id if self.env.spec is not None else type(self.env.unwrapped).__name__
        return EvorrnError(f"gym {id}: {problem} {moment(self.time_step, self.start)}")


def misfit(space: spaces.Space, observation: Any, name: str = "observation") -> str:
    """Return a sentence that says why an observation is not one of a space, empty when it is."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts: dict[Any, spaces.Space] = dict(
            space.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        )
        kind = dict if isinstance(space, spaces.Dict) else tuple | list
        if not isinstance(observation, kind) or len(observation) != len(parts):
            return f"expected an {name} of {space}, got {observation!r}"
        for key, part in parts.items():
            if isinstance(observation, dict) and key not in observation:
                return f"expected an {name} with {key!r}, got {list(observation)}"
            problem = misfit(part, observation[key], f"{name}[{key!r}]")
            if problem:
                return problem
        return ""
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        try:
            array = np.asarray(observation)
        except ValueError:
            return f"expected an {name} of shape {space.shape}, got {observation!r}"
        if array.shape != space.shape:
            return f"expected an {name} of shape {space.shape}, got {array.shape}"
        return "" if array.dtype.kind in "biuf" else f"expected an {name} of numbers, got {observation!r}"
    return "" if space.contains(observation) else f"expected an {name} of {space}, got {observation!r}"
