"""What the runs of a comparison left on disk, as its report tells it."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evorrn.base.errors import RunError
from evorrn.lab.report.curves import Curve
from evorrn.lab.report.evolution import Course
from evorrn.lab.runs.outputs import Outputs as Kept
from evorrn.lab.runs.outputs import Predictions
from evorrn.lab.runs.outputs import read_outputs as read_kept
from evorrn.lab.runs.store import readable_json
from evorrn.lab.study.comparison import Comparison, Row
from evorrn.training.result import load, load_history


@dataclass(frozen=True)
class RunRecord:
    """One run of a comparison as the report tells it; costs are NaN where the run left none."""

    strategy: str
    seed: int
    value: float
    work: float
    seconds: float
    ended: str
    folder: str


def load_comparison(folder: Path) -> Comparison:
    """Read the ``comparison.json`` of a folder.

    Raises
    ------
    RunError
        When there is none, or it cannot be read.
    """
    path = folder / "comparison.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise RunError(
            f"{path}: expected a comparison written by evorrn, but it is no JSON ({error})"
        ) from None
    try:
        return Comparison.from_dict(content)
    except RunError as error:
        raise RunError(f"{path}: {error}") from None


def run_records(comparison: Comparison, root: Path) -> list[RunRecord]:
    """Return every run of a comparison, in order of the ranking and the seeds."""
    records = []
    for row in comparison.rows:
        for seed, value, folder in zip(comparison.seeds, row.values, row.runs):
            content, status = (
                readable_json(root / folder / "result.json"),
                readable_json(root / folder / "status.json"),
            )
            ended = content.get("stopped_by") or status.get("error") or status.get("status") or "no files"
            meter = {**content.get("meter", {}), **content.get("times", {})}
            records.append(
                RunRecord(
                    strategy=row.strategy,
                    seed=seed,
                    value=value,
                    work=float(meter.get("work", math.nan)),
                    seconds=float(meter.get("seconds", math.nan)),
                    ended=str(ended),
                    folder=folder,
                )
            )
    return records


def typical_run(comparison: Comparison, row: Row, root: Path) -> tuple[int, Kept] | None:
    """Return the seed nearest to a row's median and what its run kept of test; None when no run left anything."""
    for place in _nearest(row):
        try:
            kept = read_kept(root / row.runs[place])
        except RunError:
            continue
        names = readable_json(root / row.runs[place] / "result.json").get("output_names") or ["output1"]
        told = isinstance(kept, Predictions) and names[0] != "output1"  # the name of an output that has none
        return comparison.seeds[place], dataclasses.replace(kept, name=names[0]) if told else kept
    return None


def typical_course(comparison: Comparison, row: Row, root: Path) -> tuple[int, Course] | None:
    """Return the seed nearest to a row's median and how its population went along; None when there was none."""
    for place in _nearest(row):
        course = Course.of(load_history(root / row.runs[place])[0])
        if course is not None:
            return comparison.seeds[place], course
    return None


def typical_genome(comparison: Comparison, row: Row, root: Path) -> tuple[int, dict[str, np.ndarray]] | None:
    """Return the seed nearest to a row's median and the named blocks of its genome; None when none was left."""
    for place in _nearest(row):
        try:
            result = load(root / row.runs[place])
        except RunError:
            continue
        return comparison.seeds[place], result.network.unpack(result.genome)
    return None


def learning_curves(row: Row, root: Path) -> tuple[list[Curve], list[Curve]]:
    """Return validation loss against work and against seconds, for every run that has a history."""
    work, seconds = [], []
    for folder in row.runs:
        history, times = load_history(root / folder)
        if "valid_loss" in history and "work" in history:
            loss = np.asarray(history["valid_loss"], dtype=np.float64)
            work.append(Curve(np.asarray(history["work"], dtype=np.float64), loss))
            if len(times) == len(loss):
                seconds.append(Curve(times, loss))
    return work, seconds


def _nearest(row: Row) -> list[int]:
    """Return the places of the seeds that have a value, the nearest to the median first."""
    centre = row.median if math.isfinite(row.median) else math.nan
    distance = np.abs(np.asarray(row.values, dtype=np.float64) - centre)
    order = np.argsort(distance, kind="stable")
    return [place for place in order.tolist() if math.isfinite(row.values[place])]
