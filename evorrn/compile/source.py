"""The source of functions that equations call: their syntax, where it is written, and the names that it can see."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Text:
    """The source of a function that is read: its text, the line of its first line, its file, and what it can see."""

    source: str
    first_line: int
    path: str
    scope: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Function:
    """A function written in the language: its syntax, its text, and the variables that it sees besides its own.

    The defaults of its arguments are None until it is called, where they are to be read then.
    """

    definition: ast.FunctionDef
    text: Text
    outside: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] | None = None


def read_function(function: Callable[..., Any]) -> Function | None:
    """Return the syntax of a Python function, None when its source is no plain ``def``."""
    if hasattr(function, "__wrapped__"):  # its source is that of another function
        return None
    try:
        lines, first = inspect.getsourcelines(function)
        source = textwrap.dedent("".join(lines))
        definition = ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    if not isinstance(definition, ast.FunctionDef):
        return None
    scope = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    return Function(definition, Text(source, first, inspect.getsourcefile(function) or "?", scope))
