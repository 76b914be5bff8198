"""Searches read back from their files."""

from __future__ import annotations

from pathlib import Path

from evorrn.base.errors import RunError
from evorrn.base.files import load_tree
from evorrn.strategies.base import EvolutionStrategy
from evorrn.strategies.find import make_strategy
from evorrn.strategies.search import SEARCH_FILE, Search


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
    tree = load_tree(Path(path))
    if not isinstance(tree, dict) or tree.get("kind") != SEARCH_FILE:
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
    search.asked = tree["asked"]
    return search
