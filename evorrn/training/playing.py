"""Episodes of an environment, whether its functions are compiled or it is stepped in Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evorrn.base.settings import check_seed
from evorrn.data.environment import Environment, Starts
from evorrn.data.vectorised import VectorisedEnvironment
from evorrn.engine.individuals.worlds import environment_starts
from evorrn.network.network import Network
from evorrn.training import vectorised

STARTS_STREAM = 0
"""Role of the starts among the streams of a seed: ``SeedSequence(seed, spawn_key=(STARTS_STREAM, split))``."""


def starts_of(environment: Environment, seed: int) -> Starts:
    """Return starts for each split of an environment, each split from its own stream.

    The same seed gives the same bytes.
    """
    counts = (environment.train, environment.valid, environment.test)
    streams = [
        np.random.SeedSequence(check_seed(seed), spawn_key=(STARTS_STREAM, split)) for split in range(3)
    ]
    drawn = (
        draw_starts(environment, count, np.random.default_rng(stream))
        for count, stream in zip(counts, streams)
    )
    return environment.arrange_starts(Starts(*drawn))


def draw_starts(environment: Environment, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` starts (count, states): what `reset` draws, or seeds of episodes that run in Python."""
    if isinstance(environment, VectorisedEnvironment):
        return vectorised.draw_seeds(count, rng)
    return environment_starts(environment, count, rng)


def episodes(
    environment: Environment,
    network: Network,
    genomes: np.ndarray,
    starts: np.ndarray,
    time_limit: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the return, float64, and the length, int64, of each genome from each start, shapes (P, E).

    Parameters
    ----------
    environment : Environment
    network : Network
    genomes : ndarray, shape (P, n)
    starts : ndarray, shape (E, states)
    time_limit : int, optional
        Time steps at most, in place of the environment's own.
    """
    if isinstance(environment, VectorisedEnvironment):
        return vectorised.episodes(environment, network, genomes, starts, time_limit)
    return network.simulate(genomes, environment, starts, time_limit)


def trajectory(
    environment: Environment, network: Network, genome: np.ndarray, start: np.ndarray, time_limit: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return observations (T, I), actions (T, O), rewards (T,) and states (T, S) of one episode."""
    if isinstance(environment, VectorisedEnvironment):
        return vectorised.trajectory(environment, network, genome, start, time_limit)
    return network.trajectory(genome, environment, start, time_limit)


def play(
    environment: Environment, policy: Callable[[int], np.ndarray], starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Play one episode from each start with the actions of a policy that sees nothing, in Python.

    Parameters
    ----------
    environment : Environment
    policy : callable
        ``policy(count)`` gives `count` actions, shape (count, actions).
    starts : ndarray, shape (E, states)

    Returns
    -------
    returns : ndarray, shape (E,), float64
    lengths : ndarray, shape (E,), int64
    """
    if isinstance(environment, VectorisedEnvironment):
        return vectorised.play(environment, policy, starts)
    returns, lengths = np.zeros(len(starts)), np.zeros(len(starts), dtype=np.int64)
    for episode, start in enumerate(starts):
        state, done = np.array(start), False
        while not done and lengths[episode] < environment.time_limit:
            reward, done = environment.step(state, policy(1)[0])
            returns[episode] += reward
            lengths[episode] += 1
    return returns, lengths
