"""Power spectra of free runs beside those of the true series: whether a generator has the right rhythm when its phase is lost."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.errors import ShapeError
from evorrn.data.arrays import numeric
from evorrn.data.spectrum import SHORTEST, distance, power


@dataclass(frozen=True)
class PowerSpectra:
    """Mean power spectra of two sets of series.

    Attributes
    ----------
    frequencies : ndarray, shape (F,)
        Cycles per time step, from above 0 to 1/2.
    predicted, truth : ndarray, shape (F, O)
        Power at each frequency, as a share of that of the truth over all frequencies.
    distance : float
        Half of the summed absolute difference of both, each first divided by its own sum, averaged over outputs: 0 for equal
        shapes, 1 where they share no frequency, as where a prediction is constant. NaN where the truth is constant, and
        where a series is not finite. It is the metric ``spectral_distance`` of free runs.
    """

    frequencies: np.ndarray
    predicted: np.ndarray
    truth: np.ndarray
    distance: float

    def plot(self, names: Sequence[str] = (), path: str | None = None) -> Any:
        """Draw the spectra of each output, and return the matplotlib figure.

        Parameters
        ----------
        names : sequence of str, optional
            Those of the outputs.
        path : str, optional
            A file to write, ``.png`` or ``.svg``.
        """
        drawing = importlib.import_module(
            "evorrn.lab.report.spectra"
        )  # the only folder that draws lies below
        return drawing.draw_spectra(self, names, path)


def power_spectra(predicted: Any, truth: Any) -> PowerSpectra:
    """Return the power spectra of free runs and of the true series.

    Parameters
    ----------
    predicted, truth : array_like, shapes (B, T, O), (T, O) or (T,)
        Series of equal length, T at least 4; there may be more or fewer of one than of the other.

    Raises
    ------
    ShapeError
        When the lengths or the outputs differ, or there are fewer than 4 time steps.

    Notes
    -----
    The mean of each series is subtracted and a Hann window applied; spectra are averaged over series. Source: Welch 1967, with
    one segment a series.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.diagnostics import power_spectra
    >>> time = np.arange(200)
    >>> late, slow = np.sin(0.5 * time + 1), np.sin(0.25 * time)
    >>> bool(power_spectra(late, np.sin(0.5 * time)).distance < 0.05)
    True
    >>> bool(power_spectra(slow, np.sin(0.5 * time)).distance > 0.95)
    True
    """
    first, second = _series("predicted", predicted), _series("truth", truth)
    if first.shape[1:] != second.shape[1:]:
        raise ShapeError(
            f"predicted: expected {second.shape[1]} time steps of {second.shape[2]} outputs as in truth, got "
            f"{first.shape[1]} of {first.shape[2]}"
        )
    both = power(first), power(second)
    with np.errstate(divide="ignore", invalid="ignore"):
        predicted_share, true_share = (spectrum / both[1].sum(axis=0) for spectrum in both)
    frequencies = np.fft.rfftfreq(first.shape[1])[1:]
    return PowerSpectra(frequencies, predicted_share, true_share, distance(*both))


def _series(name: str, value: Any) -> np.ndarray:
    """Return series as float64 (B, T, O)."""
    array = np.asarray(numeric(name, value), np.float64)
    array = array[None, :, None] if array.ndim == 1 else array[None] if array.ndim == 2 else array
    if array.ndim != 3 or 0 in array.shape or array.shape[1] < SHORTEST:
        raise ShapeError(f"{name}: expected shape (B, T, O) with T of at least 4, got {np.shape(value)}")
    return array
