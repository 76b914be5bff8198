"""The class Trainer: a run in progress, which takes one step of a strategy at a time and can be resumed."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.memory import excess
from evorrn.training.budget import Budget
from evorrn.training.calibration import Calibrating
from evorrn.training.meter import Meter, MeteredProblem
from evorrn.training.progress import Progress

if TYPE_CHECKING:
    from evorrn.network.network import Network

STRATEGY_STREAM = 1
"""Role of the strategy's random numbers among the streams of a seed: ``SeedSequence(seed, spawn_key=(role,))``."""


class StateMachine(Protocol):
    """The part of `evorrn.Strategy` that a trainer uses."""

    @property
    def name(self) -> str:
        """The name on the command line."""

    @property
    def requires(self) -> frozenset[str]:
        """What a problem must provide, see `MeteredProblem.provides`."""

    def start(self, problem: Any, rng: np.random.Generator) -> dict[str, Any]:
        """Return the state before the first step."""

    def step(self, problem: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Return the state after one step."""


class Trainer:
    """A run in progress. It takes one step of a strategy at a time, and can be resumed from a saved state.

    A resumed run gives the same results in every bit as one that was not stopped.

    Parameters
    ----------
    strategy : StateMachine
    problem : MeteredProblem
    seed : int
        Seed of the strategy's random numbers.
    budget : Budget
    state : dict, optional
        The state that the method `state` of an earlier trainer returned; the run continues from there.

    Raises
    ------
    ConfigError
        When the problem does not provide what the strategy requires, or its population cannot fit into memory.
    """

    def __init__(
        self,
        strategy: StateMachine,
        problem: MeteredProblem,
        *,
        seed: int,
        budget: Budget,
        state: dict[str, Any] | None = None,
    ) -> None:
        missing = sorted(set(strategy.requires) - problem.provides)
        if missing:
            raise ConfigError(
                f"strategy {strategy.name}: needs a problem that provides {', '.join(missing)}; this one "
                f"provides {', '.join(sorted(problem.provides))}{problem.why_not}"
            )
        check_population(strategy, problem.size)
        self.strategy = strategy
        self.problem = problem
        self.budget = problem.budget = budget
        self.stopped_by = ""
        self.history: dict[str, list[float]] = {}
        self.seconds: list[float] = []
        self.best_genome: np.ndarray | None = None
        self.best_options: dict[str, float] = {}
        self.best_valid = math.inf
        self.best_train = math.inf
        self.step_count = 0
        self._learned: tuple[int, float, float] | None = None  # step, tolerance, share
        if state is None:
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STRATEGY_STREAM,)))
            with self._clock():
                self._strategy_state = strategy.start(problem, rng)
        else:
            self._restore(state)

    def step(self) -> Progress:
        """Take one step of the strategy, validate its candidate, and return the record of both."""
        with self._clock():
            self._strategy_state = self.strategy.step(self.problem, self._strategy_state)
            candidate = self._strategy_state["candidate"]
            train_loss = float(self._strategy_state["train_loss"])
            valid_loss = self._judged(candidate) if candidate is not None else math.inf
        self.step_count += 1
        better = valid_loss < self.best_valid
        if math.isinf(self.best_valid):  # as long as every candidate diverged, the training loss decides
            better = better or train_loss < self.best_train
        if candidate is not None and (self.best_genome is None or better):
            finite = math.isfinite(valid_loss)
            self.best_genome = np.array(candidate)
            self.best_options = dict(self._strategy_state.get("cell_options", {}))
            self.best_valid = valid_loss if finite else math.inf
        self.best_train = min(self.best_train, train_loss) if math.isfinite(train_loss) else self.best_train
        return self._record(train_loss, valid_loss)

    def check(self) -> bool:
        """Return whether the run is finished; set `stopped_by` to the reason."""
        meter, limit = self.problem.meter, self.budget
        reached = {
            "loss": limit.loss is not None and self.best_train <= limit.loss,
            "learned": limit.learned is not None and self._share_learned() >= limit.learned,
            "work": limit.work is not None and meter.work >= limit.work,
            "generations": limit.generations is not None and self.step_count >= limit.generations,
            "evaluations": limit.evaluations is not None and meter.evaluations >= limit.evaluations,
            "steps": limit.steps is not None and meter.steps >= limit.steps,
            "seconds": limit.seconds is not None and meter.seconds >= limit.seconds,
            self._strategy_state["finished"]: bool(self._strategy_state["finished"]),
        }
        self.stopped_by = next((name for name, over in reached.items() if over), "")
        return bool(self.stopped_by)

    def state(self) -> dict[str, Any]:
        """Return the state of the run as plain data, from which a trainer can continue it."""
        validated = self.problem.validated()
        return {
            "strategy": self._strategy_state,
            "meter": self.problem.meter.as_dict(),
            "history": {name: np.array(column) for name, column in self.history.items()},
            "seconds": np.array(self.seconds),
            "best_genome": self.best_genome,
            "best_options": self.best_options,
            "best_valid": self.best_valid,
            "best_train": self.best_train,
            "step_count": self.step_count,
            "validated": validated,
            "learned": self._learned,
            **({} if self.problem.calibration is None else {"calibration": self.problem.calibration.state()}),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._strategy_state = state["strategy"]
        self.problem.meter.__dict__.update(state["meter"])
        self.history = {name: column.tolist() for name, column in state["history"].items()}
        self.seconds = state["seconds"].tolist()
        self.best_genome, self.best_options = state["best_genome"], state["best_options"]
        self.best_valid, self.best_train = state["best_valid"], state["best_train"]
        self.step_count = state["step_count"]
        self.problem.restore_validated(state["validated"])
        self._learned = state["learned"]
        if self.problem.calibration is not None and "calibration" in state:
            self.problem.calibration.restore(state["calibration"])

    def _record(self, train_loss: float, valid_loss: float) -> Progress:
        """Add an entry to the history, and return it as a record."""
        meter = self.problem.meter
        row: dict[str, float] = {
            "work": meter.work,
            "steps": meter.steps,
            "evaluations": meter.evaluations,
            "train_loss": train_loss,
            "valid_loss": valid_loss,
            **self._strategy_state["record"],
        }
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)
        self.seconds.append(meter.seconds)
        return Progress(
            self.step_count,
            meter.work,
            meter.steps,
            meter.evaluations,
            meter.seconds,
            train_loss,
            valid_loss,
            self.best_valid,
            dict(self._strategy_state["record"]),
        )

    def _share_learned(self) -> float:
        """Return the share of the training data that the candidate has learned; computed once per step."""
        candidate = self._strategy_state["candidate"]
        if candidate is None:
            return 0.0
        tolerance = 0.04 if self.budget.tolerance is None else self.budget.tolerance
        if self._learned is None or self._learned[:2] != (self.step_count, tolerance):
            with self._clock():
                share = self._candidate_problem().learned(candidate, tolerance)
            self._learned = (self.step_count, tolerance, share)
        return self._learned[2]

    def _judged(self, candidate: np.ndarray) -> float:
        """Return the validation loss of the candidate, and show it to the calibration."""
        problem = self._candidate_problem()
        loss = problem.validate(candidate)
        if self.problem.calibration is not None:
            options = self._strategy_state.get("cell_options", {})
            self.problem.calibration.see(problem.network, candidate, options)
        return loss

    def _candidate_problem(self) -> MeteredProblem:
        """Return the problem with the cell options of the candidate."""
        return self.problem.with_options(self._strategy_state.get("cell_options", {}))

    def best_network(self) -> Network:
        """Return the network with the cell options of the best genome."""
        return self.problem.with_options(self.best_options).network

    def calibrating(self) -> Calibrating:
        """Return the best networks on the halves of validation, where the problem is calibrated and there is one."""
        problem = self.problem
        if problem.calibration is None:
            return None
        return problem.calibration.chosen(lambda options: problem.with_options(options).network)

    def _clock(self) -> _Clock:
        return _Clock(self.problem.meter)


class _Clock:
    """A context manager that adds the wall time of a block, without compile time, to a meter.

    When the block raises, the meter is set back to its values before the block, as the state of the run is that
    before the block.
    """

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def __enter__(self) -> None:
        from evorrn.kernels.compile_time import spent

        self.spent = spent
        self.before = self.meter.as_dict()
        self.started = time.perf_counter()
        self.compiled, self.spent_before = self.meter.compile_seconds, spent()

    def __exit__(self, failure: object, *_: object) -> None:
        if failure is not None:
            self.meter.__dict__.update(self.before)
            return
        # What the network compiles is named, and is also among what the thread spent, with kernels of the strategy.
        named, spent = self.meter.compile_seconds - self.compiled, self.spent() - self.spent_before
        compiling = max(named, spent)
        self.meter.compile_seconds = self.compiled + compiling
        self.meter.seconds += max(0.0, time.perf_counter() - self.started - compiling)


def check_population(strategy: object, genes: int) -> None:
    """Raise ConfigError when the population of a strategy, or of one of its stages, cannot fit into memory."""
    for stage in (strategy, *getattr(strategy, "stages", ())):
        population = getattr(stage, "population", None)
        too_large = excess(population * genes) if isinstance(population, int) else ""
        if too_large:
            raise ConfigError(f"strategy.population: {population} genomes of {genes} genes take {too_large}")
