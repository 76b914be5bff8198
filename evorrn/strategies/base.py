"""The contract of a strategy: ``start`` and ``step`` on plain data; ``ask`` and ``tell`` for evolution.

A strategy object has settings and nothing else. Everything that changes is in its state, a dict of plain
data (arrays, numbers, text, the generator's state), so that a run can stop after any step and resume in
another process with the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.checks import is_number
from evorrn.base.errors import ConfigError, ShapeError
from evorrn.base.settings import Settings, check_seed, names
from evorrn.data.arrays import numeric
from evorrn.data.task import Recommended
from evorrn.strategies.search import Search
from evorrn.training.budget import Budget
from evorrn.training.trainer import STRATEGY_STREAM

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem
    from evorrn.training.progress import Progress
    from evorrn.training.result import Result

State = dict[str, Any]

DRAW = 10
"""Multiply-adds that a random number counts for in a strategy's own work; an operation on a number counts one."""
PER_GENE = 10
"""Operations on each gene of a generation that all evolution strategies share, such as bounds and the record."""
FLOAT, COPIES = 8, 3
"""Bytes of a number of the search, and how many arrays of the size of a genome or a population are held at once."""


class Strategy(Settings):
    """Base of all training strategies: a state machine with `start` and `step`.

    Attributes
    ----------
    name : str
        Name on the command line.
    version : int
        Raised when the numbers of a given seed change.
    step_name : str
        The word for one step: ``"generation"``, ``"epoch"``, ``"reservoir"``.
    requires : frozenset of str
        What a problem must provide, see `evorrn.training.problem.Problem.provides`.
    network_defaults : dict
        Keyword arguments of `Network` that suit this strategy.
    one_step : bool
        Whether it needs networks that are one time step with a readout: without passes, embedding and pooled readout. A run then leaves
        out the form that its task states.
    advised_as : str
        The strategy whose recommendations of a task also suit this one, as far as both have the settings; its own name
        where this is empty.
    usual_speed : float
        Multiply-adds a second of one thread where many run side by side, for the estimate of time before a run.
    usual_overhead : float
        Seconds that a time step of the sequences of a minibatch, or of a genome on a batch, takes besides; what small
        networks on few sequences mostly take. Runs of bptt, esn, ga and cma-es on seven tasks took between half and twice the
        estimate of both.

    Notes
    -----
    Every state has these keys: ``rng`` (state of the generator, see `generator`), ``candidate`` (the
    genome (n,) to validate after this step, or None), ``train_loss`` (its training loss), ``finished``
    (why the strategy has ended, empty until then) and ``record`` (a dict of further numbers for the history
    of this step, with the same keys at every step). A strategy that draws numeric options of the cell, such
    as a leak, puts those of the candidate under ``cell_options``.

    Examples
    --------
    A strategy that draws one random network at each step:

    >>> from dataclasses import dataclass
    >>> import evorrn
    >>> from evorrn.strategies.base import generator, generator_state
    >>> @dataclass(frozen=True)
    ... class Guess(evorrn.Strategy):
    ...     "Draw random networks."
    ...     name = "guess"
    ...
    ...     def start(self, problem, rng):
    ...         return {"rng": generator_state(rng), "candidate": None, "train_loss": float("inf"),
    ...                 "finished": "", "record": {}}
    ...
    ...     def step(self, problem, state):
    ...         rng = generator(state)
    ...         genome = problem.init(rng, 1)[0]
    ...         loss = -float(problem.fitness(genome[None])[0])
    ...         return {**state, "rng": generator_state(rng), "candidate": genome, "train_loss": loss}
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> Guess().fit(network, task, budget="3gen").meter.evaluations
    3
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    step_name: ClassVar[str] = "step"
    requires: ClassVar[frozenset[str]] = frozenset()
    network_defaults: ClassVar[dict[str, Any]] = {}
    one_step: ClassVar[bool] = False
    advised_as: ClassVar[str] = ""
    usual_speed: ClassVar[float] = 1e9
    usual_overhead: ClassVar[float] = 0.0

    @classmethod
    def advice(cls, task: Task | Environment) -> Recommended:
        """Return the network and the settings that a task recommends for this strategy."""
        found = task.recommended(cls.advised_as or cls.name)
        if not cls.advised_as:
            return found
        known = {name: value for name, value in found.strategy.items() if name in names(cls)}
        return Recommended(found.network, known)

    def needs_network(self, inputs: int) -> dict[str, Any]:
        """Return keyword arguments of `Network` without which this strategy does not work, for a number of inputs."""
        return {}

    def stored_table(self) -> dict[str, Any]:
        """Return the table of a stored spec: name, version from the second on, and settings."""
        version = {"version": self.version} if self.version > 1 else {}
        return {"name": self.name, **version, **self.stored_values()}

    @property
    def ends_by_itself(self) -> bool:
        """Whether a run with these settings ends without a budget."""
        return False

    @property
    def default_budget(self) -> Budget:
        """The budget of a run that is given none; without limits unless the strategy has a default."""
        return Budget()

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the largest arrays of a run take, besides its data.

        A formula of the sizes, for the estimate of memory before a run.

        Parameters
        ----------
        network : Network
        sequences, steps : int
            The number of training sequences and their longest length; 1 gives what the network alone takes.
        """
        return FLOAT * COPIES * network.size

    def check(self, problem: Any) -> None:
        """Raise ConfigError when this strategy cannot train the network of a problem."""

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        raise NotImplementedError

    def step(self, problem: Problem, state: State) -> State:
        """Return the state after one generation, epoch or solve; the given state is not changed."""
        raise NotImplementedError

    def fit(
        self,
        network: Network,
        data: Task | Batch | Sequence[Batch],
        *,
        seed: int = 0,
        budget: Budget | str | None = None,
        callbacks: Sequence[Callable[[Progress], None]] = (),
        free_run: bool | None = None,
    ) -> Result:
        """Train a network on a task, on ``(train, valid, test)`` batches or on one batch.

        Parameters
        ----------
        network : Network
        data : Task, or sequence of one to three Batch, or Batch
        seed : int
            Seed of all random draws; the same seed gives the same bytes.
        budget : Budget or str, optional
            When to stop, for instance ``"100gen"``; may be left out if the strategy ends by itself.
        callbacks : sequence of callable
            Called with a `Progress` after every step; raising `StopTraining` ends the run with a result.
        free_run : bool, optional
            Whether validation and test run in closed loop from the first scored step on, so that the network is chosen
            as a generator; by default as the task says, and False for batches. Targets must be the next inputs.

        Returns
        -------
        Result
        """
        from evorrn.training.loop import fit

        return fit(self, network, data, seed=seed, budget=budget, callbacks=callbacks, free_run=free_run)


