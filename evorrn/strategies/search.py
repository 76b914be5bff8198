"""Search: an evolution strategy on any function of a real vector, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evorrn.base.errors import ConfigError, EvorrnError, RunError, ShapeError
from evorrn.base.files import load_tree, save_tree
from evorrn.data.batch import numeric
from evorrn.strategies.base import EvolutionStrategy, State
from evorrn.training.budget import Budget

_SEARCH_FILE = "evorrn search"


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
    history : dict of str to list
        One entry for each generation: ``evaluations``, ``best_fitness`` and what the strategy records.
    """

    def __init__(self, strategy: EvolutionStrategy, state: State) -> None:
        self.strategy = strategy
        self.state = state
        self.evaluations = 0
        self.generations = 0
        self.history: dict[str, list[float]] = {}
        self._asked: np.ndarray | None = None

    def ask(self) -> np.ndarray:
        """Return the genomes (P, n) to evaluate; the same until `tell` is called."""
        if self._asked is None:
            self.state, self._asked = self.strategy.ask(self.state)
        return self._asked.copy()

    def tell(self, genomes: np.ndarray, fitness: np.ndarray) -> None:
        """Give the fitness (P,) of the genomes asked for; higher is better, NaN means ``-inf``.

        Raises
        ------
        EvorrnError
            When `ask` was not called before.
        ShapeError
            When these are not the genomes asked for, or `fitness` does not have one number for each.
        """
        if self._asked is None:
            raise EvorrnError("tell: expected a call of ask before it")
        given = numeric("genomes", genomes)
        if not np.array_equal(given, self._asked):
            raise ShapeError(
                f"tell: expected the genomes of the last ask, shape {self._asked.shape}, got others of shape "
                f"{given.shape}"
            )
        values = np.array(numeric("fitness", fitness), dtype=np.float64)
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
        """Return whether a limit of the budget is reached: evaluations, generations or loss (negative fitness).

        Raises
        ------
        ConfigError
            For a limit that a search without a network cannot measure, such as work.
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
        """The best genome so far and its fitness; None and ``-inf`` before any fitness was finite."""
        genome = self.state["best_genome"]
        return Best(None if genome is None else np.array(genome), self.state["best_fitness"])

    def save(self, path: str | Path) -> None:
        """Write the search to a file, from which `evorrn.load_search` resumes it with the same bytes."""
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


def load_search(path: str | Path, *, strategy: EvolutionStrategy | None = None) -> Search:
    """Return a search from a file that `Search.save` wrote.

    Parameters
    ----------
    path : str or Path
    strategy : EvolutionStrategy, optional
        The strategy of the search; needed when the file cannot contain all of it, such as a DEAP toolbox.

    Raises
    ------
    RunError
        When the file is missing, truncated or not a search, or the strategy has other settings.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> search = evorrn.SNES().search(np.ones(5))
    >>> genomes = search.ask()
    >>> search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> search.save("sphere.search")
    >>> resumed = evorrn.load_search("sphere.search")
    >>> bool((resumed.ask() == search.ask()).all())
    True
    """
    from evorrn.strategies.find import make_strategy

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
