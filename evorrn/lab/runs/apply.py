"""Applying a trained network: predictions for a file of inputs, and forecasts beyond the known data.

Both give a `Sheet`, which becomes a CSV file, and what a plot of it shows. Values are in original units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import DataError, EvorrnError, RunError
from evorrn.base.files import write_atomic
from evorrn.data.task import Task
from evorrn.lab.runs.inputs import Wanted, read_inputs, wanted_by
from evorrn.lab.runs.run import COMPLETE
from evorrn.lab.runs.spec import resolve_stored
from evorrn.lab.runs.store import RunFolder, writing
from evorrn.lab.runs.table import csv_text
from evorrn.training.result import Result, load

LABEL = "label"
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Sheet:
    """Outputs (B, T, O) of a network as rows of a table.

    For a prediction, `known` (B, T, O) is the truth where the file holds it, NaN elsewhere; for a forecast, it is the
    last known values of the outputs; None when there are none. `diverged` is whether an output is not finite, or far
    beyond any sensible number. `notes` say how files were read.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    outputs: np.ndarray
    known: np.ndarray | None
    diverged: bool
    notes: tuple[str, ...] = ()

    def csv(self) -> str:
        """Return the sheet as CSV text."""
        return csv_text(self.columns, self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the sheet as plain data: its rows, whether it diverged, and notes."""
        rows = [dict(zip(self.columns, row)) for row in self.rows]
        return {"rows": rows, "diverged": self.diverged, "notes": list(self.notes)}


def predict(
    run: RunFolder, path: Path, columns: Sequence[str] = (), rules: Mapping[str, Any] = NOTHING
) -> Sheet:
    """Return the outputs of a run's network for the inputs in a file.

    Parameters
    ----------
    run : RunFolder
    path : Path
        A table with one row per time step, or an ``.npz`` file with ``inputs`` (B, T, I).
    columns : sequence of str
        The columns of the table that hold the inputs; by default those with the names that the network was
        trained on.
    rules : mapping
        How the table is read where it differs from the file of the run, see `evorrn.data.tables.rules.Rules`.

    Raises
    ------
    EvorrnError
        When the run is not complete or the file does not fit its network.
    """
    result = trained(run)
    inputs, notes = read_inputs(path, _wanted(run, result, rules), columns)
    outputs = result.predict(inputs)
    truth = None
    if result.horizon and result.network.loss_name == "mse" and outputs.shape[2] <= inputs.shape[2]:
        truth = np.full(outputs.shape, np.nan)
        truth[:, : -result.horizon] = inputs[:, result.horizon :, : outputs.shape[2]]
    return _sheet(result, outputs, truth, notes, ahead=result.horizon or 0)


def forecast(
    run: RunFolder,
    steps: int,
    warmup: Path | None = None,
    inputs: Path | None = None,
    rules: Mapping[str, Any] = NOTHING,
) -> Sheet:
    """Return the outputs of a run's network that runs on from its own outputs.

    Parameters
    ----------
    run : RunFolder
    steps : int
        Values to forecast.
    warmup : Path, optional
        File of known inputs up to now; by default the test data of the run's task, to their end.
    inputs : Path, optional
        File of the future values of the inputs that are not the network's own outputs, one row a step.
    rules : mapping
        How the files are read where they differ from the file of the run, see `evorrn.data.tables.rules.Rules`.

    Raises
    ------
    EvorrnError
        When the run is not complete, its network cannot run on its own outputs, or a file does not fit.
    """
    result = trained(run)
    network = result.network
    if network.loss_name == "reward":
        raise EvorrnError(
            "forecast: expected a run on sequences; this one acts in an environment, see its trajectory.npz"
        )
    if steps < 1:
        raise EvorrnError(f"--steps: expected at least 1, got {steps}")
    own = network.outputs if result.horizon == 1 and network.loss_name != "cross-entropy" else 0
    wanted = _wanted(run, result, rules)
    future, later = _future_inputs(result, wanted.last(network.inputs - own), steps, inputs)
    teacher = None
    if warmup is None:
        known, teacher, notes = _end_of_test(run, result, wanted)
    else:
        known, notes = read_inputs(warmup, wanted)
    if future is not None and len(future) != len(known):
        raise DataError(
            f"{inputs}: expected one sequence for each of the {len(known)} known, got {len(future)}"
        )
    values = result.forecast(known, steps, future, teacher)
    past = known[:, :, : network.outputs] if result.horizon == 1 else teacher
    return _sheet(result, values, past, [*notes, *later])


def trained(run: RunFolder) -> Result:
    """Return the result of a complete run.

    Raises
    ------
    RunError
        When the run is not complete or its files cannot be read.
    """
    state = run.state()
    if state != COMPLETE:
        raise RunError(f"{run.path}: expected a complete run, this one is {state}")
    return load(run.path)


def write_sheet(sheet: Sheet, path: Path) -> None:
    """Write a sheet as a CSV file.

    Raises
    ------
    EvorrnError
        When the file cannot be written.
    """
    with writing(path):
        write_atomic(path, sheet.csv())


def _wanted(run: RunFolder, result: Result, rules: Mapping[str, Any]) -> Wanted:
    return wanted_by(run, result.input_names, result.network.inputs, rules)


def _future_inputs(
    result: Result, wanted: Wanted, steps: int, path: Path | None
) -> tuple[np.ndarray | None, list[str]]:
    """Return the future inputs (B, steps, I - own) in a file and notes, None where there is none and none is needed."""
    width = len(wanted.names)
    if path is None:
        if not width:
            return None, []
        missing = f"give --inputs FILE with {wanted} and {steps} rows, one for each step"
        if width == result.network.inputs and not result.network.feedback:
            missing = f"a run with task.horizon=1 can go on from its own outputs; for this one {missing}"
        raise EvorrnError(f"forecast: {missing}")
    if not width:
        raise EvorrnError(f"--inputs: this network has no inputs but its own outputs; leave {path} out")
    future, notes = read_inputs(path, wanted)
    if future.shape[1] != steps:
        raise DataError(f"{path}: expected {steps} rows, one for each of --steps, got {future.shape[1]}")
    return future, notes


def _end_of_test(
    run: RunFolder, result: Result, wanted: Wanted
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Return the inputs to the end of the test data, (B, T, I), in original units, the teacher of a forecast, and notes.

    The teacher is the targets (B, T, O), for a network that sees its own output and whose targets are no later inputs.
    """
    try:
        spec = resolve_stored(run.path, run.path)
        assert isinstance(spec.task, Task)
        batch = spec.task.data(spec.seed).test
    except EvorrnError as error:
        raise EvorrnError(f"{error}; give the known inputs as --warmup FILE") from None
    assert batch is not None and batch.lengths is not None
    if (batch.lengths != batch.steps).any():
        raise EvorrnError(
            "forecast: the test sequences differ in length; give the known inputs as --warmup FILE"
        )
    if spec.task.name == "csv":  # the last row of the file is the last target; its other columns are inputs
        inputs, notes = read_inputs(Path(spec.content["task"]["path"]), wanted)
        return inputs, None, notes
    inputs, targets = np.asarray(batch.inputs, dtype=np.float64), batch.targets
    if result.scaling is not None:
        inputs = result.scaling.restore_inputs(inputs)
        targets = targets if batch.labelled else result.scaling.restore_targets(targets)
    if result.horizon == 1 and batch.n_outputs == batch.n_inputs:
        inputs = np.concatenate([inputs, targets[:, -1:]], axis=1)
    taught = result.network.step.feeds_back and not result.horizon and result.network.loss_name == "mse"
    return inputs, targets if taught and np.isfinite(targets).all() else None, []


def _sheet(
    result: Result, outputs: np.ndarray, known: np.ndarray | None, notes: Sequence[str], ahead: int = 0
) -> Sheet:
    sequences, steps, width = outputs.shape
    labels = result.network.loss_name == "cross-entropy"
    names = result.output_names or tuple(f"output{place}" for place in range(1, width + 1))
    columns = [f"{name}+{ahead}" if ahead else name for name in names]
    if labels:
        columns = [LABEL, *(f"logit{place}" for place in range(width))]
    rows: list[tuple[Any, ...]] = []
    for sequence in range(sequences):
        for step in range(steps):
            values = outputs[sequence, step].tolist()
            place = (sequence + 1, step + 1) if sequences > 1 else (step + 1,)
            rows.append((*place, *([int(np.argmax(values))] if labels else []), *values))
    head = ("sequence", "step") if sequences > 1 else ("step",)
    return Sheet((*head, *columns), rows, outputs, known, result.diverged(outputs), tuple(notes))
