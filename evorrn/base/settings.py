"""Settings: frozen dataclasses whose fields declare their meaning and range, and are checked together."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypedDict, TypeVar, Unpack

from evorrn.base.checks import check, convert, is_whole, type_name
from evorrn.base.documentation import WithParameters, Written, allowed
from evorrn.base.errors import ConfigError, unknown

S = TypeVar("S", bound="Settings")

LARGEST_SEED = 2**128 - 1
"""As many bits as a seed drawn by NumPy has."""


class _AlwaysStored:
    def __repr__(self) -> str:
        return "ALWAYS_STORED"


ALWAYS_STORED = _AlwaysStored()
"""The `absent` of a setting that every stored spec holds."""


class Limits(TypedDict, total=False):
    """The range of a number: inclusive and exclusive bounds."""

    minimum: float
    above: float
    maximum: float
    below: float


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[Any, ...] | None = None,
    alias: str | None = None,
    absent: Any = ALWAYS_STORED,
    **limits: Unpack[Limits],
) -> Any:
    """Declare one setting of a `Settings` class: its default, its meaning and its range.

    Parameters
    ----------
    default : object
        The value when none is given.
    help : str
        What the setting means, shown by ``help`` of the class and by ``evorrn show``.
    choices : tuple, optional
        The only values allowed.
    alias : str, optional
        Another name for the setting in specs and on the command line.
    absent : object, optional
        For a setting added to a class that has been used before: the value that means the earlier behaviour.
        Stored specs leave the setting out where it has this value, so that earlier runs keep their ids.
    minimum, above : float, optional
        Inclusive or exclusive lower bound.
    maximum, below : float, optional
        Inclusive or exclusive upper bound.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import evorrn
    >>> @dataclass(frozen=True)
    ... class HillClimbing(evorrn.EvolutionStrategy):
    ...     "Keep a change that is better."
    ...     size: float = evorrn.setting(0.1, "standard deviation of a change", above=0)
    >>> HillClimbing(size=0.5).values()
    {'size': 0.5}
    >>> HillClimbing(size=-1)
    Traceback (most recent call last):
        ...
    evorrn.base.errors.ConfigError: size: expected a value > 0, got -1.0
    """
    metadata = {
        "help": help,
        **limits,
        "choices": choices,
        "alias": alias,
        "absent": absent,
    }
    return dataclasses.field(default=default, metadata=metadata)


class Settings:
    """Base of frozen dataclasses that check their own fields when made.

    Subclasses are ``@dataclass(frozen=True)`` with fields made by `setting`; they may override
    `problems` to add rules about several fields. The docstring of a subclass gets a Parameters section
    with every setting; `doc` is the docstring without it.
    """

    doc: ClassVar[Any] = Written()

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        written = vars(cls).get("__doc__")
        if not isinstance(written, WithParameters):  # dataclass(slots=True) makes the class a second time
            cls.__doc__ = WithParameters(written)  # type: ignore[assignment]

    def __new__(cls, *arguments: Any, **values: Any) -> Self:
        """Raise ConfigError naming the nearest setting when a name is not a setting."""
        if dataclasses.is_dataclass(cls):
            known = names(cls)
            wrong = [f"{name}: {unknown('setting', name, known)}" for name in values if name not in known]
            if wrong:
                raise ConfigError(wrong)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        hints = type_hints(type(self))
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            object.__setattr__(self, field.name, convert(getattr(self, field.name), hints[field.name]))
        found = self.problems()
        if found:
            raise ConfigError(found)

    def problems(self) -> list[str]:
        """Return one sentence for each field whose value is not allowed."""
        hints = type_hints(type(self))
        found = []
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            sentence = check(value, hints[field.name], field.metadata)
            if sentence:
                found.append(f"{field.name}: {sentence}")
        return found

    def values(self) -> dict[str, Any]:
        """Return the settings as plain data, tuples as lists, in order of declaration."""
        return {field.name: plain(getattr(self, field.name)) for field in dataclasses.fields(self)}  # type: ignore[arg-type]

    def stored_values(self) -> dict[str, Any]:
        """Return what a stored spec holds: the `values` without those that mean the earlier behaviour."""
        earlier = {name: plain(value) for name, value in _absent(type(self)).items()}
        return {
            name: value
            for name, value in self.values().items()
            if name not in earlier or (type(value), value) != (type(earlier[name]), earlier[name])
        }

    @classmethod
    def from_stored(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a stored spec, with each setting that it leaves out at its earlier behaviour."""
        return {**_absent(cls), **values}


def check_seed(seed: Any) -> int:
    """Return a seed as an int.

    Raises
    ------
    ConfigError
        When the seed is not a whole number of at least 0 and at most `LARGEST_SEED`.
    """
    value = plain(seed)
    if not is_whole(value) or value < 0:
        raise ConfigError(f"seed: expected a whole number of at least 0, got {seed!r}")
    if value > LARGEST_SEED:
        raise ConfigError("seed: expected a whole number below 2**128, got a larger one")
    return value


def names(cls: type[Settings]) -> list[str]:
    """Return the names of the settings of a class, in order of declaration."""
    return [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]


def _absent(cls: type[Settings]) -> dict[str, Any]:
    """Return the settings that stored specs may leave out, each with the value that this means."""
    found = {
        field.name: field.metadata.get("absent", ALWAYS_STORED)
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
    }
    return {name: value for name, value in found.items() if value is not ALWAYS_STORED}


def describe(cls: type[Settings]) -> list[tuple[str, str, Any, str]]:
    """Return ``(name, allowed values, default, help)`` of every setting of a class."""
    hints = type_hints(cls)
    return [
        (
            field.name,
            allowed(field.metadata, type_name(hints[field.name])),
            field.default,
            field.metadata.get("help", ""),
        )
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
    ]


def build(cls: type[S], values: Mapping[str, Any], path: str) -> S:
    """Return a settings object made from plain data; all mistakes are reported at once.

    Parameters
    ----------
    cls : type
        A `Settings` dataclass.
    values : mapping
        Names and values, as read from TOML or the command line; lists become tuples, and whole
        numbers become floats where floats are wanted.
    path : str
        Prefix of each name in messages, for instance ``"strategy"``.

    Raises
    ------
    ConfigError
        Listing every unknown name and every value that is not allowed.
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
        converted = convert(value, hints[name])
        sentence = check(converted, hints[name], fields[name].metadata)
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
    """Return values under the names of the settings, aliases replaced."""
    aliases = {field.metadata.get("alias"): field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return {aliases.get(name, name): value for name, value in values.items()}


def plain(value: Any) -> Any:
    """Return a value as JSON and TOML have it: tuples as lists, NumPy scalars as Python numbers."""
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
    """Return what `type_hints` does, computed once for each class."""
    return typing.get_type_hints(cls)