def generator(state: State) -> np.random.Generator:
    """Return a generator in the state under ``rng``."""
    bits = np.random.PCG64()
    bits.state = state["rng"]
    return np.random.Generator(bits)


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return the state of a generator as plain data."""
    return dict(rng.bit_generator.state)


def with_noise(problem: Problem, state: State) -> State:
    """Draw the seed of the noise of a generation, if the network's cell has noise; return the state after that."""
    if not any(cell.noise for cell in problem.network.cells):
        return state
    rng = generator(state)
    problem.draw_noise(rng)
    return {**state, "rng": generator_state(rng)}


class EvolutionStrategy(Strategy):
    """Base of evolution strategies: `ask` for genomes, `tell` their fitness.

    A subclass defines `initial`, `ask` and `tell`, from which `start`, `step` and `search` are made. The
    state also has ``best_genome`` (n,), or None, and ``best_fitness``. To write a method that searches over
    real vectors, `PopulationStrategy` is a shorter way.

    Examples
    --------
    Every evolution strategy also minimises functions of a vector, without a network:

    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.SNES().search(np.ones(5), seed=1)
    >>> while not search.done("100gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> isinstance(search.strategy, evorrn.EvolutionStrategy), bool(search.best.fitness > -0.1)
    (True, True)
    """

    step_name: ClassVar[str] = "generation"
    requires: ClassVar[frozenset[str]] = frozenset({"fitness"})
    usual_speed: ClassVar[float] = 5.5e9
    usual_overhead: ClassVar[float] = 1.6e-7

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the genomes of the population take."""
        usual = 4 + int(3 * math.log(network.size))  # that of methods which choose it by the number of genes
        return FLOAT * COPIES * network.size * (getattr(self, "population", None) or usual)

    def initial(
        self,
        size: int,
        rng: np.random.Generator,
        draw: Callable[[np.random.Generator, int], np.ndarray],
        layout: dict[str, tuple[int, ...]] | None = None,
    ) -> State:
        """Return the state before the first `ask`.

        Parameters
        ----------
        size : int
            Number of genes, n.
        rng : Generator
        draw : callable
            ``draw(rng, count)`` returns start genomes (count, n).
        layout : dict, optional
            ``{block name: shape}`` of the genome, in order; one block of n genes by default.
        """
        raise NotImplementedError

    def ask(self, state: State) -> tuple[State, np.ndarray]:
        """Return the state with a pending population, and the genomes (P, n) to evaluate."""
        raise NotImplementedError

    def tell(self, state: State, genomes: np.ndarray, fitness: np.ndarray) -> State:
        """Return the state given the fitness (P,) of the genomes asked for; higher is better."""
        raise NotImplementedError

    def own_work(self, state: State, genomes: np.ndarray) -> float:
        """Return the multiply-adds of one generation besides its evaluations: samples, update and record.

        A formula of the sizes: an operation on an array counts one for each number, a product of matrices its
        multiply-adds, a random number ten. `step` charges it, see `evorrn.training.meter.MeteredProblem.charge_own`.

        Parameters
        ----------
        state : dict
            The state after the generation.
        genomes : ndarray, shape (P, n)
            The genomes evaluated.
        """
        return (DRAW + PER_GENE) * genomes.size

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first generation."""
        state = self.initial(
            problem.size, rng, lambda g, count: problem.init(g, count), problem.network.blocks
        )
        return {"candidate": None, "train_loss": np.inf, "finished": "", "record": {}, **state}

    def step(self, problem: Problem, state: State) -> State:
        """Return the state after one generation; the candidate is the best individual so far."""
        state, genomes = self.ask(with_noise(problem, state))
        paid = problem.meter.work
        fitness = problem.fitness(genomes)
        paid = problem.meter.work - paid
        state = self.tell(state, genomes, fitness)
        problem.charge_own(self.own_work(state, genomes), paid)
        return {**state, "candidate": state["best_genome"], "train_loss": -state["best_fitness"]}

    def search(
        self,
        start: np.ndarray,
        *,
        seed: int = 0,
        spread: float = 1.0,
        layout: dict[str, tuple[int, ...]] | None = None,
    ) -> Search:
        """Start a search on any function of a real vector, without a network.

        Parameters
        ----------
        start : array_like, shape (n,)
            Start point or mean.
        seed : int
        spread : float
            Standard deviation of the start genomes around `start`. With 0 all of them equal `start`, and
            default step sizes are those for a spread of 1.
        layout : dict, optional
            ``{block name: shape}`` of the vector, for crossover or step sizes by block.

        Returns
        -------
        Search

        Raises
        ------
        ShapeError
            When `start` is not a vector of finite numbers, or the layout does not have n genes.
        ConfigError
            When `seed` or `spread` is not valid, or `step_sizes` names a block that does not exist.
        """
        point = np.array(numeric("start", start), dtype=np.float64)
        if point.ndim != 1 or point.size == 0 or not np.isfinite(point).all():
            raise ShapeError(f"start: expected a finite vector (n,), got shape {point.shape}")
        if not is_number(spread) or not 0 <= spread < np.inf:
            raise ConfigError(f"spread: expected a number of at least 0, got {spread!r}")
        rng = np.random.default_rng(np.random.SeedSequence(check_seed(seed), spawn_key=(STRATEGY_STREAM,)))
        return Search(self, self.initial(point.size, rng, Around(point, spread), layout))


@dataclass(frozen=True)
class Around:
    """A function that draws start genomes from a normal distribution around a point.

    Attributes
    ----------
    centre : ndarray, shape (n,)
    spread : float
        Standard deviation.
    """

    centre: np.ndarray
    spread: float

    def __call__(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` start genomes, shape (count, n)."""
        return self.centre + self.spread * rng.standard_normal((count, self.centre.size))
