"""The rows that a forecast speaks of: their times, the inputs that are known of them, and the outputs that speak of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evorrn.base.errors import DataError, EvorrnError
from evorrn.base.text import counted
from evorrn.data.tables.calendar import cycles
from evorrn.data.tables.times import Times
from evorrn.lab.runs.inputs import Given, Wanted, read_inputs
from evorrn.lab.runs.source import Source
from evorrn.training.model import Model


def rows_at_once(source: Source) -> int:
    """Return the horizon of a network with an output for each row up to it; 0 for any other network."""
    return int(source.table["horizon"]) if source.table.get("multistep") == "multi-output" else 0


def last_outputs(result: Model, known: Given, steps: int, several: int) -> np.ndarray:
    """Return the outputs (B, steps, O) at the last known rows, which speak of the rows after them.

    With `several` rows that the outputs at one row speak of, they are those at the last known row.

    Raises
    ------
    EvorrnError
        When there are more steps than the horizon.
    DataError
        When there are too few known rows.
    """
    horizon = several or int(result.horizon or 0)
    if steps > horizon:
        way = " and task.multistep=direct" if several else ""
        raise EvorrnError(
            f"--steps: this run forecasts {counted(horizon, 'row')} ahead, so expected at most {counted(horizon, 'step')}, "
            f"got {steps}; a run with task.horizon=1{way} goes on from its own outputs as long as you like"
        )
    sequences, length = known.values.shape[:2]
    if several:
        return result.predict(known.values)[:, -1].reshape(sequences, several, -1)[:, :steps]
    if length < horizon:
        raise DataError(
            f"forecast: expected at least {horizon} known rows, as many as the horizon, got {length}"
        )
    return result.predict(known.values)[:, length - horizon : length - horizon + steps]


def future_inputs(result: Model, known: Given, wanted: Wanted, steps: int, path: Path | None) -> Given | None:
    """Return the inputs after the known ones that are no outputs of the network; None where it has no such inputs.

    Inputs made of dates follow from the known times.

    Raises
    ------
    EvorrnError
        When a file is needed and there is none, or there is one and none is needed.
    DataError
        When the file does not fit, or its dates do not go on from the known ones.
    """
    if path is None:
        if wanted.names:
            raise EvorrnError(f"forecast: {_missing(result, wanted, steps)}")
        return _of_dates(known, wanted, steps) if wanted.calendar else None
    if not wanted.width:
        raise EvorrnError(f"--inputs: this network has no inputs but its own outputs; leave {path} out")
    future = read_inputs(path, wanted)
    if future.values.shape[1] != steps:
        raise DataError(
            f"{path}: expected {steps} rows, one for each of --steps, got {future.values.shape[1]}"
        )
    if len(future.values) != len(known.values):
        raise DataError(
            f"{path}: expected one sequence for each of the {len(known.values)} known, got {len(future.values)}"
        )
    if known.times is not None and future.times is not None:
        _check_dates(known.times, future.times, path)
    return future


def times_ahead(known: Times | None, future: Times | None, steps: int, ahead: int) -> Times | None:
    """Return the times of `steps` rows, the first of them `ahead` rows after the one that follows the known rows.

    They are those of a file of future inputs where it has them.
    """
    if future is not None and not ahead:
        return future
    return None if known is None else known.continued(steps + ahead).last(steps)


def _missing(result: Model, wanted: Wanted, steps: int) -> str:
    """Return which file is missing."""
    missing = f"give --inputs FILE with {wanted} and {steps} rows, one for each step"
    if wanted.width == result.network.inputs and not result.network.feedback:
        return f"a run with task.horizon=1 can go on from its own outputs; for this one {missing}"
    return missing


def _of_dates(known: Given, wanted: Wanted, steps: int) -> Given:
    """Return the inputs made of the dates after the known ones."""
    after = None if known.times is None else known.times.continued(steps).last(steps)
    if after is None or not np.isfinite(after.values).all():
        raise EvorrnError(
            "forecast: the dates to come are not known, since the known rows have no usual step; give --inputs FILE "
            "with a column of dates"
        )
    values = np.repeat(cycles(after, wanted.calendar)[None], len(known.values), axis=0)
    return Given(values, [], after)


def _check_dates(known: Times, future: Times, path: Path) -> None:
    """Raise DataError when future rows do not follow the known ones in time, step by step."""
    if known.dated != future.dated or not np.isfinite(known.values).any():
        return
    end = float(known.values[np.isfinite(known.values)][-1])
    ended, began = (
        known.continued(0).texts()[int(np.flatnonzero(np.isfinite(known.values))[-1])],
        future.texts()[0],
    )
    expected = known.continued(len(future.values)).last(len(future.values))
    first = float(future.values[0])
    if first <= end:
        overlap = int((future.values <= end).sum())
        raise DataError(
            f"{path}: its first row is of {began}, but the known inputs end at {ended}: they overlap by "
            f"{counted(overlap, 'row')}; leave out what is known already"
        )
    if not np.isfinite(expected.values).all():
        return
    wrong = np.flatnonzero(np.abs(future.values - expected.values) > 1.0 * known.dated)
    if not wrong.size:
        return
    row = int(wrong[0])
    wanted, got = expected.texts()[row], future.texts()[row]
    if row == 0 and first > float(expected.values[0]):
        raise DataError(
            f"{path}: its first row is of {began}, but the known inputs end at {ended}: there is a gap; the first row "
            f"has to be of {wanted}"
        )
    raise DataError(
        f"{path}, row {row + 1}: expected {wanted}, a step after the row before, got {got or 'no time'}"
    )
