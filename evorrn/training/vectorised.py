"""Episodes of environments that are stepped in Python, several at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.data.faults import moment, not_finite
from evorrn.network.stepping import Stepper

if TYPE_CHECKING:
    from evorrn.data.vectorised import VectorisedEnvironment, Worlds
    from evorrn.network.network import Network

LANES = 32
"""The largest number of episodes that run at the same time."""

Act = Callable[[np.ndarray], np.ndarray]
Begin = Callable[[np.ndarray, np.ndarray], None]


def draw_seeds(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return random seeds of episodes, shape (count, 1), float64."""
    return rng.integers(0, 2**31 - 1, (count, 1)).astype(np.float64)


def episodes(
    environment: VectorisedEnvironment,
    network: Network,
    genomes: np.ndarray,
    starts: np.ndarray,
    time_limit: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Run one episode for each genome and each start, see `evorrn.training.playing.episodes`.

    The networks of all running episodes take a time step together, in NumPy.
    """
    count = len(starts)
    stepper = Stepper(network, min(LANES, len(genomes) * count))
    returns, lengths = _play(
        environment,
        np.tile(starts[:, 0], len(genomes)),
        lambda lanes, episodes: stepper.begin(lanes, genomes[episodes // count]),
        stepper.step,
        environment.time_limit if time_limit is None else time_limit,
    )
    return returns.reshape(-1, count), lengths.reshape(-1, count)


def trajectory(
    environment: VectorisedEnvironment,
    network: Network,
    genome: np.ndarray,
    start: np.ndarray,
    time_limit: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return observations (T, I), actions (T, O), rewards (T,) and again the observations, as states are not known."""
    stepper, one = Stepper(network, 1), np.ones(1, dtype=bool)
    worlds, seeds = CheckedWorlds(environment, 1), start.astype(np.int64)
    stepper.begin(np.zeros(1, dtype=np.int64), genome[None])
    observation, done = worlds.begin(seeds, one), one & False
    steps: list[tuple[np.ndarray, np.ndarray, float]] = []
    while not done[0] and len(steps) < time_limit:
        outputs = stepper.step(observation)
        following, rewards, done = worlds.step(outputs, one)
        steps.append((observation[0], outputs[0], float(rewards[0])))
        observation = following
    observations, actions, gained = (np.array(column, dtype=np.float64) for column in zip(*steps))
    return observations, actions, gained, observations


def play(
    environment: VectorisedEnvironment, policy: Callable[[int], np.ndarray], starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the returns and lengths (E,) of a policy, see `evorrn.training.playing.play`."""
    return _play(
        environment,
        starts[:, 0],
        lambda lanes, episodes: None,
        lambda observations: policy(len(observations)),
        environment.time_limit,
    )


def _play(
    environment: VectorisedEnvironment, seeds: np.ndarray, begin: Begin, act: Act, time_limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Run one episode for each seed, and return returns and lengths. When an episode ends, its lane starts the next.

    An episode ends when an action is not finite; its return is then NaN.

    Parameters
    ----------
    environment : VectorisedEnvironment
    seeds : ndarray, shape (N,)
    begin : callable
        ``begin(lanes, episodes)`` prepares lanes for the episodes with the given indices.
    act : callable
        ``act(observations)`` returns the actions of all lanes.
    time_limit : int
    """
    seeds = seeds.astype(np.int64)
    lanes = np.arange(min(LANES, len(seeds)))
    returns, lengths = np.zeros(len(seeds)), np.zeros(len(seeds), dtype=np.int64)
    worlds, episodes, waiting = CheckedWorlds(environment, len(lanes)), lanes.copy(), len(lanes)
    busy = np.ones(len(lanes), dtype=bool)
    begin(lanes, episodes)
    observations = worlds.begin(seeds[episodes], busy)
    while busy.any():
        observations, rewards, done = worlds.step(act(observations), busy)
        returns[episodes[busy]] += rewards[busy]
        lengths[episodes[busy]] += 1
        ended = done | (lengths[episodes] >= time_limit)
        if ended.any():
            fresh = np.flatnonzero(ended & busy)[: len(seeds) - waiting]
            busy &= ~ended
            busy[fresh] = True
            episodes[fresh] = np.arange(waiting, waiting + len(fresh))
            waiting += len(fresh)
            begin(fresh, episodes[fresh])
            observations = worlds.begin(seeds[episodes], ended)  # idle lanes are stepped too
    return returns, lengths


class CheckedWorlds:
    """The copies of an environment, whose observations and rewards are checked.

    Parameters
    ----------
    environment : VectorisedEnvironment
    count : int
        Number of copies.

    Raises
    ------
    EvorrnError
        Naming environment, time step and seed, when an observation or a reward is not finite or has a wrong shape.
    """

    def __init__(self, environment: VectorisedEnvironment, count: int) -> None:
        self.environment = environment
        self.worlds: Worlds = environment.worlds(count)
        self.count = count
        self.seeds = np.zeros(count, dtype=np.int64)
        self.ages = np.zeros(count, dtype=np.int64)

    def begin(self, seeds: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        """Do what `Worlds.begin` does."""
        self.seeds[lanes], self.ages[lanes] = seeds[lanes], 0
        observations = self._shaped(
            "observations", self.worlds.begin(seeds, lanes), self.environment.observations
        )
        self._check_finite("observation", observations, lanes)
        return observations

    def step(self, outputs: np.ndarray, busy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Do what `Worlds.step` does; where an output is not finite, the reward is NaN and the episode ends.

        Lanes that are not `busy` are not checked.
        """
        wrong = ~np.isfinite(outputs).all(axis=1)
        observations, rewards, done = self.worlds.step(np.where(wrong[:, None], 0.0, outputs))
        self.ages += 1
        observations = self._shaped("observations", observations, self.environment.observations)
        rewards, done = self._shaped("rewards", rewards), self._shaped("ends", done)
        self._check_finite("reward", rewards, busy & ~wrong)
        self._check_finite("observation", observations, busy & ~wrong)
        return observations, np.where(wrong, np.nan, rewards), done.astype(bool) | wrong

    def _shaped(self, what: str, values: np.ndarray, width: int | None = None) -> np.ndarray:
        """Return an array with a row for each lane; raise EvorrnError when it has another shape."""
        array, shape = np.asarray(values), (self.count,) if width is None else (self.count, width)
        if array.shape != shape:
            raise EvorrnError(
                f"environment {self.environment.label}: expected {what} of shape {shape}, got {array.shape} "
                f"{moment(int(self.ages[0]), f'seed {self.seeds[0]}')}"
            )
        return array

    def _check_finite(self, what: str, values: np.ndarray, lanes: np.ndarray) -> None:
        """Raise EvorrnError when a value in one of the `lanes` is not finite."""
        wrong = lanes & ~np.isfinite(values.reshape(self.count, -1)).all(axis=1)
        if wrong.any():
            lane = int(np.flatnonzero(wrong)[0])
            start = f"seed {self.seeds[lane]}"
            raise not_finite(self.environment.label, what, values[lane], int(self.ages[lane]), start)
