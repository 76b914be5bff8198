"""Episodes of a network in environments."""

from __future__ import annotations

import numpy as np

from evorrn.data.environment import Environment
from evorrn.engine.individuals.run import Trajectory
from evorrn.network import acting, arguments
from evorrn.network.described import DescribedNetwork


class ActingNetwork(DescribedNetwork):
    """A network that acts in environments."""

    def simulate(
        self,
        genomes: np.ndarray,
        environment: Environment,
        starts: np.ndarray,
        time_limit: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run one episode for each genome and each start; the state of the network is zero at the start.

        Parameters
        ----------
        genomes : ndarray, shape (P, n)
        environment : Environment
            It has as many observations as the network has inputs, and as many actions as the network has outputs.
        starts : ndarray, shape (E, states)
            The states in which the episodes start.
        time_limit : int, optional
            The largest number of time steps of an episode; by default that of the environment.

        Returns
        -------
        returns : ndarray, shape (P, E), float64
            Sum of the rewards of each episode. An episode ends when an action is not finite; its return is then
            NaN.
        lengths : ndarray of int64, shape (P, E)
            Number of time steps of each episode.

        Raises
        ------
        ConfigError
            When the environment does not fit the network, or cannot run.
        ShapeError
            When genomes or starts have a wrong shape.
        EvorrnError
            When an observation of the environment, or its reward for a finite action, is not finite; the message names
            the environment, the time step and the start.
        """
        if not self.step.plain:
            return acting.simulate(self, arguments.genomes(self, genomes), environment, starts, time_limit)
        return self._simulator.simulate(
            arguments.genomes(self, genomes), self._settings, environment, starts, time_limit
        )

    def trajectory(
        self, genome: np.ndarray, environment: Environment, start: np.ndarray, time_limit: int | None = None
    ) -> Trajectory:
        """Return one episode of a genome (n,) from a start (states,), equal to that of `simulate` in every bit."""
        if not self.step.plain:
            return acting.trajectory(self, self.check_genome(genome), environment, start, time_limit)
        return self._simulator.trajectory(
            self.check_genome(genome), self._settings, environment, start, time_limit
        )
