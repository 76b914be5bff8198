"""Assessments: the training problem of the runs of one seed, and the scores of their results.

`SequenceAssessment` is for tasks and batches, `evorrn.training.episodes.EpisodeAssessment` for environments. The
training loop and the lab use only the methods of their base class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.data import metrics
from evorrn.data.ahead import detect_horizon, next_inputs
from evorrn.data.label_metrics import evaluate_sequences
from evorrn.losses.find import find_loss
from evorrn.losses.sequence import SequenceLoss
from evorrn.training.calibration import Calibrating, Chosen, halves
from evorrn.training.decoded import answer_steps, decoded_arrays, score_answers, score_decoded
from evorrn.training.problem import Problem, every_step, first_scored

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.data.task import Baselines, Scaling, Splits, Task
    from evorrn.network.network import Network
    from evorrn.training.meter import MeteredProblem
    from evorrn.training.result import Result


@dataclass(frozen=True)
class Record:
    """The outputs of a network on test data, which a run stores.

    Attributes
    ----------
    name : str
        ``"predictions"`` or ``"trajectory"``.
    arrays : dict of str to ndarray
    diverged : bool
        Whether a scored prediction or a return is not finite.
    """

    name: str
    arrays: dict[str, np.ndarray]
    diverged: bool


class Assessment:
    """Base class of assessments: the problem of a run, and the scores of its genome.

    Attributes
    ----------
    scaling : Scaling or None
        Converts between original and scaled units; None when they are the same.
    horizon : int or None
        1 when the targets are the first inputs of the next step.
    input_names, output_names : tuple of str
        Empty when inputs and outputs have no names.
    """

    scaling: Scaling | None = None
    horizon: int | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()

    def sees_targets(self, network: Network) -> bool:
        """Return whether a network also reads backward, and so sees the later inputs that it is to predict."""
        return False

    def problem(self, network: Network) -> MeteredProblem:
        """Return the problem with training and validation data; raise ShapeError when data do not fit the network."""
        raise NotImplementedError

    def scores(self, network: Network, genome: np.ndarray) -> dict[str, dict[str, float]]:
        """Return ``{split: {metric: value}}`` of a genome, for all splits that exist."""
        raise NotImplementedError

    def predictions(
        self, network: Network, genome: np.ndarray, calibrating: Calibrating = None
    ) -> dict[str, np.ndarray] | None:
        """Return what `evorrn.Result.predictions` holds; None without test data, and in an environment.

        `calibrating` are the best networks on the first and on the second half of validation, see `Calibration`.
        """
        return None

    def record(self, result: Result) -> Record:
        """Return the outputs on test data of the network of a result."""
        raise NotImplementedError

    def baselines(self, metric: str) -> dict[str, float]:
        """Return ``{name: value}``: the value of a metric on test data of each trivial baseline."""
        raise NotImplementedError

    def baseline_seconds(self) -> dict[str, float]:
        """Return the wall time of the baselines and of the comparators that were computed, of those that were measured."""
        return {}

    def baseline_records(self) -> dict[str, dict[str, np.ndarray]]:
        """Return for each baseline of a forecast its predictions on test and its residuals on validation, else nothing."""
        return {}

    def comparators(self, metric: str, names: Sequence[str]) -> dict[str, float]:
        """Return the same for the models that are compared with, those that are named and the usual ones."""
        return {}


class SequenceAssessment(Assessment):
    """The assessment of sequences: predictions against targets.

    Parameters
    ----------
    splits : Splits
    task : Task, optional
        The source of the data. Without a task, the loss of the network determines the metrics.
    free_run : bool, optional
        Whether validation and test run in closed loop; by default as the task says, else not.

    Raises
    ------
    ConfigError
        When a free run is wanted of data whose targets are not the next inputs.
    """

    def __init__(self, splits: Splits, task: Task | None = None, free_run: bool | None = None) -> None:
        self.splits = splits
        self.task = task
        self.free_run = (task is not None and task.free_run) if free_run is None else free_run
        self.scaling = splits.scaling
        self.horizon = task.horizon if task is not None else detect_horizon(splits.train)
        self.forecasts = bool(self.horizon)
        if free_run and self.horizon != 1:
            raise ConfigError("free_run: expected data whose targets are the first inputs of the next step")
        self.input_names = task.input_names if task is not None else ()
        self.output_names = task.output_names if task is not None else ()
        self.step_time = task.step_time if task is not None else 1.0
        self._names = self.output_names
        self._compared: dict[tuple[str, ...], Baselines] = {}

    def sees_targets(self, network: Network) -> bool:
        """Return whether a network also reads backward, and so sees the later inputs that it is to predict."""
        told = self.task is not None and self.task.predicts_inputs
        backward = getattr(network, "bidirectional", False)
        return bool(backward and (told or next_inputs(self.splits.train)))

    def problem(self, network: Network) -> Problem:
        """Return the problem of the training and validation sequences; raise ShapeError when data do not fit."""
        if self.splits.test is not None:  # checked before the run, so that no budget is spent in vain
            network.check_batch(self.splits.test)
        return Problem(
            network,
            self.splits.train,
            self.splits.valid,
            free_run=self.free_run,
            calibrated=self._calibrates(network),
        )

    def scores(self, network: Network, genome: np.ndarray) -> dict[str, dict[str, float]]:
        """Return the metrics of all splits that exist, in original units."""
        loss = network.loss_function
        names = (
            self.task.metrics
            if self.task is not None
            else (*loss.metrics, *self._of_free_runs, *self._of_votes)
        )
        given = {
            split: batch for split, batch in zip(("train", "valid", "test"), self.splits) if batch is not None
        }
        found = {split: self.outputs(network, genome, split) for split in given}
        judges = self.task.judges if self.task is not None else ()
        judged = self.task.judged(self.splits, found) if self.task is not None else {}
        measured = {}
        for split, batch in given.items():
            free_run, outputs = self.free_run and split != "train", found[split]
            shown = names if free_run else [name for name in names if name not in metrics.FREE_RUN]
            if network.decodes:
                assert isinstance(loss, SequenceLoss)
                measured[split] = score_answers(network, genome, outputs, batch, shown or loss.measured)
                continue
            if isinstance(loss, SequenceLoss):
                measured[split] = score_decoded(loss, outputs, batch, shown or loss.measured)
                continue
            own = [name for name in shown if name not in judges]
            scaling = self.splits.scaling
            values = score(
                outputs, batch, [*own, *self._by_target(own)], scaling, self._names, self.step_time
            )
            values |= judged.get(split, {})
            first = [name for name in shown if name in values]
            measured[split] = {name: values[name] for name in dict.fromkeys([*first, *values])}
        return measured

    def outputs(self, network: Network, genome: np.ndarray, split: str) -> np.ndarray:
        """Return the outputs (B, T, O) of a genome that are scored, for the split ``"train"``, ``"valid"`` or ``"test"``."""
        return predictions(network, genome, getattr(self.splits, split), self.free_run and split != "train")

    @property
    def _of_free_runs(self) -> tuple[str, ...]:
        """The metrics of free runs of batches: valid time, spectrum, and the error after 84 steps where they have so many."""
        if not self.free_run or self.task is not None:
            return ()
        judged = [batch for batch in (self.splits.valid, self.splits.test) if batch is not None]
        long = all((batch.scored.sum(axis=1) == 84).all() for batch in judged)
        return ("valid_time", *(("nrmse84",) if long else ()), "spectral_distance")

    @property
    def _of_votes(self) -> tuple[str, ...]:
        """The metric of batches whose sequences have one class at all of several scored steps."""
        return ("vote_accuracy",) if self.splits.train.one_class else ()

    def _by_target(self, names: Sequence[str]) -> list[str]:
        """Return the metrics of each target of a table with several of them, for instance ``rmse[load]``."""
        several = self.task is not None and bool(self.task.column_names) and len(self._names) > 1
        return [f"{name}[{target}]" for target in self._names for name in names] if several else []

    def comparators(self, metric: str, names: Sequence[str]) -> dict[str, float]:
        """Return the scores of the comparators of the task, see `evorrn.Task.comparators`."""
        assert self.task is not None
        key = tuple(names)
        if key not in self._compared:
            self._compared[key] = self.task.comparators(self.splits, names)
        return self._scored(self._compared[key], metric)

    def baseline_seconds(self) -> dict[str, float]:
        """Return the wall time of each prediction that the task has measured."""
        found: dict[str, float] = {}
        for outputs in (self._baseline_outputs, *self._compared.values()):
            found |= getattr(outputs, "seconds", {})
        return found

    @cached_property
    def _baseline_outputs(self) -> Baselines:
        """The predictions of the baselines on test data, (B, T, O), or their metrics."""
        assert self.task is not None
        return self.task.baselines(self.splits)

    def predictions(
        self, network: Network, genome: np.ndarray, calibrating: Calibrating = None
    ) -> dict[str, np.ndarray] | None:
        """Return targets and predictions of test data in original units.

        With them are the dates of targets that have some and, of a forecast, the residuals on validation.
        """
        batch = self.splits.test
        if batch is None:
            return None
        predicted, truth = self.outputs(network, genome, "test"), batch.targets
        if self.splits.scaling is not None and not batch.labelled:
            predicted, truth = (
                self.splits.scaling.restore_targets(predicted),
                self.splits.scaling.restore_targets(truth),
            )
        arrays = {"truth": truth, "predicted": predicted, "scored": batch.scored}
        if isinstance(network.loss_function, SequenceLoss):
            arrays |= decoded_arrays(network.loss_function, predicted, batch)
        if network.decodes:
            arrays["scored"] = np.arange(predicted.shape[1]) <= arrays["token_lengths"][:, None]
        arrays |= {} if self.splits.dates is None else {"dates": self.splits.dates}
        if not self._calibrates(network):
            return arrays
        judges = (Chosen(network, genome),) * 2 if calibrating is None else calibrating
        return {**arrays, "residuals": self._residuals(*judges)}

    def _calibrates(self, network: Network) -> bool:
        """Whether there are residuals on validation, for prediction intervals: of forecasts of numbers alone."""
        valid = self.splits.valid
        forecast = self.forecasts and not self.free_run and network.loss_name == "mse"
        return forecast and valid is not None and not valid.labelled

    def _residuals(self, early: Chosen, late: Chosen) -> np.ndarray:
        """Return truth minus prediction (n, O) at the scored steps of validation, in original units.

        On each half they are those of the network that is best on the other half.
        """
        batch = self.splits.valid
        assert batch is not None
        first, _ = halves(batch)
        on_first, on_second = self.outputs(*late, "valid"), self.outputs(*early, "valid")
        outputs = np.where(first[:, :, None], on_first, on_second)
        difference = (batch.targets - outputs)[batch.scored]
        scaling = self.splits.scaling
        return difference if scaling is None else difference * scaling.target_deviation

    def baseline_records(self) -> dict[str, dict[str, np.ndarray]]:
        """Return for each baseline of a forecast what `predictions` holds of a network; empty where it is no forecast.

        Among them are the usual comparators of the task. Residuals are those of the same predictions on validation.
        """
        task, valid, test = self.task, self.splits.valid, self.splits.test
        if (
            task is None
            or valid is None
            or test is None
            or not self.forecasts
            or self.free_run
            or test.labelled
        ):
            return {}
        on_valid = replace(self.splits, test=valid)
        ahead = {**task.baselines(on_valid), **task.comparators(on_valid, ())}
        found = {}
        for name, outputs in {**self._baseline_outputs, **task.comparators(self.splits, ())}.items():
            known = ahead.get(name)
            if isinstance(outputs, np.ndarray) and isinstance(known, np.ndarray):
                difference = (valid.targets - known)[valid.scored]
                arrays = {"truth": test.targets, "predicted": outputs}
                scaling = self.splits.scaling
                if scaling is not None:
                    arrays = {key: scaling.restore_targets(values) for key, values in arrays.items()}
                    difference = difference * scaling.target_deviation
                found[name] = {**arrays, "scored": test.scored, "residuals": difference}
        return found

    def record(self, result: Result) -> Record:
        """Return the predictions of a result, which the splits of a task always have."""
        arrays = result.predictions
        assert arrays is not None
        return Record(
            "predictions", arrays, not bool(np.isfinite(arrays["predicted"][arrays["scored"]]).all())
        )

    def baselines(self, metric: str) -> dict[str, float]:
        """Return the scores of the baselines of the task."""
        return self._scored(self._baseline_outputs, metric)

    def _scored(self, found: Baselines, metric: str) -> dict[str, float]:
        """Return a metric of named predictions of test data; what has no value of this metric is left out."""
        values = {}
        for name, each in found.items():
            if not isinstance(each, Mapping):
                values[name] = self._score(each, metric)
            elif metric in each:
                values[name] = each[metric]
        return values

    def _score(self, outputs: np.ndarray | Sequence[np.ndarray], metric: str) -> float:
        """Return a metric of predictions (B, T, O) of test data, or of one array of symbols a sequence."""
        batch = self.splits.test
        assert batch is not None
        if not isinstance(outputs, np.ndarray):
            return evaluate_sequences([metric], outputs, batch.rows)[metric]
        if self.task is not None and isinstance(loss := find_loss(self.task.loss), SequenceLoss):
            return score_decoded(loss, outputs, batch, [metric])[metric]
        return score(outputs, batch, [metric], self.splits.scaling, self._names, self.step_time)[metric]


def predictions(network: Network, genome: np.ndarray, batch: Batch, free_run: bool) -> np.ndarray:
    """Return the outputs (B, T, O) of a genome on a batch; with `free_run` in closed loop from the first scored step.

    A network that sees its own output is taught until then, see `evorrn.Network.warm_up`.
    """
    if network.decodes:
        steps = answer_steps(batch)
        outputs: np.ndarray = network.predict(genome, batch.inputs, lengths=batch.lengths, steps=steps)
        return outputs
    free_from, teacher = first_scored(batch) if free_run else None, network.warm_up(batch)
    about: dict[str, Any] = {"free_from": free_from, "teacher": teacher, "links": batch.links}
    about |= {"steps": batch.steps} if batch.vectors else {}
    return every_step(network, network.predict(genome, batch.inputs, lengths=batch.lengths, **about), batch)


def score(
    outputs: np.ndarray,
    batch: Batch,
    names: Sequence[str],
    scaling: Scaling | None,
    output_names: Sequence[str] = (),
    step_time: float = 1.0,
) -> dict[str, float]:
    """Return the metrics of outputs (B, T, O) over the scored entries of a batch, in original units.

    A name like ``rmse[load]`` is that of a metric of one of the `output_names`, any other is over all outputs.
    `step_time` are the Lyapunov times between two steps.
    """
    predicted = outputs[batch.scored]
    truth = batch.targets[batch.scored]
    if scaling is not None and not batch.labelled:
        predicted, truth = scaling.restore_targets(predicted), scaling.restore_targets(truth)
    counts = batch.scored.sum(axis=1)
    ends = np.cumsum(counts)[counts > 0] - 1
    single = {
        f"{name}[{target}]": (name, at) for at, target in enumerate(output_names) for name in metrics.METRICS
    }
    found = metrics.evaluate(
        [name for name in names if name not in single], predicted, truth, ends, step_time
    )
    for full in names:
        if full in single:
            name, place = single[full]
            column = slice(place, place + 1)
            found[full] = metrics.evaluate([name], predicted[:, column], truth[:, column], ends, step_time)[
                name
            ]
    return found
