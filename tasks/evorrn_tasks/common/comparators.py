"""Forecasts that a practitioner would really use, for comparison with trained networks.

Seasonal naive and drift need nothing but the series. The others are models of other libraries, fitted to the rows of
training and validation: histogram boosting and a window MLP (scikit-learn), AutoETS and AutoARIMA (statsforecast).
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from evorrn.base.errors import unknown
from evorrn.data.tables.dates import DAY, HOUR
from evorrn.data.tables.step import BUSINESS_DAY, MONTH, SECOND, Step
from evorrn.data.task import Splits
from evorrn.data.timed import Timed
from evorrn_tasks.common import linear

USUAL = ("seasonal", "drift")
MODELS = {"boosting": "sklearn", "mlp": "sklearn", "ets": "statsforecast", "arima": "statsforecast"}
"""The library that each model needs."""
NAMES = (*USUAL, *MODELS)
WINDOWS = (4, 12, 24, 48)
"""Rows that a model of scikit-learn sees, the best of them on validation."""
MOST_ROWS, MOST_FITTED, LONGEST_SEASON = 20_000, 2_000, 60
"""Rows to fit to, of scikit-learn and of statsforecast; the longest season of the latter."""


@dataclass(frozen=True)
class Series:
    """A record of targets up to the end of test, in scaled units.

    Attributes
    ----------
    values : ndarray, shape (N, O)
    ends : tuple of int
        First row of validation and first row of test.
    horizon : int
        Rows from a known value to the one that is forecast.
    seasons : tuple of int
        Rows in a day, a week or a year, those that the step of the rows suggests.
    """

    values: np.ndarray
    ends: tuple[int, int]
    horizon: int
    seasons: tuple[int, ...]


def comparator_problems(names: Sequence[str]) -> list[str]:
    """Return a sentence for each name that is not known, or whose library is not installed."""
    found = []
    for name in names:
        library = MODELS.get(name, "")
        if name not in NAMES:
            found.append(unknown("baseline", name, NAMES))
        elif library and importlib.util.find_spec(library) is None:
            found.append(f"{name} needs {library}; install it with: pip install 'evorrn[baselines]'")
    return found


def comparators(splits: Splits, series: Series, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return forecasts of the test split (B, T, O) by a name for the report, in scaled units."""
    assert splits.test is not None
    rows = np.arange(len(series.values) - splits.test.steps, len(series.values))
    makers: dict[str, Callable[[], np.ndarray]] = {}
    for name in names:
        if name == "seasonal":
            season = best_season(series)
            if season:
                makers[f"seasonal naive, {season} rows"] = partial(seasonal_naive, series, rows, season)
        elif name == "drift":
            makers["drift"] = partial(drift, series, rows)
        elif name in ("boosting", "mlp"):
            label = "histogram boosting" if name == "boosting" else "window MLP"
            makers[label] = partial(regression, splits, name)
        else:
            label = "AutoETS" if name == "ets" else "AutoARIMA"
            makers[label] = partial(classical, series, rows, label)
    found = Timed(makers)
    for name, forecast in found.items():
        found[name] = forecast if forecast.ndim == 3 else forecast[None]
    return found


def seasons_of(step: Step | None) -> tuple[int, ...]:
    """Return the rows in a day, a week or a year, for the usual step between rows; none where it has no such season."""
    if step is None:
        return ()
    if step.unit == MONTH:
        return (round(12 / step.size),) if step.size in (1, 2, 3, 4, 6) else ()
    if step.unit == BUSINESS_DAY:
        return (5,) if step.size == 1 else ()
    if step.unit != SECOND:
        return ()
    cycles = (HOUR, DAY, 7 * DAY) if step.size < HOUR else (DAY, 7 * DAY)
    found = [round(cycle / step.size) for cycle in cycles if cycle % step.size == 0 and cycle > step.size]
    return (*found, *((52,) if step.size == 7 * DAY else ()))


def best_season(series: Series) -> int:
    """Return the season whose naive forecast has the lowest squared error on validation; 0 where none fits."""
    fitting = [season for season in series.seasons if 2 * season + series.horizon <= series.ends[0]]
    rows = np.arange(*series.ends)
    errors = {s: np.square(seasonal_naive(series, rows, s) - series.values[rows]).mean() for s in fitting}
    return min(errors, key=lambda season: errors[season]) if errors else 0


