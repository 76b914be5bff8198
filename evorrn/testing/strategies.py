"""The check of a strategy's contract, which training, resuming and comparing rely on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numba import njit

from evorrn.base.files import load_tree, save_tree, tree_bytes
from evorrn.base.settings import build
from evorrn.data.batch import Batch
from evorrn.data.environment import Environment
from evorrn.strategies.base import EvolutionStrategy, State, Strategy
from evorrn.strategies.find import STRATEGIES
from evorrn.testing.checking import Checking, made
from evorrn.training.budget import Budget
from evorrn.training.meter import MeteredProblem
from evorrn.training.problem import Problem
from evorrn.training.trainer import Trainer


def check_strategy(
    strategy: Strategy | type[Strategy] | str,
    problem: Callable[[], Any] | None = None,
    *,
    steps: int = 4,
    seed: int = 0,
) -> None:
    """Check that a strategy keeps its contract, by running it.

    A strategy must not change the state it is given, must keep its state in plain data, draw only from its own
    generator, continue with the same bytes from a state that was written to a file, charge its computations
    to the meter, and never take a genome without finite loss for the best. An evolution strategy must do the
    same with ``ask`` and ``tell`` on a function.

    Parameters
    ----------
    strategy : Strategy, type or str
        A class, a name or ``"file.py:name"`` stands for the strategy with the default settings.
    problem : callable, optional
        Returns a new problem at each call; by default the forecast of a sine by a network of four units, for a strategy
        that explores a point that is to be held at zero.
    steps : int
        Steps to take, at least 2.
    seed : int

    Raises
    ------
    AssertionError
        Naming every rule that the strategy breaks.
    EvorrnError
        When there is no such strategy, or it cannot be made.

    Examples
    --------
    >>> import evorrn
    >>> from evorrn.testing import check_strategy
    >>> check_strategy(evorrn.GeneticAlgorithm(population=8), steps=2)
    """
    checked = made(strategy, STRATEGIES.find_with_settings, Strategy, "a strategy")
    usual = _point if "exploration" in checked.requires else _sine
    make = problem or (lambda: usual(checked))
    label = type(checked).__name__
    checking = Checking(f"check_strategy {label}")
    with checking.part("settings"):
        named = isinstance(type(checked).name, str) and bool(checked.name)
        checking.require(named, f"{label}: expected a name")
        again = build(type(checked), checked.values(), label)
        checking.require(again == checked, f"{label}: expected the same settings from values()")
    with checking.part(f"{steps} steps, one by one"):
        _check_steps(checking, checked, make(), steps, seed, label)
    with checking.part("a run resumed from files after every step"):
        _check_resuming(checked, make, steps, seed, label)
    if isinstance(checked, EvolutionStrategy):
        with checking.part("ask and tell on a function"):
            _check_search(checked, steps, seed, label)
    checking.finish()


def _check_steps(
    checking: Checking, strategy: Strategy, problem: Any, steps: int, seed: int, label: str
) -> None:
    """Check each state, and that a step changes neither the given state nor a global generator."""
    random.seed(seed)
    global_generators = _global_generators()
    state = strategy.start(problem, np.random.default_rng(seed))
    _check_state(checking, state, problem, f"{label}, start")
    records = []
    for number in range(1, steps + 1):
        known = len(checking.problems)
        before, work = tree_bytes(state), problem.meter.work
        after = strategy.step(problem, state)
        where = f"{label}, step {number}"
        checking.require(tree_bytes(state) == before, f"{where}: changed the state it was given")
        charged = problem.meter.work > work
        checking.require(charged, f"{where}: expected work to be charged to the meter")
        _check_state(checking, after, problem, where)
        records.append(list(after["record"]))
        same = records[-1] == records[0]
        checking.require(same, f"{where}: expected the record {records[0]}, got {records[-1]}")
        state = after
        if state["finished"] or len(checking.problems) > known:  # later steps would break the same rules
            break
    unchanged = _global_generators() == global_generators
    checking.require(unchanged, f"{label}: changed a global random generator")


def _check_state(checking: Checking, state: State, problem: Any, where: str) -> None:
    """Check the keys and types of a state."""
    missing = {"rng", "candidate", "train_loss", "finished", "record"} - set(state)
    assert not missing, f"{where}: the state lacks {', '.join(sorted(missing))}"
    try:
        tree_bytes(state)
    except TypeError as error:
        raise AssertionError(f"{where}: expected a state of plain data: {error}") from None
    checking.require(isinstance(state["finished"], str), f"{where}: expected finished to be text")
    numbers = all(isinstance(value, int | float) for value in state["record"].values())
    checking.require(numbers, f"{where}: expected numbers in the record, got {state['record']}")
    candidate = state["candidate"]
    checking.require(
        candidate is None or np.shape(candidate) == (problem.size,),
        f"{where}: expected a candidate of shape ({problem.size},), got {np.shape(candidate)}",
    )


def _check_resuming(strategy: Strategy, make: Callable[[], Any], steps: int, seed: int, label: str) -> None:
    """Check that a run resumed from files after every step has the same history, state and meter."""
    budget = Budget(generations=steps)
    whole = Trainer(strategy, make(), seed=seed, budget=budget)
    while not whole.check():
        whole.step()
    parts = Trainer(strategy, make(), seed=seed, budget=budget)
    while not parts.check():
        parts.step()
        parts = Trainer(strategy, make(), seed=seed, budget=budget, state=_through_file(parts.state()))
    assert tree_bytes(parts.history) == tree_bytes(whole.history), (
        f"{label}: a resumed run has another history"
    )
    one, two = _untimed(whole.state()), _untimed(parts.state())
    assert tree_bytes(one) == tree_bytes(two), f"{label}: a resumed run ends in another state"


def _check_search(strategy: EvolutionStrategy, steps: int, seed: int, label: str) -> None:
    """Check ``ask`` and ``tell`` on a function whose values are NaN at first, and partly NaN later."""
    search = strategy.search(np.zeros(3), seed=seed)
    genomes = search.ask()
    search.tell(genomes, np.full(len(genomes), np.nan))
    assert search.best.genome is None, f"{label}: a genome without finite fitness became the best"
    best = -np.inf
    for number in range(steps):
        genomes = search.ask()
        assert genomes.ndim == 2 and genomes.shape[1] == 3 and len(genomes) > 0, (
            f"{label}: expected genomes of shape (P, 3), got {genomes.shape}"
        )
        fitness = -np.sum((genomes - 1.0) ** 2, axis=1) - 10 * number  # the best so far is an early one
        fitness[number % 2 :: 3] = np.nan
        after = strategy.tell(
            _through_file(search.state), genomes, np.where(np.isnan(fitness), -np.inf, fitness)
        )
        search.tell(genomes, fitness)
        assert tree_bytes(after) == tree_bytes(search.state), (
            f"{label}: a search read from a file continues differently"
        )
        best = max(best, np.max(fitness, initial=-np.inf, where=np.isfinite(fitness)))
        assert search.best.fitness == best, (
            f"{label}: expected the best fitness so far, {best}, got {search.best.fitness}"
        )


def _through_file(tree: Any) -> Any:
    """Return a tree of plain data after writing and reading it."""
    with TemporaryDirectory() as folder:
        save_tree(Path(folder) / "tree.npz", tree)
        return load_tree(Path(folder) / "tree.npz")


def _untimed(state: dict[str, Any]) -> dict[str, Any]:
    """Return a trainer's state without its times."""
    meter = {name: value for name, value in state["meter"].items() if not name.endswith("seconds")}
    return {**{name: value for name, value in state.items() if name != "seconds"}, "meter": meter}


