"""Writes the stages of a schedule as rows of a listing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from evorrn.compile.graph import Graph, Node
from evorrn.compile.op import NUMBER as ONE
from evorrn.compile.op import WEIGHTS, Shape, count_of, size_of
from evorrn.compile.schedule import Affine, Loop, Schedule, Stage, Whole
from evorrn.engine.listing import strips
from evorrn.engine.listing.elementwise import (
    LANE,
    NUMBER,
    PARAMETER,
    VECTOR,
    Operation,
    elementwise,
    operations,
)
from evorrn.engine.listing.kernel import fixed
from evorrn.engine.listing.listing import NUMBERS, SCRATCH, Listing, Place, Table
from evorrn.engine.listing.strips import Cut, Strip
from evorrn.engine.listing.wholes import write_whole
from evorrn.engine.stages import Names, equation, variable

AFFINE, COPY, CLEAR = fixed("affine"), fixed("copy"), fixed("clear")


ROW = 64
"""Numbers that are written in the time that it takes to call a kernel."""


class Sizes(NamedTuple):
    """The sizes of symbolic dimensions, and the first gene of each block of the genome."""

    dimensions: Mapping[str, int]
    offsets: Mapping[str, int]

    def of(self, dimension: str) -> int:
        """Return the size of a dimension."""
        return size_of(dimension, self.dimensions)

    def count(self, shape: Shape) -> int:
        """Return the number of entries of a shape."""
        return count_of(shape, self.dimensions)


class _Step(NamedTuple):
    """Rows that are written together: what they read and write, how they are divided, and what writes them."""

    reads: frozenset[int]
    writes: frozenset[int]
    cut: Cut | None
    write: Callable[[Strip | None], None]


class Numbers:
    """The constants and numeric options that the rows of a listing read, each at its place.

    Parameters
    ----------
    options : sequence of str
        The names of all options, in the order of their values.
    ones : int
        How many numbers 1 come first.
    """

    def __init__(self, options: Iterable[str], ones: int = 1) -> None:
        self.ones = Place(NUMBERS, name="ones")
        self._ones = [1.0] * ones
        self._options = {name: k for k, name in enumerate(options)}
        self._leaves: dict[Node, int] = {}

    def place(self, leaf: Node) -> Place:
        """Return the place of a constant or an option."""
        return Place(NUMBERS, self._leaves.setdefault(leaf, len(self._ones) + len(self._leaves)))

    def values(self, options: np.ndarray) -> np.ndarray:
        """Return all numbers, shape (K,), for values of the options."""
        found = [
            options[self._options[leaf.name]] if leaf.op == "option" else leaf.value for leaf in self._leaves
        ]
        return np.array([*self._ones, *found], options.dtype)


class StageRows:
    """Writes stages as rows.

    Parameters
    ----------
    graph : Graph
    names : Names
        The variables of nodes, for readers.
    listing : Listing
    sizes : Sizes
    numbers : Numbers
        The constants and options of the listing.
    where : mapping of int to Place
        The places of nodes that are given: leaves, results, and values that are stored for every time step.
    whole : bool
        Whether a `Loop` stage is one kernel.
    """

    def __init__(
        self,
        graph: Graph,
        names: Names,
        listing: Listing,
        sizes: Sizes,
        numbers: Numbers,
        where: Mapping[int, Place],
        whole: bool,
    ) -> None:
        self.graph = graph
        self.names = names
        self.listing = listing
        self.sizes = sizes
        self.numbers = numbers
        self.where = dict(where)
        self.whole = whole
        self._scalars: dict[int, Place] = {}
        self._own: set[int] = set()
        self._free: dict[int, list[Place]] = {}
        self._in_strip: dict[int, Place] = {}  # memory of what is stored for one strip
        self._first: dict[int, int] = {}  # first row of the strip that is written, in each of its arrays

    def rows_of(self, index: int) -> int:
        """Return the rows of the tile of a node."""
        return self.sizes.count(self.graph.nodes[index].shape)

    def count(self, index: int) -> int:
        """Return the numbers in the tile of a node."""
        return self.rows_of(index) * self.listing.lanes

    def write(self, plan: Schedule) -> None:
        """Write the rows of a schedule; memory of values that nothing reads any more is used again.

        The nodes that a schedule is to compute must have a given place.
        """
        steps = [step for stage in plan.stages for step in self._steps(stage, plan.stored)]
        order = strips.grouped(steps)
        last = {index: k for k, group in enumerate(order) for step in group for index in step.reads}
        for k, group in enumerate(order):
            if len(group) > 1:
                self._in_strips(group, strips.temporary(group, steps, self.where))
            else:
                group[0].write(None)
            for index in [i for i in self._own if last.get(i, k) <= k]:
                self._own.remove(index)
                self._release(self.where.pop(index), self.rows_of(index))

    def prologue(self) -> None:
        """Write the rows that compute numbers from constants and options."""
        for index, place in self._scalars.items():
            node = self.graph.nodes[index]
            made = elementwise([Operation(index, node.op, node.operands)], [index], lambda _: VECTOR)
            reads = [self._scalar(operand) for operand in made.reads]
            self.listing.row(made.kernel, 1, 1, place, *reads, equation=self.equation(index, ()))

    def spare(self, plan: Schedule) -> int:
        """Return how many numbers a schedule writes that it would not if each `Loop` stage were one kernel.

        A row counts `ROW` numbers more. It is 0 if each stage is one kernel.
        """
        spare = 0
        for stage in plan.stages if not self.whole else ():
            if isinstance(stage, Loop):
                rows = len(operations(self.graph, stage, plan.stored))
                spare += (rows - 1) * (self.sizes.count(stage.shape) * self.listing.lanes + ROW)
        return spare

    def out(self, index: int) -> Place:
        """Return the place of a node, a tile of its own if it has none yet."""
        if index in self._in_strip:
            return self._in_strip[index]
        if index not in self.where:
            self.where[index] = self._take(self.rows_of(index))._replace(name=self.names[index])
            self._own.add(index)
        return self._moved(index, self.where[index])

    def _take(self, rows: int) -> Place:
        """Return memory for some rows."""
        free = self._free.get(rows)
        return free.pop() if free else self.listing.tile(rows, "")

    def _release(self, place: Place, rows: int) -> None:
        """Let others use the memory of some rows."""
        self._free.setdefault(rows, []).append(place)

    # --- Strips, see `evorrn.engine.listing.strips` -------------------------------------------------

    def _in_strips(self, group: list[_Step], temporary: Mapping[int, int]) -> None:
        """Write the rows of a group strip by strip; of nodes that are temporary it says which members need them."""
        cuts = [(step, step.cut) for step in group if step.cut is not None]
        size = cuts[0][1].size
        each = {
            index: self.rows_of(index) // size for step, cut in cuts for index in cut.aligned | step.writes
        }
        slot, rows = strips.slots(group, temporary, each)
        others = sum(count for index, count in each.items() if index not in slot)
        bounds = strips.bounds(size, (sum(rows) + others) * self.listing.lanes)
        most = max(stop - start for start, stop in bounds)
        places = [self._take(count * most) for count in rows]
        self._in_strip = {index: places[k]._replace(name=self.names[index]) for index, k in slot.items()}
        for start, stop in bounds:
            for step, cut in cuts:
                self._first = {index: start * each[index] for index in cut.aligned | step.writes}
                step.write(Strip(start, stop, cut))
        self._in_strip, self._first = {}, {}
        for place, count in zip(places, rows):
            self._release(place, count * most)

    def _cut(self, cut: Cut | None, writes: Iterable[int]) -> Cut | None:
        """Return how a step is divided: as given if one of its arrays is large."""
        arrays = (
            {index for index in (*cut.aligned, *writes) if len(self.graph.nodes[index].shape) > 1}
            if cut
            else ()
        )
        return cut if any(self.count(index) >= strips.LARGE for index in arrays) else None

    # --- One stage ----------------------------------------------------------------------------------

    def _steps(self, stage: Stage, stored: frozenset[int]) -> list[_Step]:
        """Return the steps of a stage."""
        if isinstance(stage, Affine):
            reads = frozenset(vector for _, _, vector in stage.terms)
            return [_Step(reads, frozenset({stage.node}), None, lambda _: self._affine(stage, stored))]
        if isinstance(stage, Whole):
            return [self._whole(stage.node)]
        computed = operations(self.graph, stage, stored)
        groups = [computed] if self.whole else [[operation] for operation in computed]
        return [self._loop(stage, group, stored) for group in groups]

    def _whole(self, index: int) -> _Step:
        node = self.graph.nodes[index]
        sizes = [tuple(map(self.sizes.of, self.graph.nodes[i].shape)) for i in (*node.operands, index)]
        cut = self._cut(strips.cut_of_whole(node, sizes.pop(), sizes), [index])
        return _Step(
            frozenset(node.reads), frozenset({index}), cut, lambda strip: write_whole(self, index, strip)
        )

    def _affine(self, stage: Affine, stored: frozenset[int]) -> None:
        rows, lanes = self.rows_of(stage.node), self.listing.lanes
        terms: list[Place | int] = []
        for matrix, transposed, vector in stage.terms:
            depth = self.rows_of(vector)
            strides = (1, rows) if transposed else (depth, 1)
            terms += [self._parameter(matrix), *strides, self.where[vector], lanes, depth]
        bias = None if stage.bias is None else self._parameter(stage.bias)
        out, table = self.out(stage.node), Table(tuple(terms))
        text = self.equation(stage.node, stored)
        self.listing.row(AFFINE, out, rows, lanes, bias, table, len(stage.terms), equation=text)

    def _loop(self, stage: Loop, group: list[Operation], stored: frozenset[int]) -> _Step:
        wanted = [operation.node for operation in group if not self.whole or operation.node in stored]
        made = elementwise(group, wanted, lambda index: self._kind(index, stage.shape))
        stop = {*made.reads, *made.writes, *stored}
        sizes = tuple(map(self.sizes.of, stage.shape))
        size = sizes[strips.leading(sizes)]
        each = {index for index in made.reads if self._kind(index, stage.shape) in (VECTOR, PARAMETER)}

        def write(strip: Strip | None) -> None:
            rows, lanes = math.prod(strip.of(sizes) if strip else sizes), self.listing.lanes
            reads = [self.operand(index) for index in made.reads]
            writes = [self.out(index) for index in made.writes]
            texts = [self.equation(index, stop) for index in made.writes]
            self.listing.row(
                made.kernel,
                rows,
                lanes,
                *writes,
                *reads,
                equation=lambda: "; ".join(text() for text in texts),
            )

        cut = self._cut(Cut(size, frozenset(each)), made.writes)
        return _Step(frozenset(made.reads), frozenset(made.writes), cut, write)

    def equation(self, index: int, stop: Iterable[int]) -> Callable[[], str]:
        """Return what writes the equation of a node for readers, in which the nodes in `stop` are variables."""
        return lambda: f"{self.names[index]} = {equation(self.graph, index, stop, self.names)}"

    # --- Operands -----------------------------------------------------------------------------------

    def operand(self, index: int) -> Place:
        """Return the place of a node that is read."""
        node = self.graph.nodes[index]
        if node.shape == ():
            return self._scalar(index)
        if node.op in WEIGHTS:
            place = self._parameter(index)
            return place._replace(offset=place.offset + self._first.get(index, 0))
        return self._in_strip.get(index) or self._moved(index, self.where[index])

    def _moved(self, index: int, place: Place) -> Place:
        """Return the place of the rows of a node that are in the strip that is written."""
        first = self._first.get(index, 0)
        return place.from_row(first * self.listing.lanes) if first else place

    def _kind(self, index: int, shape: Shape) -> str:
        """Return the kind of an operand in a loop over the entries of a shape."""
        node = self.graph.nodes[index]
        if node.shape == () or (node.op in WEIGHTS and node.shape == ONE):
            return NUMBER
        if node.op in WEIGHTS:
            return PARAMETER
        return LANE if node.shape == ONE != shape else VECTOR

    def _parameter(self, index: int) -> Place:
        offset = self.sizes.offsets[self.graph.nodes[index].name]
        return Place("genome", offset, name=self.names[index])

    def _scalar(self, index: int) -> Place:
        node = self.graph.nodes[index]
        if node.op in ("constant", "option"):
            return self.numbers.place(node)._replace(name=variable(node.name) or repr(node.value))
        if index not in self._scalars:
            for operand in node.operands:
                self._scalar(operand)
            self._scalars[index] = Place(SCRATCH, self.listing.room(1), name=self.names[index])
        return self._scalars[index]
