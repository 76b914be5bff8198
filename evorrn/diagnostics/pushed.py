"""Compiles time steps of a network that carry directions of the state along, for long computations.

The program is written from the tangent of the step's graph. An array of a derivative is (entries, lanes), one direction in
each lane; the lane after the last direction holds the state itself where a product needs both, so that a matrix is read once.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from evorrn.compile.graph import Graph
from evorrn.compile.many import evaluate
from evorrn.compile.op import NUMBER, size_of
from evorrn.compile.ops import LEAVES, OPS
from evorrn.engine.cache import load
from evorrn.kernels import machine
from evorrn.kernels.activations import TABLE
from evorrn.kernels.memory import aligned
from evorrn.kernels.threads import get_threads, together

SPARSE = 0.3
"""Share of entries other than zero below which a matrix is read as a sparse one."""
SHARED = 500_000
"""Multiply-adds of a step, if all entries of the state are linked, from which threads share the directions."""
DOT = "dot."

OPENING = '''"""Time steps of a network with their derivatives in directions, one in each lane."""

import numpy as np
from numba import njit

from evorrn.kernels.activations import {activations}
from evorrn.kernels.many_vectors import dense_lanes, sparse_lanes
from evorrn.kernels.multiply_add import multiply_add
from evorrn.kernels.separate import SeparateArrays

F = np.float64
STEPS = dict(cache=True, fastmath={{"contract"}}, error_model="numpy", nogil=True)
LOOP = dict(pipeline_class=SeparateArrays, **STEPS)
'''
PUSH = '''

@njit(**STEPS)
def push(x, count, states, dots, known, values, tangents):
    """Take the time steps of x (T, I); `states` and their derivatives `dots` are changed in place."""
'''


class Pushed:
    """Time steps of one sequence with K directions.

    Parameters
    ----------
    graph : Graph
        The tangent of a step along its states.
    fixed : mapping of str to ndarray
        Weights and options.
    states : mapping of str to int
        The entries of each state.
    sizes : mapping of str to int
        Those of the dimensions.
    count : int
        K.
    """

    def __init__(
        self,
        graph: Graph,
        fixed: Mapping[str, np.ndarray],
        states: Mapping[str, int],
        sizes: Mapping[str, int],
        count: int,
    ) -> None:
        self._writer = writer = _Writer(graph, fixed, tuple(states))
        self._push: Callable[..., None] = load(writer.source(), "push").push
        self._stops = np.cumsum(list(states.values()))
        entries = {index: size_of(graph.nodes[index].shape[0], sizes) for index in writer.kept}
        groups = _groups(count) if sum(states.values()) ** 2 * count >= SHARED else 1
        ends = [count * group // groups for group in range(groups + 1)]
        self._groups = [
            _Group(slice(first, last), writer, entries, list(states.values()))
            for first, last in itertools.pairwise(ends)
        ]

    def __call__(
        self, state: np.ndarray, x: np.ndarray, directions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the state (S,) after the inputs (T, I), and the directions (K, S) that the steps make of others."""
        x = np.ascontiguousarray(x)
        parts, given = np.split(state, self._stops[:-1]), np.split(directions, self._stops[:-1], axis=1)
        found = together([partial(self._pushed, group, parts, given, x) for group in self._groups])
        return found[0][0], np.concatenate([moved for _, moved in found])

    def _pushed(
        self, group: _Group, parts: list[np.ndarray], directions: list[np.ndarray], x: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the state after the inputs, and what the steps make of a group's directions."""
        states, count = tuple(np.array(part) for part in parts), group.chosen.stop - group.chosen.start
        for lanes, part in zip(group.dots, directions):
            lanes[:, :count] = part[group.chosen].T
        self._push(x, count, states, group.dots, self._writer.known, group.values, group.tangents)
        return np.concatenate(states), np.concatenate([lanes[:, :count] for lanes in group.dots]).T


class _Group:
    """The arrays of some of the directions, which one thread carries along together with a state of its own."""

    def __init__(
        self, chosen: slice, writer: _Writer, entries: Mapping[int, int], states: Sequence[int]
    ) -> None:
        self.chosen = chosen
        lanes = _lanes(chosen.stop - chosen.start)
        self.values = tuple(np.empty(n) for index, n in entries.items() if index not in writer.dots)
        self.tangents = tuple(aligned(n, lanes) for index, n in entries.items() if index in writer.dots)
        self.dots = tuple(aligned(n, lanes) for n in states)


def _lanes(count: int) -> int:
    """Return the lanes of so many directions and a state, a multiple of the machine's vector."""
    width = machine.lanes(np.float64)
    return -(-(count + 1) // width) * width


def _groups(count: int) -> int:
    """Return the least number of groups of directions, one a thread, of which the largest has the fewest lanes."""
    return min(range(1, get_threads() + 1), key=lambda groups: _lanes(-(-count // groups)))


def can_be_pushed(graph: Graph, fixed: Mapping[str, np.ndarray], states: tuple[str, ...]) -> bool:
    """Return whether a program can be written for a tangent: of vectors, elementwise operations and products with weights."""
    if not (machine.simd() and machine.compiling()):
        return False
    try:
        _Writer(graph, fixed, states)
    except _Unknown:
        return False
    return True


class _Unknown(Exception):
    """What no program is written for."""


class _Writer:
    """Writes the program of a tangent.

    Attributes
    ----------
    known : tuple
        Arrays that do not depend on the state, those of a sparse matrix as (starts, columns, values).
    kept : list of int
        The nodes whose values the program keeps in arrays, in order.
    dots : set of int
        The nodes that are derivatives.
    """

    def __init__(self, graph: Graph, fixed: Mapping[str, np.ndarray], states: tuple[str, ...]) -> None:
        self.graph, self.states = graph, states
        outputs = [*states, *(f"{DOT}{name}" for name in states)]
        self.ends = {name: graph.outputs[name] for name in outputs if name in graph.outputs}
        wanted = graph.reachable(self.ends.values(), shapes=False)
        still: set[int] = set()
        self.dots: set[int] = set()
        for index in wanted:
            node = graph.nodes[index]
            if node.op in LEAVES:
                if node.op != "input":
                    still.add(index)
                elif node.name.startswith(DOT):
                    self.dots.add(index)
            elif still.issuperset(node.operands):
                still.add(index)
            elif not self.dots.isdisjoint(node.operands):
                self.dots.add(index)
        made = [i for i in wanted if i not in still and graph.nodes[i].op not in LEAVES]
        self._check(made)
        self.stages = self._schedule(made)
        read = [i for i in dict.fromkeys(o for k in made for o in graph.nodes[k].operands) if i in still]
        found = evaluate(graph, {"": np.zeros(1), **fixed}, read)
        self.matrices = {graph.nodes[k].operands[0] for k in made if graph.nodes[k].op == "matvec"}
        self.names: dict[int, str] = {}
        known: list[Any] = []
        for index in read:
            self.names[index] = f"known[{len(known)}]"
            known.append(self._stored(index, np.asarray(found[index], np.float64)))
        self.known = tuple(known)
        self.leaves = {node.name: k for k, node in enumerate(graph.nodes) if node.op == "input"}
        stage_of = {index: place for place, stage in enumerate(self.stages) for index in stage}
        used = {o for k in made for o in graph.nodes[k].operands if stage_of.get(o) != stage_of[k]}
        self.kept = [i for i in made if i in used or i in self.ends.values() or graph.nodes[i].op == "matvec"]
        counts = {"values": 0, "tangents": 0}
        for index in self.kept:
            kind = "tangents" if index in self.dots else "values"
            self.names[index] = f"{kind}[{counts[kind]}]"
            counts[kind] += 1
        for place, name in enumerate(states):
            for key, variable in ((name, "states"), (f"{DOT}{name}", "dots")):
                if key in self.leaves:
                    self.names[self.leaves[key]] = f"{variable}[{place}]"
        if "x" in self.leaves:
            self.names[self.leaves["x"]] = "x[t]"

    def _check(self, made: list[int]) -> None:
        """Raise _Unknown where no program is written for one of the operations."""
        nodes = self.graph.nodes
        if not set(self.ends.values()) <= set(made) or not all(name in self.ends for name in self.states):
            raise _Unknown("a state that no operation gives")
        for index in made:
            node = nodes[index]
            shapes = [nodes[operand].shape for operand in node.operands]
            if node.op == "matvec":
                matrix = node.operands[0]
                fits = [len(shape) for shape in shapes] == [2, 1] and matrix not in (*made, *self.dots)
            else:
                fits = OPS[node.op].emit is not None and set(shapes) <= {(), NUMBER, node.shape}
            if len(node.shape) != 1 or not fits:
                raise _Unknown(node.op)

    def _schedule(self, made: list[int]) -> list[list[int]]:
        """Return the nodes in stages: one product each, or elementwise operations of one shape, which are one loop."""
        nodes, left, stages = self.graph.nodes, list(made), []
        while left:
            waiting = set(left)
            ready = [i for i in left if waiting.isdisjoint(nodes[i].operands)]
            products = [i for i in ready if nodes[i].op == "matvec"]
            if products:
                stages += [[i] for i in products]
                left = [i for i in left if i not in products]
                continue
            first, stage = ready[0], []
            for i in left:
                alike = nodes[i].shape == nodes[first].shape and (i in self.dots) == (first in self.dots)
                if alike and nodes[i].op != "matvec" and waiting.isdisjoint(nodes[i].operands):
                    stage.append(i)
                    waiting.discard(i)
            stages.append(stage)
            left = [i for i in left if i in waiting]
        return stages

    def _stored(self, index: int, array: np.ndarray) -> Any:
        """Return a known array as the program takes it."""
        if index not in self.matrices or np.count_nonzero(array) >= SPARSE * array.size:
            return np.atleast_1d(np.ascontiguousarray(array))
        entries = array != 0
        starts = np.concatenate([[0], np.cumsum(np.count_nonzero(entries, axis=1))])
        return starts, np.ascontiguousarray(np.nonzero(entries)[1]), array[entries]

    def source(self) -> str:
        """Return the program."""
        functions: list[str] = []
        lines = ["for t in range(x.shape[0]):"]
        together = self._together()
        for place, stage in enumerate(self.stages):
            if self.graph.nodes[stage[0]].op == "matvec":
                index = stage[0]
                lines += [] if index in together.values() else self._product(index, together.get(index))
            else:
                loop, call = self._loop(f"loop{place}", stage)
                functions += loop
                lines.append(f"    {call}")
        for place, name in enumerate(self.states):
            end = self.ends.get(f"{DOT}{name}")
            lines.append(f"    states[{place}][:] = {self.names[self.ends[name]]}")
            lines.append(f"    dots[{place}][:] = {self.names[end] if end is not None else '0.0'}")
        opening = OPENING.format(activations=", ".join(sorted(TABLE)))
        return opening + "\n".join(functions) + PUSH + "\n".join("    " + line for line in lines) + "\n"

    def _together(self) -> dict[int, int]:
        """Return the products with states whose derivatives are multiplied with the same matrix: ``{product: derivative}``."""
        nodes, found = self.graph.nodes, {}
        products = {nodes[k].operands: k for k, *_ in self.stages if nodes[k].op == "matvec"}
        for (matrix, vector), index in products.items():
            partner = products.get((matrix, self.leaves.get(f"{DOT}{nodes[vector].name}", -1)))
            if nodes[vector].op == "input" and partner is not None:
                found[index] = partner
        return found

    def _product(self, index: int, derivative: int | None) -> list[str]:
        """Return the lines of the product of a known matrix with a vector, and with the vector's derivative where that is given."""
        (matrix, vector), names = self.graph.nodes[index].operands, self.names
        if (
            matrix not in names
            or len(self.graph.nodes[matrix].shape) != 2
            or not names[matrix].startswith("known")
        ):
            raise _Unknown("matvec")
        if len(self.graph.nodes[vector].shape) != 1:
            raise _Unknown("matvec")
        stored = self.known[int(names[matrix][6:-1])]
        sparse = isinstance(stored, tuple)
        given = f"{names[matrix]}[0], {names[matrix]}[1], {names[matrix]}[2]" if sparse else names[matrix]
        kind = "sparse" if sparse else "dense"
        if index in self.dots:
            return [f"    {kind}_lanes({names[index]}, {given}, {names[vector]})"]
        if derivative is not None:
            side = names[self.graph.nodes[derivative].operands[1]]
            return [
                f"    {side}[:, count] = {names[vector]}",
                f"    {kind}_lanes({names[derivative]}, {given}, {side})",
                f"    {names[index]}[:] = {names[derivative]}[:, count]",
            ]
        if sparse:
            term = f"{names[matrix]}[2][k] * {names[vector]}[{names[matrix]}[1][k]]"
            loop = f"for k in range({names[matrix]}[0][i], {names[matrix]}[0][i + 1]):"
        else:
            term = f"{names[matrix]}[i, k] * {names[vector]}[k]"
            loop = f"for k in range({names[vector]}.shape[0]):"
        return [
            f"    for i in range({names[index]}.shape[0]):",
            "        total = 0.0",
            f"        {loop}",
            f"            total += {term}",
            f"        {names[index]}[i] = total",
        ]

    def _loop(self, name: str, stage: list[int]) -> tuple[list[str], str]:
        """Return the function of a loop over elementwise operations, and the call of it."""
        nodes, shape, along = self.graph.nodes, self.graph.nodes[stage[0]].shape, stage[0] in self.dots
        inside, kept = set(stage), [index for index in stage if index in self.kept]
        read = dict.fromkeys(o for index in stage for o in nodes[index].operands if o not in inside)

        def operand(index: int) -> ast.expr:
            if index in inside:
                return ast.Name(f"v{index}")
            whole = nodes[index].shape == shape and shape != NUMBER
            place = ("i" if whole else "0") + (", n" if index in self.dots else "")
            return ast.parse(f"a{index}[{place}]", mode="eval").body

        body = []
        for index in stage:
            emit = OPS[nodes[index].op].emit
            assert emit is not None
            tree = emit(*(operand(each) for each in nodes[index].operands))
            body.append(f"v{index} = {ast.unparse(ast.fix_missing_locations(tree))}")
            if index in kept:
                body.append(f"a{index}[{'i, n' if along else 'i'}] = v{index}")
        arrays = [*read, *kept]
        lines = ["", "", "@njit(**LOOP)", f"def {name}({', '.join(f'a{index}' for index in arrays)}):"]
        lines.append(f"    for i in range(a{kept[0]}.shape[0]):")
        lines += [f"        for n in range(a{kept[0]}.shape[1]):"] if along else []
        lines += [("            " if along else "        ") + line for line in body]
        return lines, f"{name}({', '.join(self.names[index] for index in arrays)})"
