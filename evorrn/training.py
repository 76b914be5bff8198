"""The one training loop: it owns budget, stopping rules, callbacks, checkpoints and the score on test."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evorrn import metrics
from evorrn.batch import Batch
from evorrn.budget import Budget
from evorrn.errors import ConfigError, StopTraining
from evorrn.problem import Meter, Problem, first_scored
from evorrn.result import Result
from evorrn.settings import check_seed
from evorrn.task import Scaling, Splits, Task

if TYPE_CHECKING:
    from evorrn.network import Network

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

    def start(self, problem: Problem, rng: np.random.Generator) -> dict[str, Any]:
        """Return the state before the first step."""

    def step(self, problem: Problem, state: dict[str, Any]) -> dict[str, Any]:
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
    problem : Problem
    seed : int
    budget : Budget
    state : dict, optional
        What `state` gave earlier; the run goes on from there.
    """

    def __init__(
        self,
        strategy: StateMachine,
        problem: Problem,
        *,
        seed: int,
        budget: Budget,
        state: dict[str, Any] | None = None,
    ) -> None:
        missing = sorted(set(strategy.requires) - problem.provides)
        if missing:
            raise ConfigError(f"strategy {strategy.name}: needs a problem that provides {', '.join(missing)}")
        self.strategy = strategy
        self.problem = problem
        self.budget = budget
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

    def _candidate_problem(self) -> Problem:
        """Return the problem with the cell options that the candidate was made for."""
        return self.problem.with_options(self._strategy_state.get("cell_options", {}))

    def best_network(self) -> Network:
        """Return the network that the best genome belongs to: its cell options are the ones it was made for."""
        return self.problem.with_options(self.best_options).network

    def _clock(self) -> _Clock:
        return _Clock(self.problem.meter)


class _Clock:
    """Adds the wall time of a block to a meter, less what compiling took in it."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def __enter__(self) -> None:
        self.started = time.perf_counter()
        self.compiled = self.meter.compile_seconds

    def __exit__(self, *_: object) -> None:
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
    data: Task | Batch | Splits | Sequence[Batch],
    *,
    seed: int = 0,
    budget: Budget | str | None = None,
    callbacks: Sequence[Callable[[Progress], None]] = (),
) -> Result:
    """Train a network in memory and score it; see `evorrn.strategies.base.Strategy.fit`."""
    seed = check_seed(seed)
    task = data if isinstance(data, Task) else None
    splits = as_splits(data, seed)
    limit = getattr(strategy, "default_budget", Budget()) if budget is None else Budget.parse(budget)
    if limit.empty and not getattr(strategy, "ends_by_itself", False):
        raise ConfigError(
            f"budget: {strategy.name} goes on until told to stop; give one, for instance Budget(generations=100)"
        )
    if splits.test is not None:  # before the budget is spent, not after
        network.check_batch(splits.test)
    free_run = task is not None and task.free_run
    problem = Problem(network, splits.train, splits.valid, free_run=free_run)
    trainer = Trainer(strategy, problem, seed=seed, budget=limit)
    train(trainer, callbacks)
    return finish(trainer, splits, task)


def finish(trainer: Trainer, splits: Splits, task: Task | None) -> Result:
    """Score the genome that validation chose, on test once, and return the result of the run."""
    network = trainer.best_network()
    genome = trainer.best_genome
    if genome is None:  # stopped before the first candidate: an untrained network is the honest answer
        genome = network.init(seed=0)
    free_run = trainer.problem.free_run
    names = task.metrics if task is not None else default_metrics(network)
    measured = {}
    for split, batch in (("train", splits.train), ("valid", splits.valid), ("test", splits.test)):
        if batch is not None:
            outputs = predictions(network, genome, batch, free_run and split != "train")
            measured[split] = score(outputs, batch, names, splits.scaling)
    return Result(
        genome=genome,
        network=network,
        stopped_by=trainer.stopped_by,
        history={name: np.array(column) for name, column in trainer.history.items()},
        metrics=measured,
        meter=trainer.problem.meter,
        seconds=np.array(trainer.seconds),
        scaling=splits.scaling,
        horizon=task.horizon if task is not None else detect_horizon(splits.train),
        input_names=task.input_names if task is not None else (),
        output_names=task.output_names if task is not None else (),
    )


def as_splits(data: Task | Batch | Splits | Sequence[Batch], seed: int) -> Splits:
    """Return the splits of a task, or of one to three batches given by hand."""
    if isinstance(data, Task):
        return data.data(seed)
    if isinstance(data, Splits):
        return data
    batches = list(data) if isinstance(data, Sequence) else [data]
    if not 1 <= len(batches) <= 3 or not all(isinstance(batch, Batch) for batch in batches):
        raise ConfigError(
            "data: expected a Task, a Batch, or a sequence (train, valid, test) of one to three Batch"
        )
    valid, test = [*batches[1:], None, None][:2]
    return Splits(batches[0], valid, test)


def predictions(network: Network, genome: np.ndarray, batch: Batch, free_run: bool) -> np.ndarray:
    """Return the outputs (B, T, O) of a genome on a batch, in closed loop from the first scored step if asked."""
    free_from = first_scored(batch) if free_run else None
    return network.predict(genome, batch.inputs, lengths=batch.lengths, free_from=free_from)


def score(
    outputs: np.ndarray, batch: Batch, names: Sequence[str], scaling: Scaling | None
) -> dict[str, float]:
    """Return the metrics of outputs (B, T, O) over the scored entries of a batch, in original units."""
    predicted = outputs[batch.scored]
    truth = batch.targets[batch.scored]
    if scaling is not None and not batch.labelled:
        predicted, truth = scaling.restore_targets(predicted), scaling.restore_targets(truth)
    return metrics.evaluate(names, predicted, truth)


def default_metrics(network: Network) -> tuple[str, ...]:
    """Return the metrics of a run without a task, by the loss of its network."""
    return {
        "mse": ("nrmse_std", "rmse"),
        "cross-entropy": ("accuracy", "cross_entropy"),
        "binary-cross-entropy": ("binary_accuracy", "binary_cross_entropy"),
    }[network.loss_name]


def detect_horizon(batch: Batch) -> int | None:
    """Return 1 when every target is the next step's first inputs, so that the network can run free."""
    if batch.labelled or batch.n_outputs > batch.n_inputs or batch.steps < 2:
        return None
    assert batch.lengths is not None
    ahead = batch.inputs[:, 1:, : batch.n_outputs]
    inside = batch.scored[:, :-1] & (np.arange(1, batch.steps)[None, :] < batch.lengths[:, None])
    same = np.array_equal(ahead[inside], batch.targets[:, :-1][inside])
    return 1 if same and inside.any() else None
