"""The language of cell equations: reads a Python function of one time step and returns its graph.

The function may use assignments, functions of its own, one final return, arithmetic, ``@``, slices, numbers, the
functions in `evorrn.compile.ops.FUNCTIONS` and `evorrn.compile.calls.HANDLERS`, and functions written in the language;
anything else raises CellError.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from evorrn.base.errors import CellError, UnknownName
from evorrn.compile.calls import HANDLERS, NAMES, Call, Literal, contraction, sliced
from evorrn.compile.equations import Equations
from evorrn.compile.graph import Builder, Graph
from evorrn.compile.ops import ACTIVATIONS, FUNCTIONS
from evorrn.compile.predecessors import Predecessor
from evorrn.compile.source import Function, Text, read_function

ALLOWED = (
    "allowed are: assignments, functions defined in the cell, a final return, + - * / @ and unary minus, numbers, "
    "p.NAME, .T, v[k], v[first:end], the cell's arguments and options, functions written in this language, and the "
    "functions " + ", ".join([*FUNCTIONS, *NAMES])
)
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
}
_NUMPY: dict[Any, str] = {
    np.tanh: "tanh",
    np.exp: "exp",
    np.log: "log",
    np.sqrt: "sqrt",
    np.maximum: "maximum",
    np.minimum: "minimum",
    np.power: "power",
}
DEEPEST = 20
"""Functions that may call each other in turn."""

Value = Any
"""The index of a node, a tuple of values, a `Function`, a `Predecessor`, or `_PARAMETERS`."""

_PARAMETERS = object()
"""The value of the argument ``p``."""


def read_equations(equations: Equations, activations: Mapping[str, str]) -> Graph:
    """Return the graph of one time step.

    Parameters
    ----------
    equations : Equations
    activations : mapping of str to str
        ``{option: name of a function}``.

    Returns
    -------
    Graph
        Its inputs are ``x``, the states, ``y`` and noise; its outputs are the new states, under the same names.

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
        self.builder = b = Builder()
        self.names: dict[str, Value] = {"p": _PARAMETERS, "x": b.leaf("input", "x", ("I",))}
        if cell.predecessors:
            self.names.update({name: Predecessor(name) for name in cell.predecessors})
        else:
            self.names.update({name: b.leaf("input", name, shape) for name, shape in cell.states.items()})
        if cell.sees_output or cell.delays.get("y"):
            self.names["y"] = b.leaf("input", "y", ("O",))
        for name, shape in cell.noise.items():
            self.names[name] = b.leaf("input", name, shape)
        for name in cell.delays:
            if name != "x":
                self.names[f"{name}_1"] = self.names[name]
        for name in cell.options:
            self.names[name] = b.leaf("option", name, ())
        self.leaves = dict(self.names)
        function = cell.function
        chosen = {o: cell.choices.get(o, ACTIVATIONS)[name] for o, name in activations.items()}
        scope = {**function.__globals__, **inspect.getclosurevars(function).nonlocals, **chosen}
        path = inspect.getsourcefile(function) or "?"
        self.text = Text(cell.source, cell.first_line, path, scope)
        self.depth = 0
        self.assigned: dict[str, int] = {}

    def read(self) -> Graph:
        tree = ast.parse(self.cell.source)
        definition = tree.body[0]
        if not isinstance(definition, ast.FunctionDef):
            raise CellError(f"cell {self.cell.name}: expected a function, got {type(definition).__name__}")
        statement = self._body(definition)
        if statement is None:
            raise CellError(f"cell {self.cell.name}: expected a final return of {', '.join(self.cell.state)}")
        return self._finish(statement)

    # --- Statements -------------------------------------------------------------------------------

    def _body(self, definition: ast.FunctionDef) -> ast.Return | None:
        """Read the statements of a function; return the final one, None when it is no return."""
        body = definition.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]  # the docstring
        for position, statement in enumerate(body):
            if isinstance(statement, ast.Return) and position == len(body) - 1:
                return statement
            if isinstance(statement, ast.FunctionDef):
                defaults = self._defaults(statement)
                self.names[statement.name] = Function(statement, self.text, self.names, defaults)
                continue
            if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
                self._refuse(statement, "only assignments to a name and a final return", ALLOWED)
            self._assign(statement, statement.targets[0])
        return None

    def _assign(self, statement: ast.Assign, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._name(target.id, self._value(statement.value))
            return
        if not isinstance(target, ast.Tuple) or not all(isinstance(t, ast.Name) for t in target.elts):
            self._refuse(statement, "only assignments to a name and a final return", ALLOWED)
        value = statement.value
        given = (
            tuple(self._value(each) for each in value.elts)
            if isinstance(value, ast.Tuple)
            else self._any(value)
        )
        if not isinstance(given, tuple) or len(given) != len(target.elts):
            self._refuse(statement, f"expected {len(target.elts)} values")
        for name, each in zip(target.elts, given):
            assert isinstance(name, ast.Name)
            self._name(name.id, each)

    def _name(self, name: str, value: Value) -> None:
        """Give a value to a name; the cell's own names are kept for readers of its values."""
        self.names[name] = value
        if self.depth == 0 and isinstance(value, int):
            self.assigned[name] = value

    def _finish(self, statement: ast.Return) -> Graph:
        value = statement.value
        results = value.elts if isinstance(value, ast.Tuple) else [value]
        if len(results) != len(self.cell.state) or value is None:
            self._refuse(
                statement, f"expected to return {len(self.cell.state)} states ({', '.join(self.cell.state)})"
            )
        outputs = {}
        for (name, shape), expression in zip(self.cell.state.items(), results):
            index = self._value(expression)
            if self.builder.shape(index) != shape:
                got = " x ".join(self.builder.shape(index)) or "a number"
                kind = "a vector of " if len(shape) == 1 else ""
                self._refuse(statement, f"new state {name}: expected {kind}{' x '.join(shape)}, got {got}")
            outputs[name] = index
        outputs |= {name: self.leaves[before] for name, (before, _) in self.cell.registers.items()}
        return self.builder.graph(outputs, self.assigned)

    # --- Expressions ------------------------------------------------------------------------------

    def _any(self, expression: ast.expr | None) -> Value:
        """Return the value of an expression, which may be a tuple or a function."""
        if isinstance(expression, ast.Name):
            if expression.id in self.names:
                return self.names[expression.id]
            if self._python_function(expression) is not None:
                return self._python_function(expression)
            raise UnknownName(
                f"name in cell {self.cell.name}, line {self._line(expression)},", expression.id, self.names
            )
        if isinstance(expression, ast.Call):
            return self._call(expression)
        if isinstance(expression, ast.Tuple):
            return tuple(self._value(each) for each in expression.elts)
        return self._value(expression)

    def _value(self, expression: ast.expr | None) -> int:
        """Return the node of an expression."""
        if isinstance(expression, ast.Constant) and isinstance(expression.value, int | float):
            return self._number(expression, expression.value)
        if isinstance(expression, ast.Name | ast.Call):
            value = self._any(expression)
            if isinstance(value, int):
                return value
            self._refuse(expression, "expected one array")
        if isinstance(expression, ast.Attribute):
            return self._attribute(expression)
        if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.USub):
            return self._apply(expression, "negative", self._value(expression.operand))
        if isinstance(expression, ast.Subscript):
            place = expression.slice
            places = place.elts if isinstance(place, ast.Tuple) else [place]
            array = self._value(expression.value)
            return self._checked(expression, lambda: sliced(self.builder, array, places))
        if isinstance(expression, ast.BinOp):
            if isinstance(expression.op, ast.MatMult):
                return self._product(expression)
            if type(expression.op) in _BINARY:
                left, right = self._value(expression.left), self._value(expression.right)
                return self._apply(expression, _BINARY[type(expression.op)], left, right)
        self._refuse(expression or ast.Pass(), "this is outside the language of cells", ALLOWED)

    def _number(self, expression: ast.Constant, value: float) -> int:
        if isinstance(value, bool) or not abs(value) <= sys.float_info.max:
            self._refuse(expression, "expected a finite number")
        return self.builder.constant(float(value))

    def _attribute(self, expression: ast.Attribute) -> int:
        if self._is_parameters(expression.value):
            shapes = {**self.cell.parameters, **self.cell.fixed_shapes}
            if expression.attr not in shapes:
                raise UnknownName(
                    f"parameter in cell {self.cell.name}, line {self._line(expression)},",
                    f"{expression.attr}",
                    shapes,
                )
            kind = "fixed" if expression.attr in self.cell.fixed else "parameter"
            return self.builder.leaf(kind, expression.attr, shapes[expression.attr])
        found = self.names.get(expression.value.id) if isinstance(expression.value, ast.Name) else None
        if isinstance(found, Predecessor):
            return found.value(self.builder, expression.attr, self.cell.state)
        if expression.attr == "T":
            matrix = self._value(expression.value)
            if len(self.builder.shape(matrix)) != 2:
                self._refuse(expression, "only a matrix can be transposed")
            return self._apply(expression, "reduce", matrix, form="ij->ji")
        self._refuse(expression, "only p.NAME and .T are allowed with a dot", ALLOWED)

    def _is_parameters(self, expression: ast.expr) -> bool:
        return isinstance(expression, ast.Name) and self.names.get(expression.id) is _PARAMETERS

    def _product(self, expression: ast.BinOp) -> int:
        """Return the node of ``left @ right`` with the meaning of NumPy."""
        left, letters = expression.left, "ij"
        if isinstance(left, ast.Attribute) and left.attr == "T" and not self._is_parameters(left.value):
            left, letters = left.value, "ji"
        matrix, vector = self._value(left), self._value(expression.right)
        first, second = len(self.builder.shape(matrix)), len(self.builder.shape(vector))
        if letters == "ji" and first != 2:
            self._refuse(expression, "only a matrix can be transposed")
        if first == 2 and second == 1 and not self.builder.varies(matrix):
            return self._apply(
                expression, "matvec" if letters == "ij" else "matvec_transposed", matrix, vector
            )
        forms = {
            (1, 1): "i,i->",
            (1, 2): "i,ij->j",
            (2, 1): f"{letters},j->i",
            (2, 2): f"{letters},jk->ik",
            (3, 1): "hij,j->hi",
            (3, 2): "hij,jk->hik",
        }
        if (first, second) not in forms:
            self._refuse(expression, "a product @ needs a matrix and a vector that fit")
        form = forms[first, second]
        return self._checked(expression, lambda: contraction(self.builder, form, [matrix, vector]))

    def _apply(self, expression: ast.expr, op: str, *operands: int, form: str = "") -> int:
        return self._checked(expression, lambda: self.builder.apply(op, *operands, form=form))

    def _checked(self, expression: ast.expr, make: Callable[[], int]) -> int:
        """Return a node; refuse the expression when its operands do not fit."""
        try:
            return make()
        except ValueError as error:
            self._refuse(expression, str(error))

    # --- Calls ------------------------------------------------------------------------------------

    def _call(self, expression: ast.Call) -> Value:
        found = self._python_function(expression.func)
        if isinstance(found, Function):
            return self._put_in(expression, found)
        for name, known in FUNCTIONS.items():
            if found is known or _NUMPY.get(found) == name:
                count = 2 if name in ("maximum", "minimum", "power", "every") else 1
                if len(expression.args) != count or expression.keywords:
                    self._refuse(expression, f"{name} takes {count} argument{'s' * (count > 1)}")
                return self._apply(expression, name, *[self._value(each) for each in expression.args])
        if found in HANDLERS:
            values = tuple(self._argument(each) for each in expression.args)
            named = {each.arg or "": self._argument(each.value) for each in expression.keywords}
            return self._checked(expression, lambda: HANDLERS[found](Call(self.builder, values, named)))
        self._check_imported(expression)
        self._refuse(expression, "this is outside the language of cells", ALLOWED)

    def _argument(self, expression: ast.expr) -> Value:
        """Return an argument of a function on whole arrays: a literal, or the value of an expression."""
        sign, inner = 1, expression
        if isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.USub):
            sign, inner = -1, inner.operand
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            return Literal(inner.value, None)
        if isinstance(inner, ast.Constant) and type(inner.value) is int:
            return Literal(sign * inner.value, self._value(expression))
        return self._any(expression)

    def _python_function(self, function: ast.expr) -> Any:
        """Return the function of a name, found by the rules of Python's scopes; None if there is none.

        A function written in the language is returned as `Function`.
        """
        found: Any = None
        if isinstance(function, ast.Name):
            found = self.names.get(function.id)
            if isinstance(found, Function):
                return found
            if found is not None:
                return None
            found = self.text.scope.get(function.id)
        elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            found = getattr(self.text.scope.get(function.value.id), function.attr, None)
        if not callable(found):
            return None
        known = any(found is each for each in (*HANDLERS, *_NUMPY, *FUNCTIONS.values()))
        if known or not inspect.isfunction(found):
            return found if known else None
        return read_function(found)

    def _put_in(self, expression: ast.Call, function: Function) -> Value:
        """Return what a function written in the language returns for the arguments of a call."""
        definition = function.definition
        if self.depth >= DEEPEST:
            self._refuse(expression, "this function calls itself")
        names = [argument.arg for argument in definition.args.args]
        given = dict(zip(names, map(self._any, expression.args)))
        named = {each.arg or "": self._any(each.value) for each in expression.keywords}
        wrong = set(named) - set(names[len(expression.args) :])
        kept = self.names, self.text, self.depth
        self.names, self.text, self.depth = dict(function.outside), function.text, self.depth + 1
        defaults = self._defaults(definition) if function.defaults is None else function.defaults
        arguments = {**defaults, **given, **named}
        if len(expression.args) > len(names) or len(arguments) < len(names) or wrong:
            self.names, self.text, self.depth = kept
            self._refuse(expression, f"{definition.name} takes the arguments {', '.join(names)}")
        self.names.update(arguments)
        statement = self._body(definition)
        if statement is None or statement.value is None:
            self._refuse(definition, "expected a final return")
        result = self._any(statement.value)
        self.names, self.text, self.depth = kept
        return result

    def _defaults(self, definition: ast.FunctionDef) -> dict[str, Value]:
        """Return the defaults of the arguments of a function, which has plain arguments and no decorator."""
        given = definition.args
        if definition.decorator_list or given.posonlyargs or given.kwonlyargs or given.vararg or given.kwarg:
            self._refuse(definition, "expected a function of plain arguments, without a decorator")
        names = [argument.arg for argument in given.args][len(given.args) - len(given.defaults) :]
        return {name: self._value(value) for name, value in zip(names, given.defaults)}

    # --- Refusals ---------------------------------------------------------------------------------

    def _check_imported(self, call: ast.Call) -> None:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        unbound = inspect.getclosurevars(self.cell.function).unbound
        if name in (*FUNCTIONS, *NAMES) and name in unbound:
            self._refuse(call, f"{name} is not defined, write `from evorrn import {name}`")

    def _line(self, node: ast.AST) -> int:
        return self.text.first_line + getattr(node, "lineno", 1) - 1

    def _refuse(self, node: ast.AST, reason: str, allowed: str = "") -> NoReturn:
        """Raise an error with the line of a node; what is allowed stands in it where something is outside the language."""
        source = self.text.source
        quoted = ast.get_source_segment(source, node) or ""
        line = source.splitlines()[getattr(node, "lineno", 1) - 1].strip()
        at = f" at `{quoted.splitlines()[0]}`" if quoted and quoted != line else ""
        where = f"cell {self.cell.name}, {self.text.path}:{self._line(node)}"
        raise CellError(f"{where}:\n    {line}\n{reason}{at}{allowed and f'; {allowed}'}")
