"""The closed language of cell equations: a Python function of one time step becomes a graph.

A cell is written in the field's notation and runs as it stands on NumPy arrays:

    @cell(
        state={"h": "H"},
        parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    )
    def elman(p, x, h, *, activation=tanh):
        return activation(p.W_x @ x + p.W_h @ h + p.b)

Positional arguments are the parameters ``p``, the input ``x`` (I), the states in the order declared
and, where the cell asks for it, ``y`` (O), the network's previous output. Keyword-only arguments are
options: a function by default makes an activation, a number a setting that is no gene. The function
returns the new states; the first one is the cell's output.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from evorrn.base.errors import CellError, UnknownName
from evorrn.compile.graph import Builder, Graph
from evorrn.compile.initial import INITIALISERS
from evorrn.compile.ops import ACTIVATIONS, FUNCTIONS, Shape
from evorrn.compile.verify import verify

ALLOWED = (
    "allowed are: assignments to a name, a final return, + - * / and @ (matrix times vector), unary minus, numbers, "
    "p.NAME, p.NAME.T, the cell's arguments and options, and the functions " + ", ".join(FUNCTIONS)
)
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
}
DIMENSIONS = ("I", "H", "O")


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell: its equations, and what they declare.

    Attributes
    ----------
    name : str
    function : callable
        The equations; calling the cell calls them.
    state : dict of str to str
        ``{name: dimension}``; the first one is the cell's output and has dimension H.
    parameters : dict of str to tuple of str
        ``{name: dimensions}`` in the order of the genome.
    initial : dict of str to str
        How each parameter is initialised: glorot, orthogonal, identity, uniform, unit, zeros or ones.
    recurrent : tuple of str
        The parameters through which the state acts on itself, scaled by a spectral radius.
    torch : tuple of str
        For cells that PyTorch has: the parameters in ``weight_ih``, ``weight_hh``, ``bias_ih`` and
        ``bias_hh``, names separated by spaces, 0 where PyTorch has one bias more.
    options : dict of str to float
        Numeric options with their defaults.
    activations : dict of str to str
        Activation options with their defaults.
    sees_output : bool
        Whether the cell takes ``y``, the network's previous output.
    """

    name: str
    function: Callable[..., Any]
    state: dict[str, str]
    parameters: dict[str, Shape]
    initial: dict[str, str]
    recurrent: tuple[str, ...]
    torch: tuple[str, ...]
    options: dict[str, float]
    activations: dict[str, str]
    sees_output: bool
    source: str = field(repr=False)
    first_line: int = field(repr=False)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Compute one time step on NumPy arrays, as the function is written."""
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
        """Return numeric options and activations with defaults filled in.

        Raises
        ------
        UnknownName
            For an option or an activation that does not exist.
        CellError
            For a value of the wrong kind.
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
                numbers[name] = float(value)
            else:
                raise UnknownName(f"option of cell {self.name}", name, [*functions, *numbers])
        return numbers, functions

    def graph(self, activations: Mapping[str, str] | None = None) -> Graph:
        """Return the graph of one time step, with inputs ``x``, the states and ``y``."""
        return verify(_Reader(self, {**self.activations, **(activations or {})}).read())


