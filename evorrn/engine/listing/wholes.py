"""Writes operations on whole arrays as rows of a listing; `WRITERS` has one function for each operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from evorrn.compile.graph import Graph, Node
from evorrn.compile.op import WEIGHTS, Shape
from evorrn.compile.tensors import letters, numbers
from evorrn.engine.listing.kernel import Kernel, fixed
from evorrn.engine.listing.listing import Listing, Place
from evorrn.engine.listing.strips import WINDOWS, Strip, strides, window

COPY, CLEAR = fixed("copy"), fixed("clear")
CONTRACT, CONTRACT_WEIGHT, CONTRACT_SAME, ARRANGE, SOFTMAX, SOFTMAX_SLOPE = (
    fixed(name, home="arrays")
    for name in ("contract", "contract_weight", "contract_same", "arrange", "softmax", "softmax_slope")
)
PRODUCT, OTHERS, ALLOCATION, ALLOCATION_ADJOINT = (
    fixed(name, home="products") for name in ("product", "others", "allocation", "allocation_adjoint")
)
PAIRS, SYMMETRIC = fixed("pairs", home="arrays"), fixed("symmetric", home="arrays")
SOLVE = fixed("solve", home="systems")

LETTERS = 6
"""Letters of a contraction: the first three are those of the result, the others are summed over."""


class Writing(Protocol):
    """What the writers of this module use of `evorrn.engine.listing.writer.StageRows`."""

    graph: Graph
    listing: Listing
    sizes: Any

    def rows_of(self, index: int) -> int:
        """Return the rows of the tile of a node."""

    def out(self, index: int) -> Place:
        """Return the place of a node that is computed."""

    def operand(self, index: int) -> Place:
        """Return the place of a node that is read."""

    def own_of(self, index: int) -> int:
        """Return the node that has the values of a node."""

    def equation(self, index: int, stop: Iterable[int]) -> Callable[[], str]:
        """Return what writes the equation of a node for readers."""


class _Whole:
    """The node that is written, with its place, its operands and its equation; in a strip the part of it that is there."""

    def __init__(self, rows: Writing, index: int, strip: Strip | None = None) -> None:
        self.rows = rows
        self.node: Node = rows.graph.nodes[index]
        self.index = index
        self.lanes = rows.listing.lanes
        self.out = rows.out(index)
        self.text = rows.equation(index, self.node.operands)
        self.strip = strip

    def place(self, k: int) -> Place:
        """Return the place of an operand."""
        return self.rows.operand(self.node.operands[k])

    def shape(self, k: int) -> tuple[int, ...]:
        """Return the sizes of the dimensions of an operand."""
        operand = self.node.operands[k]
        sizes = self.sizes(self.rows.graph.nodes[operand].shape)
        return (
            self.strip.of(sizes)
            if self.strip and self.rows.own_of(operand) in self.strip.cut.aligned
            else sizes
        )

    @property
    def result(self) -> tuple[int, ...]:
        """The sizes of the dimensions of the result."""
        sizes = self.sizes(self.node.shape)
        return self.strip.of(sizes) if self.strip else sizes

    def sizes(self, shape: Shape) -> tuple[int, ...]:
        """Return the sizes of dimensions."""
        return tuple(self.rows.sizes.of(dimension) for dimension in shape)

    def rows_in(self, k: int) -> int:
        """Return the rows of an operand."""
        return math.prod(self.shape(k))

    @property
    def count(self) -> int:
        """The rows of the result."""
        return math.prod(self.result)

    def copy(self, out: Place, source: Place, count: int, *, first: bool = True) -> None:
        """Write the row that copies some rows of a tile."""
        self.rows.listing.row(COPY, out, source, count * self.lanes, equation=self.text if first else "")


def write_whole(rows: Writing, index: int, strip: Strip | None = None) -> None:
    """Write the rows of an operation on whole arrays, or of a strip of it."""
    op = rows.graph.nodes[index].op
    (WRITERS[op] if strip is None or op not in WINDOWS else _window)(_Whole(rows, index, strip))


Letter = tuple[int, ...]
"""The size of a letter, and the distance in rows of its entries in each array; the first array is the result."""


def contraction(
    names: Sequence[str], shapes: Sequence[Sequence[int]], weight: bool
) -> tuple[bool, list[int]]:
    """Return whether the factors of a contraction change places, and the numbers of its letters in a row.

    Parameters
    ----------
    names : sequence of str
        The letters of the result, and those of the factors.
    shapes : sequence of sequence of int
        The sizes of the result and the factors.
    weight : bool
        Whether the second factor is weights, which stays in its place.
    """
    kept, summed = _letters(names, shapes)
    if weight:
        return False, _table(_blocked(kept, lambda letter: letter[2] == 0), summed, 3)
    kept = _blocked(kept, lambda letter: 0 in letter[2:])
    swapped = bool(kept) and kept[-1][2] == 0  # the second factor is read once for several entries
    if swapped:
        kept, summed = ([(*n[:2], n[3], n[2]) for n in letters] for letters in (kept, summed))
    return swapped, _table(kept, summed, 3)


def arrangement(names: Sequence[str], shapes: Sequence[Sequence[int]]) -> list[int]:
    """Return the numbers of the letters in a row that adds or repeats the entries of an array; see `contraction`."""
    return _table(*_letters(names, shapes), 2)


def _letters(names: Sequence[str], shapes: Sequence[Sequence[int]]) -> tuple[list[Letter], list[Letter]]:
    """Return the letters of the result and those that are summed over; letters that run on in all arrays are one."""
    by_array = [dict(zip(letters, strides(shape))) for letters, shape in zip(names, shapes)]
    size = {letter: n for letters, shape in zip(names, shapes) for letter, n in zip(letters, shape)}
    summed = [letter for letter in dict.fromkeys("".join(names[1:])) if letter not in names[0]]

    def joined(found: Sequence[str]) -> list[Letter]:
        table: list[Letter] = []
        for letter in found:
            new = size[letter], *(distances.get(letter, 0) for distances in by_array)
            if table and all(before == new[0] * after for before, after in zip(table[-1][1:], new[1:])):
                new = table.pop()[0] * new[0], *new[1:]
            table += [new] if new[0] > 1 else []
        return table

    return joined(names[0]), joined(summed)


def _table(result: Sequence[Letter], summed: Sequence[Letter], arrays: int) -> list[int]:
    """Return the numbers of a row of a contraction for its letters."""
    half, absent = LETTERS // 2, (1, *[0] * arrays)
    assert len(result) <= half and len(summed) <= half
    lead, rest = [absent] * (half - len(result)), [absent] * (half - len(summed))
    return [number for letter in (*lead, *result, *rest, *summed) for number in letter]


def _blocked(letters: Sequence[Letter], alike: Callable[[Letter], bool]) -> list[Letter]:
    """Return the letters of a result with that at the end of which several entries are computed at once.

    That is one along which a factor is alike, and of these the longest.
    """
    if not letters:
        return []
    best = max(range(len(letters)), key=lambda k: (alike(letters[k]), letters[k][0], k))
    return [*letters[:best], *letters[best + 1 :], letters[best]]


def _contract(w: _Whole) -> None:
    (first, second), result = letters(w.node.form)
    if first == second and w.node.operands[0] == w.node.operands[1]:
        _arranged(w, CONTRACT_SAME, first, result)
        return
    left, right = 0, 1
    if w.rows.graph.nodes[w.node.operands[0]].op in WEIGHTS:
        left, right, first, second = 1, 0, second, first
    weight = w.rows.graph.nodes[w.node.operands[right]].op in WEIGHTS
    shapes = w.result, w.shape(left), w.shape(right)
    swapped, table = contraction((result, first, second), shapes, weight)
    order = [right, left] if swapped else [left, right]
    counts = w.count, *map(w.rows_in, order)
    kernel = CONTRACT_WEIGHT if weight else CONTRACT
    w.rows.listing.row(kernel, w.out, *map(w.place, order), *counts, w.lanes, *table, equation=w.text)


def _arrange(w: _Whole) -> None:
    (names,), result = letters(w.node.form)
    _arranged(w, ARRANGE, names, result)


def _arranged(w: _Whole, kernel: Kernel, names: str, result: str) -> None:
    """Write the row of a kernel that reads one array."""
    table = arrangement((result, names), (w.result, w.shape(0)))
    counts = w.count, w.rows_in(0), w.lanes
    w.rows.listing.row(kernel, w.out, w.place(0), *counts, *table, equation=w.text)


def _softmax(w: _Whole) -> None:
    *_, rows = w.sizes(w.node.shape)
    operands = w.out, w.place(0), w.count // rows, rows, w.lanes
    w.rows.listing.row(SOFTMAX, *operands, equation=w.text)


def _softmax_slope(w: _Whole) -> None:
    *_, rows = w.sizes(w.node.shape)
    operands = w.out, w.place(0), w.place(1), w.count // rows, rows, w.lanes
    w.rows.listing.row(SOFTMAX_SLOPE, *operands, equation=w.text)


def _solve(w: _Whole, *, transposed: bool) -> None:
    n, lanes = w.count, w.lanes
    strides = (1, n) if transposed else (n, 1)
    memory = w.rows.listing.tile(n * n + 3, "memory")
    w.rows.listing.row(SOLVE, w.out, w.place(0), w.place(1), n, lanes, *strides, memory, equation=w.text)


def _concatenate(w: _Whole) -> None:
    first = w.rows.rows_of(w.node.operands[0])
    w.copy(w.out, w.place(0), first)
    w.copy(w.out.from_row(first * w.lanes), w.place(1), w.count - first, first=False)


def _head(w: _Whole) -> None:
    w.copy(w.out, w.place(0), w.count)


def _tail(w: _Whole) -> None:
    start = w.rows.rows_of(w.node.operands[0]) - w.count
    w.copy(w.out, w.place(0).from_row(start * w.lanes), w.count)


def _blocks(w: _Whole, out: Place, source: Place, blocks: int, sizes: tuple[int, int, int]) -> None:
    """Write the row that copies blocks of rows; `sizes` are their rows, and their distances in both arrays."""
    count, to, apart = sizes
    if blocks == 1 or count == to == apart:
        w.copy(out, source, blocks * count)
    elif count:
        spans = [(blocks - 1) * distance + count for distance in (to, apart)]
        table = _table([(blocks, to, apart), (count, 1, 1)], [], 2)
        w.rows.listing.row(ARRANGE, out, source, *spans, w.lanes, *table, equation=w.text)


def _clear(w: _Whole, start: int, stop: int) -> None:
    """Write the row that sets some rows of the result to zero."""
    if start < stop:
        out = w.out.from_row(start * w.lanes)
        w.rows.listing.row(CLEAR, out, (stop - start) * w.lanes, equation=w.text)


def _split_at(sizes: Sequence[int], axis: int) -> tuple[int, int, int]:
    """Return how many arrays come before an axis, its size, and the rows of one of its entries."""
    before, inner = 1, 1
    for size in sizes[:axis]:
        before *= size
    for size in sizes[axis + 1 :]:
        inner *= size
    return before, sizes[axis], inner


def _slice(w: _Whole) -> None:
    axis, start, stop, _ = numbers(w.node.form)
    before, size, inner = _split_at(w.shape(0), axis)
    count = (stop - start) * inner
    source = w.place(0).from_row(start * inner * w.lanes)
    _blocks(w, w.out, source, before, (count, count, size * inner))


def _pad(w: _Whole) -> None:
    axis, start, stop, _ = numbers(w.node.form)
    before, size, inner = _split_at(w.sizes(w.node.shape), axis)
    if before == 1:
        _clear(w, 0, start * inner)
        _clear(w, stop * inner, size * inner)
    else:
        _clear(w, 0, w.count)
    count = (stop - start) * inner
    out = w.out.from_row(start * inner * w.lanes)
    _blocks(w, out, w.place(0), before, (count, size * inner, count))


def _move(w: _Whole, steps: int, axis: int, *, around: bool) -> None:
    """Write the rows of `shift` and `roll`."""
    before, size, inner = _split_at(w.shape(0), axis)
    steps = steps % size if around else max(-size, min(size, steps))
    kept = size - abs(steps)
    parts = [(max(steps, 0), max(-steps, 0), kept)]  # to, from, and count
    if around:
        parts.append((0, kept, steps))
    elif before > 1 and steps:
        _clear(w, 0, w.count)
    else:
        _clear(w, 0, max(steps, 0) * inner)
        _clear(w, (size + min(steps, 0)) * inner, size * inner)
    for to, start, count in parts:
        if count:
            out = w.out.from_row(to * inner * w.lanes)
            source = w.place(0).from_row(start * inner * w.lanes)
            _blocks(w, out, source, before, (count * inner, size * inner, size * inner))


def _push(w: _Whole) -> None:
    top = w.rows.rows_of(w.node.operands[1])
    w.copy(w.out, w.place(1), top)
    if w.count > top:
        w.copy(w.out.from_row(top * w.lanes), w.place(0), w.count - top, first=False)


def _window(w: _Whole) -> None:
    """Write the rows of a strip of an operation that moves entries along the first axis: a part of the array."""
    assert w.strip is not None
    start, stop, _ = w.strip
    inner = w.count // (stop - start)
    moved, low, high = window(w.node.op, w.node.form, w.sizes(w.node.shape)[0])
    first, last = min(max(start, low), stop), max(min(stop, high), start)
    if w.node.op == "push" and start == 0:
        w.copy(w.out, w.place(1), inner)
    else:
        _clear(w, 0, (first - start) * inner)
    _clear(w, (max(last, first) - start) * inner, w.count)
    if first < last:
        out = w.out.from_row((first - start) * inner * w.lanes)
        source = w.place(0).from_row((first - moved) * inner * w.lanes)
        w.copy(out, source, (last - first) * inner)


def _product(w: _Whole) -> None:
    if w.shape(0)[0] == 1:
        w.copy(w.out, w.place(0), w.count)
        return
    operands = w.out, w.place(0), w.shape(0)[0], w.count, w.lanes
    w.rows.listing.row(PRODUCT, *operands, equation=w.text)


def _others(w: _Whole) -> None:
    groups = w.shape(0)[0]
    rows = w.count // groups
    memory = w.rows.listing.tile(rows, "memory") if groups > 1 else w.out
    operands = w.out, w.place(0), groups, rows, w.lanes, memory
    w.rows.listing.row(OTHERS, *operands, equation=w.text)


def _along_last(kernel: Kernel) -> Callable[[_Whole], None]:
    """Return the writer of an operation along the last axis whose kernel needs memory for a group of rows."""

    def write(w: _Whole) -> None:
        *_, rows = w.sizes(w.node.shape)
        sources = [w.place(k) for k in range(len(w.node.operands))]
        memory = w.rows.listing.tile(rows, "memory")
        w.rows.listing.row(kernel, w.out, *sources, w.count // rows, rows, w.lanes, memory, equation=w.text)

    return write


def _of_vectors(kernel: Kernel) -> Callable[[_Whole], None]:
    """Return the writer of an operation on two arrays, of which the second one is a vector."""

    def write(w: _Whole) -> None:
        operands = w.out, w.place(0), w.place(1), w.rows_in(1), w.lanes
        w.rows.listing.row(kernel, *operands, equation=w.text)

    return write


WRITERS: dict[str, Callable[[_Whole], None]] = {
    "contract": _contract,
    "reduce": _arrange,
    "spread": _arrange,
    "softmax": _softmax,
    "softmax_slope": _softmax_slope,
    "concatenate": _concatenate,
    "head": _head,
    "tail": _tail,
    "slice": _slice,
    "pad": _pad,
    "flatten": _head,
    "unflatten": _head,
    "shift": lambda w: _move(w, *numbers(w.node.form), around=False),
    "roll": lambda w: _move(w, *numbers(w.node.form), around=True),
    "push": _push,
    "product": _product,
    "others": _others,
    "allocation": _along_last(ALLOCATION),
    "allocation_adjoint": _along_last(ALLOCATION_ADJOINT),
    "pairs": _of_vectors(PAIRS),
    "symmetric": _of_vectors(SYMMETRIC),
    "solve": lambda w: _solve(w, transposed=False),
    "solve_transposed": lambda w: _solve(w, transposed=True),
}
"""The writer of each operation."""
