"""The contract of a strategy: ``start`` and ``step`` on plain data; ``ask`` and ``tell`` for evolution.

A strategy object holds settings and nothing else. All that changes is in its state, a dict of plain
data (arrays, numbers, text, the generator's state), so a run can stop after any step and go on
elsewhere, bit for bit the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.budget import Budget
from evorrn.errors import ConfigError, EvorrnError, RunError, ShapeError
from evorrn.plain import load_tree, save_tree
from evorrn.settings import Settings
from evorrn.training import STRATEGY_STREAM

if TYPE_CHECKING:
    from evorrn.batch import Batch
    from evorrn.network import Network
    from evorrn.problem import Problem
    from evorrn.task import Task
    from evorrn.training import Progress, Result

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
        What a problem must provide, see `evorrn.problem.Problem.provides`.
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
        from evorrn.training import fit

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
            Standard deviation of the start genomes around `start`.
        layout : dict, optional
            Named blocks of the vector, for crossover or step sizes by block.
        """
        point = np.asarray(start, dtype=np.float64)
        if point.ndim != 1 or point.size == 0 or not np.isfinite(point).all():
            raise ShapeError(f"start: expected a finite vector (n,), got shape {point.shape}")
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STRATEGY_STREAM,)))
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


@dataclass(frozen=True)
class Best:
    """The best genome seen and its fitness."""

    genome: np.ndarray | None
    fitness: float


class Search:
    """An evolution strategy at work on any function: ``ask``, ``tell``, ``done``, ``best``, ``save``.

    Attributes
    ----------
    strategy : EvolutionStrategy
    state : dict
        The strategy's state, plain data.
    evaluations, generations : int
        What was told so far.
    history : dict of str to list
        One entry per generation: ``evaluations``, ``best_fitness`` and what the strategy records.
    """

    def __init__(self, strategy: EvolutionStrategy, state: State) -> None:
        self.strategy = strategy
        self.state = state
        self.evaluations = 0
        self.generations = 0
        self.history: dict[str, list[float]] = {}
        self._asked: np.ndarray | None = None

    def ask(self) -> np.ndarray:
        """Return the genomes (P, n) to be evaluated; asking again before `tell` returns the same."""
        if self._asked is None:
            self.state, self._asked = self.strategy.ask(self.state)
        return self._asked.copy()

    def tell(self, genomes: np.ndarray, fitness: np.ndarray) -> None:
        """Give the fitness (P,) of the genomes asked for; higher is better, NaN counts as ``-inf``.

        Raises
        ------
        EvorrnError
            When nothing was asked for.
        ShapeError
            When these are not the genomes asked for, or not one fitness each.
        """
        if self._asked is None:
            raise EvorrnError("tell: expected an ask before it")
        given = np.asarray(genomes, dtype=np.float64)
        if not np.array_equal(given, self._asked):
            raise ShapeError(
                f"tell: expected the {self._asked.shape} genomes of the last ask, got others {given.shape}"
            )
        values = np.array(fitness, dtype=np.float64)
        if values.shape != (len(given),):
            raise ShapeError(f"tell: expected fitness of shape ({len(given)},), got {values.shape}")
        values[~np.isfinite(values)] = -np.inf
        self.state = self.strategy.tell(self.state, self._asked, values)
        self.evaluations += len(values)
        self.generations += 1
        self._asked = None
        row = {"evaluations": self.evaluations, "best_fitness": self.best.fitness, **self.state["record"]}
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)

    def done(self, budget: Budget | str) -> bool:
        """Return whether the budget's evaluations, generations or loss (the negative fitness) are reached.

        Raises
        ------
        ConfigError
            For a budget that a search without a network cannot measure, such as work.
        """
        limit = Budget.parse(budget)
        known = {"evaluations", "generations", "loss"}
        given = set(limit.values())
        if not given or given - known:
            got = ", ".join(sorted(given - known)) or "no limit"
            raise ConfigError(f"budget: a search knows evaluations, generations and loss, got {got}")
        return (
            (limit.evaluations is not None and self.evaluations >= limit.evaluations)
            or (limit.generations is not None and self.generations >= limit.generations)
            or (limit.loss is not None and -self.best.fitness <= limit.loss)
            or bool(self.state.get("finished"))
        )

    @property
    def best(self) -> Best:
        """The best genome so far and its fitness; None and ``-inf`` before any had a finite one."""
        genome = self.state["best_genome"]
        return Best(None if genome is None else np.array(genome), self.state["best_fitness"])

    def save(self, path: str | Path) -> None:
        """Write the search to one file, from which `evorrn.load_search` goes on bit for bit."""
        tree = {
            "kind": _SEARCH_FILE,
            "strategy": self.strategy.name,
            "settings": self.strategy.values(),
            "state": self.state,
            "asked": self._asked,
            "evaluations": self.evaluations,
            "generations": self.generations,
            "history": {name: np.array(column) for name, column in self.history.items()},
        }
        save_tree(Path(path), tree)


_SEARCH_FILE = "evorrn search"


def load_search(path: str | Path, *, strategy: EvolutionStrategy | None = None) -> Search:
    """Read a search that `Search.save` wrote, and go on from it.

    Parameters
    ----------
    path : str or Path
    strategy : EvolutionStrategy, optional
        The strategy as it was, where a file cannot hold all of it, such as a toolbox made in Python.

    Raises
    ------
    RunError
        When the file is missing, truncated or something else.
    """
    from evorrn.registry import make_strategy

    tree = load_tree(Path(path))
    if not isinstance(tree, dict) or tree.get("kind") != _SEARCH_FILE:
        raise RunError(f"{path}: expected a search that Search.save wrote")
    if strategy is not None and strategy.values() != tree["settings"]:
        raise RunError(
            f"{path}: expected the strategy of the search, {tree['strategy']}, with all its settings"
        )
    found = strategy or make_strategy(tree["strategy"], tree["settings"])
    if not isinstance(found, EvolutionStrategy):
        raise RunError(f"{path}: expected an evolution strategy, got {tree['strategy']!r}")
    search = Search(found, tree["state"])
    search.evaluations, search.generations = tree["evaluations"], tree["generations"]
    search.history = {name: column.tolist() for name, column in tree["history"].items()}
    search._asked = tree["asked"]
    return search
