"""Episodes of environments that are stepped in Python, several side by side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evorrn.data.vectorised import VectorisedEnvironment
from evorrn.network.network import Network
from evorrn.network.stepping import Stepper

LANES = 32
"""Episodes at most that run at the same time."""

Act = Callable[[np.ndarray], np.ndarray]
Begin = Callable[[np.ndarray, np.ndarray], None]


def draw_seeds(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the seeds of episodes, shape (count, 1)."""
    return rng.integers(0, 2**31 - 1, (count, 1)).astype(np.float64)


def episodes(
    environment: VectorisedEnvironment,
    network: Network,
    genomes: np.ndarray,
    starts: np.ndarray,
    time_limit: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return returns and lengths (P, E) of each genome from each start, see `evorrn.training.playing.episodes`.

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
    """Return observations (T, I), actions (T, O), rewards (T,) and, in place of states, the observations."""
    stepper, worlds, one = Stepper(network, 1), environment.worlds(1), np.ones(1, dtype=bool)
    stepper.begin(np.zeros(1, dtype=np.int64), genome[None])
    observation, done = worlds.begin(start.astype(np.int64), one), one & False
    steps: list[tuple[np.ndarray, np.ndarray, float]] = []
    while not done[0] and len(steps) < time_limit:
        outputs = stepper.step(observation)
        following, rewards, done = worlds.step(outputs)
        steps.append((observation[0], outputs[0], float(rewards[0])))
        observation = following
    observations, actions, gained = (np.array(column, dtype=np.float64) for column in zip(*steps))
    return observations, actions, gained, observations


def play(
    environment: VectorisedEnvironment, policy: Callable[[int], np.ndarray], starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return returns and lengths (E,) of a policy, see `evorrn.training.playing.play`."""
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
    """Play one episode for each seed; a lane whose episode ended takes the next one."""
    seeds = seeds.astype(np.int64)
    lanes = np.arange(min(LANES, len(seeds)))
    returns, lengths = np.zeros(len(seeds)), np.zeros(len(seeds), dtype=np.int64)
    worlds, episodes, waiting = environment.worlds(len(lanes)), lanes.copy(), len(lanes)
    busy = np.ones(len(lanes), dtype=bool)
    begin(lanes, episodes)
    observations = worlds.begin(seeds[episodes], busy)
    while busy.any():
        observations, rewards, done = worlds.step(act(observations))
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
            observations = worlds.begin(seeds[episodes], ended)  # a lane with nothing to do goes on idly
    return returns, lengths
