"""Checks of what the decorator `evorrn.cell` is given, and what follows from it."""

from __future__ import annotations

import inspect
import keyword
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.errors import CellError, UnknownName
from evorrn.compile.equations import Fixed
from evorrn.compile.initial import INITIALISERS
from evorrn.compile.op import Shape
from evorrn.compile.ops import ACTIVATIONS
from evorrn.compile.predecessors import predecessors

DIMENSIONS = ("I", "H", "O")


@dataclass(frozen=True)
class Declared:
    """The arguments of `evorrn.cell`, which describes them."""

    state: dict[str, str]
    parameters: dict[str, str]
    initial: dict[str, str]
    recurrent: str | None
    ranges: dict[str, tuple[float, float]]
    sizes: dict[str, int]
    fixed: dict[str, Fixed]
    choices: dict[str, tuple[Callable[..., Any], ...]]
    delays: dict[str, int]
    start: dict[str, float]
    output: str | None
    noise: dict[str, str]


def declare(function: Callable[..., Any], name: str | None, given: Declared) -> dict[str, Any]:
    """Return the attributes of the cell of a function, except `torch`.

    Raises
    ------
    CellError, UnknownName
        When a declaration is wrong.
    """
    if not inspect.isfunction(function) or hasattr(function, "__wrapped__"):
        raise CellError(
            f"@cell: expected a function written with def and without another decorator, got {function!r}"
        )
    title = function.__name__.replace("_", "-") if name is None else name
    if not isinstance(title, str) or not title.strip() or set(title) & set("/\\:\n"):
        raise CellError(f"@cell: name: expected a name such as 'my-cell', got {name!r}")
    _check_given(title, given)
    try:
        lines, first_line = inspect.getsourcelines(function)
    except (OSError, TypeError):
        raise CellError(f"cell {title}: its source cannot be read; write it in a file") from None
    _check_sizes(title, given.sizes)
    letters = (*DIMENSIONS, *given.sizes)
    shapes = _parameters(title, given, letters)
    states = {
        each: _shape(f"cell {title}: state {each}", text, letters) for each, text in given.state.items()
    }
    for each in {"p", "x", "y"} & set(states):
        raise CellError(f"cell {title}: state {each}: p, x and y name other arguments; choose another name")
    output = _output(title, states, given.output)
    delays = _delays(title, states, given.delays)
    noise = _noise(title, given, letters)
    chained: dict[str, Mapping[str, Any]] = {"delays": delays, "start": given.start, "noise": noise}
    linked = predecessors(title, function, states, chained)
    sees_output = not linked and _sees_output(title, function, (states, delays, noise))
    options, functions, choices = _options(title, function, given.choices)
    arrays = {each: array.default for each, array in given.fixed.items() if array.rule is None}
    for kind, names in (("size", given.sizes), ("fixed array", arrays)):
        for each in names:
            if each in options or each in functions or (kind != "size" and each in given.sizes):
                raise CellError(f"cell {title}: {each} is a {kind} and an option")
    chosen = given.recurrent
    for each in chosen.split() if chosen is not None else ():
        if each not in shapes:
            raise UnknownName(f"parameter of cell {title}", each, shapes)
    for each, value in given.start.items():
        if each not in states:
            raise UnknownName(f"state of cell {title}", each, states)
        if not is_number(value):
            raise CellError(f"cell {title}: start of {each}: expected a finite number, got {value!r}")
    square = tuple(each for each, shape in shapes.items() if shape == ("H", "H"))
    ranged = {**options, **arrays}
    return {
        "name": title,
        "function": function,
        "state": states,
        "parameters": shapes,
        "options": options,
        "activations": functions,
        "sees_output": sees_output,
        "source": textwrap.dedent("".join(lines)),
        "first_line": first_line,
        "sizes": dict(given.sizes),
        "fixed": _fixed(title, given, letters, shapes, ranged),
        "choices": choices,
        "delays": delays,
        "predecessors": linked,
        "initial": _initialisations(title, shapes, given.initial),
        "recurrent": tuple(chosen.split()) if chosen is not None else square,
        "ranges": _ranges(title, ranged, given.ranges),
        "start": {each: float(value) for each, value in given.start.items()},
        "output": output,
        "noise": noise,
    }


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    kind = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return kind and bool(abs(value) <= sys.float_info.max)


def range_in_words(low: float, high: float) -> str:
    """Return a range in words."""
    if np.isinf(high):
        return f"a number of at least {low:g}"
    return f"a number of at most {high:g}" if np.isinf(low) else f"a number from {low:g} to {high:g}"


