"""The page of the reference that lists the commands, in Markdown, made from their declarations."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any


def commands_page(program: Any) -> str:
    """Return every command with its arguments and options; `program` is the command of the whole program."""
    parts = [
        "# Commands",
        "Every command of `evorrn` with its arguments and options, as `evorrn COMMAND --help` prints them.",
    ]
    for words, command in _walk(program, "evorrn"):
        parts += [f"## {words}", inspect.cleandoc(command.help or "")]
        rows = [row for parameter in command.params if (row := _row(parameter))]
        parts += ["\n".join(["| | |", "|---|---|", *rows])] if rows else []
    return "\n\n".join(parts)


def _walk(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        called = f"{words} {name}"
        if hasattr(inner, "commands"):
            yield from _walk(inner, called)
        else:
            yield called, inner


def _row(parameter: Any) -> str:
    """Return the row of an argument or option; empty for those of every command."""
    if parameter.name in ("help", "install_completion", "show_completion"):
        return ""
    option = parameter.param_type_name == "option"
    names = ", ".join((*parameter.opts, *parameter.secondary_opts)) if option else parameter.name.upper()
    value = f" {parameter.metavar or 'VALUE'}" if option and not parameter.is_flag else ""
    return f"| `{names}{value}` | {_cell(parameter.help or '')} |"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
