"""Meter and MeteredProblem: what a run has cost so far, and what every problem has that charges it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.budget import Budget


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

    @property
    def scored_sequences(self) -> np.ndarray:
        """Numbers of the training sequences by which fitness can be judged alone, shape (K,)."""
        return np.arange(self.sequences)

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

    @contextmanager
    def _compiling(self) -> Iterator[None]:
        """Count what the network spends on compiling inside the block."""
        before = self.network.compile_seconds
        yield
        self.meter.compile_seconds += self.network.compile_seconds - before
