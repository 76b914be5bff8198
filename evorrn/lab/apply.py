"""What a trained network is for: predictions for a file of inputs, and forecasts beyond the known.

Both give a `Sheet`, which becomes a CSV file, and what a plot of it shows. Values are in original units.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.errors import DataError, EvorrnError, RunError
from evorrn.lab.arguments import read
from evorrn.lab.spec import resolve
from evorrn.lab.store import COMPLETE, RunFolder
from evorrn.plain import write_atomic
from evorrn.result import Result, load

LABEL = "label"


@dataclass(frozen=True)
class Sheet:
    """Outputs of a network as rows of a table.

    Attributes
    ----------
    columns : tuple of str
    rows : list of tuple
    outputs : ndarray, shape (B, T, O)
    known : ndarray, shape (B, T, O) or None
        For a prediction, the truth where the file holds it, NaN elsewhere; for a forecast, the last known
        values of the outputs; None when there are none.
    diverged : bool
        Whether an output is not finite, or far beyond any sensible number.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    outputs: np.ndarray
    known: np.ndarray | None
    diverged: bool

    def csv(self) -> str:
        """Return the sheet as CSV text."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue()

    def as_dict(self) -> dict[str, Any]:
        """Return the sheet as plain data: its rows and whether it diverged."""
        return {"rows": [dict(zip(self.columns, row)) for row in self.rows], "diverged": self.diverged}


def predict(run: RunFolder, path: Path, columns: Sequence[str] = ()) -> Sheet:
    """Return the outputs of a run's network for the inputs in a file.

    Parameters
    ----------
    run : RunFolder
    path : Path
        A table with one row per time step, or an ``.npz`` file with ``inputs`` (B, T, I).
    columns : sequence of str
        The columns of the table that hold the inputs; by default those that the network was trained
        on, or all columns of numbers when their number is right.

    Raises
    ------
    EvorrnError
        When the run is not complete or the file does not fit its network.
    """
    result = trained(run)
    inputs = read_inputs(path, result.network.inputs, result.input_names, columns)
    outputs = result.predict(inputs)
    truth = None
    if result.horizon and result.network.loss_name == "mse" and outputs.shape[2] <= inputs.shape[2]:
        truth = np.full(outputs.shape, np.nan)
        truth[:, : -result.horizon] = inputs[:, result.horizon :, : outputs.shape[2]]
    return _sheet(result, outputs, truth, ahead=result.horizon or 0)


def forecast(run: RunFolder, steps: int, warmup: Path | None = None, inputs: Path | None = None) -> Sheet:
    """Return what a run's network says when it goes on from its own outputs.

    Parameters
    ----------
    run : RunFolder
    steps : int
        Values to forecast.
    warmup : Path, optional
        File of known inputs up to now; by default the test data of the run's task, to their end.
    inputs : Path, optional
        File of the future values of the inputs that are not the network's own outputs.

    Raises
    ------
    EvorrnError
        When the run is not complete, its network cannot run on its own outputs, or a file does not fit.
    """
    result = trained(run)
    network = result.network
    if warmup is None:
        known = _end_of_test(run, result)
    else:
        known = read_inputs(warmup, network.inputs, result.input_names)
    future = None
    if inputs is not None:
        own = network.outputs if result.horizon == 1 else 0
        future = read_inputs(inputs, network.inputs - own, result.input_names[own:])
    values = result.forecast(known, steps, future)
    past = known[:, :, : network.outputs] if result.horizon == 1 else None
    return _sheet(result, values, past)


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


def read_inputs(
    path: Path, width: int, trained_on: Sequence[str] = (), columns: Sequence[str] = ()
) -> np.ndarray:
    """Return the inputs in a file, shape (B, T, width).

    Parameters
    ----------
    path : Path
        A table with one row per time step, or an ``.npz`` file.
    width : int
        Inputs at a time step.
    trained_on : sequence of str
        Names of the inputs in the data of the run, taken where the table has them. Else its columns
        of numbers are, apart from those that only ever rise (row numbers, dates as numbers).
    columns : sequence of str
        Names of the columns to take instead.

    Raises
    ------
    DataError
        When the file cannot be read or its columns do not fit.
    UnknownName
        When a column of `columns` is not there.
    """
    if path.suffix == ".npz":
        return _npz_inputs(path, width)
    from evorrn_tasks.common.table import read_table

    table = read_table(path)
    chosen = list(columns)
    if not chosen and len(trained_on) == width and set(trained_on) <= set(table.names):
        chosen = list(trained_on)
    if not chosen:
        chosen = table.numeric()
    if not columns and len(chosen) != width:
        chosen = [name for name in chosen if not (np.diff(table.columns([name]), axis=0) > 0).all()]
    if len(chosen) != width:
        raise DataError(
            f"{path}: expected {width} columns of inputs ({', '.join(trained_on)}), got {', '.join(chosen) or 'none'}; "
            "name them as --columns A,B"
        )
    return table.columns(chosen)[None]


def write_sheet(sheet: Sheet, path: Path) -> None:
    """Write a sheet as a CSV file.

    Raises
    ------
    EvorrnError
        When the file cannot be written.
    """
    try:
        write_atomic(path, sheet.csv())
    except OSError as error:
        raise EvorrnError(f"cannot write {path}: {error.strerror or error}") from None


def plot_prediction(sheet: Sheet, path: Path) -> None:
    """Draw the first output of the first sequence, over the truth where the file holds it; labels for classes."""
    from evorrn.lab import plots

    labels = sheet.columns[-sheet.outputs.shape[2] - 1] == LABEL
    outputs = sheet.outputs[0].argmax(axis=1) if labels else sheet.outputs[0, :, 0]
    truth = None if sheet.known is None else sheet.known[0, :, 0]
    name = LABEL if labels else f"{sheet.columns[-sheet.outputs.shape[2]]}, original units"
    plots.outputs_plot(outputs, truth, name, path)


def plot_forecast(sheet: Sheet, path: Path) -> None:
    """Draw a forecast of the first sequence after the values known before it."""
    from evorrn.lab import plots

    known = np.zeros((0, sheet.outputs.shape[2])) if sheet.known is None else sheet.known[0]
    plots.forecast_plot(known, sheet.outputs[0], path)


def _npz_inputs(path: Path, width: int) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if "inputs" not in archive.files:
                raise DataError(
                    f"{path}: expected an array named inputs, got {', '.join(archive.files) or 'none'}"
                )
            inputs = np.asarray(archive["inputs"])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected an .npz file of arrays, but it cannot be read ({error})") from None
    if inputs.ndim == 2:
        inputs = inputs[None]
    if inputs.ndim != 3 or inputs.shape[2] != width or inputs.dtype.kind not in "fiub":
        raise DataError(
            f"{path}: expected inputs of shape (B, T, {width}), got {inputs.shape} of {inputs.dtype}"
        )
    return inputs.astype(np.float64)


def _end_of_test(run: RunFolder, result: Result) -> np.ndarray:
    """Return the inputs up to the end of the test data, shape (B, T, I), in original units."""
    try:
        spec = resolve(read(run.path / "spec.toml"), run.path)
        batch = spec.task.data(spec.seed).test
    except EvorrnError as error:
        raise EvorrnError(f"{error}; give the known inputs as --warmup FILE") from None
    assert batch is not None and batch.lengths is not None
    if (batch.lengths != batch.steps).any():
        raise EvorrnError(
            "forecast: the test sequences differ in length; give the known inputs as --warmup FILE"
        )
    if spec.task.name == "csv":  # the last row of the file is the last target; its other columns are inputs
        return read_inputs(Path(spec.content["task"]["path"]), result.network.inputs, result.input_names)
    inputs, targets = np.asarray(batch.inputs, dtype=np.float64), batch.targets
    if result.scaling is not None:
        inputs = result.scaling.restore_inputs(inputs)
        targets = targets if batch.labelled else result.scaling.restore_targets(targets)
    if result.horizon == 1 and batch.n_outputs == batch.n_inputs:
        inputs = np.concatenate([inputs, targets[:, -1:]], axis=1)
    return inputs


def _sheet(result: Result, outputs: np.ndarray, known: np.ndarray | None, ahead: int = 0) -> Sheet:
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
    return Sheet((*head, *columns), rows, outputs, known, result.diverged(outputs))
