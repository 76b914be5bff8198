"""The contract of a strategy: ``start`` and ``step`` on plain data; ``ask`` and ``tell`` for evolution.

A strategy object holds settings and nothing else. All that changes is in its state, a dict of plain
data (arrays, numbers, text, the generator's state), so a run can stop after any step and go on
elsewhere, bit for bit the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.errors import ConfigError, ShapeError
from evorrn.base.settings import Settings, check_seed
from evorrn.data.batch import numeric
from evorrn.training.budget import Budget
from evorrn.training.trainer import STRATEGY_STREAM

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.data.task import Task
    from evorrn.network.network import Network
    from evorrn.strategies.search import Search
    from evorrn.training.problem import Problem
    from evorrn.training.progress import Progress
    from evorrn.training.result import Result

State = dict[str, Any]


class Strategy(Settings):
    """A way of training, as a state machine.

    Attributes
    ----------
    name : str
        As typed on the command line.
    step_name : str
        What one step is: ``"generation"``, ``"epoch"``, ``"reservoir"``.
    requires : frozenset of str
        What a problem must provide, see `evorrn.training.problem.Problem.provides`.
    network_defaults : dict
        Keyword arguments of `Network` that this strategy works best with.

    Notes
    -----
    Every state has these keys: ``rng`` (state of the generator, see `generator`), ``candidate`` (the
    genome (n,) to be validated after this step), ``train_loss`` (its training loss), ``finished``
    (text that says why nothing is left to do, empty until then) and ``record`` (a dict of further
    numbers for the history of this step; the same keys at every step). A strategy that draws numeric
    options of the cell, such as a leak, puts those of the candidate under ``cell_options``.
    """

    name: ClassVar[str]
    step_name: ClassVar[str] = "step"
    requires: ClassVar[frozenset[str]] = frozenset()
    network_defaults: ClassVar[dict[str, Any]] = {}

    @property
    def ends_by_itself(self) -> bool:
        """Whether a run comes to an end without a budget, with the settings as they are."""
        return False

    @property
    def default_budget(self) -> Budget:
        """What stops a run that is given no budget; nothing, unless the strategy says so."""
        return Budget()

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        raise NotImplementedError

    def step(self, problem: Problem, state: State) -> State:
        """Return the state after one generation, epoch or solve; the state given is left as it was."""
        raise NotImplementedError

    def fit(
        self,
        network: Network,
        data: Task | Batch | Sequence[Batch],
        *,
        seed: int = 0,
        budget: Budget | str | None = None,
        callbacks: Sequence[Callable[[Progress], None]] = (),
    ) -> Result:
        """Train a network on a task, on ``(train, valid, test)`` batches or on one batch.

        Parameters
        ----------
        network : Network
        data : Task, or sequence of one to three Batch, or Batch
        seed : int
            The same seed gives the same bytes.
        budget : Budget or str, optional
            When to stop; without one the strategy must come to an end by itself.
        callbacks : sequence of callable
            Called with a `Progress` after every step; raising `StopTraining` ends the run in good order.
        """
        from evorrn.training.loop import fit

        return fit(self, network, data, seed=seed, budget=budget, callbacks=callbacks)


def generator(state: State) -> np.random.Generator:
    """Return the generator whose state is kept under ``rng``."""
    bits = np.random.PCG64()
    bits.state = state["rng"]
    return np.random.Generator(bits)


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return the state of a generator as plain data."""
    return dict(rng.bit_generator.state)


class EvolutionStrategy(Strategy):
    """A strategy that asks for the fitness of genomes: `ask` and `tell` on plain data.

    A subclass gives `initial`, `ask` and `tell`; `start`, `step` and `search` follow from them. The
    state of an evolution strategy also has ``best_genome`` (n,) and ``best_fitness``.
    """

    step_name: ClassVar[str] = "generation"
    requires: ClassVar[frozenset[str]] = frozenset({"fitness"})

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
            Genes, n.
        rng : Generator
        draw : callable
            ``draw(rng, count)`` gives (count, n) start genomes.
        layout : dict, optional
            ``{block name: shape}`` of the genome, in order; one block of n genes by default.
        """
        raise NotImplementedError

    def ask(self, state: State) -> tuple[State, np.ndarray]:
        """Return the state with a pending population, and the genomes (P, n) to be evaluated."""
        raise NotImplementedError

    def tell(self, state: State, genomes: np.ndarray, fitness: np.ndarray) -> State:
        """Return the state after the genomes asked for were given their fitness (P,), higher is better."""
        raise NotImplementedError

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first generation."""
        state = self.initial(
            problem.size, rng, lambda g, count: problem.init(g, count), problem.network.blocks
        )
        return {"candidate": None, "train_loss": np.inf, "finished": "", "record": {}, **state}

    def step(self, problem: Problem, state: State) -> State:
        """Evaluate one generation."""
        state, genomes = self.ask(state)
        state = self.tell(state, genomes, problem.fitness(genomes))
        return {**state, "candidate": state["best_genome"], "train_loss": -state["best_fitness"]}

    def search(
        self,
        start: np.ndarray,
        *,
        seed: int = 0,
        spread: float = 1.0,
        layout: dict[str, tuple[int, ...]] | None = None,
    ) -> Search:
        """Search any function of a real vector, with no network.

        Parameters
        ----------
        start : array_like, shape (n,)
            Start point or mean.
        seed : int
        spread : float
            Standard deviation of the start genomes around `start`; with 0 all of them are `start`, and step
            sizes that follow it are those of 1.
        layout : dict, optional
            Named blocks of the vector, for crossover or step sizes by block.

        Raises
        ------
        ShapeError
            When `start` is no vector of finite numbers, or the layout is not one of its genes.
        ConfigError
            For a seed or a spread that is none, and for step sizes of blocks that there are not.
        """
        from evorrn.strategies.search import Search

        point = np.array(numeric("start", start), dtype=np.float64)
        if point.ndim != 1 or point.size == 0 or not np.isfinite(point).all():
            raise ShapeError(f"start: expected a finite vector (n,), got shape {point.shape}")
        if isinstance(spread, bool) or not isinstance(spread, Real) or not 0 <= spread < np.inf:
            raise ConfigError(f"spread: expected a number of at least 0, got {spread!r}")
        rng = np.random.default_rng(np.random.SeedSequence(check_seed(seed), spawn_key=(STRATEGY_STREAM,)))
        return Search(self, self.initial(point.size, rng, Around(point, spread), layout))


@dataclass(frozen=True)
class Around:
    """Draws start genomes from a normal distribution around a point.

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
