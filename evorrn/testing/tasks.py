"""The check of a task's contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.base.settings import build
from evorrn.data import metrics
from evorrn.data.ahead import next_inputs
from evorrn.data.batch import Batch
from evorrn.data.find import TASKS
from evorrn.data.label_metrics import SEQUENCE_METRICS, evaluate_sequences
from evorrn.data.task import Recommended, Reference, Scaling, Splits, Task
from evorrn.losses.base import Loss
from evorrn.losses.find import find_loss, losses
from evorrn.losses.sequence import SequenceLoss
from evorrn.network.form import form_of
from evorrn.testing.checking import Checking, made
from evorrn.training.decoded import score_decoded

STRATEGIES = ("ga", "esn", "bptt", "random")


def check_task(task: Task | type[Task] | str, *, seed: int = 0) -> None:
    """Check that a task keeps its contract: shapes, seeds, scaling, horizon, baselines, recommendations.

    Parameters
    ----------
    task : Task, type or str
        Preferably with small data, which are made several times. A class, a name or ``"file.py:name"`` stands for
        the task with the default settings.
    seed : int
        Seed of the data.

    Raises
    ------
    AssertionError
        Naming every rule that the task breaks.
    EvorrnError
        When there is no such task, or it cannot be made.

    Examples
    --------
    >>> import evorrn
    >>> from evorrn.testing import check_task
    >>> check_task(evorrn.task("sunspots"))
    """
    checked = made(task, TASKS.find_with_settings, Task, "a task")
    checking = Checking(f"check_task {type(checked).__name__}")
    with checking.part("declarations"):
        _check_declarations(checking, checked)
    splits = None
    with checking.part(f"data of seed {seed}"):
        splits = checked.data(seed)
        for name, batch in (("train", splits.train), ("valid", splits.valid), ("test", splits.test)):
            if not isinstance(batch, Batch):
                splits = None
                raise AssertionError(f"{name}: expected a Batch, got {type(batch).__name__}")
            _check_batch(checking, checked, name, batch)
    if splits is not None:
        with checking.part(f"data of seed {seed} again, and of seed {seed + 1}"):
            _check_seeds(checking, checked, seed, splits)
        if splits.scaling is not None:
            with checking.part("scaling"):
                _check_scaling(checking, checked, splits.scaling)
        with checking.part("baselines"):
            _check_baselines(checking, checked, splits)
    for strategy in STRATEGIES:
        with checking.part(f"recommendation for {strategy}"):
            recommended = checked.recommended(strategy)
            right = isinstance(recommended, Recommended)
            checking.require(right, f"recommended({strategy!r}): expected Recommended")
    checking.finish()


def _loss(task: Task) -> Loss | None:
    """Return the loss of a task, None where it cannot be found."""
    try:
        return find_loss(task.loss)
    except EvorrnError:
        return None


def _check_declarations(checking: Checking, task: Task) -> None:
    """Check the name, the settings and the other declarations."""
    kind = type(task)
    checking.require(isinstance(getattr(kind, "name", None), str) and bool(kind.name), "name: expected text")
    checking.require(bool(kind.doc), f"{kind.__name__}: expected a docstring that says how the data are made")
    checking.require(dataclasses.is_dataclass(kind), f"{kind.__name__}: expected @dataclass(frozen=True)")
    known = [name for name, loss in losses().items() if loss.targets != "none"]
    found = _loss(task)
    checking.require(
        found is not None and found.targets != "none",
        f"loss: expected one of {', '.join(known)}, got {task.loss!r}",
    )
    checking.require(bool(task.metrics), "metrics: expected at least one")
    whole = isinstance(found, SequenceLoss)
    decoded = getattr(task, "network_form", {}).get("kind") == "encoder-decoder"
    valid = (
        {*SEQUENCE_METRICS, "cross_entropy" if decoded or found is None else found.name}
        if whole or decoded
        else metrics.METRICS
    )
    for name in task.metrics:
        keys = "SEQUENCE_METRICS" if whole or decoded else "METRICS"
        checking.require(name in valid, f"metrics: expected keys of {keys}, got {name!r}")
    for names, width in ((task.input_names, task.inputs), (task.output_names, task.outputs)):
        checking.require(len(set(names)) == width, f"names: expected {width} different ones, got {names}")
    for reference in task.references:
        complete = isinstance(reference, Reference) and np.isfinite(reference.value) and reference.source
        checking.require(
            bool(complete), f"references: expected a finite value with its source, got {reference}"
        )
    try:
        form_of(task)
    except ConfigError as error:
        checking.require(False, str(error))
    again = build(kind, task.values(), "task")
    checking.require(again == task, "settings: expected values() to make the same task")


def _check_batch(checking: Checking, task: Task, name: str, batch: Batch) -> None:
    """Check the shapes and values of a split."""
    fits = batch.n_inputs <= task.inputs if batch.symbols else batch.n_inputs == task.inputs
    checking.require(fits, f"{name}: expected {task.inputs} inputs, got {batch.n_inputs}")
    arity = 0 if batch.links is None else batch.links.shape[2]
    checking.require(arity == task.arity, f"{name}: expected links to {task.arity} predecessors, got {arity}")
    loss = find_loss(task.loss)
    if isinstance(loss, SequenceLoss):
        checking.require(batch.whole, f"{name}: expected labels of whole sequences, with target_lengths")
        assert batch.lengths is not None
        for problem in loss.problems(batch.rows, batch.lengths) if batch.whole else []:
            checking.require(False, f"{name}: {problem}")
    labels = loss.labels or isinstance(loss, SequenceLoss)
    checking.require(batch.labelled == labels, f"{name}: expected {'labels' if labels else 'float targets'}")
    fits = batch.n_outputs <= task.outputs if labels else batch.n_outputs == task.outputs
    checking.require(fits, f"{name}: expected {task.outputs} outputs, got {batch.n_outputs}")
    if loss.logits and not labels:
        values = batch.targets[batch.scored]
        checking.require(bool(((values >= 0) & (values <= 1)).all()), f"{name}: expected targets from 0 to 1")
    if task.free_run and name != "train":
        checking.require(not batch.scored[:, 0].any(), f"{name}: expected unscored steps before the free run")
    said = task.predicts_inputs or not next_inputs(batch)
    checking.require(said, f"{name}: expected predicts_inputs = True, since the targets are the next inputs")
    if task.horizon is not None:
        ahead = batch.inputs[:, task.horizon :, : task.outputs]
        wanted = batch.targets[:, : ahead.shape[1]]
        assert batch.lengths is not None
        inside = np.arange(task.horizon, task.horizon + ahead.shape[1]) < batch.lengths[:, None]
        inside &= batch.scored[:, : ahead.shape[1]]
        same = np.allclose(ahead[inside], wanted[inside], rtol=1e-12, atol=1e-12)
        checking.require(same, f"{name}: expected the first inputs {task.horizon} steps later as targets")


def _check_seeds(checking: Checking, task: Task, seed: int, splits: Splits) -> None:
    """Check that a seed gives the same data again, and what another seed changes."""
    before = _global_generator()
    again, other = task.data(seed), task.data(seed + 1)
    checking.require(_global_generator() == before, "data: expected no draw from NumPy's global generator")
    checking.require(_bytes(again) == _bytes(splits), f"data: expected the same bytes again for seed {seed}")
    changes = _bytes(other) != _bytes(splits)
    checking.require(task.seed_changes in ("data", "training"), "seed_changes: expected 'data' or 'training'")
    wanted = task.seed_changes == "data"
    checking.require(
        changes == wanted,
        f"seed_changes: {task.seed_changes!r}, but another seed gives {'other' if changes else 'the same'} data",
    )


def _check_scaling(checking: Checking, task: Task, scaling: Scaling) -> None:
    """Check the shapes and values of the scaling."""
    for name, value, width in (
        ("input_mean", scaling.input_mean, task.inputs),
        ("input_deviation", scaling.input_deviation, task.inputs),
        ("target_mean", scaling.target_mean, task.outputs),
        ("target_deviation", scaling.target_deviation, task.outputs),
    ):
        shape = np.shape(value)
        checking.require(shape == (width,), f"scaling.{name}: expected shape ({width},), got {shape}")
        good = np.isfinite(value).all() and ("mean" in name or np.min(value) > 0)
        checking.require(
            bool(good), f"scaling.{name}: expected finite numbers, deviations above 0, got {value}"
        )
    if task.horizon is not None:
        own = slice(0, task.outputs)
        same = np.array_equal(scaling.input_mean[own], scaling.target_mean)
        same &= np.array_equal(scaling.input_deviation[own], scaling.target_deviation)
        checking.require(
            same, "scaling: expected the inputs that are past targets to be scaled as the targets are"
        )


def _check_baselines(checking: Checking, task: Task, splits: Splits) -> None:
    """Check the baselines' shapes, and that none uses the test targets or later inputs."""
    test = splits.test
    assert test is not None
    given = task.baselines(splits)
    for name, values in given.items():
        if isinstance(values, Mapping):
            good = (
                bool(values) and set(values) <= set(task.metrics) and np.isfinite(list(values.values())).all()
            )
            checking.require(
                bool(good), f"baseline {name}: expected finite values of the metrics of the task"
            )
    predicted = {name: each for name, each in given.items() if not isinstance(each, Mapping)}
    checking.require(bool(given), "baselines: expected at least one")
    loss, scored = _loss(task), test.scored
    known = [name for name in task.metrics if name in metrics.METRICS and name not in task.judges]
    wanted = (test.size, test.steps, task.outputs)
    answers = {
        name: each for name, each in predicted.items() if test.whole and isinstance(each, list | tuple)
    }
    found = {name: np.asarray(each) for name, each in predicted.items() if name not in answers}
    for name, rows in answers.items():
        checking.require(
            len(rows) == test.size,
            f"baseline {name}: expected an array of symbols for each of {test.size} sequences, got {len(rows)}",
        )
        evaluate_sequences([each for each in task.metrics if each in SEQUENCE_METRICS], rows, test.rows)
    for name, outputs in found.items():
        shape = np.shape(outputs)
        checking.require(shape == wanted, f"baseline {name}: expected shape {wanted}, got {shape}")
        checking.require(bool(np.isfinite(outputs).all()), f"baseline {name}: expected finite predictions")
        if shape == wanted and isinstance(loss, SequenceLoss):
            score_decoded(loss, np.asarray(outputs), test, task.metrics)
        elif shape == wanted:
            metrics.evaluate(known, outputs[scored], test.targets[scored])
    changes: dict[str, Any] = {"targets": -test.targets - 1.0}
    if test.labelled:
        changes = {"targets": test.targets[::-1, ::-1]}
    if test.whole:
        assert test.target_lengths is not None
        changes = {"targets": test.targets[::-1], "target_lengths": test.target_lengths[::-1]}
    other = task.baselines(_with_test(splits, test, **changes))
    # what labels whole sequences, or is for networks in both directions, may see all time steps
    whole = test.whole or bool(task.network_form.get("bidirectional"))
    middle = test.steps // 2
    later = np.array(test.inputs)
    later[:, middle:] = (later[:, middle:] + 1) % task.inputs if test.symbols else later[:, middle:] + 1.0
    causal = task.baselines(_with_test(splits, test, inputs=later))
    for name, rows in answers.items():
        same = len(rows) == len(other[name]) and all(np.array_equal(*pair) for pair in zip(rows, other[name]))
        checking.require(same, f"baseline {name}: expected no use of test targets")
    for name, outputs in found.items():
        same = np.array_equal(outputs, np.asarray(other[name]), equal_nan=True)
        checking.require(same, f"baseline {name}: expected no use of test targets")
        if np.shape(outputs) == wanted and not whole:
            same = np.array_equal(outputs[:, :middle], np.asarray(causal[name])[:, :middle], equal_nan=True)
            checking.require(same, f"baseline {name}: expected no use of later inputs")


def _with_test(splits: Splits, test: Batch, **changes: Any) -> Splits:
    """Return splits with some arrays of the test batch replaced."""
    arrays = {"inputs": test.inputs, "targets": test.targets, "lengths": test.lengths}
    arrays |= {"target_lengths": test.target_lengths} if test.whole else {"mask": test.mask}
    arrays["links"] = test.links
    return dataclasses.replace(splits, test=Batch(**{**arrays, **changes}))


def _bytes(splits: Splits) -> bytes:
    """Return all arrays of the splits as bytes."""
    arrays = [
        getattr(batch, name)
        for batch in splits
        if batch is not None
        for name in ("inputs", "targets", "mask", "lengths", "target_lengths", "links")
        if getattr(batch, name) is not None
    ]
    if splits.scaling is not None:
        arrays += list(vars(splits.scaling).values())
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def _global_generator() -> tuple[bytes, Any]:
    """Return the state of NumPy's global generator."""
    state: Any = np.random.get_state()  # noqa: NPY002
    return state[1].tobytes(), state[2]
