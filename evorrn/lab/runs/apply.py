"""Applying a trained network: predictions for a file of inputs, and forecasts beyond the known data.

Both give a `Sheet`, which becomes a CSV file, and what a plot of it shows. Values are in original units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError, DataError, EvorrnError
from evorrn.base.files import write_atomic
from evorrn.data.characters import Characters
from evorrn.data.intervals import LEVEL, level_problems
from evorrn.data.tables.times import Times
from evorrn.data.task import Task
from evorrn.lab.runs.calibration import forecast_widths, half_widths
from evorrn.lab.runs.horizon import future_inputs, last_outputs, rows_at_once, times_ahead
from evorrn.lab.runs.inputs import Given, Wanted, read_inputs, wanted_by
from evorrn.lab.runs.source import Source
from evorrn.lab.runs.spec import resolve_stored
from evorrn.lab.runs.store import RunFolder, writing
from evorrn.lab.runs.table import csv_text
from evorrn.network.arguments import check_chain
from evorrn.network.symbols import SymbolEntropy
from evorrn.training.model import Model

LABEL = "label"
STEPS = 20
"""Values that a forecast has by default, where the horizon does not say how many."""
MOST_STEPS = 10_000_000
"""Values that a forecast may have: one row of its table each."""
NOTHING: Mapping[str, Any] = {}
TOO_FEW = "where lower and upper are empty, validation has too few errors for an interval of this level"


@dataclass(frozen=True)
class Sheet:
    """Outputs (B, T, O) of a network as rows of a table.

    For a prediction, `known` (B, T, O) is the truth where the file holds it, NaN elsewhere; for a forecast, it is the
    last known values of the outputs; None when there are none. `diverged` is whether an output is not finite, or far
    beyond any sensible number. `notes` say how files were read, and why ends of intervals are empty. `dates` are those of the outputs, of a forecast after
    those of the known values: datetime64, or plain numbers; None where there are none. `widths`, (O,) or (T, O), are half
    widths of the intervals around the outputs, None where there are no intervals, and NaN where one is not known. `length` is
    that of the first sequence, where the sequences differ in length.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    outputs: np.ndarray
    known: np.ndarray | None
    diverged: bool
    notes: tuple[str, ...] = ()
    dates: np.ndarray | None = None
    widths: np.ndarray | None = None
    length: int | None = None

    @property
    def name(self) -> str:
        """The name of the column of the first output, or of the labels."""
        return self.columns[-self.outputs.shape[2] * (1 if self.widths is None else 3)]

    @property
    def width(self) -> np.ndarray | None:
        """The half width of the intervals around the first output, (T,); None where there are none."""
        if self.widths is None:
            return None
        return np.broadcast_to(self.widths, self.outputs.shape[1:])[: self.length, 0]

    def csv(self) -> str:
        """Return the sheet as CSV text."""
        return csv_text(self.columns, self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the sheet as plain data: its rows, whether it diverged, and notes."""
        rows = [dict(zip(self.columns, row)) for row in self.rows]
        return {"rows": rows, "diverged": self.diverged, "notes": list(self.notes)}


def predict(
    source: Source,
    path: Path,
    columns: Sequence[str] = (),
    rules: Mapping[str, Any] = NOTHING,
    level: float = LEVEL,
) -> Sheet:
    """Return the outputs of a trained network for the inputs in a file, a forecast with its intervals.

    Parameters
    ----------
    source : Source
    path : Path
        A table with one row per time step, or an ``.npz`` file with ``inputs`` (B, T, I), and ``lengths`` and ``links`` if it
        has them.
    columns : sequence of str
        The columns of the table that hold the inputs; by default those with the names that the network was
        trained on.
    rules : mapping
        How the table is read where it differs from the training data, see `evorrn.data.tables.rules.Rules`.
    level : float
        The share of values that an interval is to cover.

    Raises
    ------
    EvorrnError
        When the file does not fit the network.
    """
    _check_level(level)
    result = source.model
    if result.network.decodes and path.suffix.lower() != ".npz":
        raise DataError(
            f"{path}: an encoder-decoder reads symbols or vectors from an .npz with inputs; evorrn sample answers a text"
        )
    given = read_inputs(path, _wanted(source, rules), columns)
    inputs, ahead = given.values, result.horizon or 0
    outputs = result.predict(inputs, links=given.links, lengths=given.lengths)
    pooled = outputs.ndim == 2
    lengths = None if result.network.decodes or pooled else given.lengths
    if pooled:  # a readout of whole sequences, as one step
        outputs = outputs[:, None]
    truth = None
    if result.horizon and result.network.loss_name == "mse" and outputs.shape[2] <= inputs.shape[2]:
        truth = np.full(outputs.shape, np.nan)
        truth[:, : -result.horizon] = inputs[:, result.horizon :, : outputs.shape[2]]
        if lengths is not None:
            truth[np.arange(inputs.shape[1]) + result.horizon >= lengths[:, None]] = np.nan
    times = None if given.times is None else given.times.continued(ahead).last(outputs.shape[1])
    dates = None if times is None else times.dates
    widths = _residual_widths(source, level)
    spoken = given._replace(times=times, lengths=lengths)
    return _sheet(result, outputs, truth, spoken, ahead=ahead, dates=dates, widths=widths)


def forecast(
    source: Source,
    steps: int | None,
    warmup: Path | None = None,
    inputs: Path | None = None,
    rules: Mapping[str, Any] = NOTHING,
    level: float = LEVEL,
) -> Sheet:
    """Return the outputs of a trained network for the rows after the known ones, with intervals.

    With a horizon of 1 it runs on from its own outputs, and intervals widen with the errors of such runs on validation;
    the file of a model has no validation data, and so no intervals. With a larger horizon, and without future inputs,
    its outputs at the last known rows are the forecasts of the next ones, at most as many as the horizon. So are the
    outputs at the last known row alone, of a network with an output for each row up to the horizon.

    Parameters
    ----------
    source : Source
    steps : int or None
        Values to forecast; by default as many as the horizon, where outputs at known rows are the forecast, and else 20.
    warmup : Path, optional
        File of known inputs up to now; by default the test data of the run's task, to their end. The file of a model
        has no data, so that it is needed.
    inputs : Path, optional
        File of the future values of the inputs that are not the network's own outputs, one row a step.
    rules : mapping
        How the files `warmup` and `inputs` are read where they differ from the training data, see
        `evorrn.data.tables.rules.Rules`. The data of the run are read as in training.
    level : float
        The share of values that an interval is to cover.

    Raises
    ------
    EvorrnError
        When the network cannot run on its own outputs, the known inputs are missing, or a file does not fit.
    """
    _check_level(level)
    result = source.model
    network = result.network
    if Characters.named(result.output_names) is not None:
        raise EvorrnError("forecast: this network writes characters; evorrn sample lets it write")
    if network.decodes:
        raise EvorrnError(
            "forecast: an encoder-decoder answers a whole sequence, and no value comes after its answer"
        )
    if network.loss_name == "reward":
        raise EvorrnError(
            "forecast: expected a run on sequences; this one acts in an environment, see its trajectory.npz"
        )
    several = rows_at_once(source)
    direct = inputs is None and (several > 0 or (result.horizon or 1) > 1) and not network.feedback
    if network.arity or not direct:
        check_chain(network, "forecast")
    if steps is None:
        steps = int(several or result.horizon or STEPS) if direct else STEPS
    if not 1 <= steps <= MOST_STEPS:
        limit = "at least 1" if steps < 1 else f"at most {MOST_STEPS:,}"
        raise EvorrnError(f"--steps: expected {limit}, got {steps}")
    wanted = _wanted(source, rules)
    teacher = None
    if warmup is None:
        if source.run is None:
            raise EvorrnError(
                "forecast: the file of a model has no data; give the known inputs as --warmup FILE"
            )
        known, teacher = _end_of_test(source.run, result, _wanted(source, NOTHING))
    else:
        known = read_inputs(warmup, wanted)
        if not known.alike():
            raise DataError(
                f"forecast: the sequences of {warmup} differ in length; give those of one length in a file"
            )
    if direct:
        return _direct(source, known, steps, level)
    past = known.values[:, :, : network.outputs] if result.horizon and network.loss_name == "mse" else teacher
    own = network.outputs if result.horizon == 1 and network.loss_name != "cross-entropy" else 0
    future = future_inputs(result, known, wanted.last(network.inputs - own), steps, inputs)
    values = result.forecast(known.values, steps, None if future is None else future.values, teacher)
    ahead = 0 if own or not result.horizon else result.horizon
    after = times_ahead(known.times, None if future is None else future.times, steps, ahead)
    notes = [*known.notes, *([] if future is None else future.notes)]
    widths = _forecast_widths(source, steps, level) if own else _residual_widths(source, level)
    spoken = known._replace(times=after, notes=notes)
    return _sheet(result, values, past, spoken, dates=_dates(known.times, after), widths=widths)


def _check_level(level: float) -> None:
    """Raise ConfigError unless a level lies between 0 and 1."""
    if problems := level_problems(level):
        raise ConfigError(problems)


def _residual_widths(source: Source, level: float) -> np.ndarray | None:
    """Return the half widths (O,) of intervals, from the residuals that were kept; None where there are none."""
    return None if source.model.residuals is None else half_widths(source.model.residuals, level)


def _forecast_widths(source: Source, steps: int, level: float) -> np.ndarray | None:
    """Return the half widths (steps, O) of a forecast; None without residuals, or without the data of the run."""
    run, model = source.run, source.model
    if source.model.residuals is None or run is None or model.network.feeds_back:
        return None
    try:
        spec = resolve_stored(run.path, run.path)
        assert isinstance(spec.task, Task)
        valid = spec.task.data(spec.seed).valid
    except EvorrnError:
        return None
    return None if valid is None or valid.size > 1 else forecast_widths(model, valid, steps, level)


def _direct(source: Source, known: Given, steps: int, level: float) -> Sheet:
    """Return the forecast that the outputs at the last known rows are, since they speak of the rows after them."""
    result, several = source.model, rows_at_once(source)
    values = last_outputs(result, known, steps, several)
    columns, names = values.shape[2], result.output_names
    widths = _residual_widths(source, level)
    if several:
        names = result.input_names[:columns]
        widths = None if widths is None else widths.reshape(several, columns)[:steps]
    past = known.values[:, :, :columns] if result.network.loss_name == "mse" else None
    after = times_ahead(known.times, None, steps, 0)
    dates, spoken = _dates(known.times, after), known._replace(times=after)
    return _sheet(result, values, past, spoken, dates=dates, widths=widths, names=names)


def _dates(known: Times | None, after: Times | None) -> np.ndarray | None:
    """Return the dates of known rows and of those after them."""
    return None if known is None or after is None else np.concatenate([known.dates, after.dates])


def write_sheet(sheet: Sheet, path: Path) -> None:
    """Write a sheet as a CSV file.

    Raises
    ------
    EvorrnError
        When the file cannot be written.
    """
    with writing(path):
        write_atomic(path, sheet.csv())


def _wanted(source: Source, rules: Mapping[str, Any]) -> Wanted:
    model = source.model
    found = wanted_by(source.table, model.input_names, model.network.inputs, rules)
    symbols = model.network.embedding > 0 or model.network.decodes
    return replace(found, symbols=symbols, one_hot=model.scaling is None and not symbols)


def _end_of_test(run: RunFolder, result: Model, wanted: Wanted) -> tuple[Given, np.ndarray | None]:
    """Return the inputs to the end of the test data, in original units, and the teacher of a forecast.

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
        return read_inputs(Path(spec.content["task"]["path"]), wanted), None
    inputs, targets = np.asarray(batch.inputs, dtype=np.float64), batch.targets
    if result.scaling is not None:
        inputs = result.scaling.restore_inputs(inputs)
        targets = targets if batch.labelled else result.scaling.restore_targets(targets)
    if result.horizon == 1 and batch.n_outputs == batch.n_inputs:
        inputs = np.concatenate([inputs, targets[:, -1:]], axis=1)
    taught = result.network.feeds_back and not result.horizon and result.network.loss_name == "mse"
    return Given(inputs, []), targets if taught and np.isfinite(targets).all() else None


def _sheet(
    result: Model,
    outputs: np.ndarray,
    known: np.ndarray | None,
    given: Given,
    *,
    ahead: int = 0,
    dates: np.ndarray | None = None,
    widths: np.ndarray | None = None,
    names: Sequence[str] = (),
) -> Sheet:
    """Return a sheet with a row for each output, up to the lengths of sequences; the times are those that outputs speak of."""
    times = given.times
    sequences, steps, width = outputs.shape
    labels = result.network.loss_name == "cross-entropy"
    names = names or result.output_names or tuple(f"output{place}" for place in range(1, width + 1))
    behind = f"+{ahead}" if ahead else ""
    columns = [f"{name}{behind}" for name in names]
    if labels:
        columns = [LABEL, *(f"logit{place}" for place in range(width))]
    ends = () if widths is None else ("lower", "upper")
    columns += [end if width == 1 else f"{name} {end}" for name in columns for end in ends]
    around = outputs[:, :, :0] if widths is None else _ends(outputs, widths)
    shown = None if times is None else times.texts()
    rows: list[tuple[Any, ...]] = []
    chosen = [values.argmax(axis=1) for values in outputs] if labels else []
    if isinstance(loss := result.network.loss_function, SymbolEntropy):
        answers = loss.decode(outputs, np.full(sequences, steps))
        chosen = [np.append(row, loss.marks[1])[:steps] for row in answers]
    ends_at = np.full(sequences, steps) if given.lengths is None else given.lengths
    for sequence in range(sequences):
        for step in range(min(int(ends_at[sequence]), len(chosen[sequence]) if labels else steps)):
            values = outputs[sequence, step].tolist()
            values += [number if np.isfinite(number) else None for number in around[sequence, step].tolist()]
            place: tuple[Any, ...] = (sequence + 1, step + 1) if sequences > 1 else (step + 1,)
            place += () if shown is None else (shown[step],)
            rows.append((*place, *([int(chosen[sequence][step])] if labels else []), *values))
    head: tuple[str, ...] = ("sequence", "step") if sequences > 1 else ("step",)
    head += () if times is None else (f"{times.name}{behind}",)
    diverged = result.diverged(outputs[np.arange(steps) < ends_at[:, None]])
    notes, length = tuple(given.notes), int(ends_at[0])
    if widths is not None and np.isnan(widths).any():
        notes += (TOO_FEW,)
    return Sheet((*head, *columns), rows, outputs, known, diverged, notes, dates, widths, length)


def _ends(outputs: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Return lower and upper end of each output in turn, shape (B, T, 2 O)."""
    pairs = np.stack([outputs - widths, outputs + widths], axis=3)
    return pairs.reshape(*outputs.shape[:2], -1)
