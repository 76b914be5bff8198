"""The class Cell and the decorator that makes a cell from a function of one time step.

A cell is written in the notation of the literature and also runs as it stands on NumPy arrays:

    @cell(
        state={"h": "H"},
        parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    )
    def elman(p, x, h, *, activation=tanh):
        return activation(p.W_x @ x + p.W_h @ h + p.b)

Positional arguments are the parameters ``p``, the input ``x`` (I), the states in the declared order and, if the
cell needs it, ``y`` (O), the previous output of the network. Keyword-only arguments are options: one whose default
is a function chooses an activation, one whose default is a number is a setting that is not trained. The function
returns the new states; the first one is the output of the cell.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.errors import CellError, UnknownName
from evorrn.compile.grammar import Equations, read_equations
from evorrn.compile.graph import Graph
from evorrn.compile.initial import INITIALISERS
from evorrn.compile.ops import ACTIVATIONS, Shape
from evorrn.compile.verify import verify

DIMENSIONS = ("I", "H", "O")


@dataclass(frozen=True, eq=False)
class Cell(Equations):
    """A cell: its equations and their declarations. Calling the cell calls its function.

    The further attributes are those of `Equations`; the first state is the output of the cell.

    Attributes
    ----------
    initial : dict of str to str
        How each parameter is initialised: glorot, orthogonal, identity, uniform, unit, zeros or ones.
    recurrent : tuple of str
        The parameters through which the state acts on itself; a spectral radius scales these.
    torch : tuple of str
        For cells that PyTorch has: the parameters in ``weight_ih``, ``weight_hh``, ``bias_ih`` and
        ``bias_hh``, names separated by spaces, 0 where only PyTorch has a bias.
    ranges : dict of str to tuple of float
        ``{option: (lowest, highest)}`` of numeric options; those without a range take every finite number.
    """

    initial: dict[str, str]
    recurrent: tuple[str, ...]
    torch: tuple[str, ...]
    ranges: dict[str, tuple[float, float]]

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Return the new states of one time step, computed by the function on NumPy arrays."""
        return self.function(*arguments, **options)

    @property
    def doc(self) -> str:
        """The docstring of the equations."""
        return inspect.getdoc(self.function) or ""

    @property
    def input(self) -> tuple[str, ...]:
        """The parameters that multiply the input."""
        return tuple(name for name, shape in self.parameters.items() if shape[-1:] == ("I",))

    def check_options(self, values: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
        """Return the numeric options and the names of the activations, with defaults for those not in `values`.

        Raises
        ------
        UnknownName
            For an option or an activation that does not exist.
        CellError
            For a value that is not a finite number or out of its range.
        """
        numbers, functions = dict(self.options), dict(self.activations)
        for name, value in values.items():
            if name in functions:
                text = getattr(value, "__name__", value)
                if text not in ACTIVATIONS:
                    raise UnknownName("activation", text, ACTIVATIONS)
                functions[name] = str(text)
            elif name in numbers:
                if isinstance(value, bool) or not isinstance(value, int | float | np.number):
                    raise CellError(f"cell option {name}: expected a number, got {value!r}")
                if not np.isfinite(value):
                    raise CellError(f"cell option {name}: expected a finite number, got {value!r}")
                low, high = self.ranges.get(name, (-np.inf, np.inf))
                if not low <= value <= high:
                    raise CellError(f"cell option {name}: expected {_range(low, high)}, got {value!r}")
                numbers[name] = float(value)
            else:
                raise UnknownName(f"option of cell {self.name}", name, [*functions, *numbers])
        return numbers, functions

    def graph(self, activations: Mapping[str, str] | None = None) -> Graph:
        """Return the graph of one time step, see `evorrn.compile.grammar.read_equations`."""
        return verify(read_equations(self, {**self.activations, **(activations or {})}))


def cell(
    *,
    state: Mapping[str, str],
    parameters: Mapping[str, str],
    name: str | None = None,
    initial: Mapping[str, str] | None = None,
    recurrent: str | None = None,
    torch: tuple[str, ...] = (),
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Callable[[Callable[..., Any]], Cell]:
    """Return a decorator that makes a cell from a function of one time step.

    Parameters
    ----------
    state : mapping of str to str
        ``{name: dimension}`` of each state vector. The dimension is H, or O for a state as long as the output.
        The first state is the output of the cell and has dimension H.
    parameters : mapping of str to str
        ``{"W_r W_z": "H I"}``: names separated by spaces, and their dimensions among I, H and O.
    name : str, optional
        The function's name with dashes by default.
    initial : mapping of str to str, optional
        ``{"b_f": "ones"}``: glorot, orthogonal, identity, uniform, unit, zeros or ones. By default matrices
        H x H are orthogonal, other matrices glorot, vectors zeros.
    recurrent : str, optional
        Names of the recurrent parameters; all matrices H x H by default.
    torch : tuple of str, optional
        See `Cell.torch`.
    ranges : mapping of str to tuple of float, optional
        ``{"leak": (0, 1)}``: the lowest and the highest value of numeric options; infinite where there is no bound.

    Raises
    ------
    CellError
        When the declarations are wrong, or the function uses something that is not in the language of cells; the
        message quotes the line.
    UnknownName
        When a parameter, an initialisation or a name in the function does not exist.

    Examples
    --------
    >>> import evorrn
    >>> from evorrn import tanh
    >>> @evorrn.cell(state={"h": "H"}, parameters={"W": "H I", "U": "H H", "b": "H"})
    ... def leaky_tanh(p, x, h, *, leak=0.5):
    ...     return (1 - leak) * h + leak * tanh(p.W @ x + p.U @ h + p.b)
    >>> leaky_tanh.name, leaky_tanh.options
    ('leaky-tanh', {'leak': 0.5})
    >>> evorrn.Network(inputs=2, outputs=1, cell=leaky_tanh, hidden=4, cell_options={"leak": 0.3})
    Network(2 -> leaky-tanh 4 -> 1, 33 genes)
    """

    def decorate(function: Callable[..., Any]) -> Cell:
        made = _declare(function, state, parameters, name, initial or {}, recurrent, torch)
        made.ranges.update(_ranges(made, ranges or {}))
        made.graph()  # raises errors in the equations where the cell is defined
        return made

    return decorate


def _declare(
    function: Callable[..., Any],
    state: Mapping[str, str],
    parameters: Mapping[str, str],
    name: str | None,
    initial: Mapping[str, str],
    recurrent: str | None,
    torch: tuple[str, ...],
) -> Cell:
    """Return the cell of a function; raises CellError or UnknownName when a declaration is wrong."""
    title = name or function.__name__.replace("_", "-")
    try:
        lines, first_line = inspect.getsourcelines(function)
    except (OSError, TypeError):
        raise CellError(f"cell {title}: its source cannot be read; write it in a file") from None
    shapes = _shapes(title, parameters)
    if not state or next(iter(state.values())) != "H" or not set(state.values()) <= {"H", "O"}:
        raise CellError(
            f"cell {title}: expected states of dimension H or O, the first of dimension H, got {dict(state)}"
        )
    initialisations = _initialisations(title, shapes, initial)
    positional = _positional(title, function, state)
    options, activations = _options(title, function, positional)
    chosen = tuple(recurrent.split()) if recurrent is not None else None
    for each in chosen or ():
        if each not in shapes:
            raise UnknownName(f"parameter of cell {title}", each, shapes)
    return Cell(
        name=title,
        function=function,
        state=dict(state),
        parameters=shapes,
        initial=initialisations,
        recurrent=chosen if chosen is not None else tuple(n for n, s in shapes.items() if s == ("H", "H")),
        torch=torch,
        ranges={},
        options=options,
        activations=activations,
        sees_output=len(positional) > 2 + len(state),
        source=textwrap.dedent("".join(lines)),
        first_line=first_line,
    )


def _ranges(cell: Cell, given: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Return the range of each option that has one; raise an error when a range is wrong or excludes a default."""
    ranges = {}
    for name, bounds in given.items():
        if name not in cell.options:
            raise UnknownName(f"numeric option of cell {cell.name}", name, cell.options)
        try:
            low, high = (float(bound) for bound in bounds)
        except (TypeError, ValueError):
            raise CellError(
                f"cell {cell.name}: range of {name}: expected two numbers, got {bounds!r}"
            ) from None
        if not low <= cell.options[name] <= high:
            raise CellError(
                f"cell {cell.name}: option {name}: its default {cell.options[name]:g} is not {_range(low, high)}"
            )
        ranges[name] = low, high
    return ranges


def _range(low: float, high: float) -> str:
    """Return a range in words."""
    if np.isinf(high):
        return f"a number of at least {low:g}"
    return f"a number of at most {high:g}" if np.isinf(low) else f"a number from {low:g} to {high:g}"


def _shapes(title: str, parameters: Mapping[str, str]) -> dict[str, Shape]:
    """Return the dimensions of each parameter."""
    shapes: dict[str, Shape] = {}
    for names, dimensions in parameters.items():
        shape = tuple(dimensions.split())
        if not 1 <= len(shape) <= 2 or not set(shape) <= set(DIMENSIONS):
            raise CellError(
                f"cell {title}: parameter {names}: expected one or two dimensions among I, H, O, got {dimensions!r}"
            )
        for each in names.split():
            if each in shapes:
                raise CellError(f"cell {title}: parameter {each} is declared twice")
            shapes[each] = shape
    return shapes


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


def _positional(title: str, function: Callable[..., Any], state: Mapping[str, str]) -> list[str]:
    """Return the names of the positional arguments: p, x, the states and, where the function has it, y."""
    arguments = inspect.signature(function).parameters.values()
    positional = [p.name for p in arguments if p.kind is p.POSITIONAL_OR_KEYWORD]
    expected = ["p", "x", *state]
    sees_output = "y" not in state and positional == [*expected, "y"]
    if positional != expected and not sees_output:
        raise CellError(
            f"cell {title}: expected the arguments ({', '.join(expected)}[, y]), got ({', '.join(positional)})"
        )
    return positional


def _options(
    title: str, function: Callable[..., Any], positional: Sequence[str]
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the numeric options and the activation options with their defaults."""
    options: dict[str, float] = {}
    activations: dict[str, str] = {}
    for argument in inspect.signature(function).parameters.values():
        if argument.name in positional:
            continue
        if argument.kind is argument.KEYWORD_ONLY and isinstance(argument.default, int | float):
            options[argument.name] = float(argument.default)
        elif argument.kind is argument.KEYWORD_ONLY and argument.default in ACTIVATIONS.values():
            activations[argument.name] = argument.default.__name__
        else:
            raise CellError(
                f"cell {title}: option {argument.name}: expected a keyword-only argument with a number or an activation "
                f"({', '.join(ACTIVATIONS)}) as its default"
            )
    return options, activations
