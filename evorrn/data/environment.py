"""The base class Environment: control tasks, where the outputs of the network act on its later inputs.

An environment is a class with its sizes and three compiled functions for one individual. The functions run
inside the kernel of the population, for many individuals side by side, without Python calls.
`evorrn.kernels.trigonometry` has `sin` and `cos` for such functions, `evorrn.kernels.activations` has `tanh`:
they take a tenth of the time of those of ``math``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evorrn.base.memory import excess
from evorrn.base.settings import Settings
from evorrn.data.task import Recommended, Reference


@dataclass(frozen=True, eq=False)
class Starts:
    """The states in which the episodes of an environment start, one array for each split.

    Parameters
    ----------
    train, valid, test : ndarray, shape (E, states), float64

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> starts = evorrn.Starts(train=np.zeros((10, 4)), valid=np.zeros((20, 4)), test=np.zeros((100, 4)))
    >>> starts.valid.shape
    (20, 4)
    """

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


class Environment(Settings):
    """Base class of control tasks: a state, how it starts, what the network observes, and how actions change it.

    An environment is a ``@dataclass(frozen=True)`` whose fields are its settings (made by
    `evorrn.setting`); it is found by name as tasks are. A subclass must define `name`, `observations`, `actions`,
    `states`, `time_limit`, `reset`, `observe` and `step`, as class attributes, settings or properties.

    `reset`, `observe` and `step` are made with ``numba.njit`` at the top of a module and given to the class as
    ``staticmethod(function)``, or by a property that chooses one of several functions by the settings. They
    are called for one individual with arrays of float64. An index into these arrays should be a constant, or
    the variable of a short loop of known length. A constant that depends on a setting is part of the chosen
    function or of the state. `reset` draws all random numbers and stores them in the state. So `step` needs no
    generator, and an episode depends only on the genome and the start.

    The functions are compiled again for the kernel, with the kernel's options instead of those given to
    ``njit``: a division by zero gives infinity or NaN and raises nothing. `observe` and `step` must not raise. An
    observation, or the reward of a finite action, that is NaN or infinite ends the run with an error: let `step`
    end the episode before.

    `step` runs for several individuals in one vector instruction if it has no branch that LLVM cannot turn
    into a selection, no call of ``math`` except ``sqrt`` and ``fabs``, no ``while`` loop, and if there are at
    most 24 states, 24 observations and 24 actions. Otherwise it gives the same results about five times slower.
    `parts` gives an environment with more states the same speed.

    Attributes
    ----------
    name : str
        As typed on the command line.
    version : int
        Raised when the same start and the same actions give other rewards.
    loss : str
        ``"reward"``: the fitness of a genome comes from the rewards it collects.
    metrics : tuple of str
        Keys of `evorrn.data.episode_metrics.EPISODE_METRICS`; runs are ranked by the first.
    seed_changes : str
        ``"data"``: another seed draws other starts.
    train, valid, test : int
        Number of starts of each split; an environment may make them settings.
    provides : frozenset of str
        What an `EnvironmentProblem` can compute: an environment has no targets, so there is no
        gradient of a loss, but ``exploration``: episodes with random actions.
    short : str or None
        The setting that may be written after the name and a colon, as in ``gym:CartPole-v1``.
    horizon, free_run
        None and False: only tasks have them.

    Examples
    --------
    A point on a line that the network must hold near 0:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from numba import njit
    >>> import evorrn
    >>> @njit
    ... def reset(state, rng):
    ...     state[0] = rng.uniform(-1.0, 1.0)
    >>> @njit
    ... def observe(state, observation):
    ...     observation[0] = state[0]
    >>> @njit
    ... def step(state, action):
    ...     state[0] += 0.1 * action[0]
    ...     return -state[0] ** 2, abs(state[0]) > 2.0
    >>> @dataclass(frozen=True)
    ... class Point(evorrn.Environment):
    ...     name = "point"
    ...     observations, actions, states, time_limit = 1, 1, 1, 50
    ...     reset, observe, step = staticmethod(reset), staticmethod(observe), staticmethod(step)
    >>> network = evorrn.Network.for_task(Point(), hidden=2)
    >>> network
    Network(1 -> elman 2 -> 1, 11 genes)
    >>> genomes = network.init_many(np.random.default_rng(0), 3)
    >>> returns, lengths = network.simulate(genomes, Point(), starts=[[-0.5], [0.5]])
    >>> returns.shape
    (3, 2)
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    loss: ClassVar[str] = "reward"
    metrics: ClassVar[tuple[str, ...]] = ("return", "steps")
    seed_changes: ClassVar[str] = "data"
    provides: ClassVar[frozenset[str]] = frozenset({"fitness", "sequence_losses", "exploration"})
    free_run: ClassVar[bool] = False
    references: ClassVar[tuple[Reference, ...]] = ()

    short: ClassVar[str | None] = None

    horizon: Any = None
    train: Any = 10
    valid: Any = 20
    test: Any = 100

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, and one for starts that cannot fit into memory."""
        found = super().problems()
        counts = (self.train, self.valid, self.test)
        known = not found and all(isinstance(count, int) for count in counts)
        too_large = excess(sum(counts)) if known else ""
        return [f"{self.name}: its starts take at least {too_large}"] if too_large else found

    @property
    def observations(self) -> int:
        """The number of values that the network observes at a time step."""
        raise NotImplementedError

    @property
    def actions(self) -> int:
        """The number of outputs of the network at a time step."""
        raise NotImplementedError

    @property
    def states(self) -> int:
        """The number of state variables; they are float64."""
        raise NotImplementedError

    @property
    def time_limit(self) -> int:
        """The largest number of time steps in an episode."""
        raise NotImplementedError

    @property
    def reset(self) -> Any:
        """``reset(state, rng)`` writes a new start into the state (states,), drawn from a numpy Generator."""
        raise NotImplementedError

    @property
    def observe(self) -> Any:
        """``observe(state, observation)`` writes the observation (observations,) of a state."""
        raise NotImplementedError

    @property
    def step(self) -> Any:
        """``step(state, action) -> (reward, done)`` changes the state in place by the action (actions,)."""
        raise NotImplementedError

    @property
    def parts(self) -> tuple[int, Any, Any] | None:
        """`step` in two compiled functions ``(count, move, judge)``, for environments of many states; or None.

        ``move(state, action)`` changes the first `count` states, 24 at most, and reads no others. It runs for
        several individuals in one vector instruction. ``judge(state) -> (reward, done)`` then runs for one
        individual after the other; it may read and change all states, and compute the indices it uses. `move`
        followed by `judge` must do what `step` does.
        """
        return None

    @property
    def inputs(self) -> int:
        """The number of inputs of the network: that of the observations."""
        return self.observations

    @property
    def outputs(self) -> int:
        """The number of outputs of the network: that of the actions."""
        return self.actions

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the observations."""
        return tuple(f"observation{place}" for place in range(1, self.observations + 1))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the actions."""
        return tuple(f"action{place}" for place in range(1, self.actions + 1))

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the first or of all state variables, for figures."""
        return tuple(f"state{place}" for place in range(1, self.states + 1))

    def arrange_starts(self, starts: Starts) -> Starts:
        """Return the starts to use, given those that `reset` drew; by default these.

        An environment that is published with fixed start states puts them in here. It may change the arrays in
        place.
        """
        return starts

    def succeeded(self, returns: np.ndarray, lengths: np.ndarray) -> np.ndarray | None:
        """Return a boolean array that says which episodes succeeded; None when success is not defined.

        Parameters
        ----------
        returns : ndarray of any shape
            Sum of the rewards of each episode.
        lengths : ndarray of int, of the same shape
            Number of time steps of each episode.
        """
        return None

    def learned(
        self, play: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]], starts: np.ndarray
    ) -> float | None:
        """Return the share (0 to 1) of the environment that a network has learned; None when success is not defined.

        By default this is the share of training starts whose episodes succeed. A subclass may use a stricter
        test, with other starts or a higher time limit.

        Parameters
        ----------
        play : callable
            ``play(starts, time_limit)`` returns the returns and the lengths (E,) of the network's episodes.
        starts : ndarray, shape (E, states)
            Training starts.
        """
        succeeded = self.succeeded(*play(starts, self.time_limit))
        return None if succeeded is None else float(np.mean(succeeded))

    def recommended(self, strategy: str) -> Recommended:
        """Return the recommended network and settings for the command-line name of a strategy."""
        return Recommended({"cell": "elman", "hidden": 8})