def _check_given(title: str, given: Declared) -> None:
    """Refuse declarations that are no mappings by name or no texts, and names of values that are none in Python."""
    for field, value in vars(given).items():
        wanted = str if field in ("recurrent", "output") else dict
        if not (value is None or isinstance(value, wanted)) or (
            isinstance(value, dict) and not all(isinstance(each, str) for each in value)
        ):
            form = "names in one text" if wanted is str else "a mapping by name, {'name': ...}"
            raise CellError(f"cell {title}: {field}: expected {form}, got {value!r}")
    for option, functions in given.choices.items():
        if not isinstance(functions, tuple | list):
            raise CellError(f"cell {title}: choices of {option}: expected functions, got {functions!r}")
    for each, array in given.fixed.items():
        if not isinstance(array, Fixed):
            raise CellError(f"cell {title}: fixed {each}: expected Fixed(shape, ...), got {array!r}")
    for kind, names in (
        ("state", list(given.state)),
        ("parameter", [*given.parameters]),
        ("fixed array", [*given.fixed]),
        ("noise", list(given.noise)),
    ):
        for each in [
            name for text in names for name in (text.split() if kind == "parameter" else [text])
        ] or [""]:
            if names and (not each.isidentifier() or keyword.iskeyword(each) or each.startswith("__")):
                raise CellError(f"cell {title}: {kind} {each!r}: expected a name as that of a variable")


def _check_sizes(title: str, sizes: Mapping[str, int]) -> None:
    for name, size in sizes.items():
        if name in DIMENSIONS or not name.isidentifier() or name[-1].isdigit():
            raise CellError(
                f"cell {title}: size {name!r}: expected a name that is not I, H or O and ends in no digit"
            )
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise CellError(f"cell {title}: size {name}: expected a whole number of at least 1, got {size!r}")


def _shape(what: str, text: str, letters: Sequence[str]) -> Shape:
    """Return the dimensions in a text such as ``"N M"``."""
    shape = tuple(text.split()) if isinstance(text, str) else ()
    parts = [part for each in shape for part in each.split("+")]
    known = all(part in letters or re.fullmatch("[1-9][0-9]*", part) for part in parts)
    if not 1 <= len(shape) <= 3 or not known:
        raise CellError(
            f"{what}: expected one to three dimensions among {', '.join(letters)}, whole numbers and sums, got {text!r}"
        )
    return shape


def _parameters(title: str, given: Declared, letters: Sequence[str]) -> dict[str, Shape]:
    """Return the dimensions of each parameter."""
    shapes: dict[str, Shape] = {}
    for names, text in given.parameters.items():
        shape = _shape(f"cell {title}: parameter {names}", text, letters)
        for each in names.split():
            if each in shapes:
                raise CellError(f"cell {title}: parameter {each} is declared twice")
            shapes[each] = shape
    return shapes


def _output(title: str, states: Mapping[str, Shape], text: str | None) -> tuple[str, ...]:
    """Return the states that are the output of a cell."""
    if not states:
        raise CellError(f"cell {title}: expected states, got none")
    names = (next(iter(states)),) if text is None else tuple(text.split())
    for name in names:
        if name not in states:
            raise UnknownName(f"state of cell {title}", name, states)
    if not names or len(set(names)) < len(names):
        raise CellError(f"cell {title}: output: expected different states, got {text!r}")
    if text is None and (len(states[names[0]]) > 1 or states[names[0]] == ("O",)):
        shown = " x ".join(states[names[0]])
        raise CellError(
            f"cell {title}: expected states, the first of dimension H or another vector, got {names[0]} of {shown}; or "
            "name those that are the output of the cell: output='h'"
        )
    return names


def _delays(title: str, states: Mapping[str, Shape], delays: Mapping[str, int]) -> dict[str, int]:
    for name, steps in delays.items():
        if name not in ("x", "y", *states):
            raise UnknownName(f"delayed value of cell {title}", name, ["x", "y", *states])
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise CellError(
                f"cell {title}: delays of {name}: expected a whole number of at least 1, got {steps!r}"
            )
    return dict(delays)


def _noise(title: str, given: Declared, letters: Sequence[str]) -> dict[str, Shape]:
    """Return the dimensions of each noise, whose names are those of no other argument."""
    for name in given.noise:
        if name in ("p", "x", "y", *given.state):
            kind = "a state" if name in given.state else "another argument"
            raise CellError(f"cell {title}: noise {name} is the name of {kind}; choose another name")
    return {name: _shape(f"cell {title}: noise {name}", text, letters) for name, text in given.noise.items()}


