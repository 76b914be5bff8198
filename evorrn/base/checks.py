"""Values of settings: conversion to the declared type, and the check of type and range."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from evorrn.base.errors import unknown

MOST = 2**63 - 1
"""Largest whole number of a setting: arrays hold no larger one."""


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number, of Python or NumPy; True and False are none.

    Examples
    --------
    >>> from evorrn.base.checks import is_whole
    >>> is_whole(3), is_whole(3.0), is_whole(True)
    (True, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether a value is a real number, of Python or NumPy; True and False are none.

    Examples
    --------
    >>> from evorrn.base.checks import is_number
    >>> is_number(3), is_number(0.5), is_number(False), is_number("3")
    (True, True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself."""
    origin = typing.get_origin(hint)
    if origin is typing.Union or origin is types.UnionType:
        return typing.get_args(hint)
    return (hint,)


def convert(value: Any, hint: Any) -> Any:
    """Return a value as its type wants it: lists as tuples, ints as floats, NumPy scalars as Python numbers."""
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    for option in _alternatives(hint):
        if typing.get_origin(option) is tuple and isinstance(value, list | tuple):
            inner = typing.get_args(option)
            kinds = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is ... else list(inner)
            if len(kinds) == len(value):
                return tuple(convert(item, kind) for item, kind in zip(value, kinds))
    alternatives = _alternatives(hint)
    if isinstance(value, str) and value == "none" and type(None) in alternatives and str not in alternatives:
        return None  # TOML has no null
    if float in alternatives and int not in alternatives and type(value) is int:
        return float(value) if abs(value) < 2**1023 else math.inf if value > 0 else -math.inf
    return value


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value is of a type."""
    for option in _alternatives(hint):
        origin = typing.get_origin(option)
        if option is Any or (option is type(None) and value is None):
            return True
        if origin is tuple and isinstance(value, tuple):
            inner = typing.get_args(option)
            kinds = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is ... else list(inner)
            if len(kinds) == len(value) and all(_fits(item, kind) for item, kind in zip(value, kinds)):
                return True
        elif origin is dict or option is dict:
            if isinstance(value, dict):
                return True
        elif option is bool:
            if isinstance(value, bool):
                return True
        elif option is int:
            if isinstance(value, int) and not isinstance(value, bool):
                return True
        elif option is float:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return True
        elif (
            (isinstance(option, type) and isinstance(value, option))
            or (typing.get_origin(option) is typing.Literal and value in typing.get_args(option))
            or (
                not isinstance(option, type)
                and origin is not None
                and origin is not tuple
                and callable(value)
            )
        ):
            return True
    return False


def check(value: Any, hint: Any, metadata: Mapping[str, Any]) -> str | None:
    """Return a sentence that says why a value is not allowed, None when it is allowed.

    Parameters
    ----------
    value : object
    hint : type
        The setting's type.
    metadata : mapping
        ``choices``, ``minimum``, ``above``, ``maximum`` and ``below``; see `evorrn.base.settings.setting`.
    """
    if not _fits(value, hint):
        return f"expected {type_name(hint)}, got {value!r}"
    choices = metadata.get("choices")
    if choices is not None and value not in choices:
        return unknown("value", value, [str(choice) for choice in choices])
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if not is_number(number):
            continue
        if math.isnan(number):
            return "expected a number, got nan"
        for key, sign, holds in (
            ("minimum", ">=", lambda a, b: a >= b),
            ("above", ">", lambda a, b: a > b),
            ("maximum", "<=", lambda a, b: a <= b),
            ("below", "<", lambda a, b: a < b),
        ):
            bound = metadata.get(key)
            if bound is not None and not holds(number, bound):
                return f"expected a value {sign} {bound:g}, got {number!r}"
        if isinstance(number, float) and math.isinf(number):
            return f"expected a finite number, got {number}"
        if is_whole(number) and not -MOST <= number <= MOST:
            return f"expected a whole number of at most {MOST}, got {number!r}"
    return None


def type_name(hint: Any) -> str:
    """Return a type in words: ``"int or none"``, ``"list of float"``."""
    words = []
    for option in _alternatives(hint):
        if option is type(None):
            words.append("none")
        elif typing.get_origin(option) is tuple:
            inner = typing.get_args(option)
            words.append("list of " + type_name(inner[0]))
        else:
            words.append(getattr(option, "__name__", str(option)))
    return " or ".join(words)
