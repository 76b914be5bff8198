"""The data of a seed, kept for the runs that share it: several ways of training, cells of a sweep, baselines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.lab.runs.outputs import Predictions
from evorrn.lab.runs.spec import Spec
from evorrn.training.assess import assess
from evorrn.training.assessment import Assessment, SequenceAssessment

KEPT_BYTES = 2**27
"""Memory of a process for the data of seeds."""

_kept: dict[str, tuple[Assessment, int]] = {}


def assessment_of(spec: Spec) -> Assessment:
    """Return the assessment of a spec's task and seed, from memory where an earlier run has used it."""
    seed = spec.seed if spec.task.seed_changes == "data" else 0
    key = json.dumps([spec.content["task"], spec.content.get("files"), seed])
    if key not in _kept:
        assessment = assess(spec.task, seed)
        _kept[key] = assessment, bytes_of(assessment)
        while len(_kept) > 1 and sum(size for _, size in _kept.values()) > KEPT_BYTES:
            del _kept[next(iter(_kept))]
    return _kept[key][0]


def baseline_values(spec: Spec, seeds: Sequence[int], metric: str) -> dict[str, list[float]]:
    """Return the scores of a task's baselines by name: one value a seed, on the test data of its runs."""
    values: dict[str, list[float]] = {}
    once = spec.task.seed_changes != "data"
    for seed in seeds[:1] if once else seeds:
        for name, value in assessment_of(spec.with_seed(seed)).baselines(metric).items():
            values.setdefault(name, []).append(value)
    return {name: found * len(seeds) if once else found for name, found in values.items()}


def longest_valid_time(spec: Spec) -> float:
    """Return the largest ``valid_time`` that is possible on the test data of a run: free runs that are right to their end."""
    found = assessment_of(spec)
    assert isinstance(found, SequenceAssessment) and found.splits.test is not None
    steps = found.splits.test.scored.sum(axis=1)
    return float(steps[steps > 0].mean() * found.step_time)


def comparator_values(spec: Spec, metric: str, names: Sequence[str]) -> dict[str, float]:
    """Return the score of each model that a task is compared with, on the test data of a run."""
    return assessment_of(spec).comparators(metric, names)


def baseline_seconds(spec: Spec) -> dict[str, float]:
    """Return the seconds of each baseline and model of a run that were computed and measured."""
    return assessment_of(spec).baseline_seconds()


def baseline_predictions(spec: Spec) -> dict[str, Predictions]:
    """Return the predictions of the baselines of a forecast by name; empty where a task is no forecast."""
    found: dict[str, dict[str, Any]] = {**assessment_of(spec).baseline_records()}
    return {name: Predictions(**arrays) for name, arrays in found.items()}


def bytes_of(value: Any) -> int:
    """Return the memory of the arrays that an object holds."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, Mapping):
        return sum(map(bytes_of, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(bytes_of, value))
    return sum(map(bytes_of, vars(value).values())) if hasattr(value, "__dict__") else 0
