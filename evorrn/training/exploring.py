"""Episodes with random actions around those of a network, for gradients of the expected return."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evorrn.data.vectorised import VectorisedEnvironment
from evorrn.network.acting import RunningWorlds
from evorrn.network.stepping import Stepper
from evorrn.training.vectorised import CheckedWorlds

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.network.network import Network

Step = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


class Episodes(NamedTuple):
    """E episodes of up to T time steps; entries beyond the length of an episode are zero.

    Attributes
    ----------
    observations : ndarray, shape (E, T, I)
    noise : ndarray, shape (E, T, O)
        What was added to the network's outputs, in standard deviations.
    rewards : ndarray, shape (E, T)
    lengths : ndarray of int64, shape (E,)
    """

    observations: np.ndarray
    noise: np.ndarray
    rewards: np.ndarray
    lengths: np.ndarray


def explore(
    environment: Environment,
    network: Network,
    genome: np.ndarray,
    starts: np.ndarray,
    deviation: float,
    rng: np.random.Generator,
) -> Episodes:
    """Run one episode from each start, with actions drawn from a normal distribution around the network's outputs.

    Parameters
    ----------
    environment : Environment
    network : Network
    genome : ndarray, shape (n,)
    starts : ndarray, shape (E, states)
    deviation : float
        Standard deviation of each action.
    rng : Generator
        A time step draws for all episodes, those that have ended too.

    Returns
    -------
    Episodes
        The reward of a step whose action is not finite is NaN, and the episode ends there.
    """
    count = len(starts)
    stepper, all_lanes = Stepper(network, count), np.arange(count)
    stepper.begin(all_lanes, np.repeat(genome[None], count, axis=0))
    seen, step = _begun(environment, network, starts)
    alive, lengths = np.ones(count, bool), np.zeros(count, np.int64)
    series: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    while alive.any() and len(series) < environment.time_limit:
        outputs = stepper.step(seen)
        noise = rng.standard_normal(outputs.shape)
        before, busy = np.where(alive[:, None], seen, 0.0), alive
        seen, rewards, done = step(outputs + (deviation * noise).astype(outputs.dtype))
        series.append((before, np.where(busy[:, None], noise, 0.0), np.where(busy, rewards, 0.0)))
        lengths[busy] += 1
        alive = busy & ~done
    observations, noises, rewards = (np.stack(column, axis=1) for column in zip(*series))
    return Episodes(observations, noises, rewards, lengths)


def _begun(environment: Environment, network: Network, starts: np.ndarray) -> tuple[np.ndarray, Step]:
    """Return the first observations (E, I), and a function that takes a step with the actions of all episodes.

    It returns the next observations (E, I), the rewards (E,) and whether each episode is over.
    """
    alive = np.ones(len(starts), bool)
    if isinstance(environment, VectorisedEnvironment):
        checked, seeds = CheckedWorlds(environment, len(starts)), starts[:, 0].astype(np.int64)
        first = checked.begin(seeds, alive)

        def in_python(actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            seen, rewards, done = checked.step(actions, alive)
            alive[done] = False
            if done.any() and alive.any():
                seen = checked.begin(seeds, done)  # episodes that have ended are stepped too
            return np.array(seen), rewards, done

        return np.array(first), in_python
    worlds = RunningWorlds(network, environment, np.array(starts))

    def compiled(actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        before = worlds.returns.copy()
        worlds.step(actions)
        rewards = worlds.returns - before
        if worlds.steps >= environment.time_limit:
            worlds.alive[:] = False  # an environment need not have an observation of the end
        return np.array(worlds.observe()), rewards, ~worlds.alive

    return np.array(worlds.observe()), compiled
