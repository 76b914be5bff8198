"""The check of a task's contract."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from evorrn.base.settings import build
from evorrn.data import metrics
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Reference, Scaling, Splits, Task
from evorrn.losses.find import find_loss, losses

STRATEGIES = ("ga", "esn", "bptt", "random")


def check_task(task: Task, *, seed: int = 0) -> None:
    """Check that a task keeps its contract: shapes, seeds, scaling, horizon, baselines, advice.

    Parameters
    ----------
    task : Task
        Best one that is small, since its data are made several times.
    seed : int
        Seed of the data.

    Raises
    ------
    AssertionError
        With the first rule that the task breaks.
    """
    kind = type(task)
    _require(isinstance(getattr(kind, "name", None), str) and bool(kind.name), "name: expected text")
    made_up = f"{kind.__name__}("  # what @dataclass writes where there is no docstring
    documented = bool(kind.__doc__) and not str(kind.__doc__).startswith(made_up)
    _require(documented, f"{kind.__name__}: expected a docstring that says how the data are made")
    _require(dataclasses.is_dataclass(kind), f"{kind.__name__}: expected @dataclass(frozen=True)")
    _require(build(kind, task.values(), "task") == task, "settings: expected values() to make the same task")
    known = [name for name, loss in losses().items() if loss.targets != "none"]
    _require(task.loss in known, f"loss: expected one of {', '.join(known)}, got {task.loss!r}")
    _require(bool(task.metrics), "metrics: expected at least one")
    for name in task.metrics:
        _require(name in metrics.METRICS, f"metrics: expected keys of METRICS, got {name!r}")
    for names, width in ((task.input_names, task.inputs), (task.output_names, task.outputs)):
        _require(len(set(names)) == width, f"names: expected {width} different ones, got {names}")
    splits = task.data(seed)
    for name, batch in (("train", splits.train), ("valid", splits.valid), ("test", splits.test)):
        _require(isinstance(batch, Batch), f"{name}: expected a Batch, got {type(batch).__name__}")
        assert batch is not None
        _check_batch(task, name, batch)
    _check_seeds(task, seed, splits)
    if splits.scaling is not None:
        _check_scaling(task, splits, splits.scaling)
    _check_baselines(task, splits)
    for strategy in STRATEGIES:
        advice = task.recommended(strategy)
        _require(isinstance(advice, Recommended), f"recommended({strategy!r}): expected Recommended")
    for reference in task.references:
        complete = isinstance(reference, Reference) and np.isfinite(reference.value) and reference.source
        _require(bool(complete), f"references: expected a finite value with its source, got {reference}")


def _check_batch(task: Task, name: str, batch: Batch) -> None:
    _require(batch.n_inputs == task.inputs, f"{name}: expected {task.inputs} inputs, got {batch.n_inputs}")
    labels = find_loss(task.loss).labels
    _require(batch.labelled == labels, f"{name}: expected {'labels' if labels else 'float targets'}")
    fits = batch.n_outputs <= task.outputs if labels else batch.n_outputs == task.outputs
    _require(fits, f"{name}: expected {task.outputs} outputs, got {batch.n_outputs}")
    if find_loss(task.loss).logits and not labels:
        values = batch.targets[batch.scored]
        _require(bool(((values >= 0) & (values <= 1)).all()), f"{name}: expected targets from 0 to 1")
    if task.free_run and name != "train":
        _require(not batch.scored[:, 0].any(), f"{name}: expected unscored steps before the free run")
    if task.horizon is not None:
        ahead = batch.inputs[:, task.horizon :, : task.outputs]
        wanted = batch.targets[:, : ahead.shape[1]]
        assert batch.lengths is not None
        inside = np.arange(task.horizon, task.horizon + ahead.shape[1]) < batch.lengths[:, None]
        inside &= batch.scored[:, : ahead.shape[1]]
        same = np.allclose(ahead[inside], wanted[inside], rtol=1e-12, atol=1e-12)
        _require(same, f"{name}: expected the first inputs {task.horizon} steps later as targets")


def _check_seeds(task: Task, seed: int, splits: Splits) -> None:
    before = _global_generator()
    again, other = task.data(seed), task.data(seed + 1)
    _require(_global_generator() == before, "data: expected no draw from NumPy's global generator")
    _require(_bytes(again) == _bytes(splits), f"data: expected the same bytes again for seed {seed}")
    changes = _bytes(other) != _bytes(splits)
    _require(task.seed_changes in ("data", "training"), "seed_changes: expected 'data' or 'training'")
    wanted = task.seed_changes == "data"
    _require(changes == wanted, f"seed_changes: {task.seed_changes!r}, but another seed says otherwise")


def _check_scaling(task: Task, splits: Splits, scaling: Scaling) -> None:
    for name, value, width in (
        ("input_mean", scaling.input_mean, task.inputs),
        ("input_deviation", scaling.input_deviation, task.inputs),
        ("target_mean", scaling.target_mean, task.outputs),
        ("target_deviation", scaling.target_deviation, task.outputs),
    ):
        shape = np.shape(value)
        _require(shape == (width,), f"scaling.{name}: expected shape ({width},), got {shape}")
        good = np.isfinite(value).all() and ("mean" in name or np.min(value) > 0)
        _require(bool(good), f"scaling.{name}: expected finite numbers, deviations above 0, got {value}")
    if task.horizon is not None:
        own = slice(0, task.outputs)
        same = np.array_equal(scaling.input_mean[own], scaling.target_mean)
        same &= np.array_equal(scaling.input_deviation[own], scaling.target_deviation)
        _require(same, "scaling: expected the targets' own past to be scaled as the targets are")


def _check_baselines(task: Task, splits: Splits) -> None:
    """Check that baselines fit, and that none looks at the test targets or at later inputs."""
    test = splits.test
    assert test is not None
    found = task.baselines(splits)
    _require(bool(found), "baselines: expected at least one")
    scored = test.scored
    truth = test.targets[scored]
    for name, outputs in found.items():
        shape, wanted = np.shape(outputs), (test.size, test.steps, task.outputs)
        _require(shape == wanted, f"baseline {name}: expected shape {wanted}, got {shape}")
        _require(bool(np.isfinite(outputs).all()), f"baseline {name}: expected finite predictions")
        metrics.evaluate(task.metrics, outputs[scored], truth)
    other_targets = test.targets[::-1, ::-1] if test.labelled else -test.targets - 1.0
    blind = task.baselines(_with_test(splits, test, targets=other_targets))
    middle = test.steps // 2
    later = np.array(test.inputs)
    later[:, middle:] = later[:, middle:] + 1.0
    causal = task.baselines(_with_test(splits, test, inputs=later))
    for name, outputs in found.items():
        _require(np.array_equal(outputs, blind[name]), f"baseline {name}: expected no use of test targets")
        same = np.array_equal(outputs[:, :middle], causal[name][:, :middle])
        _require(same, f"baseline {name}: expected no use of inputs that come later")


def _with_test(splits: Splits, test: Batch, **changes: Any) -> Splits:
    arrays = {"inputs": test.inputs, "targets": test.targets, **changes}
    return dataclasses.replace(splits, test=Batch(**arrays, mask=test.mask, lengths=test.lengths))


def _bytes(splits: Splits) -> bytes:
    arrays = [
        getattr(batch, name)
        for batch in splits
        if batch is not None
        for name in ("inputs", "targets", "mask", "lengths")
    ]
    if splits.scaling is not None:
        arrays += list(vars(splits.scaling).values())
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def _global_generator() -> tuple[bytes, Any]:
    state: Any = np.random.get_state()  # noqa: NPY002
    return state[1].tobytes(), state[2]


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)
