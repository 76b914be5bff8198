"""Problem: the only door from a strategy to data and compute.

A strategy never sees a task or a kernel. It asks a `Problem`, and the problem charges every answer to
the `Meter`. Test data are not in here, so no strategy can look at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.task import ANSWERS
from evorrn.training.meter import Meter, MeteredProblem

if TYPE_CHECKING:
    from evorrn.network.network import Network


class Problem(MeteredProblem):
    """A network with its loss, and the sequences it is trained and validated on.

    Parameters
    ----------
    network : Network
    train : Batch
    valid : Batch, optional
        What `validate` scores on; the training data when there is none.
    meter : Meter, optional
        Charged for every answer; a new one by default.
    free_run : bool
        Whether `validate` lets the network run on its own outputs from the first scored step on.
    """

    provides = ANSWERS

    def __init__(
        self,
        network: Network,
        train: Batch,
        valid: Batch | None = None,
        *,
        meter: Meter | None = None,
        free_run: bool = False,
    ) -> None:
        network.check_batch(train)
        if valid is not None:
            network.check_batch(valid)
        super().__init__(network, meter)
        self.train = train
        self.valid = valid
        self.free_run = free_run

    @property
    def sequences(self) -> int:
        """Number of training sequences, B."""
        return self.train.size

    @property
    def scored_sequences(self) -> np.ndarray:
        """Numbers of the training sequences that have a scored step, shape (K,)."""
        return np.flatnonzero(self.train.scored.any(axis=1))

    def fitness(
        self,
        genomes: np.ndarray,
        sequences: Sequence[int] | np.ndarray | None = None,
        *,
        free_run: bool = False,
    ) -> np.ndarray:
        """Return the fitness of each genome: its negative training loss, ``-inf`` where not finite.

        Parameters
        ----------
        genomes : ndarray, shape (P, n)
        sequences : sequence of int, optional
            Training sequences to use; all by default.
        free_run : bool
            Let the networks run on their own outputs from the first scored step on.

        Returns
        -------
        ndarray, shape (P,), float64
        """
        batch = self._batch(sequences)
        with self._charged(batch, len(genomes)):
            return self.network.fitness(genomes, batch, first_scored(batch) if free_run else None)

    def sequence_losses(self, genomes: np.ndarray) -> np.ndarray:
        """Return each training sequence's own loss for each genome, shape (P, B), float64."""
        with self._charged(self.train, len(genomes)):
            return self.network.sequence_losses(genomes, self.train)

    def loss_and_gradient(
        self, genome: np.ndarray, sequences: Sequence[int] | np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the training loss of a genome and its exact gradient, shape (n,)."""
        batch = self._batch(sequences)
        with self._charged(batch, 1):
            result = self.network.loss_and_gradient(genome, batch)
        self.meter.work += self.network.backward_work(batch)
        self.meter.steps_backward += batch.moved_steps
        return result

    def states(self, genome: np.ndarray, split: str = "train", teacher: bool = False) -> np.ndarray:
        """Return the last layer's output at every time step, shape (B, T, H), float64.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        split : str
            ``"train"`` or ``"valid"``.
        teacher : bool
            Feed the true targets back in place of the network's outputs (networks with feedback).
        """
        batch = self.batch(split)
        with self._charged(batch, 1, genome):
            return self.network.states(
                genome, batch.inputs, lengths=batch.lengths, teacher=_previous(batch, teacher)
            )

    def population_states(
        self,
        genomes: np.ndarray,
        sequences: Sequence[int] | np.ndarray | None = None,
        teacher: bool = False,
    ) -> np.ndarray:
        """Return the last layer's output of every genome on training data, shape (P, B, T, H).

        No evaluation is counted, since no loss is asked for.

        Parameters
        ----------
        genomes : ndarray, shape (P, n)
        sequences : sequence of int, optional
            Training sequences to use; all by default.
        teacher : bool
            As for `states`.
        """
        batch = self._batch(sequences)
        with self._charged(batch, 0, passes=len(genomes)):
            return self.network.population_states(
                genomes, batch.inputs, lengths=batch.lengths, teacher=_previous(batch, teacher)
            )

    def targets(self, split: str = "train") -> np.ndarray:
        """Return the targets of a split: (B, T, O) floats or (B, T) labels."""
        return self.batch(split).targets

    def batch(self, split: str = "train") -> Batch:
        """Return the batch of a split, ``"train"`` or ``"valid"`` (training data when there is none)."""
        return self.train if split == "train" or self.valid is None else self.valid

    def learned(self, genome: np.ndarray, tolerance: float) -> float:
        """Return the share of training sequences that are within `tolerance` at every scored entry.

        What is right at a step is the loss's to say, see `evorrn.losses.base.Loss.learned`.
        """
        batch = self.train
        with self._charged(batch, 0, genome):
            outputs = self.network.predict(genome, batch.inputs, lengths=batch.lengths)
        right = self.network.loss_function.learned(outputs, batch.targets, tolerance)
        has_scored = batch.scored.any(axis=1)
        return float(np.mean((right | ~batch.scored).all(axis=1)[has_scored]))

    def _validation_loss(self, genome: np.ndarray) -> float:
        batch = self.batch("valid")
        with self._charged(batch, 0, genome):
            free_from = first_scored(batch) if self.free_run else None
            return self.network.loss(genome, batch, free_from=free_from)

    def _batch(self, sequences: Sequence[int] | np.ndarray | None) -> Batch:
        return self.train if sequences is None else self.train.take(sequences)

    @contextmanager
    def _charged(
        self, batch: Batch, evaluations: int, genome: np.ndarray | None = None, passes: int | None = None
    ) -> Iterator[None]:
        with self._compiling():
            yield
        passes = max(evaluations, 1) if passes is None else passes
        self.meter.work += passes * self.network.forward_work(batch, genome)
        self.meter.steps_forward += passes * batch.moved_steps
        self.meter.evaluations += evaluations


def first_scored(batch: Batch) -> np.ndarray:
    """Return the first scored step of each sequence, shape (B,): where a free run begins."""
    return np.where(batch.scored.any(axis=1), batch.scored.argmax(axis=1), batch.steps)


def _previous(batch: Batch, teacher: bool) -> np.ndarray | None:
    """Return the targets shifted by one step, as the fed-back output of a teacher-forced network."""
    if not teacher:
        return None
    shifted = np.zeros(batch.targets.shape)
    before = batch.targets[:, :-1]
    shifted[:, 1:] = np.where(np.isfinite(before), before, 0)  # unscored targets may be anything
    return shifted
