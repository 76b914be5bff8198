"""Starts and episodes of environments, both of those with compiled functions and of those stepped in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.settings import check_seed
from evorrn.data.environment import Environment, Starts
from evorrn.data.faults import not_finite, state_text
from evorrn.data.vectorised import VectorisedEnvironment
from evorrn.engine.individuals.environments import environment_starts
from evorrn.training import vectorised

if TYPE_CHECKING:
    from evorrn.network.network import Network

STARTS_STREAM = 0
"""Role of the starts among the random streams of a seed: ``SeedSequence(seed, spawn_key=(STARTS_STREAM, split))``."""


def starts_of(environment: Environment, seed: int) -> Starts:
    """Return the starts of each split of an environment; the same seed gives equal bytes.

    Each split has its own random stream, so its starts do not depend on the number of starts of the others.
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
    """Return `count` starts (count, states): states drawn by `reset`, or seeds of episodes that run in Python."""
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
    """Run one episode for each genome and each start.

    Parameters
    ----------
    environment : Environment
    network : Network
    genomes : ndarray, shape (P, n)
    starts : ndarray, shape (E, states)
    time_limit : int, optional
        The largest number of time steps of an episode; by default that of the environment.

    Returns
    -------
    returns : ndarray, shape (P, E), float64
    lengths : ndarray, shape (P, E), int64
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
    """Run one episode from each start in Python, with the actions of a policy that makes no observations.

    Parameters
    ----------
    environment : Environment
    policy : callable
        ``policy(count)`` returns actions of shape (count, actions).
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
            if not np.isfinite(reward):
                values, step = np.array([reward]), int(lengths[episode])
                raise not_finite(environment.name, "reward", values, step, state_text(start))
    return returns, lengths
