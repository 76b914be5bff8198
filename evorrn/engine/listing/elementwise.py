"""Elementwise operations as kernels: one for each operation of a `Loop` stage, or one for the whole stage.

Both give the same bytes: nothing is rounded once except what is written as a multiply-add, and which product of a sum
is part of one is decided here.
"""

from __future__ import annotations

import ast
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from evorrn.compile.graph import Graph
from evorrn.compile.ops import OPS
from evorrn.compile.schedule import Loop
from evorrn.engine.listing.kernel import Kernel
from evorrn.engine.program import indent
from evorrn.kernels.activations import TABLE

SOURCE = '''"""The elementwise kernel {name} for {{dtype}}."""

import numpy as np
from numba import njit

from evorrn.engine.listing.addresses import tile, vector
{imports}from evorrn.kernels.multiply_add import multiply_add
from evorrn.kernels.separate import SeparatePart

F = np.{{dtype}}


@njit(error_model="numpy", pipeline_class=SeparatePart, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def loop({arguments}):
{body}


def kernel(row, at, now):
    rows, lanes = row[2], row[3]
    loop({places})
'''

NUMBER, PARAMETER, LANE, VECTOR = "n", "p", "l", "v"
"""The kinds of operands: one number for all entries, one for each row, one for each lane, one for each entry."""


def _multiply_add(minus_product: bool, minus_addend: bool) -> Callable[..., ast.expr]:
    """Return the emitter of a product plus a number, rounded once, with the given signs."""

    def emit(left: ast.expr, right: ast.expr, addend: ast.expr) -> ast.expr:
        arguments = [_signed(left, minus_product), right, _signed(addend, minus_addend)]
        return ast.Call(ast.Name("multiply_add"), arguments, [])

    return emit


def _signed(tree: ast.expr, minus: bool) -> ast.expr:
    return ast.UnaryOp(ast.USub(), tree) if minus else tree


MULTIPLY_ADDS = {
    (False, False): "multiply_add",
    (False, True): "multiply_subtract",
    (True, False): "subtract_product",
    (True, True): "minus_multiply_add",
}
"""Names of the operations ``+-left * right +- addend``, by whether the product and the addend are subtracted."""

FORMS: dict[str, Callable[..., ast.expr]] = {
    **{name: op.emit for name, op in OPS.items() if op.emit is not None},
    **{name: _multiply_add(*signs) for signs, name in MULTIPLY_ADDS.items()},
}
"""The expression of each operation for one entry, from those of its operands."""


class Operation(NamedTuple):
    """An elementwise operation: the node that it computes, its key in `FORMS`, and the nodes that it reads."""

    node: int
    name: str
    operands: tuple[int, ...]


def operations(graph: Graph, stage: Loop, stored: frozenset[int]) -> list[Operation]:
    """Return the operations of a stage in order; a product that only one sum reads is part of that sum.

    Of two such products the first one is: the other one, and whatever else is added, is rounded by itself.
    """
    nodes = graph.nodes
    uses = Counter(operand for index in stage.nodes for operand in nodes[index].operands)
    alone = {index for index in stage.nodes if index not in stored and uses[index] == 1}
    product: dict[int, tuple[int, bool, tuple[int, ...]]] = {}  # product, its sign, and nodes that pass it on
    rounded: set[int] = set()  # what a compiler may see as a product, see `LoopWriter`
    for index in stage.nodes:
        op, operands = nodes[index].op, nodes[index].operands
        if index not in alone:
            continue
        if op == "multiply":
            product[index] = index, False, (index,)
        elif op in ("negative", "identity") and operands[0] in product:
            first, minus, passed = product[operands[0]]
            product[index] = first, minus ^ (op == "negative"), (*passed, index)
        if index in product or op == "divide" or (op in ("negative", "identity") and operands[0] in rounded):
            rounded.add(index)
    taken: set[int] = set()
    found: dict[int, Operation] = {}
    for index in stage.nodes:
        node = nodes[index]
        if node.op not in ("add", "subtract"):
            continue
        if rounded.issuperset(node.operands):
            candidates = [part for part in node.operands if nodes[part].op == "multiply"]
        else:
            candidates = [part for part in node.operands if part in product]
        if not candidates:
            continue
        part = candidates[0]
        first, minus, passed = product[part]
        taken.update(passed)
        second = part == node.operands[1]
        minus_product = minus ^ (second and node.op == "subtract")
        minus_addend = not second and node.op == "subtract"
        other = node.operands[0 if second else 1]
        name = MULTIPLY_ADDS[minus_product, minus_addend]
        found[index] = Operation(index, name, (*nodes[first].operands, other))
    return [
        found.get(index, Operation(index, nodes[index].op, nodes[index].operands))
        for index in stage.nodes
        if index not in taken
    ]