def _global_generators() -> bytes:
    """Return the states of Python's and NumPy's global generators."""
    return tree_bytes([random.getstate(), np.random.get_state()])  # noqa: NPY002


def _sine(strategy: Strategy) -> Problem:
    """Return a small problem: forecast the next value of a sine, each value held for some steps if inputs are constant."""
    from evorrn.network.network import Network

    values = np.sin(np.arange(73) / 3.0).reshape(1, -1, 1)
    if getattr(strategy, "constant_inputs", False):
        values = np.repeat(values[0, :, None], 10, axis=1)
        return Problem(Network(1, 1, cell="leaky", hidden=4), Batch(values[:8], values[1:9]))
    train, valid = (Batch(part[:, :-1], part[:, 1:]) for part in (values[:, :49], values[:, 48:]))
    return Problem(
        Network(1, 1, **{**strategy.network_defaults, "hidden": 4, **strategy.needs_network(1)}), train, valid
    )


def _point(strategy: Strategy) -> MeteredProblem:
    """Return a small problem: hold a point at zero."""
    from evorrn.network.network import Network
    from evorrn.training.episodes import EnvironmentProblem

    usual = {**strategy.network_defaults, "cell": "second-order", "hidden": 4}  # runs without compiling
    network = Network(1, 1, loss="reward", **usual)
    return EnvironmentProblem(network, _Point(), np.array([[-0.5], [0.7]]))


@njit
def _reset(state: np.ndarray, rng: np.random.Generator) -> None:
    state[0] = rng.uniform(-1.0, 1.0)


@njit
def _observe(state: np.ndarray, observation: np.ndarray) -> None:
    observation[0] = state[0]


@njit
def _step(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    state[0] += 0.1 * min(max(action[0], -2.0), 2.0)
    return 1.0 - state[0] * state[0], abs(state[0]) > 2.0


@dataclass(frozen=True)
class _Point(Environment):
    """A point on a line, which is to be held at zero."""

    name = "point"
    observations, actions, states, time_limit = 1, 1, 1, 10
    reset, observe, step = staticmethod(_reset), staticmethod(_observe), staticmethod(_step)
