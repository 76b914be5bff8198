"""Docstrings of settings classes: a Parameters section made from the declarations of the settings."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import textwrap
import typing
from collections.abc import Mapping
from typing import Any

from evorrn.base.checks import type_name

WIDTH = 95
"""Columns of a line of the section."""

BOUNDS = {"minimum": "at least", "above": "above", "maximum": "at most", "below": "below"}


class WithParameters:
    """Descriptor for the ``__doc__`` of a class: the text as written, with a Parameters section in it.

    The section is made when the docstring is read, because the fields of a dataclass do not exist before its
    decorator has run.

    Parameters
    ----------
    written : str or None
        The docstring in the source.
    """

    def __init__(self, written: str | None) -> None:
        self.written = inspect.cleandoc(written or "")

    def __get__(self, instance: object, owner: type) -> str | None:
        if not dataclasses.is_dataclass(owner) or has_section(self.written, "Parameters"):
            return self.written or None
        decorating = "__dataclass_fields__" in vars(owner) and "__match_args__" not in vars(owner)
        if self.written and decorating:  # the decorator of dataclasses only asks whether there is a docstring
            return self.written
        return with_section(self.written, parameters_section(owner)) or None


class Written:
    """Descriptor for the docstring of a class as its source has it, without the Parameters section."""

    def __get__(self, instance: object, owner: type) -> str:
        doc = vars(owner).get("__doc__")
        return doc.written if isinstance(doc, WithParameters) else inspect.cleandoc(doc or "")


def parameters_section(cls: type) -> str:
    """Return the numpydoc Parameters section of a dataclass; empty when it has no fields."""
    fields = [field for field in dataclasses.fields(cls) if field.init]
    try:
        hints = typing.get_type_hints(cls)
    except NameError:  # the class names itself in a type, and its module does not have it yet
        hints = {}
    entries = [_entry(field, hints.get(field.name)) for field in fields]
    return "\n".join(["Parameters", "----------", *entries]) if entries else ""


def allowed(metadata: Mapping[str, Any], kind: str) -> str:
    """Return the values that a setting may have: its choices, or its type with its range."""
    choices = metadata.get("choices")
    return " | ".join(map(str, choices)) if choices is not None else ", ".join([kind, *_bounds(metadata)])


def has_section(text: str, name: str) -> bool:
    """Return whether a docstring without indentation has a numpydoc section of this name."""
    return any(line == name for line, _ in _headings(text))


def with_section(text: str, section: str) -> str:
    """Return a docstring with a section placed before its first other section, or at its end."""
    starts = [start for _, start in _headings(text)]
    lines = text.split("\n")
    before = "\n".join(lines[: starts[0]] if starts else lines).rstrip()
    after = "\n".join(lines[starts[0] :]) if starts else ""
    return "\n\n".join(part for part in (before, section, after) if part)


def _headings(text: str) -> list[tuple[str, int]]:
    """Return the heading and the line number of each numpydoc section."""
    lines = text.split("\n")
    return [
        (line, number)
        for number, (line, below) in enumerate(itertools.pairwise(lines))
        if line and len(below) >= 3 and set(below) == {"-"}
    ]


def _entry(field: dataclasses.Field[Any], hint: Any) -> str:
    """Return one parameter: its name, type, range and default on a line, its meaning below."""
    metadata: Mapping[str, Any] = field.metadata
    choices = metadata.get("choices")
    if choices is not None:
        kind = "{" + ", ".join(repr(choice) for choice in choices) + "}"
    else:
        kind = str(field.type) if hint is None else type_name(hint).replace("or none", "or None")
    default = [] if field.default is dataclasses.MISSING else [f"default {field.default!r}"]
    meaning = textwrap.fill(
        metadata.get("help", ""),
        WIDTH,
        initial_indent="    ",
        subsequent_indent="    ",
        break_on_hyphens=False,
    )
    return "\n".join(
        line
        for line in (f"{field.name} : {', '.join([kind, *_bounds(metadata), *default])}", meaning)
        if line
    )


def _bounds(metadata: Mapping[str, Any]) -> list[str]:
    """Return words for each bound of a setting."""
    return [f"{words} {metadata[key]:g}" for key, words in BOUNDS.items() if metadata.get(key) is not None]
