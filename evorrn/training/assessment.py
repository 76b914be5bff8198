"""Assessment: what the runs of one seed are trained on, and how what comes out of them is judged.

A task makes one from its splits, an environment one from its starts; the training loop and the lab ask
both the same, and know nothing of the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evorrn.data import metrics
from evorrn.data.batch import Batch
from evorrn.data.task import Scaling, Splits, Task
from evorrn.training.meter import MeteredProblem
from evorrn.training.problem import Problem, first_scored

if TYPE_CHECKING:
    from evorrn.network.network import Network


@dataclass(frozen=True)
class Record:
    """What a network did on test, as a run keeps it.

    Attributes
    ----------
    name : str
        ``"predictions"`` or ``"trajectory"``.
    arrays : dict of str to ndarray
    diverged : bool
        Whether something that counts is not finite.
    """

    name: str
    arrays: dict[str, np.ndarray]
    diverged: bool


class Assessment:
    """Makes the problem of a run, and judges the genome that comes out of it.

    Attributes
    ----------
    scaling : Scaling or None
        Between original units and the network's; None when they are the same.
    horizon : int or None
        1 when the target is the next step's first inputs.
    input_names, output_names : tuple of str
        Empty when nothing has a name.
    """

    scaling: Scaling | None = None
    horizon: int | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()

    def problem(self, network: Network) -> MeteredProblem:
        """Return what a network is trained and validated on; raises ShapeError when test data do not fit it."""
        raise NotImplementedError

    def scores(self, network: Network, genome: np.ndarray) -> dict[str, dict[str, float]]:
        """Return ``{split: {metric: value}}`` of a genome, for every split there is."""
        raise NotImplementedError

    def record(self, network: Network, genome: np.ndarray) -> Record:
        """Return what a genome does on test."""
        raise NotImplementedError

    def baselines(self, metric: str) -> dict[str, float]:
        """Return what is reached on test without training, by name."""
        raise NotImplementedError


class SequenceAssessment(Assessment):
    """The assessment of sequences: predictions against targets.

    Parameters
    ----------
    splits : Splits
    task : Task, optional
        Where the data come from; without one, metrics follow from the network's loss.
    """

    def __init__(self, splits: Splits, task: Task | None = None) -> None:
        self.splits = splits
        self.task = task
        self.free_run = task is not None and task.free_run
        self.scaling = splits.scaling
        self.horizon = task.horizon if task is not None else detect_horizon(splits.train)
        self.input_names = task.input_names if task is not None else ()
        self.output_names = task.output_names if task is not None else ()

    def problem(self, network: Network) -> Problem:
        """Return the problem of the training and validation sequences."""
        if self.splits.test is not None:  # before the budget is spent, not after
            network.check_batch(self.splits.test)
        return Problem(network, self.splits.train, self.splits.valid, free_run=self.free_run)

    def scores(self, network: Network, genome: np.ndarray) -> dict[str, dict[str, float]]:
        """Return the metrics of every split there is, in original units."""
        names = self.task.metrics if self.task is not None else network.loss_function.metrics
        measured = {}
        for split, batch in zip(("train", "valid", "test"), self.splits):
            if batch is not None:
                outputs = predictions(network, genome, batch, self.free_run and split != "train")
                measured[split] = score(outputs, batch, names, self.scaling)
        return measured

    def record(self, network: Network, genome: np.ndarray) -> Record:
        """Return truth (B, T, O), predicted (B, T, O) and scored (B, T) of test, in original units."""
        batch = self.splits.test
        assert batch is not None  # the Task contract
        predicted, truth = predictions(network, genome, batch, self.free_run), batch.targets
        if self.scaling is not None and not batch.labelled:
            predicted, truth = self.scaling.restore_targets(predicted), self.scaling.restore_targets(truth)
        diverged = not bool(np.isfinite(predicted[batch.scored]).all())
        return Record(
            "predictions", {"truth": truth, "predicted": predicted, "scored": batch.scored}, diverged
        )

    def baselines(self, metric: str) -> dict[str, float]:
        """Return the score of the task's trivial predictions."""
        assert self.task is not None and self.splits.test is not None
        return {
            name: score(outputs, self.splits.test, [metric], self.scaling)[metric]
            for name, outputs in self.task.baselines(self.splits).items()
        }


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


def detect_horizon(batch: Batch) -> int | None:
    """Return 1 when every target is the next step's first inputs, so that the network can run free."""
    if batch.labelled or batch.n_outputs > batch.n_inputs or batch.steps < 2:
        return None
    assert batch.lengths is not None
    ahead = batch.inputs[:, 1:, : batch.n_outputs]
    inside = batch.scored[:, :-1] & (np.arange(1, batch.steps)[None, :] < batch.lengths[:, None])
    same = np.array_equal(ahead[inside], batch.targets[:, :-1][inside])
    return 1 if same and inside.any() else None
