"""Problem and Meter: the only door from a strategy to data and compute.

A strategy never sees a task or a kernel. It asks a `Problem`, and the problem charges every answer to
the `Meter`. Test data are not in here, so no strategy can look at them.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from evorrn.batch import Batch
from evorrn.task import ANSWERS

if TYPE_CHECKING:
    from evorrn.budget import Budget
    from evorrn.network import Network


@dataclass
class Meter:
    """What a run has cost so far.

    Attributes
    ----------
    work : int
        Multiply-adds, counted from the compiled graph: the same on every machine.
    steps_forward, steps_backward : int
        Network time steps taken forward, and backward through time.
    evaluations : int
        Genomes whose loss on training data was asked for.
    seconds, compile_seconds : float
        Wall time of the run, and of compiling kernels, which is not in `seconds`.
    """

    work: int = 0
    steps_forward: int = 0
    steps_backward: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    compile_seconds: float = 0.0

    @property
    def steps(self) -> int:
        """Network time steps in both directions."""
        return self.steps_forward + self.steps_backward

    def as_dict(self) -> dict[str, Any]:
        """Return the counters as plain data."""
        return dataclasses.asdict(self)


class MeteredProblem:
    """What every problem has, whatever it is made of: a network, a meter, and the loss that validation gave last.

    A subclass gives `sequences` and `fitness`, `_validation_loss` for `validate`, and what else it provides.

    Parameters
    ----------
    network : Network
    meter : Meter, optional
        Charged for every answer; a new one by default.

    Attributes
    ----------
    provides : frozenset of str
        What this problem can answer: ``fitness``, ``sequence_losses``, ``gradient``, ``states``,
        ``targets``.
    budget : Budget or None
        What the run may use, where a training loop said so.
    """

    provides: frozenset[str] = frozenset()

    def __init__(self, network: Network, meter: Meter | None = None) -> None:
        self.network = network
        self.meter = meter or Meter()
        self.budget: Budget | None = None
        self._options: dict[str, float] = {}
        self._start: np.ndarray | None = None
        self._validated: dict[str, Any] = {}  # shared with every variant that `with_options` makes

    def with_options(self, options: Mapping[str, float]) -> Self:
        """Return this problem for a network with other numeric cell options, for instance a leak.

        Data, meter and compiled programs are shared, so a strategy can try many values.

        Parameters
        ----------
        options : mapping of str to float
            Names and values that replace the network's own; this problem itself when there are none.
        """
        if not options:
            return self
        variant = copy.copy(self)
        variant.network = self.network.with_options(dict(options))
        variant._options = {**self._options, **options}
        return variant

    @property
    def size(self) -> int:
        """Genes of a genome, n."""
        return self.network.size

    @property
    def sequences(self) -> int:
        """Number of training sequences, or of training starts."""
        raise NotImplementedError

    def init(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` random genomes, shape (count, n), initialised as the network says."""
        genomes = self.network.init_many(rng, count)
        if self._start is not None:
            genomes[0] = self._start
        return genomes

    def starting_from(self, genome: np.ndarray) -> Self:
        """Return this problem with a genome (n,) as the first that `init` gives, every time it is asked."""
        variant = copy.copy(self)
        variant._start = np.array(genome)
        return variant

    def fitness(self, genomes: np.ndarray, sequences: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Return the fitness (P,) of each genome (P, n), higher is better, ``-inf`` where it is not finite."""
        raise NotImplementedError

    def charge(self, work: int) -> None:
        """Charge work that a strategy does by itself, for instance a linear solve, in multiply-adds."""
        self.meter.work += int(work)

    def validate(self, genome: np.ndarray) -> float:
        """Return the loss on validation data, NaN or inf when it diverged; charged once per network."""
        last = self._validated
        if "loss" in last and last["options"] == self._options and np.array_equal(last["genome"], genome):
            return last["loss"]
        loss = self._validation_loss(genome)
        last.update(genome=np.array(genome), options=dict(self._options), loss=loss)
        return loss

    def learned(self, genome: np.ndarray, tolerance: float) -> float:
        """Return the share of the training sequences, or starts, that a genome has learned."""
        raise NotImplementedError

    def validated(self) -> dict[str, Any]:
        """Return the network validated last and its loss as plain data, for checkpoints."""
        return dict(self._validated)

    def restore_validated(self, last: Mapping[str, Any]) -> None:
        """Take back what `validated` gave, so that a resumed run is charged as an undisturbed one."""
        self._validated.clear()
        self._validated.update(last)

    def _validation_loss(self, genome: np.ndarray) -> float:
        raise NotImplementedError


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

        For labels a sequence counts when every scored step has its largest logit at the label, and for
        the loss binary-cross-entropy when every scored logit has the sign of its class.
        """
        batch = self.train
        with self._charged(batch, 0, genome):
            outputs = self.network.predict(genome, batch.inputs, lengths=batch.lengths)
        if batch.labelled:
            right = outputs.argmax(axis=2) == batch.targets
        elif self.network.loss_name == "binary-cross-entropy":
            right = ((outputs > 0) == (batch.targets > 0.5)).all(axis=2)
        else:
            right = (np.abs(outputs - batch.targets) <= tolerance).all(axis=2)
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
        before = self.network.compile_seconds
        yield
        self.meter.compile_seconds += self.network.compile_seconds - before
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