def cell(
    *,
    state: Mapping[str, str],
    parameters: Mapping[str, str],
    name: str | None = None,
    initial: Mapping[str, str] | None = None,
    recurrent: str | None = None,
    torch: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Cell]:
    """Make a cell from a function of one time step.

    Parameters
    ----------
    state : mapping of str to str
        ``{name: dimension}``, dimension H (or O for a memory of the output); the first is the output.
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

    Raises
    ------
    CellError
        When the function is outside the language; the message quotes the line.
    """

    def decorate(function: Callable[..., Any]) -> Cell:
        made = _declare(function, state, parameters, name, initial or {}, recurrent, torch)
        made.graph()  # so that mistakes are found where the cell is written
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
    title = name or function.__name__.replace("_", "-")
    try:
        lines, first_line = inspect.getsourcelines(function)
    except (OSError, TypeError):
        raise CellError(f"cell {title}: its source cannot be read; write it in a file") from None
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
    if not state or next(iter(state.values())) != "H" or not set(state.values()) <= {"H", "O"}:
        raise CellError(
            f"cell {title}: expected states of dimension H or O, the first of dimension H, got {dict(state)}"
        )
    ways = {each: "zeros" if len(shape) == 1 else "glorot" for each, shape in shapes.items()}
    ways.update({each: "orthogonal" for each, shape in shapes.items() if shape == ("H", "H")})
    for names, way in initial.items():
        for each in names.split():
            if each not in shapes:
                raise UnknownName(f"parameter of cell {title}", each, shapes)
            if way not in INITIALISERS:
                raise UnknownName("initialisation", way, INITIALISERS)
            ways[each] = way
    signature = inspect.signature(function)
    positional = [p.name for p in signature.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    wanted = ["p", "x", *state]
    sees_output = "y" not in state and positional == [*wanted, "y"]
    if positional != wanted and not sees_output:
        raise CellError(
            f"cell {title}: expected the arguments ({', '.join(wanted)}[, y]), got ({', '.join(positional)})"
        )
    options: dict[str, float] = {}
    activations: dict[str, str] = {}
    for argument in signature.parameters.values():
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
    chosen = tuple(recurrent.split()) if recurrent is not None else None
    for each in chosen or ():
        if each not in shapes:
            raise UnknownName(f"parameter of cell {title}", each, shapes)
    return Cell(
        name=title,
        function=function,
        state=dict(state),
        parameters=shapes,
        initial=ways,
        recurrent=chosen if chosen is not None else tuple(n for n, s in shapes.items() if s == ("H", "H")),
        torch=torch,
        options=options,
        activations=activations,
        sees_output=sees_output,
        source=textwrap.dedent("".join(lines)),
        first_line=first_line,
    )


class _Reader:
    """Walks the syntax tree of a cell and builds its graph."""

    def __init__(self, cell: Cell, activations: Mapping[str, str]) -> None:
        self.cell = cell
        self.activations = activations
        self.builder = Builder()
        self.names: dict[str, int] = {"x": self.builder.leaf("input", "x", ("I",))}
        for name, dimension in cell.state.items():
            self.names[name] = self.builder.leaf("input", name, (dimension,))
        if cell.sees_output:
            self.names["y"] = self.builder.leaf("input", "y", ("O",))
        for name in cell.options:
            self.names[name] = self.builder.leaf("option", name, ())

    def read(self) -> Graph:
        tree = ast.parse(self.cell.source)
        definition = tree.body[0]
        if not isinstance(definition, ast.FunctionDef):
            raise CellError(f"cell {self.cell.name}: expected a function, got {type(definition).__name__}")
        body = definition.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]  # the docstring
        for position, statement in enumerate(body):
            if isinstance(statement, ast.Return) and position == len(body) - 1:
                return self._finish(statement)
            if not (
                isinstance(statement, ast.Assign)
                and len(statement.targets) == 1
                and isinstance(statement.targets[0], ast.Name)
            ):
                self._refuse(statement, "only assignments to a name and a final return")
            self.names[statement.targets[0].id] = self._value(statement.value)
        raise CellError(f"cell {self.cell.name}: expected a final return of {', '.join(self.cell.state)}")

    def _finish(self, statement: ast.Return) -> Graph:
        value = statement.value
        results = value.elts if isinstance(value, ast.Tuple) else [value]
        if len(results) != len(self.cell.state) or value is None:
            self._refuse(
                statement, f"expected to return {len(self.cell.state)} states ({', '.join(self.cell.state)})"
            )
        outputs = {}
        for (name, dimension), expression in zip(self.cell.state.items(), results):
            index = self._value(expression)
            if self.builder.shape(index) != (dimension,):
                got = " x ".join(self.builder.shape(index)) or "a number"
                self._refuse(statement, f"new state {name}: expected a vector of {dimension}, got {got}")
            outputs[name] = index
        return self.builder.graph(outputs)

    def _value(self, expression: ast.expr | None) -> int:
        if isinstance(expression, ast.Constant) and type(expression.value) in (int, float):
            return self.builder.constant(float(expression.value))  # type: ignore[arg-type]
        if isinstance(expression, ast.Name):
            if expression.id in self.names:
                return self.names[expression.id]
            raise UnknownName(
                f"name in cell {self.cell.name}, line {self._line(expression)},", expression.id, self.names
            )
        if isinstance(expression, ast.Attribute):
            return self._parameter(expression)
        if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.USub):
            return self._apply(expression, "negative", self._value(expression.operand))
        if isinstance(expression, ast.BinOp):
            if isinstance(expression.op, ast.MatMult):
                return self._product(expression)
            if type(expression.op) in _BINARY:
                left, right = self._value(expression.left), self._value(expression.right)
                return self._apply(expression, _BINARY[type(expression.op)], left, right)
        if isinstance(expression, ast.Call):
            name = self._function(expression.func)
            if name and len(expression.args) == 1 and not expression.keywords:
                return self._apply(expression, name, self._value(expression.args[0]))
            self._check_imported(expression)
        self._refuse(expression or ast.Pass(), "this is outside the language of cells")

    def _parameter(self, expression: ast.Attribute) -> int:
        if isinstance(expression.value, ast.Name) and expression.value.id == "p":
            shapes = self.cell.parameters
            if expression.attr not in shapes:
                raise UnknownName(
                    f"parameter in cell {self.cell.name}, line {self._line(expression)},",
                    f"{expression.attr}",
                    shapes,
                )
            return self.builder.leaf("parameter", expression.attr, shapes[expression.attr])
        self._refuse(expression, "only p.NAME is allowed with a dot")

    def _product(self, expression: ast.BinOp) -> int:
        left, op = expression.left, "matvec"
        if isinstance(left, ast.Attribute) and left.attr == "T":
            left, op = left.value, "matvec_transposed"
        matrix, vector = self._value(left), self._value(expression.right)
        if self.builder.nodes[matrix].op != "parameter":
            self._refuse(expression, "the left side of @ must be a parameter matrix")
        if self.builder.nodes[vector].op == "parameter":
            vector = self.builder.apply("identity", vector)  # a product wants a vector that was computed
        return self._apply(expression, op, matrix, vector)

    def _apply(self, expression: ast.expr, op: str, *operands: int) -> int:
        try:
            shapes = [self.builder.shape(operand) for operand in operands]
            if not op.startswith("matvec") and any(len(shape) == 2 for shape in shapes):
                raise ValueError("a matrix can only stand on the left of @")
            return self.builder.apply(op, *operands)
        except ValueError as error:
            self._refuse(expression, str(error))

    def _function(self, function: ast.expr) -> str | None:
        """Return the operation that a called name stands for, looked up as Python would."""
        if isinstance(function, ast.Name):
            if function.id in self.activations:
                return self.activations[function.id]
            scope = {**self.cell.function.__globals__, **inspect.getclosurevars(self.cell.function).nonlocals}
            found = scope.get(function.id)
        elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            found = getattr(self.cell.function.__globals__.get(function.value.id), function.attr, None)
        else:
            return None
        for name, known in FUNCTIONS.items():
            if found is known:
                return name
        return "tanh" if found is np.tanh else "exp" if found is np.exp else None

    def _check_imported(self, call: ast.Call) -> None:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name in FUNCTIONS and name in inspect.getclosurevars(self.cell.function).unbound:
            self._refuse(call, f"{name} is not defined, write `from evorrn import {name}`")

    def _line(self, node: ast.AST) -> int:
        return self.cell.first_line + getattr(node, "lineno", 1) - 1

    def _refuse(self, node: ast.AST, reason: str) -> NoReturn:
        quoted = ast.get_source_segment(self.cell.source, node) or ""
        line = self.cell.source.splitlines()[getattr(node, "lineno", 1) - 1].strip()
        path = inspect.getsourcefile(self.cell.function) or "?"
        at = f" at `{quoted.splitlines()[0]}`" if quoted and quoted != line else ""
        raise CellError(
            f"cell {self.cell.name}, {path}:{self._line(node)}:\n    {line}\n{reason}{at}; {ALLOWED}"
        )
