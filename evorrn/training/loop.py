"""The one training loop: it owns budget, stopping rules, callbacks, checkpoints and the score on test."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evorrn.base.errors import ConfigError, StopTraining
from evorrn.base.settings import check_seed
from evorrn.data.batch import Batch
from evorrn.data.environment import Environment
from evorrn.data.task import Splits, Task
from evorrn.training.assess import assess
from evorrn.training.assessment import Assessment
from evorrn.training.budget import Budget
from evorrn.training.meter import Meter, MeteredProblem
from evorrn.training.result import Result

if TYPE_CHECKING:
    from evorrn.network.network import Network

STRATEGY_STREAM = 1
"""Role of the strategy's random stream, ``SeedSequence(seed, spawn_key=(role,))``; data have a seed of their own."""


class StateMachine(Protocol):
    """What the loop needs of a strategy; `evorrn.strategies.base.Strategy` in full."""

    @property
    def name(self) -> str:
        """As typed on the command line."""

    @property
    def requires(self) -> frozenset[str]:
        """What a problem must provide."""

    def start(self, problem: Any, rng: np.random.Generator) -> dict[str, Any]:
        """Return the state before the first step."""

    def step(self, problem: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Return the state after one step."""


@dataclass(frozen=True)
class Progress:
    """One record of a run, given to callbacks after every step of the strategy."""

    step: int
    work: int
    steps: int
    evaluations: int
    seconds: float
    train_loss: float
    valid_loss: float
    best_loss: float
    extra: dict[str, float] = field(default_factory=dict)


class Trainer:
    """A run in progress: one `step` at a time, with a `state` from which it goes on bit for bit.

    Parameters
    ----------
    strategy : StateMachine
    problem : MeteredProblem
    seed : int
    budget : Budget
    state : dict, optional
        What `state` gave earlier; the run goes on from there.
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
                f"provides {', '.join(sorted(problem.provides))}"
            )
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
        self._learned: tuple[int, float, float] | None = None  # step, tolerance and share: charged once
        if state is None:
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STRATEGY_STREAM,)))
            with self._clock():
                self._strategy_state = strategy.start(problem, rng)
        else:
            self._restore(state)

    def step(self) -> Progress:
        """Take one step of the strategy, validate its candidate, and record both."""
        with self._clock():
            self._strategy_state = self.strategy.step(self.problem, self._strategy_state)
            candidate = self._strategy_state["candidate"]
            train_loss = float(self._strategy_state["train_loss"])
            valid_loss = self._candidate_problem().validate(candidate) if candidate is not None else math.inf
        self.step_count += 1
        if candidate is not None and (self.best_genome is None or valid_loss < self.best_valid):
            finite = math.isfinite(valid_loss)
            self.best_genome = np.array(candidate)
            self.best_options = dict(self._strategy_state.get("cell_options", {}))
            self.best_valid = valid_loss if finite else math.inf
        self.best_train = min(self.best_train, train_loss) if math.isfinite(train_loss) else self.best_train
        return self._record(train_loss, valid_loss)

    def check(self) -> bool:
        """Return whether the run is over, and note in `stopped_by` why."""
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
        """Return everything the run needs to go on, as plain data."""
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

    def _record(self, train_loss: float, valid_loss: float) -> Progress:
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
        candidate = self._strategy_state["candidate"]
        if candidate is None:
            return 0.0
        tolerance = 0.04 if self.budget.tolerance is None else self.budget.tolerance
        if self._learned is None or self._learned[:2] != (self.step_count, tolerance):
            with self._clock():
                share = self._candidate_problem().learned(candidate, tolerance)
            self._learned = (self.step_count, tolerance, share)
        return self._learned[2]

    def _candidate_problem(self) -> MeteredProblem:
        """Return the problem with the cell options that the candidate was made for."""
        return self.problem.with_options(self._strategy_state.get("cell_options", {}))

    def best_network(self) -> Network:
        """Return the network that the best genome belongs to: its cell options are the ones it was made for."""
        return self.problem.with_options(self.best_options).network

    def _clock(self) -> _Clock:
        return _Clock(self.problem.meter)


class _Clock:
    """Adds the wall time of a block to a meter, less what compiling took in it.

    What a block that fails has charged is taken back: the state of the run is still that before it.
    """

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def __enter__(self) -> None:
        self.before = self.meter.as_dict()
        self.started = time.perf_counter()
        self.compiled = self.meter.compile_seconds

    def __exit__(self, failure: object, *_: object) -> None:
        if failure is not None:
            self.meter.__dict__.update(self.before)
            return
        compiling = self.meter.compile_seconds - self.compiled
        self.meter.seconds += max(0.0, time.perf_counter() - self.started - compiling)


def train(trainer: Trainer, callbacks: Sequence[Callable[[Progress], None]] = ()) -> None:
    """Run a trainer until its budget is used, its strategy is finished or a callback stops it."""
    while not trainer.check():
        progress = trainer.step()
        try:
            for callback in callbacks:
                callback(progress)
        except StopTraining as reason:
            trainer.stopped_by = str(reason) or "callback"
            return


def fit(
    strategy: StateMachine,
    network: Network,
    data: Task | Environment | Batch | Splits | Sequence[Batch],
    *,
    seed: int = 0,
    budget: Budget | str | None = None,
    callbacks: Sequence[Callable[[Progress], None]] = (),
) -> Result:
    """Train a network in memory and score it; see `evorrn.strategies.base.Strategy.fit`."""
    seed = check_seed(seed)
    assessment = assess(data, seed)
    limit = getattr(strategy, "default_budget", Budget()) if budget is None else Budget.parse(budget)
    if limit.empty and not getattr(strategy, "ends_by_itself", False):
        raise ConfigError(
            f"budget: {strategy.name} goes on until told to stop; give one, for instance Budget(generations=100)"
        )
    trainer = Trainer(strategy, assessment.problem(network), seed=seed, budget=limit)
    train(trainer, callbacks)
    return finish(trainer, assessment)


def finish(trainer: Trainer, assessment: Assessment) -> Result:
    """Score the genome that validation chose, on test once, and return the result of the run."""
    network = trainer.best_network()
    genome = trainer.best_genome
    if genome is None:  # stopped before the first candidate: an untrained network is the honest answer
        genome = network.init(seed=0)
    return Result(
        genome=genome,
        network=network,
        stopped_by=trainer.stopped_by,
        history={name: np.array(column) for name, column in trainer.history.items()},
        metrics=assessment.scores(network, genome),
        meter=trainer.problem.meter,
        seconds=np.array(trainer.seconds),
        scaling=assessment.scaling,
        horizon=assessment.horizon,
        input_names=assessment.input_names,
        output_names=assessment.output_names,
    )
