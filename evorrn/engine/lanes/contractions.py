"""Micro-kernels of contractions on tiles of lanes: products of two tiles or of a tile and weights, summed in registers.

A contraction runs through six letters: three of the result, then three that are summed over. For each letter a table
holds its size and the distance of its entries in every array. Along the third letter several entries of the result are
computed at once; where the entries of one factor are the same for all of these, they are read once. Every sum is added
up in the order of its letters, whatever the block.

The LLVM functions are built as those of `evorrn.engine.lanes.tiles`; the plain loops beside them are the oracle and the
fallback for ``EVORRN_SIMD=0``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable

from evorrn.engine.lanes.tiles import Blocks
from evorrn.engine.listing.addresses import arrays_of_row, entry, tile
from evorrn.engine.listing.wholes import LETTERS
from evorrn.kernels import machine
from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, opaque, scalar_type, width_of

TILE, WEIGHT, SAME, ONE = "tile", "weight", "same", "one"
"""What the left array is multiplied with: a tile, numbers that all lanes share, itself, or nothing."""

ALONE = (SAME, ONE)
"""Those without a second array."""

_NARROW: Blocks = {1: [(1, 4), (1, 1)]}
_WIDE: Blocks = {2: [(2, 4), (2, 1)], **_NARROW}
BLOCKS = {TILE: _WIDE, SAME: _WIDE, WEIGHT: _NARROW, ONE: _NARROW}
"""Blocks of sums as an entry of `evorrn.engine.lanes.tiles.BLOCKS` has them; fewer, since each one takes time to compile."""


class _Letter(NamedTuple):
    """The size of a letter, and the distances of its entries in numbers, as the emitted function has them."""

    size: ir.Value
    out: ir.Value
    left: ir.Value
    right: ir.Value


class _Contraction:
    """A function that is being written: its arrays, its letters, and the lane at which a strip begins."""

    def __init__(
        self, vector: Vector, factor: str, pointers: Sequence[ir.Value], letters: list[_Letter]
    ) -> None:
        self.vector = vector
        self.factor = factor
        self.out, self.left, self.right = pointers
        self.letters = letters

    def strip(self, lane: ir.Value, shapes: Sequence[tuple[int, int]], strip: int) -> None:
        """Emit the loops over the result for vectors side by side from a lane on."""
        b = self.vector.builder
        last = self.letters[2]
        outer: list[Loop] = []
        places = [lane, lane, lane if self.factor == TILE else integer(0)]
        for letter in self.letters[:2]:
            outer.append(Loop(b, integer(0), letter.size, integer(1), []))
            places = self.moved(places, letter, outer[-1].index)
        alike = last.left if self.factor == WEIGHT else last.right
        if self.factor in ALONE:
            self.along(places, shapes, strip, shared=False)
        else:
            with b.if_else(b.icmp_signed("==", alike, integer(0))) as (same, different):
                with same:
                    self.along(places, shapes, strip, shared=True)
                with different:
                    self.along(places, shapes, strip, shared=False)
        for loop in reversed(outer):
            loop.close([])

    def moved(self, places: list[ir.Value], letter: _Letter, index: ir.Value) -> list[ir.Value]:
        """Return places in the three arrays at an index of a letter."""
        b = self.vector.builder
        distances = letter.out, letter.left, letter.right
        return [b.add(place, b.mul(index, distance)) for place, distance in zip(places, distances)]

    def along(
        self, places: list[ir.Value], shapes: Sequence[tuple[int, int]], strip: int, *, shared: bool
    ) -> None:
        """Emit the loop over the third letter; with nothing to sum entry by entry, else in blocks."""
        b = self.vector.builder
        if self.factor in ALONE:
            self.blocks(places, shapes, strip, shared=shared)
            return
        terms = b.mul(b.mul(self.letters[3].size, self.letters[4].size), self.letters[5].size)
        with b.if_else(b.icmp_signed("==", terms, integer(1))) as (single, several):
            with single:
                self.products(places, strip, shared=shared)
            with several:
                self.blocks(places, shapes, strip, shared=shared)

    def products(self, places: list[ir.Value], strip: int, *, shared: bool) -> None:
        """Emit the loop over the third letter that writes one product for each entry, some vectors side by side."""
        v, b, last = self.vector, self.vector.builder, self.letters[2]
        out, left, right = places
        one = self.load(self.left, left, strip) if shared and self.factor == WEIGHT else []
        other = self.factors(self.right, right, strip) if shared and self.factor == TILE else []
        entry = Loop(b, integer(0), last.size, integer(1), [out, left, right])
        out, left, right = entry.values
        lefts = one or self.load(self.left, left, strip)
        rights = other or self.factors(self.right, right, strip)
        for c in range(strip):
            value = v.fma(lefts[c], rights[c], v.zero)
            v.store(value, self.out, b.add(out, integer(c * v.width)))
        entry.close([b.add(out, last.out), b.add(left, last.left), b.add(right, last.right)])

    def blocks(
        self, places: list[ir.Value], shapes: Sequence[tuple[int, int]], strip: int, *, shared: bool
    ) -> None:
        """Emit the loop over the third letter, in blocks of some of its entries and some vectors."""
        b, width = self.vector.builder, self.vector.width
        last = self.letters[2]
        first: ir.Value = integer(0)
        for vectors, height in shapes:
            step = integer(height)
            stop = b.add(first, b.mul(b.sdiv(b.sub(last.size, first), step), step))
            down = Loop(b, first, stop, step, [])
            start = self.moved(places, last, down.index)
            for column in range(0, strip, vectors):
                beside = integer(column * width)
                out, left, right = start
                right = b.add(right, beside) if self.factor == TILE else right
                self.block([b.add(out, beside), b.add(left, beside), right], height, vectors, shared=shared)
            down.close([])
            first = stop

    def block(self, places: list[ir.Value], height: int, vectors: int, *, shared: bool) -> None:
        """Emit the sums of some entries of the third letter and some vectors, from places in the three arrays on."""
        v, b, last = self.vector, self.vector.builder, self.letters[2]
        out, left, right = places
        left_rows = 1 if shared and self.factor == WEIGHT else height
        right_rows = 1 if shared and self.factor == TILE else height
        lefts = self.rows(self.left, left, last.left, left_rows)
        rights = [] if self.factor in ALONE else self.rows(self.right, right, last.right, right_rows)
        loops: list[Loop] = []
        totals = [v.zero] * (height * vectors)
        offsets = [integer(0)] * 3
        for letter in self.letters[3:]:
            loops.append(Loop(b, integer(0), letter.size, integer(1), totals))
            totals = loops[-1].values
            offsets = self.moved(offsets, letter, loops[-1].index)
        one = [self.load(row, offsets[1], vectors) for row in lefts]
        other = one if self.factor == SAME else [self.factors(row, offsets[2], vectors) for row in rights]
        updated = []
        for r in range(height):
            for c in range(vectors):
                total, value = totals[r * vectors + c], one[r % left_rows][c]
                updated.append(
                    v.fma(value, other[r % right_rows][c], total) if other else b.fadd(total, value)
                )
        for loop in reversed(loops):
            updated = loop.close(updated)
        for r in range(height):
            place = b.add(out, b.mul(integer(r), last.out))
            for c in range(vectors):
                v.store(updated[r * vectors + c], self.out, b.add(place, integer(c * v.width)))

    def rows(self, pointer: ir.Value, place: ir.Value, distance: ir.Value, count: int) -> list[ir.Value]:
        """Return pointers to rows that lie a distance apart: an address may add a register once or twice to another."""
        b = self.vector.builder
        found: list[ir.Value] = []
        for first in range(0, count, 3):
            start = opaque(b, b.gep(pointer, [b.add(place, b.mul(integer(first), distance))]))
            found += [b.gep(start, [b.mul(integer(r), distance)]) for r in range(min(3, count - first))]
        return found

    def load(self, row: ir.Value, offset: ir.Value, vectors: int) -> list[ir.Value]:
        """Return vectors side by side."""
        b, width = self.vector.builder, self.vector.width
        return [self.vector.load(row, b.add(offset, integer(c * width))) for c in range(vectors)]

    def factors(self, row: ir.Value, offset: ir.Value, vectors: int) -> list[ir.Value]:
        """Return what vectors side by side are multiplied with."""
        b = self.vector.builder
        if self.factor == TILE:
            return self.load(row, offset, vectors)
        return [self.vector.broadcast(b.load(b.gep(row, [offset])))] * vectors


def contraction_function(
    module: ir.Module, scalar: ir.Type, width: int, blocks: Blocks, factor: str
) -> ir.Function:
    """Return the function of contractions with a kind of factor; for the blocks see `tiles.BLOCKS`.

    It takes the three arrays, the lanes, and the table of letters, with distances in rows. Arrays without a second
    factor have three numbers for each letter, the others four.
    """
    pointer = scalar.as_pointer()
    name = f"evorrn_contract_{factor}_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    function = new_function(module, name, [pointer, pointer, pointer, I64, I64.as_pointer()])
    if function is None:
        return module.globals[name]
    *pointers, lanes, table = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    fields = 3 if factor in ALONE else 4
    letters = []
    for k in range(LETTERS):
        size, out, left, *right = (b.load(b.gep(table, [integer(fields * k + i)])) for i in range(fields))
        other = right[0] if right else integer(0)
        other = b.mul(other, lanes) if factor == TILE else other
        letters.append(_Letter(size, b.mul(out, lanes), b.mul(left, lanes), other))
    contraction = _Contraction(Vector(b, scalar, width), factor, pointers, letters)
    lane: ir.Value = integer(0)
    for strip, shapes in blocks.items():
        span = integer(strip * width)
        whole = b.add(lane, b.mul(b.sdiv(b.sub(lanes, lane), span), span))
        columns = Loop(b, lane, whole, span, [])
        contraction.strip(columns.index, shapes, strip)
        columns.close([])
        lane = whole
    b.ret_void()
    return function


def _contraction(factor: str) -> Any:
    """Return the call of `contraction_function` in compiled code."""
    arrays = 2 if factor in ALONE else 3

    @intrinsic
    def contraction_at(typingctx: Any, number: Any, row: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            scalar = scalar_type(number)
            function = contraction_function(builder.module, scalar, width_of(number), BLOCKS[factor], factor)
            _, row, at = arguments
            pointers = arrays_of_row(builder, row, at, range(2, 2 + arrays), scalar)
            pointers += pointers[:1] * (3 - arrays)
            lanes = entry(builder, row, 2 + 2 * arrays)
            table = builder.gep(row, [integer(3 + 2 * arrays)])
            builder.call(function, [*pointers, lanes, table])
            return context.get_dummy_value()

        return types.void(number, row, at), generate

    return contraction_at


@register_jitable
def _plain_contraction(F, row, at, step):
    """Set a tile to a contraction of a tile and, with step 1, another tile, or with step 0 numbers, one for each row."""
    rows, lanes = row[5], row[8]
    out, left = tile(F, at[row[2]], rows, lanes), tile(F, at[row[3]], row[6], lanes)
    right = tile(F, at[row[4]], row[7], lanes if step else 1)
    for a in range(row[9]):
        for b in range(row[13]):
            for c in range(row[17]):
                o = a * row[10] + b * row[14] + c * row[18]
                i = a * row[11] + b * row[15] + c * row[19]
                j = a * row[12] + b * row[16] + c * row[20]
                for k in range(lanes):
                    out[o, k] = F(0)
                for d in range(row[21]):
                    for e in range(row[25]):
                        for f in range(row[29]):
                            m = i + d * row[23] + e * row[27] + f * row[31]
                            n = j + d * row[24] + e * row[28] + f * row[32]
                            for k in range(lanes):
                                out[o, k] += left[m, k] * right[n, k * step]


@register_jitable
def plain_contract_at(F, row, at):
    """Set a tile to a contraction of two tiles, for a row of `evorrn.engine.listing.arrays.contract`."""
    _plain_contraction(F, row, at, 1)


@register_jitable
def plain_contract_weight_at(F, row, at):
    """Set a tile to a contraction of a tile and weights, for a row of `evorrn.engine.listing.arrays.contract_weight`."""
    _plain_contraction(F, row, at, 0)


@register_jitable
def plain_arrange_at(F, row, at):
    """Set entries of a tile to sums of entries of another, for a row of `evorrn.engine.listing.arrays.arrange`."""
    _plain_arrangement(F, row, at, False)


@register_jitable
def plain_contract_same_at(F, row, at):
    """Set entries of a tile to sums of squares, for a row of `evorrn.engine.listing.arrays.contract_same`."""
    _plain_arrangement(F, row, at, True)


@register_jitable
def _plain_arrangement(F, row, at, squared):
    """Set entries of a tile to sums of entries of another, or of their squares."""
    rows, lanes = row[4], row[6]
    out, source = tile(F, at[row[2]], rows, lanes), tile(F, at[row[3]], row[5], lanes)
    for a in range(row[7]):
        for b in range(row[10]):
            for c in range(row[13]):
                o = a * row[8] + b * row[11] + c * row[14]
                i = a * row[9] + b * row[12] + c * row[15]
                for k in range(lanes):
                    out[o, k] = F(0)
                for d in range(row[16]):
                    for e in range(row[19]):
                        for f in range(row[22]):
                            m = i + d * row[18] + e * row[21] + f * row[24]
                            for k in range(lanes):
                                out[o, k] += source[m, k] * (source[m, k] if squared else F(1))


_VECTORS = machine.simd() and machine.compiling()

contract_at: Any = _contraction(TILE) if _VECTORS else plain_contract_at
"""See `plain_contract_at`."""

contract_weight_at: Any = _contraction(WEIGHT) if _VECTORS else plain_contract_weight_at
"""See `plain_contract_weight_at`."""

contract_same_at: Any = _contraction(SAME) if _VECTORS else plain_contract_same_at
"""See `plain_contract_same_at`."""

arrange_at: Any = _contraction(ONE) if _VECTORS else plain_arrange_at
"""See `plain_arrange_at`."""
