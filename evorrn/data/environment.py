"""The Environment contract: control without a teacher, where the network's outputs move its next inputs.

An environment is a class that names its sizes and three compiled functions for one individual. They run
inside the population's kernel, many individuals side by side, with no Python in between.
`evorrn.kernels.trigonometry` has `sin` and `cos` for such functions, `evorrn.kernels.activations` has `tanh`:
they take a tenth of the time of those of ``math``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evorrn.base.settings import Settings
from evorrn.data.task import Recommended, Reference


@dataclass(frozen=True, eq=False)
class Starts:
    """The start states of an environment's episodes, by split.

    Parameters
    ----------
    train, valid, test : ndarray, shape (E, states), float64
    """

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


class Environment(Settings):
    """A world with a reward: its sizes, and how it starts, is seen and moves.

    An environment is a ``@dataclass(frozen=True)`` whose fields are its settings (made by
    `evorrn.base.settings.setting`), found by name as tasks are. It must give `name`, `observations`, `actions`,
    `states`, `time_limit`, `reset`, `observe` and `step`, as class attributes, settings or properties.

    The three functions are made with ``numba.njit`` at the top of a module and given to the class as
    ``staticmethod(function)``, or by a property that chooses among several by the settings. They see one
    individual, and float64 numbers alone; an index into their arrays should be a constant or that of a
    short loop of known length. Constants that depend on settings are chosen with the function, or lie in
    the state. Whatever is random is drawn by `reset` into the state, so that a step needs no generator and
    an episode depends on genome and start alone.

    They are compiled anew for the kernel under its own rules, whatever options ``njit`` was given: a
    division by zero gives an infinity or NaN and raises nothing, and nothing may be raised in `observe`
    and `step`. Where `step` has no branch that LLVM cannot turn into a selection, no call of ``math``
    beyond ``sqrt`` and ``fabs``, and no loop that runs as long as a condition holds, and where states,
    observations and actions are 24 each at most, several individuals share a vector instruction; otherwise
    it is as right, and about five times slower. `parts` let a world with a longer memory move as fast.

    Attributes
    ----------
    name : str
        As typed on the command line.
    version : int
        Raised when the same start and the same actions give other rewards.
    loss : str
        ``"reward"``: the fitness of a genome comes from the rewards it collects.
    metrics : tuple of str
        Keys of `evorrn.data.metrics.EPISODE_METRICS`; the first is the one that ranks.
    seed_changes : str
        ``"data"``: another seed draws other starts.
    train, valid, test : int
        Starts of each split; an environment may make them settings.
    provides : frozenset of str
        What the problem of its runs can answer: there are no targets, so there is no gradient either.
    short : str or None
        The setting that may be given after a colon behind the name, as ``gym:CartPole-v1``.
    horizon, free_run
        What they are for a task; an environment has neither.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    loss: ClassVar[str] = "reward"
    metrics: ClassVar[tuple[str, ...]] = ("return", "steps")
    seed_changes: ClassVar[str] = "data"
    provides: ClassVar[frozenset[str]] = frozenset({"fitness", "sequence_losses"})
    free_run: ClassVar[bool] = False
    references: ClassVar[tuple[Reference, ...]] = ()

    short: ClassVar[str | None] = None

    horizon: Any = None
    train: Any = 10
    valid: Any = 20
    test: Any = 100

    @property
    def observations(self) -> int:
        """Numbers that the network sees at a time step."""
        raise NotImplementedError

    @property
    def actions(self) -> int:
        """Outputs of the network at a time step."""
        raise NotImplementedError

    @property
    def states(self) -> int:
        """State variables, float64."""
        raise NotImplementedError

    @property
    def time_limit(self) -> int:
        """Time steps at most in an episode."""
        raise NotImplementedError

    @property
    def reset(self) -> Any:
        """``reset(state, rng)``: fill the state (states,) for a new start from a numpy Generator."""
        raise NotImplementedError

    @property
    def observe(self) -> Any:
        """``observe(state, observation)``: fill the observation (observations,) from the state."""
        raise NotImplementedError

    @property
    def step(self) -> Any:
        """``step(state, action) -> (reward, done)``: move the state in place by the action (actions,)."""
        raise NotImplementedError

    @property
    def parts(self) -> tuple[int, Any, Any] | None:
        """`step` in two compiled parts ``(count, move, judge)``, for a world of many states; None by default.

        ``move(state, action)`` moves the first `count` states, 24 at most, and knows no others: several
        individuals share a vector instruction. ``judge(state) -> (reward, done)`` then sees and may change all
        states, one individual after the other, and may index them by what it has computed. Both together do
        what `step` does.
        """
        return None

    @property
    def inputs(self) -> int:
        """Inputs of the network: the observations."""
        return self.observations

    @property
    def outputs(self) -> int:
        """Outputs of the network: the actions."""
        return self.actions

    @property
    def input_names(self) -> tuple[str, ...]:
        """What the observations are called."""
        return tuple(f"observation{place}" for place in range(1, self.observations + 1))

    @property
    def output_names(self) -> tuple[str, ...]:
        """What the actions are called."""
        return tuple(f"action{place}" for place in range(1, self.actions + 1))

    @property
    def state_names(self) -> tuple[str, ...]:
        """What the state variables are called, for pictures: the first ones, or all."""
        return tuple(f"state{place}" for place in range(1, self.states + 1))

    def arrange_starts(self, starts: Starts) -> Starts:
        """Return the starts of all splits, given those that `reset` drew; the same ones by default.

        An environment whose papers begin from fixed states puts them in here. It may change the arrays in place.
        """
        return starts

    def succeeded(self, returns: np.ndarray, lengths: np.ndarray) -> np.ndarray | None:
        """Return which episodes reached the mark of success, a boolean array; None where there is no mark.

        Parameters
        ----------
        returns : ndarray of any shape
            Sums of rewards.
        lengths : ndarray of int, of that shape
            Time steps taken.
        """
        return None

    def learned(
        self, play: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]], starts: np.ndarray
    ) -> float | None:
        """Return which share of an environment a network has learned, None where nothing marks success.

        By default it is the share of the training starts whose episodes succeed. A stricter test, with other
        starts or a longer time, may stand in its place.

        Parameters
        ----------
        play : callable
            ``play(starts, time_limit)`` gives returns and lengths (E,) of the network's episodes.
        starts : ndarray, shape (E, states)
            Training starts.
        """
        succeeded = self.succeeded(*play(starts, self.time_limit))
        return None if succeeded is None else float(np.mean(succeeded))

    def recommended(self, strategy: str) -> Recommended:
        """Return the network and settings advised for a strategy's command-line name."""
        return Recommended({"cell": "elman", "hidden": 8})
