"""The equations of a cell in TeX, written from the syntax tree of its function.

A state that is read before it is assigned has the index t-1, and after that t. A parameter keeps its name:
``W_r`` becomes W with the index r.
"""

from __future__ import annotations

import ast
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evorrn.compile.cell import Cell

GREEK = {"tau", "theta", "rho", "sigma", "alpha", "beta", "gamma", "delta", "eta", "kappa", "lambda", "mu"}
KNOWN = {
    "tanh": r"\tanh",
    "sigmoid": r"\sigma",
    "exp": r"\exp",
    "log": r"\log",
    "maximum": r"\max",
    "minimum": r"\min",
}
SUM, PRODUCT, ATOM = 1, 2, 3
"""How strongly the parts of an expression hold together."""


def tex(cell: Cell) -> list[str]:
    """Return the equations of a cell, one assignment each, the new states last."""
    return _Writer(cell).lines()


class _Writer:
    """Writes the statements of one cell, and keeps which names have been assigned."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.states = list(cell.state)
        self.assigned: set[str] = set()
        module = ast.parse(textwrap.dedent(cell.source))
        self.function = next(node for node in ast.walk(module) if isinstance(node, ast.FunctionDef))

    def lines(self) -> list[str]:
        found = []
        for statement in self.function.body:
            if isinstance(statement, ast.Assign):
                value, target = self.write(statement.value), statement.targets[0]
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                self.assigned |= {name.id for name in names if isinstance(name, ast.Name)}
                found.append(f"{', '.join(self.write(name) for name in names)} = {value}")
            elif isinstance(statement, ast.Return) and statement.value is not None:
                found += self.results(statement.value)
        return found

    def results(self, returned: ast.expr) -> list[str]:
        values = returned.elts if isinstance(returned, ast.Tuple) else [returned]
        if len(values) != len(self.states):
            return [rf"{', '.join(f'{symbol(name)}_t' for name in self.states)} = {self.write(returned)}"]
        found = []
        for name, value in zip(self.states, values, strict=True):
            if isinstance(value, ast.Name) and value.id == name and name in self.assigned:
                continue
            found.append(f"{indexed(name, 't')} = {self.write(value)}")
        return found

    def write(self, node: ast.expr, least: int = 0) -> str:
        """Return an expression, in brackets where it holds together less than is needed."""
        text, strength = self.parts(node)
        return text if strength >= least else rf"\left({text}\right)"

    def parts(self, node: ast.expr) -> tuple[str, int]:
        match node:
            case ast.Name(id=name):
                return self.named(name), ATOM
            case ast.Attribute(attr=name, value=ast.Name(id="p")):
                return symbol(name), ATOM
            case ast.Constant(value=value):
                return f"{value:g}" if isinstance(value, int | float) else rf"\text{{{value!s}}}", ATOM
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"-{self.write(operand, PRODUCT)}", SUM
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return f"{self.write(left, SUM)} + {self.write(right, SUM)}", SUM
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return f"{self.write(left, SUM)} - {self.write(right, PRODUCT)}", SUM
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return rf"{self.write(left, PRODUCT)}\,{self.write(right, ATOM)}", PRODUCT
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return rf"{self.write(left, PRODUCT)} \odot {self.write(right, PRODUCT)}", PRODUCT
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return rf"\frac{{{self.write(left)}}}{{{self.write(right)}}}", ATOM
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return rf"{self.write(left, ATOM)}^{{{self.write(right)}}}", ATOM
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
                given = [self.write(argument) for argument in arguments]
                given += [f"{symbol(str(each.arg))} = {self.write(each.value)}" for each in keywords]
                return rf"{function_name(name)}\left({', '.join(given)}\right)", ATOM
            case ast.Subscript(value=value, slice=place):
                return rf"{self.write(value, ATOM)}\left[\text{{{_plain(ast.unparse(place))}}}\right]", ATOM
            case ast.Tuple(elts=values):
                return ", ".join(self.write(value) for value in values), SUM
        return rf"\text{{{_plain(ast.unparse(node))}}}", ATOM

    def named(self, name: str) -> str:
        if name in self.assigned or name == "x":
            return indexed(name, "t")
        if name in self.states or name == "y":
            return indexed(name, "t-1")
        head, _, steps = name.rpartition("_")
        if steps.isdigit() and (head in self.cell.delays):
            return indexed(head, f"t-{steps}")
        return symbol(name)


def symbol(name: str) -> str:
    """Return a name as a symbol: ``W_r`` as W with an index, Greek letters by their names, longer words upright."""
    head, _, index = name.partition("_")
    if head in GREEK:
        text = rf"\{head}"
    elif len(head) > 1:
        text = rf"\mathrm{{{head}}}"
    else:
        text = head
    return rf"{text}_{{\mathrm{{{_plain(index)}}}}}" if index else text


def indexed(name: str, time: str) -> str:
    """Return the symbol of a value at a time step."""
    head, _, index = name.partition("_")
    if not index:
        return f"{symbol(head)}_{{{time}}}"
    return rf"{symbol(head)}_{{\mathrm{{{_plain(index)}}},{time}}}"


def function_name(name: str) -> str:
    """Return the name of a function in an equation."""
    return KNOWN.get(name, rf"\mathrm{{{_plain(name)}}}")


def _plain(text: str) -> str:
    """Return text without the characters that TeX reads as commands."""
    return text.replace("\\", "").replace("_", " ").replace("{", "(").replace("}", ")").replace("%", "")