def _sees_output(
    title: str,
    function: Callable[..., Any],
    declared: tuple[Mapping[str, Shape], Mapping[str, int], Mapping[str, Shape]],
) -> bool:
    """Return whether a function has the argument ``y``; raise CellError when its positional arguments are wrong."""
    states, delays, noise = declared
    arguments = inspect.signature(function).parameters.values()
    positional = [p.name for p in arguments if p.kind is p.POSITIONAL_OR_KEYWORD]
    first = {"x": 1, "y": 1}
    late = [f"{name}_{k}" for name, steps in delays.items() for k in range(first.get(name, 2), steps + 1)]
    late += noise
    expected, with_output = ["p", "x", *states, *late], ["p", "x", *states, "y", *late]
    if positional == with_output and "y" not in states:
        return True
    if positional != expected:
        words = list(expected)
        if "y" not in (*states, *delays):
            words[1 + len(states)] += "[, y]"
        raise CellError(
            f"cell {title}: expected the arguments ({_listed(words)}), got ({_listed(positional)})"
        )
    return "y" in delays


def _listed(names: Sequence[str]) -> str:
    """Return names for readers, the middle of a long list left out."""
    return ", ".join(names if len(names) <= 24 else [*names[:20], "...", *names[-3:]])


def _options(
    title: str, function: Callable[..., Any], given: Mapping[str, tuple[Callable[..., Any], ...]]
) -> tuple[dict[str, float], dict[str, str], dict[str, dict[str, Callable[..., Any]]]]:
    """Return the numeric options, the options that are functions, and the functions that these may be."""
    options: dict[str, float] = {}
    functions: dict[str, str] = {}
    choices: dict[str, dict[str, Callable[..., Any]]] = {}
    for argument in inspect.signature(function).parameters.values():
        name, default = argument.name, argument.default
        if argument.kind is argument.POSITIONAL_OR_KEYWORD and default is argument.empty:
            continue
        if argument.kind is argument.KEYWORD_ONLY and any(default is each for each in given.get(name, ())):
            choices[name] = {choice.__name__: choice for choice in given[name]}
            functions[name] = default.__name__
        elif argument.kind is argument.KEYWORD_ONLY and is_number(default):
            options[name] = float(default)
        elif argument.kind is argument.KEYWORD_ONLY and any(default is a for a in ACTIVATIONS.values()):
            functions[name] = default.__name__
        else:
            raise CellError(
                f"cell {title}: option {name}: expected a keyword-only argument with a number or an activation "
                f"({', '.join(ACTIVATIONS)}) as its default"
            )
    for name in given:
        if name not in choices:
            raise CellError(
                f"cell {title}: choices of {name}: expected an option whose default is one of these"
            )
    return options, functions, choices


def _fixed(
    title: str,
    given: Declared,
    letters: Sequence[str],
    shapes: Mapping[str, Shape],
    options: Mapping[str, Any],
) -> dict[str, Fixed]:
    for name, array in given.fixed.items():
        _shape(f"cell {title}: fixed {name}", array.shape, letters)
        if name in shapes:
            raise CellError(f"cell {title}: {name} is a parameter and a fixed array")
        if (array.rule is None) == (array.default is None):
            raise CellError(f"cell {title}: fixed {name}: expected either a rule or a default")
    return dict(given.fixed)


def _ranges(
    title: str, options: Mapping[str, Any], given: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Return the range of each option that has one; raise an error when a range is wrong or excludes a default."""
    ranges = {}
    for name, bounds in given.items():
        if name not in options:
            raise UnknownName(f"numeric option of cell {title}", name, options)
        try:
            low, high = (float(bound) for bound in bounds)
        except (TypeError, ValueError):
            raise CellError(f"cell {title}: range of {name}: expected two numbers, got {bounds!r}") from None
        default = options[name]
        if isinstance(default, int | float) and not low <= default <= high:
            raise CellError(
                f"cell {title}: option {name}: its default {default:g} is not {range_in_words(low, high)}"
            )
        ranges[name] = low, high
    return ranges


def _initialisations(title: str, shapes: Mapping[str, Shape], initial: Mapping[str, str]) -> dict[str, str]:
    """Return the name of the initialisation of each parameter."""
    ways = {each: "zeros" if len(shape) == 1 else "glorot" for each, shape in shapes.items()}
    ways.update({each: "orthogonal" for each, shape in shapes.items() if shape == ("H", "H")})
    for names, way in initial.items():
        for each in names.split():
            if each not in shapes:
                raise UnknownName(f"parameter of cell {title}", each, shapes)
            if way not in INITIALISERS:
                raise UnknownName("initialisation", way, INITIALISERS)
            ways[each] = way
    return ways
