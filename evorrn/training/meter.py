"""The class Meter, which counts the cost of a run, and MeteredProblem, the base class of problems."""

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
    from evorrn.training.calibration import Calibration


OWN_SHARE = 0.1
"""A strategy's own work in a step is charged when it is more than this share of the work of its evaluations."""


@dataclass
class Meter:
    """The cost of a run so far.

    Attributes
    ----------
    work : int
        Multiply-adds, counted from the graph of the network, so the same on every machine.
    steps_forward, steps_backward : int
        Network time steps of forward and of backward passes.
    evaluations : int
        Number of losses of a genome on training data.
    seconds, compile_seconds : float
        Wall time of the run without compiling, and of compiling.

    Examples
    --------
    >>> import evorrn
    >>> meter = evorrn.Meter(work=1000, steps_forward=20, steps_backward=10)
    >>> meter.steps
    30
    """

    work: int = 0
    steps_forward: int = 0
    steps_backward: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    compile_seconds: float = 0.0

    @property
    def steps(self) -> int:
        """The number of network time steps, forward and backward."""
        return self.steps_forward + self.steps_backward

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes as a dict."""
        return dataclasses.asdict(self)


class MeteredProblem:
    """Base class of problems: a network, a meter, and the last validation loss.

    A subclass defines `sequences`, `fitness`, `learned`, `_validation_loss` for `validate`, and the methods named
    in `provides`. Every method that computes something adds its cost to the meter.

    Parameters
    ----------
    network : Network
    meter : Meter, optional
        A new one by default.

    Attributes
    ----------
    provides : frozenset of str
        What this problem can compute, among ``fitness``, ``sequence_losses``, ``gradient``, ``states`` and
        ``targets``.
    why_not : str
        Why it does not provide more, as the end of a sentence; empty where there is nothing to say.
    budget : Budget or None
        The budget of the run; set by the training loop.
    calibration : Calibration or None
        What the training loop keeps for prediction intervals.
    """

    provides: frozenset[str] = frozenset()
    why_not: str = ""

    def __init__(self, network: Network, meter: Meter | None = None) -> None:
        self.network = network
        self.meter = meter or Meter()
        self.budget: Budget | None = None
        self.calibration: Calibration | None = None
        self._options: dict[str, float] = {}
        self._start: np.ndarray | None = None
        self._noise: int | None = None
        self._validated: dict[str, Any] = {}  # shared with every variant that `with_options` makes

    def with_options(self, options: Mapping[str, float]) -> Self:
        """Return this problem with other numeric options of the network's cell, for instance another leak.

        Data, meter and compiled programs are shared, so a strategy can try many values.

        Parameters
        ----------
        options : mapping of str to float
            ``{option: value}``; for an empty mapping the method returns this problem itself.
        """
        if not options:
            return self
        variant = copy.copy(self)
        variant.network = self.network.with_options(dict(options))
        variant._options = {**self._options, **options}
        return variant

    @property
    def size(self) -> int:
        """The number of genes of a genome, n."""
        return self.network.size

    @property
    def sequences(self) -> int:
        """The number of training sequences, or of training starts."""
        raise NotImplementedError

    @property
    def scored_sequences(self) -> np.ndarray:
        """The indices of the training sequences for which a fitness exists, shape (K,)."""
        return np.arange(self.sequences)

    def init(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` random genomes, shape (count, n), from the initialisations of the network."""
        genomes = self.network.init_many(rng, count)
        if self._start is not None:
            genomes[0] = self._start
        return genomes

    def starting_from(self, genome: np.ndarray) -> Self:
        """Return this problem with a genome (n,) that every call of `init` returns as its first one."""
        variant = copy.copy(self)
        variant._start = np.array(genome)
        return variant

    def draw_noise(self, rng: np.random.Generator) -> None:
        """Draw the seed of the noise of the training passes until the next draw, if the network's cell has noise.

        Strategies call this once a generation or an update. Validation and test are without noise.
        """
        if any(cell.noise for cell in self.network.cells):
            self._noise = int(rng.integers(2**63))

    def fitness(self, genomes: np.ndarray, sequences: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Return the fitness (P,) of genomes (P, n): higher is better, ``-inf`` where it is not finite."""
        raise NotImplementedError

    def charge(self, work: int) -> None:
        """Add the multiply-adds of a computation of the strategy, for instance a linear solve, to the meter."""
        self.meter.work += int(work)

    def charge_pass(self, steps: int, work: int, evaluations: int = 0) -> None:
        """Add a pass that the strategy runs by itself to the meter.

        Parameters
        ----------
        steps : int
            Network time steps; time steps with derivatives count once.
        work : int
            Multiply-adds of all of them.
        evaluations : int
            Losses of a genome on training data.
        """
        self.meter.work += int(work)
        self.meter.steps_forward += int(steps)
        self.meter.evaluations += evaluations

    def charge_own(self, work: float, evaluated: int) -> None:
        """Charge what a strategy itself computes in a step if it is more than a tenth of the work of its evaluations.

        Parameters
        ----------
        work : float
            Multiply-adds by a formula of the strategy, for instance `evorrn.EvolutionStrategy.own_work`.
        evaluated : int
            Work that the problem's passes of the same step were charged.
        """
        if work > OWN_SHARE * evaluated:
            self.charge(int(work))

    def validate(self, genome: np.ndarray) -> float:
        """Return the loss of a genome (n,) on validation data; NaN or infinity when the network diverged.

        A second call in a row for the same genome and options returns the same loss and costs nothing.
        """
        last = self._validated
        if "loss" in last and last["options"] == self._options and np.array_equal(last["genome"], genome):
            return last["loss"]
        loss = self._validation_loss(genome)
        last.update(genome=np.array(genome), options=dict(self._options), loss=loss)
        return loss

    def learned(self, genome: np.ndarray, tolerance: float) -> float:
        """Return the share (0 to 1) of the training sequences, or of the environment, that a genome has learned."""
        raise NotImplementedError

    def validated(self) -> dict[str, Any]:
        """Return the last validated genome, its cell options and its loss as plain data, for checkpoints."""
        return dict(self._validated)

    def restore_validated(self, last: Mapping[str, Any]) -> None:
        """Restore what `validated` returned, so that a resumed run costs as much as one that was not stopped."""
        self._validated.clear()
        self._validated.update(last)

    def _validation_loss(self, genome: np.ndarray) -> float:
        """Return the loss of a genome (n,) on validation data, and add its cost to the meter."""
        raise NotImplementedError

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Add the seconds that the network spends on compiling inside the block to the meter."""
        before = self.network.compile_seconds
        yield
        self.meter.compile_seconds += self.network.compile_seconds - before