def seasonal_naive(series: Series, rows: np.ndarray, season: int) -> np.ndarray:
    """Return the last known values of the same phase, (len(rows), O); the first row where there are none."""
    back = season * -(-series.horizon // season)
    return np.asarray(series.values[np.maximum(rows - back, 0)])


def drift(series: Series, rows: np.ndarray) -> np.ndarray:
    """Return the last known values, carried on by the mean step from the first row to them, (len(rows), O).

    Source: Hyndman and Athanasopoulos, "Forecasting: principles and practice", the drift method.
    """
    last = np.maximum(rows - series.horizon, 0)
    slope = (series.values[last] - series.values[0]) / np.maximum(last, 1)[:, None]
    return np.asarray(series.values[last] + series.horizon * slope)


def regression(splits: Splits, name: str) -> np.ndarray:
    """Return test outputs (B, T, O) of a model of scikit-learn on the last rows of all inputs.

    The number of rows is the one with the lowest validation loss; the model is then fitted to training and validation.
    """
    train, valid, test = splits
    assert train is not None and valid is not None and test is not None
    context = int(valid.scored[0].argmax()) + 1
    losses: dict[int, float] = {}
    for window in sorted({min(window, context) for window in WINDOWS}):
        model = _Regression(name).fit(*linear.rows([train], window, MOST_ROWS))
        outputs = model.predict(linear.register(valid.inputs, window))
        losses[window] = float(np.mean(np.square(outputs - valid.targets)[valid.scored]))
    best = min(losses, key=lambda window: losses[window])
    model = _Regression(name).fit(*linear.rows([train, valid], best, MOST_ROWS))
    return model.predict(linear.register(test.inputs, best))


class _Regression:
    """A regression of scikit-learn for several outputs, always with the same seed, on one thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.models: list[Any] = []

    def fit(self, x: np.ndarray, y: np.ndarray) -> _Regression:
        """Fit to features (N, p) and targets (N, O)."""
        models = [self._new() for _ in y.T]  # before the limit, which holds for libraries that are loaded
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore")  # of steps that did not converge: validation chooses
            self.models = [model.fit(x, column) for model, column in zip(models, y.T)]
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return outputs (B, T, O) for features (B, T, p)."""
        flat = features.reshape(-1, features.shape[2])
        with threadpool_limits(limits=1):
            outputs = np.stack([model.predict(flat) for model in self.models], axis=1)
        return outputs.reshape(*features.shape[:2], -1)

    def _new(self) -> Any:
        if self.name == "boosting":
            from sklearn.ensemble import HistGradientBoostingRegressor

            return HistGradientBoostingRegressor(random_state=0, early_stopping=False)
        from sklearn.neural_network import MLPRegressor

        settings: Mapping[str, Any] = {
            "hidden_layer_sizes": (32,),
            "alpha": 1e-3,
            "tol": 1e-4,
            "max_iter": 300,
        }
        return MLPRegressor(random_state=0, early_stopping=True, n_iter_no_change=20, **settings)


def classical(series: Series, rows: np.ndarray, label: str) -> np.ndarray:
    """Return forecasts (len(rows), O) of a model of statsforecast, fitted once to the rows before test.

    Each forecast knows the values up to `horizon` rows before it. The model is fitted to the newest `MOST_FITTED` rows, with
    the shortest season that is not longer than `LONGEST_SEASON`.
    """
    from statsforecast import models

    season = next((each for each in series.seasons if each <= LONGEST_SEASON), 1)
    start = max(series.ends[1] - MOST_FITTED, 0)
    outputs = np.zeros((len(rows), series.values.shape[1]))
    for output, values in enumerate(series.values.T):
        model = getattr(models, label)(season_length=season).fit(
            np.ascontiguousarray(values[start : series.ends[1]])
        )
        for place, row in enumerate(rows):
            known = values[start : row - series.horizon + 1]
            if row >= series.ends[1] and len(known) > 2 * season:
                outputs[place, output] = model.forward(np.ascontiguousarray(known), h=series.horizon)["mean"][
                    -1
                ]
    return outputs
