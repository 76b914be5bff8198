"""Patterns of -1 and 1: their checks, and how alike two of them are."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from evorrn.base.errors import EvorrnError, ShapeError


def some(name: str, value: Any, units: int) -> np.ndarray:
    """Return patterns as `bipolar` does; raise ShapeError when there are none."""
    array = bipolar(name, value, units)
    if not len(array):
        raise ShapeError(f"{name}: expected at least one pattern, got none")
    return array


def bipolar(name: str, value: Any, units: int) -> np.ndarray:
    """Return patterns as float64 (M, N), one pattern (N,) as (1, N).

    Raises
    ------
    ShapeError
        When the array has another shape, or numbers that are neither -1 nor 1.
    """
    array = finite(name, value, units)
    wrong = array[np.abs(array) != 1.0]
    if wrong.size:
        raise ShapeError(f"{name}: expected patterns of -1 and 1, got {wrong.flat[0]:g}")
    return array


def finite(name: str, value: Any, units: int) -> np.ndarray:
    """Return an array of finite numbers as float64 (M, N), one vector (N,) as (1, N).

    Raises
    ------
    ShapeError
        When the array has another shape, or numbers that are not finite.
    """
    array = numbers(name, value)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[1] != units:
        raise ShapeError(f"{name}: expected shape (M, {units}) or ({units},), got {np.shape(value)}")
    if not np.isfinite(array).all():
        raise ShapeError(f"{name}: expected finite numbers, got NaN or infinity")
    return array


def vector(name: str, value: Any, units: int) -> np.ndarray:
    """Return finite numbers as float64 (N,).

    Raises
    ------
    ShapeError
        When the array has another shape, or numbers that are not finite.
    """
    array = numbers(name, value)
    if array.shape != (units,):
        raise ShapeError(f"{name}: expected shape ({units},), got {array.shape}")
    return finite(name, array, units)[0]


def positive(name: str, value: Any) -> float:
    """Return a number; raise EvorrnError where it is not finite or not greater than 0."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < np.inf:
        raise EvorrnError(f"{name}: expected a finite number > 0, got {value!r}")
    return float(value)


def pair(name: str, value: Any) -> tuple[Any, Any]:
    """Return the two values that belong to the layers x and y; raise EvorrnError for anything else."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        found = len(value) if isinstance(value, (tuple, list)) else type(value).__name__
        raise EvorrnError(f"{name}: expected two values (for x, for y), got {found}")
    return value[0], value[1]


def numbers(name: str, value: Any) -> np.ndarray:
    """Return a new array of float64 in the order of C; raise ShapeError for masked entries and for what is not an array of real numbers."""
    if np.ma.is_masked(value):
        raise ShapeError(f"{name}: expected an array without masked entries, whose values are unknown")
    try:
        given = np.asarray(value)
        if given.dtype.kind in "biufO":  # O: fractions, for instance
            return np.array(given, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise ShapeError(f"{name}: expected an array of numbers, got {type(value).__name__}") from None
    raise ShapeError(
        f"{name}: expected an array of numbers, got {type(value).__name__} of dtype {given.dtype}"
    )


def tie_sizes(sizes: np.ndarray, thresholds: np.ndarray, inputs: int) -> np.ndarray:
    """Return for each unit (N,) the size up to which its sum over its inputs, less its threshold, may be zero but for rounding.

    Parameters
    ----------
    sizes : ndarray, shape (N,)
        Sums of the absolute weights of each unit.
    """
    return np.asarray(4 * (inputs + 1) * np.finfo(np.float64).eps * (sizes + np.abs(thresholds)))


def overlap(states: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Return the overlap of each state with each pattern, (B, M): 1 when equal, -1 when opposite, near 0 by chance."""
    return np.asarray(states) @ np.asarray(patterns).T / np.shape(states)[1]
