"""Search: an evolution strategy on any function of a real vector, without a network."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from evorrn.base.errors import ConfigError, EvorrnError, ShapeError
from evorrn.base.files import save_tree
from evorrn.base.summary import Summary
from evorrn.base.text import counted
from evorrn.data.arrays import numeric
from evorrn.training.budget import Budget

SEARCH_FILE = "evorrn search"
"""What the file of a search says it is."""

State = dict[str, Any]


class AsksAndTells(Protocol):
    """What a search needs of a strategy; `evorrn.EvolutionStrategy` in full."""

    @property
    def name(self) -> str:
        """The command-line name."""

    def values(self) -> dict[str, Any]:
        """Return the settings as plain data."""

    def ask(self, state: State) -> tuple[State, np.ndarray]:
        """Return the state and the genomes (P, n) to evaluate."""

    def tell(self, state: State, genomes: np.ndarray, fitness: np.ndarray) -> State:
        """Return the state after the fitness (P,) of the genomes is known."""


@dataclass(frozen=True)
class Best:
    """The best genome so far and its fitness.

    Attributes
    ----------
    genome : ndarray, shape (n,), or None
    fitness : float
    """

    genome: np.ndarray | None
    fitness: float


class Search:
    """An evolution strategy on any function of a vector: ``ask``, ``tell``, ``done``, ``best``, ``save``.

    Attributes
    ----------
    strategy : EvolutionStrategy
    state : dict
        The strategy's state, plain data.
    evaluations, generations : int
        Numbers so far.
    asked : ndarray, shape (P, n), or None
        Genomes that `ask` returned and whose fitness is not yet known.
    history : dict of str to list
        One entry for each generation: ``evaluations``, ``best_fitness`` and what the strategy records.
    """

    def __init__(self, strategy: AsksAndTells, state: State) -> None:
        self.strategy = strategy
        self.state = state
        self.evaluations = 0
        self.generations = 0
        self.history: dict[str, list[float]] = {}
        self.asked: np.ndarray | None = None

    def __repr__(self) -> str:
        """Return the strategy, how far it is, and its best fitness."""
        spent = f"{counted(self.generations, 'generation')}, {counted(self.evaluations, 'evaluation')}"
        return f"Search({self.strategy.name}: {spent}, best fitness {self.best.fitness:.6g})"

    def summary(self) -> Summary:
        """Return the strategy with its settings, and how far the search is; `print` shows it, and a notebook too."""
        best = self.best
        facts = [
            ("generations", str(self.generations)),
            ("evaluations", str(self.evaluations)),
            ("best fitness", f"{best.fitness:.6g}"),
            *([] if best.genome is None else [("genes", str(len(best.genome)))]),
        ]
        given = {name: value for name, value in self.strategy.values().items() if value is not None}
        rows = [(name, str(value)) for name, value in given.items()]
        return Summary(f"Search by {self.strategy.name}", facts, ("setting", "value"), "ll", rows)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def ask(self) -> np.ndarray:
        """Return the genomes (P, n) to evaluate; the same until `tell` is called.

        P is less than the population in generations in which the strategy keeps genomes together with their fitness.
        """
        if self.asked is None:
            self.state, self.asked = self.strategy.ask(self.state)
        return self.asked.copy()

    def tell(self, genomes: np.ndarray, fitness: np.ndarray) -> None:
        """Give the fitness (P,) of the genomes asked for; higher is better, NaN means ``-inf``.

        Raises
        ------
        EvorrnError
            When `ask` was not called before.
        ShapeError
            When these are not the genomes asked for, or `fitness` does not have one number for each.
        """
        if self.asked is None:
            raise EvorrnError("tell: expected a call of ask before it")
        given = numeric("genomes", genomes)
        if not np.array_equal(given, self.asked):
            raise ShapeError(
                f"tell: expected the genomes of the last ask, shape {self.asked.shape}, got others of shape "
                f"{given.shape}"
            )
        values = np.array(numeric("fitness", fitness), dtype=np.float64)
        if values.shape != (len(given),):
            raise ShapeError(f"tell: expected fitness of shape ({len(given)},), got {values.shape}")
        values[~np.isfinite(values)] = -np.inf
        self.state = self.strategy.tell(self.state, self.asked, values)
        self.evaluations += len(values)
        self.generations += 1
        self.asked = None
        row = {"evaluations": self.evaluations, "best_fitness": self.best.fitness, **self.state["record"]}
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)

    def done(self, budget: Budget | str) -> bool:
        """Return whether a limit of the budget is reached: evaluations, generations or loss (negative fitness).

        Raises
        ------
        ConfigError
            For a limit that a search without a network cannot measure, such as work.
        """
        limit = Budget.given(budget)
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

    def run(
        self, function: Callable[[np.ndarray], float], budget: Budget | str, executor: Executor | None = None
    ) -> Best:
        """Evaluate generations by a function of one genome until a limit of the budget is reached; return the best.

        The genomes of a generation are evaluated side by side by an executor, for a function that is slow. The result does
        not depend on the executor, nor on which genome is done first. After an error in the function the search can go on:
        the generation is evaluated again.

        Parameters
        ----------
        function : callable
            ``function(genome) -> fitness``: a genome (n,) to a number, higher is better. Other processes must be able to
            import it.
        budget : Budget or str
            Of evaluations, generations or loss, see `done`; checked before each generation.
        executor : concurrent.futures.Executor, optional
            For instance a ``ProcessPoolExecutor``, or ``client.get_executor()`` of Dask; by default this thread.

        Raises
        ------
        ShapeError
            When the function does not return one number for each genome.
        ConfigError
            For a loss alone, which may never be reached.
        """
        if not getattr(self.strategy, "ends_by_itself", False):
            Budget.given(budget).check_end(self.strategy.name)
        evaluate = map if executor is None else executor.map
        while not self.done(budget):
            genomes = self.ask()
            self.tell(genomes, np.array([_number(value) for value in evaluate(function, list(genomes))]))
        return self.best

    @property
    def best(self) -> Best:
        """The best genome so far and its fitness; None and ``-inf`` before any fitness was finite."""
        genome = self.state["best_genome"]
        return Best(None if genome is None else np.array(genome), self.state["best_fitness"])

    def save(self, path: str | Path) -> None:
        """Write the search to a file, from which `evorrn.load_search` resumes it with the same bytes."""
        tree = {
            "kind": SEARCH_FILE,
            "strategy": self.strategy.name,
            "settings": self.strategy.values(),
            "state": self.state,
            "asked": self.asked,
            "evaluations": self.evaluations,
            "generations": self.generations,
            "history": {name: np.array(column) for name, column in self.history.items()},
        }
        save_tree(Path(path), tree)


def _number(value: Any) -> float:
    """Return a fitness as a number; raise ShapeError when it is not one number."""
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise ShapeError(f"run: expected one number as the fitness of a genome, got {value!r}")
    return float(array.reshape(()))