class ElementwiseKernel(NamedTuple):
    """A kernel, the nodes that it writes, and the nodes that it reads, in the order of its operands."""

    kernel: Kernel
    writes: tuple[int, ...]
    reads: tuple[int, ...]


def elementwise(
    computed: Sequence[Operation], wanted: Iterable[int], kind: Callable[[int], str]
) -> ElementwiseKernel:
    """Return the kernel that computes operations one after the other for each entry.

    Parameters
    ----------
    computed : sequence of Operation
    wanted : iterable of int
        The nodes whose values are written to memory.
    kind : callable
        Returns `NUMBER`, `PARAMETER`, `LANE` or `VECTOR` for a node that is read.

    Returns
    -------
    ElementwiseKernel
        Kernels of equal operations are equal, whatever their nodes.
    """
    own = {operation.node for operation in computed}
    reads = list(dict.fromkeys(i for operation in computed for i in operation.operands if i not in own))
    kept = set(wanted)
    writes = [operation.node for operation in computed if operation.node in kept]
    name = {index: f"{kind(index)}{k}" for k, index in enumerate(reads)}
    name.update({operation.node: f"u{k}" for k, operation in enumerate(computed)})
    lines = tuple(
        (name[operation.node], operation.name, tuple(name[i] for i in operation.operands))
        for operation in computed
    )
    kernel = _kernel(lines, tuple(name[i] for i in writes), tuple(name[i] for i in reads))
    return ElementwiseKernel(kernel, tuple(writes), tuple(reads))


@functools.lru_cache(maxsize=1024)
def _kernel(
    lines: tuple[tuple[str, str, tuple[str, ...]], ...], writes: tuple[str, ...], reads: tuple[str, ...]
) -> Kernel:
    """Return the kernel of statements (variable, operation, operands); see `NUMBER` for the first letter of a name."""
    by_row = any(name[0] in (PARAMETER, LANE) for name in reads)
    array, entry = (
        ("tile(F, {}, rows, lanes)", "[r, k]") if by_row else ("vector(F, {}, rows * lanes)", "[k]")
    )
    views = {NUMBER: "vector(F, {}, 1)[0]", PARAMETER: "vector(F, {}, rows)", LANE: "vector(F, {}, lanes)"}
    places = [
        views.get(name[0], array).format(f"at[row[{k}]]") for k, name in enumerate((*writes, *reads), start=4)
    ]
    arguments = [name if name[0] == NUMBER else f"at_{name}" for name in (*writes, *reads)]
    body = [f"{name} = at_{name}{entry}" for name in reads if name[0] == VECTOR]
    body += [f"{name} = at_{name}[k]" for name in reads if name[0] == LANE]
    for name, operation, operands in lines:
        tree = FORMS[operation](*(ast.Name(operand) for operand in operands))
        body.append(f"{name} = {ast.unparse(ast.fix_missing_locations(tree))}")
        if name in writes:
            body.append(f"at_{name}{entry} = {name}")
    if by_row:
        rows = [f"{name} = at_{name}[r]" for name in reads if name[0] == PARAMETER]
        body = [
            f"for r in range({arguments[0]}.shape[0]):",
            *indent([*rows, f"for k in range({arguments[0]}.shape[1]):", *indent(body)]),
        ]
    else:
        body = [f"for k in range({arguments[0]}.size):", *indent(body)]
    used = sorted({operation for _, operation, _ in lines if operation in TABLE})
    label = "loop"
    if len(lines) == 1:
        kinds = "".join(operand[0] for operand in lines[0][2])
        label = lines[0][1] + (f"_{kinds}" if kinds.strip(VECTOR) else "")
    source = SOURCE.format(
        name=label,
        imports=f"from evorrn.kernels.activations import {', '.join(used)}\n" if used else "",
        arguments=", ".join(arguments),
        body="\n".join(indent(body)),
        places=", ".join(places),
    )
    return Kernel(label, source)
