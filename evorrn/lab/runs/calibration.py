"""Half widths of the intervals around a run's predictions and forecasts, from its errors on validation."""

from __future__ import annotations

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.intervals import series_width
from evorrn.training.model import Model

MOST_ORIGINS = 200
"""Places in the validation part from which a forecast is tried."""


def half_widths(residuals: np.ndarray, level: float) -> np.ndarray:
    """Return the half width (O,) of the intervals of predictions, from residuals (n, O) on validation.

    It is NaN where there are too few residuals, or one is not finite.
    """
    widths = np.array([series_width(np.abs(column), level) for column in residuals.T])
    return np.where(np.isfinite(widths), widths, np.nan)


def forecast_widths(result: Model, valid: Batch, steps: int, level: float) -> np.ndarray:
    """Return the half width (steps, O) of each step of a forecast that runs on from its own outputs.

    The network forecasts from many places in the validation part, with the true values of its other inputs. Each step
    ahead has the split conformal half width of its own errors; NaN where validation is too short for one.
    """
    errors = recursive_errors(result, valid, steps)
    return np.stack([half_widths(each[~np.isnan(each).any(axis=1)], level) for each in errors.swapaxes(0, 1)])


def recursive_errors(result: Model, valid: Batch, steps: int) -> np.ndarray:
    """Return the absolute errors (origins, steps, O) of forecasts from places in validation, in original units.

    They are NaN after the end of validation, and at steps that are not scored.
    """
    network = result.network
    origins = np.flatnonzero(valid.scored[0])
    origins = origins[:: -(-len(origins) // MOST_ORIGINS)]
    inputs = np.repeat(valid.inputs[:1], len(origins), axis=0)
    outputs = network.predict(result.genome, inputs, free_from=origins + 1)
    truth = np.array(valid.targets[0], dtype=np.float64)
    truth[~valid.scored[0]] = np.nan
    errors = np.full((len(origins), steps, network.outputs), np.nan)
    deviation = 1.0 if result.scaling is None else result.scaling.target_deviation
    for place, origin in enumerate(origins):
        span = slice(int(origin), min(int(origin) + steps, valid.steps))
        errors[place, : span.stop - span.start] = np.abs(truth[span] - outputs[place, span]) * deviation
    return errors
