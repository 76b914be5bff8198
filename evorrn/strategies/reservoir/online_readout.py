"""Readouts of random reservoirs that are fitted step by step, in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.reservoir.conditions import (
    check_fed_back,
    check_solvable,
    check_washout,
    fitted_steps,
    sees_output,
)
from evorrn.strategies.reservoir.drawn import DrawnReservoir
from evorrn.strategies.reservoir.readout import logit_scale, mean_loss, readout_features, write_readout

if TYPE_CHECKING:
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class OnlineReadout(DrawnReservoir):
    """Base of strategies that update the readout of a random reservoir at every step, or every few steps.

    Sequences are visited in a shuffled order, the same for equal numbers of them, so that one class after the other is no
    harder than a mixture. A subclass defines `learn`.
    """

    advised_as: ClassVar[str] = "esn"

    update_every: int = setting(1, "time steps between two updates", minimum=1)
    epochs: int = setting(1, "passes over the training data for each reservoir", minimum=1)
    washout: int | None = setting(
        None,
        "first steps of each sequence left out of the fit; by default a tenth of it, at most 100",
        minimum=0,
    )

    def learn(self, features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> tuple[float, int]:
        """Update weights (O, F) in place on rows in time order; return the error before updates, and the work.

        Parameters
        ----------
        features : ndarray, shape (R, F)
            The last one is 1 where the network has biases.
        targets : ndarray, shape (R, O)
        weights : ndarray, shape (O, F)

        Returns
        -------
        error : float
            Mean squared error of the last pass, each row's before its update.
        work : int
            Multiply-adds.
        """
        raise NotImplementedError

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first reservoir.

        Raises
        ------
        ConfigError
            For a loss on whole sequences, for a network that sees its own logits, for a washout that leaves fewer rows
            than the readout has weights, and in the cases of `DrawnReservoir.start`.
        """
        check_solvable(self.name, problem.network)
        check_fed_back(self.name, problem.network)
        check_washout(self.name, problem, self.washout)
        return super().start(problem, rng)

    def solve(
        self, problem: Problem, genome: np.ndarray, rng: np.random.Generator
    ) -> tuple[float, dict[str, float]]:
        """Learn the readout of a genome (n,) in place; return the training loss and what the history keeps."""
        network, batch = problem.network, problem.batch("train")
        rows = fitted_steps(batch, self.washout)
        seen = readout_features(problem, genome, rows, self.state_noise, rng)
        if seen is None:
            return np.inf, {"online_error": np.nan}
        features = np.hstack([seen, np.ones((len(seen), 1))]) if network.biases else seen
        truth = batch.targets[rows]
        fitted = network.loss_function.regression_targets(truth, network.outputs)
        weights = np.zeros((network.outputs, features.shape[1]))
        turn = _visited(np.nonzero(rows)[0])
        error, work = self.learn(
            np.ascontiguousarray(features[turn]), np.ascontiguousarray(fitted[turn]), weights
        )
        problem.charge(work)
        record = {"online_error": error}
        with one_thread():
            outputs = features @ weights.T
        if not np.isfinite(outputs).all():
            return np.inf, record
        scale = logit_scale(network.loss_function, outputs, truth)
        bias = weights[:, -1] if network.biases else None
        write_readout(
            network, genome, scale * weights[:, : seen.shape[1]], None if bias is None else scale * bias
        )
        if sees_output(network):  # the fit saw true outputs; the network sees its own
            return -float(problem.fitness(genome[None])[0]), record
        return mean_loss(network.loss_function, scale * outputs, truth), record


def _visited(sequences: np.ndarray) -> np.ndarray:
    """Return the places of rows (R,) of sequences (R,), whole sequences one after the other in a shuffled order."""
    present, number = np.unique(sequences, return_inverse=True)
    place = np.random.default_rng(0).permutation(len(present))
    return np.argsort(place[number], kind="stable")
