"""Writes the stages of a schedule as rows of a listing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from evorrn.compile.graph import Graph, Node
from evorrn.compile.op import NUMBER as ONE
from evorrn.compile.op import WEIGHTS, Shape
from evorrn.compile.schedule import Affine, Loop, Schedule, Stage, Whole
from evorrn.engine.listing import aliases, strips, sums
from evorrn.engine.listing.aliases import Alias
from evorrn.engine.listing.elementwise import (
    LANE,
    NUMBER,
    PARAMETER,
    VECTOR,
    Operation,
    elementwise,
    operations,
)
from evorrn.engine.listing.factors import Factors
from evorrn.engine.listing.kernel import fixed
from evorrn.engine.listing.leaves import Numbers, Sizes
from evorrn.engine.listing.listing import SCRATCH, Listing, Place, Table
from evorrn.engine.listing.strips import Cut, Strip
from evorrn.engine.listing.sums import SUMS, Sum
from evorrn.engine.listing.wholes import write_whole
from evorrn.engine.stages import Names, equation, variable

AFFINE, COPY, CLEAR = fixed("affine"), fixed("copy"), fixed("clear")


ROW = 64
"""Numbers that are written in the time that it takes to call a kernel."""


class _Step(NamedTuple):
    """Rows that are written together: what they read and write, how they are divided, and what writes them."""

    reads: frozenset[int]
    writes: frozenset[int]
    cut: Cut | None
    write: Callable[[Strip | None], None]


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
        self._aliases: dict[int, Alias] = {}
        self._in_strip: dict[int, Place] = {}  # memory of what is stored for one strip
        self._first: dict[int, int] = {}  # first row of the strip that is written, in each of its arrays

    def rows_of(self, index: int) -> int:
        """Return the rows of the tile of a node."""
        return self.sizes.count(self.graph.nodes[index].shape)

    def sizes_of(self, index: int) -> tuple[int, ...]:
        """Return the sizes of the dimensions of a node."""
        return tuple(map(self.sizes.of, self.graph.nodes[index].shape))

    def count(self, index: int) -> int:
        """Return the numbers in the tile of a node."""
        return self.rows_of(index) * self.listing.lanes

    def write(self, plan: Schedule) -> None:
        """Write the rows of a schedule; memory of values that nothing reads any more is used again.

        The nodes that a schedule is to compute must have a given place.
        """
        self._aliases = aliases.found_in(self.graph, plan, self.where, self.sizes_of)
        steps = self._steps(plan)
        read = {index for step in steps for index in step.reads}
        steps = [step for step in steps if step.writes & (read | self.where.keys())]
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
        """Return how a step is divided: as given if one of its arrays is large, and no operand is a part of an array."""
        if cut is None:
            return None
        aligned = frozenset(map(self.own_of, cut.aligned))
        arrays = [index for index in (*cut.aligned, *writes) if len(self.graph.nodes[index].shape) > 1]
        large = any(self.count(index) >= strips.LARGE for index in arrays)
        whole = all(self.rows_of(i) == self.rows_of(self.own_of(i)) for i in cut.aligned)
        return Cut(cut.size, aligned) if large and whole else None

    # --- One stage ----------------------------------------------------------------------------------

    def _steps(self, plan: Schedule) -> list[_Step]:
        """Return the steps of a schedule."""
        made = sums.found_in(self.graph, plan, {*self.where, *self._aliases}, self.sizes_of)
        readers = sums.readers_in(self.graph, plan)
        made = Factors(self.graph, self.where, self._aliases, readers, self.sizes_of).within(made)
        within = {index: each for each in made for index in each.members}
        read = {index for each in made for index in each.reads}
        stored = plan.stored | read | {each.node for each in made}
        return [step for stage in plan.stages for step in self._of_stage(stage, stored, within)]

    def _of_stage(self, stage: Stage, stored: frozenset[int], within: Mapping[int, Sum]) -> list[_Step]:
        """Return the steps of a stage, of which some nodes are computed within sums of products."""
        if isinstance(stage, Affine):
            reads = frozenset(self.own_of(vector) for _, _, vector in stage.terms)
            return [_Step(reads, frozenset({stage.node}), None, lambda _: self._affine(stage, stored))]
        nodes = stage.nodes if isinstance(stage, Loop) else (stage.node,)
        found = [
            self._sum(within[index], stored)
            for index in nodes
            if index in within and within[index].node == index
        ]
        rest = [index for index in nodes if index not in within and index not in self._aliases]
        if isinstance(stage, Whole):
            return found + [self._whole(index) for index in rest]
        computed = operations(self.graph, Loop(stage.shape, tuple(rest)), stored)
        groups = (
            self._whole_groups(stage, computed, within)
            if self.whole
            else [[operation] for operation in computed]
        )
        return found + [self._loop(stage, group, stored) for group in groups]

    def _whole_groups(
        self, stage: Loop, computed: list[Operation], within: Mapping[int, Sum]
    ) -> list[list[Operation]]:
        """Return the operations of a stage that are one kernel together: between those that sums read or are read by."""
        depth: dict[int, int] = {}
        for index in stage.nodes:
            each = within.get(index)
            if each is None:
                reads = map(self.own_of, self.graph.nodes[index].reads)
                depth[index] = max((depth.get(i, 0) for i in reads), default=0)
            elif each.node == index:
                depth[index] = 1 + max((depth.get(self.own_of(i), 0) for i in each.reads), default=0)
        groups: dict[int, list[Operation]] = {}
        for operation in computed:
            groups.setdefault(depth[operation.node], []).append(operation)
        return [groups[key] for key in sorted(groups)]

    def _whole(self, index: int) -> _Step:
        node = self.graph.nodes[index]
        sizes = [self.sizes_of(i) for i in (*node.operands, index)]
        cut = self._cut(strips.cut_of_whole(node, sizes.pop(), sizes), [index])
        reads = frozenset(map(self.own_of, node.reads))
        return _Step(reads, frozenset({index}), cut, lambda strip: write_whole(self, index, strip))

    def _sum(self, made: Sum, stored: frozenset[int]) -> _Step:
        sizes = {index: self.sizes_of(index) for index in (made.node, *made.reads)}
        cut = self._cut(sums.cut_of_sum(made, sizes), [made.node])
        text = self.equation(made.node, stored - made.members | made.reads)

        def write(strip: Strip | None) -> None:
            result = strip.of(sizes[made.node]) if strip else sizes[made.node]
            base, number = self._base(made)
            about = self.out(made.node), base, number, self.listing.lanes
            self.listing.row(
                SUMS, *sums.operands_of_row(made, result, sizes, self.operand, about), equation=text
            )

        return _Step(frozenset(map(self.own_of, made.reads)), frozenset({made.node}), cut, write)

    def _base(self, made: Sum) -> tuple[Place, bool]:
        """Return the place of the base of a sum, and whether it is one number."""
        if made.base is None:
            return self.numbers.place(Node("constant", (), ())), True
        return self.operand(made.base.node), self.graph.nodes[made.base.node].shape == ()

    def _affine(self, stage: Affine, stored: frozenset[int]) -> None:
        rows, lanes = self.rows_of(stage.node), self.listing.lanes
        terms: list[Place | int] = []
        for matrix, transposed, vector in stage.terms:
            depth = self.rows_of(vector)
            strides = (1, rows) if transposed else (depth, 1)
            terms += [self._parameter(matrix), *strides, self.operand(vector), lanes, depth]
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
        return _Step(frozenset(map(self.own_of, made.reads)), frozenset(made.writes), cut, write)

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
        own, first = self._aliases.get(index, Alias(index))
        place = self._in_strip.get(own) or self._moved(own, self.where[own])
        return place.from_row(first * self.listing.lanes) if first else place

    def own_of(self, index: int) -> int:
        """Return the node that has the values of a node."""
        return self._aliases[index].node if index in self._aliases else index

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
