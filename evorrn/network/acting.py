"""Episodes of networks whose cells have arrays: NumPy takes the steps of the networks, the environment its own.

Cells of vectors run inside a compiled program together with the environment, see `evorrn.engine.individuals`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.data.environment import Environment
from evorrn.data.faults import not_finite, state_text
from evorrn.engine.individuals import environments
from evorrn.engine.individuals.run import Trajectory
from evorrn.network import arguments
from evorrn.network.states import ShownNetwork
from evorrn.network.stepping import LANES, Stepper


def simulate(
    network: ShownNetwork,
    genomes: np.ndarray,
    environment: Environment,
    starts: np.ndarray,
    limit: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return returns (P, E) and lengths (P, E); see `evorrn.Network.simulate`."""
    begins, most = _checked(network, environment, starts, limit)
    pairs = len(genomes) * len(begins)
    returns, lengths = np.zeros(pairs), np.zeros(pairs, np.int64)
    for first in range(0, pairs, LANES):
        lanes = np.arange(first, min(first + LANES, pairs))
        stepper = Stepper(network, len(lanes))
        stepper.begin(np.arange(len(lanes)), genomes[lanes // len(begins)])
        worlds = RunningWorlds(network, environment, begins[lanes % len(begins)])
        while worlds.alive.any() and worlds.steps < most:
            worlds.step(stepper.step(worlds.observe()))
        returns[lanes], lengths[lanes] = worlds.returns, worlds.lengths
    return returns.reshape(-1, len(begins)), lengths.reshape(-1, len(begins))


def trajectory(
    network: ShownNetwork, genome: np.ndarray, environment: Environment, start: np.ndarray, limit: int | None
) -> Trajectory:
    """Return one episode of a genome (n,) from a start (states,); see `evorrn.Network.trajectory`."""
    begins, most = _checked(network, environment, np.asarray(start)[None], limit)
    stepper, worlds = Stepper(network, 1), RunningWorlds(network, environment, begins)
    stepper.begin(np.zeros(1, np.int64), genome[None])
    series: list[tuple[Any, ...]] = []
    while worlds.alive.any() and worlds.steps < most:
        before, seen = worlds.states[0].copy(), worlds.observe()
        action, sum_before = stepper.step(seen), worlds.returns[0]
        worlds.step(action)
        reward = np.float64(worlds.returns[0] - sum_before)
        series.append((seen[0].copy(), action[0].copy(), reward, before))
    return Trajectory(*(np.array(column) for column in zip(*series)))


def _checked(
    network: ShownNetwork, environment: Environment, starts: np.ndarray, limit: int | None
) -> tuple[np.ndarray, int]:
    """Return the starts and the time limit, checked."""
    arguments.check_chain(network, environment.name)
    environments.check_fits(environment, network.inputs, network.outputs)
    begins = environments.checked_starts(environment, starts)
    return begins, environments.checked_limit(environment, limit)


class RunningWorlds:
    """Copies of an environment, one in each lane, that are stepped together.

    The environment gets arrays of float64, whatever the numbers of the network are, as in a compiled program.

    Attributes
    ----------
    states : ndarray, shape (N, states)
    alive : ndarray of bool, shape (N,)
    returns, lengths : ndarray, shape (N,)
        Sum of the rewards and number of time steps of each episode so far.
    steps : int
        Time steps taken.
    """

    def __init__(self, network: ShownNetwork, environment: Environment, starts: np.ndarray) -> None:
        self.environment = environment
        self.starts, self.states = starts, starts.copy()
        self.alive = np.ones(len(starts), bool)
        self.returns, self.lengths, self.steps = np.zeros(len(starts)), np.zeros(len(starts), np.int64), 0
        self._observations, self._dtype = np.zeros((len(starts), network.inputs)), network.dtype

    def observe(self) -> np.ndarray:
        """Return the observations (N, I), numbers of the network's type."""
        for lane in np.flatnonzero(self.alive):
            self.environment.observe(self.states[lane], self._observations[lane])
        with np.errstate(over="ignore"):
            seen = self._observations.astype(self._dtype)
        wrong = np.flatnonzero(self.alive & ~np.isfinite(seen).all(axis=1))
        if len(wrong):
            raise self._fault("observation", seen[wrong[0]], wrong[0])
        return seen

    def step(self, actions: np.ndarray) -> None:
        """Take a time step with the actions (N, O); an episode ends, with the return NaN, when one is not finite."""
        finite = np.isfinite(actions).all(axis=1)
        for lane in np.flatnonzero(self.alive):
            reward, done = self.environment.step(self.states[lane], np.array(actions[lane], np.float64))
            if finite[lane] and not np.isfinite(reward):
                raise self._fault("reward", np.array([reward]), lane)
            self.returns[lane] += reward if finite[lane] else np.nan
            self.alive[lane] = not done and finite[lane]
            self.lengths[lane] += 1
        self.steps += 1

    def _fault(self, what: str, values: np.ndarray, lane: np.integer) -> Exception:
        return not_finite(self.environment.name, what, values, self.steps, state_text(self.starts[lane]))
