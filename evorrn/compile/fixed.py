"""Arrays of a cell that are not trained: their settings, and how they are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evorrn.base.errors import CellError
from evorrn.compile.declare import range_in_words
from evorrn.compile.equations import Fixed
from evorrn.compile.op import size_of


def checked(name: str, value: Any, bounds: tuple[float, float]) -> Any:
    """Return the setting of an array as plain data: a number, a list of numbers, or a list of pairs.

    Raises
    ------
    CellError
        When it is none of these, or a number is out of the bounds.
    """
    form = "a number, a list of numbers, or pairs [units, value]"
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    plain = (
        [list(each) if isinstance(each, tuple) else each for each in plain]
        if isinstance(plain, list | tuple)
        else plain
    )
    try:
        array = np.asarray(plain, float)
    except (TypeError, ValueError):
        raise CellError(f"cell option {name}: expected {form}, got {value!r}") from None
    pairs = array.ndim == 2 and array.shape[1] == 2
    if isinstance(value, bool) or array.size == 0 or not (array.ndim < 2 or pairs):
        raise CellError(f"cell option {name}: expected {form}, got {value!r}")
    numbers = array[:, 1] if pairs else array
    if not np.isfinite(array).all() or (pairs and ((array[:, 0] < 1) | (array[:, 0] % 1 != 0)).any()):
        raise CellError(f"cell option {name}: expected {form}, got {value!r}")
    low, high = bounds
    if not ((low <= numbers) & (numbers <= high)).all():
        raise CellError(f"cell option {name}: expected {range_in_words(low, high)}, got {value!r}")
    return plain


def made(
    cell: str, name: str, array: Fixed, sizes: Mapping[str, int], options: Mapping[str, Any]
) -> np.ndarray:
    """Return an array that is not trained, float64.

    Raises
    ------
    CellError
        When its setting does not fit its shape, or its rule fails or makes a wrong array.
    """
    shape = tuple(size_of(dimension, sizes) for dimension in array.shape.split())
    if array.rule is None:
        return _of_setting(name, options[name], shape)
    try:
        values = np.asarray(array.rule(sizes, options), float)
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise CellError(f"cell {cell}: the rule of {name} failed: {kind}{error}") from error
    if values.shape != shape:
        raise CellError(f"cell {cell}: the rule of {name}: expected shape {shape}, got {values.shape}")
    if not np.isfinite(values).all():
        raise CellError(f"cell {cell}: the rule of {name}: expected finite numbers")
    return values


def _of_setting(name: str, setting: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array from a number, a list of numbers for each unit, or pairs of units and value."""
    given = np.asarray(setting, float)
    units = int(given[:, 0].sum()) if given.ndim == 2 else given.size
    fits = given.ndim == 0 or shape == (units,)
    if given.ndim == 2 and fits:
        given = np.repeat(given[:, 1], given[:, 0].astype(int))
    if not fits or (given.ndim and given.shape != shape):
        raise CellError(
            f"cell option {name}: expected {' x '.join(map(str, shape))} numbers, one for each unit, got {units}"
        )
    return np.broadcast_to(given, shape).copy()
