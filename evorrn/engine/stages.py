"""Writes the stages of a schedule as readable numba source, for the layouts that run emitted programs.

Expressions are built as syntax trees and then written as text, so that the precedence of operators is right. The
equation that a loop computes is written above it as a comment.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Mapping

from evorrn.compile.graph import Graph
from evorrn.compile.op import WEIGHTS
from evorrn.compile.ops import LEAVES, OPS
from evorrn.compile.schedule import Affine, Loop, Schedule, Whole
from evorrn.compile.step import Step

_SYMBOLS = {"add": ast.Add(), "subtract": ast.Sub(), "multiply": ast.Mult(), "divide": ast.Div()}


def variable(name: str) -> str:
    """Return the variable in emitted source for the name of a block, state or dimension."""
    return name.replace(".", "_").replace("+", "_plus_")


def size(dimension: str) -> str:
    """Return the variable in emitted source for the size of a dimension."""
    return f"n_{variable(dimension)}"


class Names:
    """The variable of each node of a graph, found by ``names[index]``.

    The variable of a node in `given` is given there, that of another leaf follows from its name, and that of
    another computed node from its index, for instance ``v7``.
    """

    def __init__(self, graph: Graph, given: Mapping[int, str]) -> None:
        self.graph = graph
        self.given = dict(given)

    def __getitem__(self, index: int) -> str:
        if index in self.given:
            return self.given[index]
        node = self.graph.nodes[index]
        return variable(node.name) if node.op in LEAVES else f"v{index}"


def equation(graph: Graph, index: int, stop: Iterable[int], names: Names) -> str:
    """Return the right side of the equation of a node as text, in which the nodes in `stop` are variables."""
    known = set(stop)

    def expression(i: int, top: bool) -> ast.expr:
        node = graph.nodes[i]
        if node.op == "constant":
            return ast.Constant(node.value)
        if node.op in LEAVES or (i in known and not top):
            return ast.Name(names[i] if node.op not in (*WEIGHTS, "option") else node.name)
        operands = [expression(operand, False) for operand in node.reads]
        if node.op in _SYMBOLS:
            return ast.BinOp(operands[0], _SYMBOLS[node.op], operands[1])
        if node.op == "matvec":
            return ast.BinOp(operands[0], ast.MatMult(), operands[1])
        if node.op == "matvec_transposed":
            return ast.BinOp(ast.Attribute(operands[0], "T"), ast.MatMult(), operands[1])
        if node.op == "negative":
            return ast.UnaryOp(ast.USub(), operands[0])
        if node.op == "identity":
            return operands[0]
        form = [ast.Constant(node.form)] if node.form else []
        return ast.Call(ast.Name(node.op), [*form, *operands], [])

    return ast.unparse(ast.fix_missing_locations(expression(index, True)))


class LoopWriter:
    """Writes the function of a `Loop` stage: one loop over all entries of contiguous buffers.

    Parameters
    ----------
    graph : Graph
    options : tuple of str
        Numeric options in the order of the ``options`` array.
    """

    def __init__(self, graph: Graph, options: tuple[str, ...]) -> None:
        self.graph = graph
        self.options = options

    def write(self, name: str, stage: Loop, stored: frozenset[int], names: Names) -> tuple[list[str], str]:
        """Return the lines of the function and the line that calls it."""
        nodes = self.graph.nodes
        inside = set(stage.nodes)
        reads: list[int] = []
        parameters: list[int] = []
        uses_options = False
        for index in stage.nodes:
            for operand in nodes[index].operands:
                node = nodes[operand]
                if node.shape == ():
                    uses_options |= self._needs_options(operand)
                elif node.op in WEIGHTS:
                    parameters += [operand] if operand not in parameters else []
                elif operand not in inside and operand not in reads:
                    reads.append(operand)
        writes = [index for index in stage.nodes if index in stored]
        local = Names(self.graph, {index: f"v{index}" for index in (*reads, *stage.nodes)})
        arrays = [*(f"in{index}" for index in reads), *(f"out{index}" for index in writes)]
        rows = [f"p{index}" for index in parameters]
        arguments = [*(["options"] if uses_options else []), *rows, *arrays]
        lines = ["", "", "@njit(**LOOP)", f"def {name}({', '.join(arguments)}):"]
        for index in writes:
            text = equation(self.graph, index, [*reads, *writes], names)
            lines.append(f"    # {names[index]} = {text}")
        body = []
        for index in reads:
            body.append(f"v{index} = in{index}[k]")
        fused = self._fused(stage, stored)
        for index in stage.nodes:
            if index in fused.values():
                continue
            if index in fused:
                tree = self._rounded_once(index, fused[index], local)
            else:
                tree = self._expression(index, local)
            body.append(f"v{index} = {ast.unparse(ast.fix_missing_locations(tree))}")
            if index in stored:
                body.append(f"out{index}[k] = v{index}")
        lines += [f"    {array} = flat({array})" for array in (*arrays, *rows)]
        lines.append(f"    for k in range({arrays[0]}.size):")
        lines += ["        " + line for line in body]
        values = [
            *(["options"] if uses_options else []),
            *(names[index] for index in (*parameters, *reads, *writes)),
        ]
        return lines, f"{name}({', '.join(values)})"

    def _needs_options(self, index: int) -> bool:
        """Return whether a scalar depends on a numeric option."""
        node = self.graph.nodes[index]
        return node.op == "option" or any(self._needs_options(operand) for operand in node.operands)

    def _fused(self, stage: Loop, stored: frozenset[int]) -> dict[int, int | None]:
        """Return ``{sum: product}``: the sums of two products, and the product computed in one multiply-add with the sum.

        A sum includes a difference here; the product is None if no operand is a plain multiplication. A compiler that
        may use multiply-adds could choose either product, and so change the last bits; hence the choice is made here.
        """
        nodes = self.graph.nodes
        uses = Counter(operand for index in stage.nodes for operand in nodes[index].operands)
        alone = {index for index in stage.nodes if index not in stored and uses[index] == 1}
        products: set[int] = set()
        for index in stage.nodes:
            op, operands = nodes[index].op, nodes[index].operands
            passes_on = op in ("negative", "identity") and operands[0] in products
            if index in alone and (op in ("multiply", "divide") or passes_on):
                products.add(index)  # a compiler may replace a division by a constant with a product
        sums = [index for index in stage.nodes if nodes[index].op in ("add", "subtract")]
        return {
            index: next((part for part in nodes[index].operands if nodes[part].op == "multiply"), None)
            for index in sums
            if products.issuperset(nodes[index].operands)
        }

    def _expression(self, index: int, local: Names) -> ast.expr:
        """Return the expression of an elementwise node."""
        node = self.graph.nodes[index]
        operands = [self._operand(operand, local) for operand in node.operands]
        emit = OPS[node.op].emit
        assert emit is not None
        return emit(*operands)

    def _rounded_once(self, index: int, product: int | None, local: Names) -> ast.expr:
        """Return a sum or difference as one multiply-add, with the factors of `product`, or with the factor 1 for None."""
        node = self.graph.nodes[index]
        left, right = (self._operand(operand, local) for operand in node.operands)

        def signed(tree: ast.expr) -> ast.expr:
            return ast.UnaryOp(ast.USub(), tree) if node.op == "subtract" else tree

        factors: list[ast.expr] = [ast.Call(ast.Name("F"), [ast.Constant(1.0)], []), left]
        if product is not None:
            factors = [self._operand(operand, local) for operand in self.graph.nodes[product].operands]
        factor, other = factors
        second = product == node.operands[1]
        arguments = [signed(factor), other, left] if second else [factor, other, signed(right)]
        return ast.Call(ast.Name("multiply_add"), arguments, [])

    def _operand(self, index: int, local: Names) -> ast.expr:
        """Return the expression of an operand: a number, an option, a parameter or a variable."""
        node = self.graph.nodes[index]
        if node.op == "constant":
            return ast.Call(ast.Name("F"), [ast.Constant(node.value)], [])
        if node.op == "option":
            return ast.Subscript(ast.Name("options"), ast.Constant(self.options.index(node.name)))
        if node.shape == ():
            return self._expression(index, local)
        if node.op in WEIGHTS:
            return ast.Subscript(ast.Name(f"p{index}"), ast.Name("k"))
        return ast.Name(local[index])


class StageWriter:
    """Writes all stages of a schedule: functions with loops, and the lines of a time step that call them.

    Parameters
    ----------
    graph : Graph
    step : Step
    names : Names
    prefix : str
        First part of the names of the functions.
    """

    def __init__(self, graph: Graph, step: Step, names: Names, prefix: str) -> None:
        self.graph = graph
        self.step = step
        self.names = names
        self.prefix = prefix
        self.loops = LoopWriter(graph, tuple(step.options))

    def write(self, schedule: Schedule) -> tuple[list[str], list[str]]:
        """Return the lines of the functions and the lines of the time step."""
        functions: list[str] = []
        calls: list[str] = []
        for position, stage in enumerate(schedule.stages):
            if isinstance(stage, Affine):
                calls += self.affine(stage, schedule.stored)
            elif isinstance(stage, Whole):
                calls.append(self.whole(stage))
            else:
                lines, call = self.loops.write(
                    f"{self.prefix}_{position}", stage, schedule.stored, self.names
                )
                functions += lines
                calls.append(call)
        return functions, calls

    def affine(self, stage: Affine, stored: frozenset[int]) -> list[str]:
        """Return the equation of an affine stage as a comment, and the call of its kernel."""
        names = self.names
        parts = []
        for matrix, transposed, vector in stage.terms:
            parts += [names[matrix] + (".T" if transposed else ""), names[vector]]
        bias = names[stage.bias] if stage.bias is not None else "None"
        comment = f"# {names[stage.node]} = {equation(self.graph, stage.node, stored, names)}"
        return [comment, f"affine({names[stage.node]}, {bias}, ({', '.join(parts)},))"]

    def whole(self, stage: Whole) -> str:
        """Return the call that concatenates two vectors."""
        node, names = self.graph.nodes[stage.node], self.names
        assert node.op == "concatenate", node.op
        return f"join({names[stage.node]}, {names[node.operands[0]]}, {names[node.operands[1]]})"
