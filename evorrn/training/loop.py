"""The training loop, which every strategy and the lab use: `fit` in memory, `train` and `finish` for a trainer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError, StopTraining
from evorrn.base.settings import check_seed
from evorrn.data.batch import Batch
from evorrn.data.environment import Environment
from evorrn.data.task import Splits, Task
from evorrn.training.assess import assess
from evorrn.training.assessment import Assessment
from evorrn.training.budget import Budget
from evorrn.training.progress import Progress
from evorrn.training.result import Result
from evorrn.training.trainer import StateMachine, Trainer

if TYPE_CHECKING:
    from evorrn.network.network import Network


def train(trainer: Trainer, callbacks: Sequence[Callable[[Progress], None]] = ()) -> None:
    """Run a trainer until its budget is used, its strategy is finished or a callback raises StopTraining.

    Parameters
    ----------
    trainer : Trainer
    callbacks : sequence of callable
        Each is called with the `Progress` of every step.
    """
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
    free_run: bool | None = None,
) -> Result:
    """Train a network, score it, and return the result; `evorrn.Strategy.fit` describes the parameters.

    Raises
    ------
    ConfigError
        When the strategy needs a budget and there is none, or none that must end the run, or an argument is wrong.
    """
    seed = check_seed(seed)
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise ConfigError(f"callbacks: expected a list of functions of one argument, got {callbacks!r}")
    if isinstance(network, type) or not hasattr(network, "fitness"):
        raise ConfigError(
            f"network: expected an evorrn.Network, for instance Network.for_task(task), got {type(network).__name__}"
        )
    assessment = assess(data, seed, free_run)
    limit = getattr(strategy, "default_budget", Budget()) if budget is None else Budget.given(budget)
    if not getattr(strategy, "ends_by_itself", False):
        limit.check_end(strategy.name)
    trainer = Trainer(strategy, assessment.problem(network), seed=seed, budget=limit)
    train(trainer, callbacks)
    return finish(trainer, assessment)


def finish(trainer: Trainer, assessment: Assessment) -> Result:
    """Return the result of a run, with the scores of the genome that had the lowest validation loss.

    Test data are scored only here. Where no step had a candidate, for instance because every reservoir diverged, the result
    is an untrained network, whose scores are NaN.
    """
    network = trainer.best_network()
    genome = network.init(seed=0) if trainer.best_genome is None else trainer.best_genome
    scores = assessment.scores(network, genome)
    if trainer.best_genome is None:
        scores = {split: dict.fromkeys(values, math.nan) for split, values in scores.items()}
    return Result(
        genome=genome,
        network=network,
        stopped_by=trainer.stopped_by,
        history={name: np.array(column) for name, column in trainer.history.items()},
        metrics=scores,
        meter=trainer.problem.meter,
        seconds=np.array(trainer.seconds),
        scaling=assessment.scaling,
        horizon=assessment.horizon,
        input_names=assessment.input_names,
        output_names=assessment.output_names,
        predictions=assessment.predictions(network, genome, trainer.calibrating()),
        sees_targets=assessment.sees_targets(network),
    )
