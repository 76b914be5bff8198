"""Environments that are stepped in Python, several episodes side by side, since they cannot run in a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.data.environment import Environment

if TYPE_CHECKING:
    from evorrn.network.network import Network

LANES = 32
"""Episodes at most that are under way at the same time."""

Act = Callable[[np.ndarray], np.ndarray]
Begin = Callable[[np.ndarray, np.ndarray], None]


class Worlds(Protocol):
    """Several copies of a world that are stepped together."""

    def begin(self, seeds: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        """Begin new episodes in some lanes (N,) of bool, from seeds (N,); return all observations (N, I)."""

    def step(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Act on outputs (N, O); return observations (N, I), rewards (N,) and which episodes ended (N,)."""


class VectorisedEnvironment(Environment):
    """An environment whose episodes run in Python: a start is the seed of an episode, and `worlds` steps many.

    A subclass gives `worlds`, sizes and a time limit. An episode depends on genome and seed alone, as long as
    the world does.
    """

    states = 1

    def worlds(self, count: int) -> Worlds:
        """Return `count` copies of the world."""
        raise NotImplementedError

    @property
    def reset(self) -> Any:
        """Not to be had: a start is a seed, see `draw`."""
        raise EvorrnError(f"{self.name}: runs in Python, so it has no functions for a kernel")

    @property
    def observe(self) -> Any:
        """Not to be had: `worlds` gives the observations."""
        return self.reset

    @property
    def step(self) -> Any:
        """Not to be had: `worlds` takes the steps."""
        return self.reset

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return the seeds (count, 1) of episodes."""
        return rng.integers(0, 2**31 - 1, (count, 1)).astype(np.float64)

    @property
    def state_names(self) -> tuple[str, ...]:
        """The state is hidden in the world; pictures show the observations."""
        return self.input_names

    def episodes(
        self, network: Network, genomes: np.ndarray, starts: np.ndarray, time_limit: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the return, float64, and the length, int64, of each genome from each start, shapes (P, E).

        The networks of all episodes under way take a time step together, in NumPy.
        """
        from evorrn.network.stepping import Stepper

        count = len(starts)
        stepper = Stepper(network, min(LANES, len(genomes) * count))
        returns, lengths = self._play(
            np.tile(starts[:, 0], len(genomes)),
            lambda lanes, episodes: stepper.begin(lanes, genomes[episodes // count]),
            stepper.step,
            self.time_limit if time_limit is None else time_limit,
        )
        return returns.reshape(-1, count), lengths.reshape(-1, count)

    def trajectory(
        self, network: Network, genome: np.ndarray, start: np.ndarray, time_limit: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return observations (T, I), actions (T, O), rewards (T,) and, in place of states, the observations."""
        from evorrn.network.stepping import Stepper

        stepper, worlds, one = Stepper(network, 1), self.worlds(1), np.ones(1, dtype=bool)
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

    def play(self, policy: Callable[[int], np.ndarray], starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return returns and lengths (E,) of actions that nobody learned; see `evorrn.training.episodes.play`."""
        return self._play(
            starts[:, 0],
            lambda lanes, episodes: None,
            lambda observations: policy(len(observations)),
            self.time_limit,
        )

    def _play(
        self, seeds: np.ndarray, begin: Begin, act: Act, time_limit: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Play one episode for each seed, the next one in a lane as soon as another has ended there."""
        seeds = seeds.astype(np.int64)
        lanes = np.arange(min(LANES, len(seeds)))
        returns, lengths = np.zeros(len(seeds)), np.zeros(len(seeds), dtype=np.int64)
        worlds, episodes, waiting = self.worlds(len(lanes)), lanes.copy(), len(lanes)
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
