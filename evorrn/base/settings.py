"""Settings: frozen dataclasses whose fields say their range, checked all at once."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from evorrn.base.errors import ConfigError, unknown

S = TypeVar("S", bound="Settings")


def setting(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    choices: tuple[Any, ...] | None = None,
    alias: str | None = None,
) -> Any:
    """Declare one setting of a `Settings` class: its default, its meaning and its range.

    Parameters
    ----------
    default : object
        The value when none is given.
    help : str
        One sentence, shown by ``evorrn show``.
    minimum, above : float, optional
        Inclusive or exclusive lower bound.
    maximum, below : float, optional
        Inclusive or exclusive upper bound.
    choices : tuple, optional
        The only values allowed.
    alias : str, optional
        Another name that `build` understands, where the good name is taken in the class.
    """
    metadata = {
        "help": help,
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
        "below": below,
        "choices": choices,
        "alias": alias,
    }
    return dataclasses.field(default=default, metadata=metadata)


class Settings:
    """Base of frozen dataclasses that check their own fields when made.

    Subclasses are ``@dataclass(frozen=True)`` with fields made by `setting`; they may override
    `problems` to add what concerns several fields.
    """

    def __new__(cls, *arguments: Any, **values: Any) -> Self:
        """Refuse names that are no setting with the nearest one, before Python does without it."""
        if dataclasses.is_dataclass(cls):
            known = names(cls)
            wrong = [f"{name}: {unknown('setting', name, known)}" for name in values if name not in known]
            if wrong:
                raise ConfigError(wrong)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        hints = type_hints(type(self))
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            object.__setattr__(self, field.name, _convert(getattr(self, field.name), hints[field.name]))
        found = self.problems()
        if found:
            raise ConfigError(found)

    def problems(self) -> list[str]:
        """Return one sentence for each field whose value is not allowed."""
        hints = type_hints(type(self))
        found = []
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            sentence = _check(value, hints[field.name], field.metadata)
            if sentence:
                found.append(f"{field.name}: {sentence}")
        return found

    def values(self) -> dict[str, Any]:
        """Return the settings as plain data, tuples as lists, in order of declaration."""
        return {field.name: plain(getattr(self, field.name)) for field in dataclasses.fields(self)}  # type: ignore[arg-type]


def check_seed(seed: Any) -> int:
    """Return a seed as an int.

    Raises
    ------
    ConfigError
        When it is no whole number of at least 0.
    """
    value = plain(seed)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(f"seed: expected a whole number of at least 0, got {seed!r}")
    return value


def names(cls: type[Settings]) -> list[str]:
    """Return the names of the settings of a class, in order of declaration."""
    return [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]


def describe(cls: type[Settings]) -> list[tuple[str, str, Any, str]]:
    """Return ``(name, type, default, help)`` of every setting of a class."""
    hints = type_hints(cls)
    return [
        (field.name, _type_name(hints[field.name]), field.default, field.metadata.get("help", ""))
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
    ]


def build(cls: type[S], values: Mapping[str, Any], path: str) -> S:
    """Make a settings object from plain data, and report every mistake at once.

    Parameters
    ----------
    cls : type
        A `Settings` dataclass.
    values : mapping
        Names and values, as read from TOML or the command line; lists become tuples, and whole
        numbers become floats where floats are wanted.
    path : str
        Put before each name in messages, for instance ``"strategy"``.

    Raises
    ------
    ConfigError
        With every unknown name and every refused value.
    """
    known = names(cls)
    values = _without_aliases(cls, values)
    found = [f"{path}.{name}: {unknown('setting', name, known)}" for name in values if name not in known]
    hints = type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    good: dict[str, Any] = {}
    for name, value in values.items():
        if name not in fields:
            continue
        converted = _convert(value, hints[name])
        sentence = _check(converted, hints[name], fields[name].metadata)
        if sentence:
            found.append(f"{path}.{name}: {sentence}")
        else:
            good[name] = converted
    try:
        made = cls(**good)
    except ConfigError as error:
        raise ConfigError(found + [f"{path}.{problem}" for problem in error.problems]) from None
    if found:
        raise ConfigError(found)
    return made


def _without_aliases(cls: type[Settings], values: Mapping[str, Any]) -> dict[str, Any]:
    aliases = {field.metadata.get("alias"): field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return {aliases.get(name, name): value for name, value in values.items()}


def plain(value: Any) -> Any:
    """Return a value as JSON and TOML know it: tuples as lists, NumPy scalars as Python numbers."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def type_hints(cls: type) -> dict[str, Any]:
    """Return the types of a class's settings."""
    return _evaluated(cls)


@functools.cache
def _evaluated(cls: type) -> dict[str, Any]:
    """Return what `type_hints` does; finding types means evaluating text, once for each class."""
    return typing.get_type_hints(cls)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    origin = typing.get_origin(hint)
    if origin is typing.Union or origin is types.UnionType:
        return typing.get_args(hint)
    return (hint,)


def _convert(value: Any, hint: Any) -> Any:
    """Bring lists to tuples, ints to floats and NumPy scalars to Python, so that all say the same."""
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    for option in _alternatives(hint):
        if typing.get_origin(option) is tuple and isinstance(value, list | tuple):
            inner = typing.get_args(option)
            kinds = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is ... else list(inner)
            if len(kinds) == len(value):
                return tuple(_convert(item, kind) for item, kind in zip(value, kinds))
    alternatives = _alternatives(hint)
    if isinstance(value, str) and value == "none" and type(None) in alternatives and str not in alternatives:
        return None  # TOML has no null
    if float in alternatives and int not in alternatives and type(value) is int:
        return float(value)
    return value


def _fits(value: Any, hint: Any) -> bool:
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


def _check(value: Any, hint: Any, metadata: Mapping[str, Any]) -> str | None:
    if not _fits(value, hint):
        return f"expected {_type_name(hint)}, got {value!r}"
    choices = metadata.get("choices")
    if choices is not None and value not in choices:
        return unknown("value", value, [str(choice) for choice in choices])
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
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
    return None


def _type_name(hint: Any) -> str:
    words = []
    for option in _alternatives(hint):
        if option is type(None):
            words.append("none")
        elif typing.get_origin(option) is tuple:
            inner = typing.get_args(option)
            words.append("list of " + _type_name(inner[0]))
        else:
            words.append(getattr(option, "__name__", str(option)))
    return " or ".join(words)
