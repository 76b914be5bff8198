"""The language of cell equations: reads a Python function of one time step and returns its graph.

The function may use assignments to a name, one final return, arithmetic, products of a parameter matrix and a
vector, numbers, and the functions in `evorrn.compile.ops.FUNCTIONS`; anything else raises CellError.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from evorrn.base.errors import CellError, UnknownName
from evorrn.compile.graph import Builder, Graph
from evorrn.compile.ops import FUNCTIONS, Shape

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


@dataclass(frozen=True, eq=False)
class Equations:
    """A function of one time step, and the declarations needed to read it.

    Attributes
    ----------
    name : str
        Name of the cell, for error messages.
    function : callable
        ``function(p, x, *states)``, ``function(p, x, *states, y)`` if `sees_output`, and keyword-only options.
    state : dict of str to str
        ``{name: dimension}`` of each state vector, in the order of the arguments.
    parameters : dict of str to tuple of str
        ``{name: dimensions}`` in the order of the genome.
    options : dict of str to float
        Numeric options with their defaults.
    activations : dict of str to str
        Activation options with the names of their defaults.
    sees_output : bool
        Whether the last positional argument is ``y``, the previous output of the network.
    source : str
        Source text of the function.
    first_line : int
        Line number of the source in its file.
    """

    name: str
    function: Callable[..., Any]
    state: dict[str, str]
    parameters: dict[str, Shape]
    options: dict[str, float]
    activations: dict[str, str]
    sees_output: bool
    source: str = field(repr=False)
    first_line: int = field(repr=False)


def read_equations(equations: Equations, activations: Mapping[str, str]) -> Graph:
    """Return the graph of one time step.

    Parameters
    ----------
    equations : Equations
    activations : mapping of str to str
        ``{option: name of an activation}``.

    Returns
    -------
    Graph
        Its inputs are ``x``, the states and ``y``; its outputs are the new states, under the same names.

    Raises
    ------
    CellError
        When the function uses something that is not in the language; the message quotes the line.
    UnknownName
        When the function uses a name that is not defined.
    """
    return _Reader(equations, activations).read()


class _Reader:
    """Builds the graph of a cell from its syntax tree."""

    def __init__(self, cell: Equations, activations: Mapping[str, str]) -> None:
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
        self.assigned: dict[str, int] = {}

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
            name = statement.targets[0].id
            self.names[name] = self.assigned[name] = self._value(statement.value)
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
        return self.builder.graph(outputs, self.assigned)

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
            vector = self.builder.apply("identity", vector)  # kernels multiply only computed vectors
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
        """Return the operation of a called function, found by the rules of Python's scopes; None if there is none."""
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
