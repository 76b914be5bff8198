"""The micro-kernel of sums of products of tiles: one pass over the result, whatever the number of products.

It computes ``out = base + left_1 * right_1 + left_2 * right_2 + ...`` for arrays of up to three letters; a right factor may
be ``number + one * other`` of two arrays. A letter that a factor does not have is one along which its entries are repeated. Sixteen entries of the result are computed at once,
in registers, along the third letter. Products are added in their order, each rounded once with its sum.

The LLVM function is built as those of `evorrn.engine.lanes.tiles`; the plain loops beside it are the oracle and the
fallback for ``EVORRN_SIMD=0``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable

from evorrn.engine.listing.addresses import entry, vector
from evorrn.engine.listing.sums import LETTERS, TERM
from evorrn.kernels import machine
from evorrn.kernels.multiply_add import multiply_add
from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, opaque, scalar_type, width_of

HEIGHTS = {32: (16, 4, 1), 16: (8, 4, 1)}
"""Entries that are computed at once along the third letter, by the number of registers; the last ones one by one."""


class _Factor(NamedTuple):
    """A factor at a place of the result: where it begins, and the distance of its entries along the third letter."""

    pointer: ir.Value
    apart: ir.Value


class _Sum:
    """The function that is being written: its arrays, and the letters with their sizes and distances in numbers."""

    def __init__(self, v: Vector, lanes: ir.Value, table: ir.Value, count: ir.Value) -> None:
        self.v, self.lanes, self.table, self.count = v, lanes, table, count

    def at(self, address: ir.Value, numbers: ir.Value, first: int, places: list[ir.Value]) -> _Factor:
        """Return a factor from its address, its distances, which begin at an entry of a table, and indices and lane."""
        b = self.v.builder
        apart = [entry(b, numbers, first + k) for k in range(LETTERS)]
        *indices, lane = places
        row: ir.Value = integer(0)
        for index, distance in zip(indices, apart):
            row = b.add(row, b.mul(index, distance))
        pointer = b.inttoptr(address, self.v.scalar.as_pointer())
        return _Factor(b.gep(pointer, [b.add(b.mul(row, self.lanes), lane)]), b.mul(apart[-1], self.lanes))

    def entries(self, factor: _Factor, count: int) -> list[ir.Value]:
        """Return pointers to some entries: an address may add a register once or twice to another."""
        b = self.v.builder
        twice, third = (b.mul(factor.apart, integer(k)) for k in (2, 3))
        found: list[ir.Value] = []
        pointer = factor.pointer
        while len(found) < count:
            found += [pointer, b.gep(pointer, [factor.apart]), b.gep(pointer, [twice])]
            pointer = opaque(b, b.gep(pointer, [third]))
        return found[:count]

    def loaded(self, factor: _Factor, count: int) -> list[ir.Value]:
        """Return the vectors of some entries of a factor."""
        return [self.v.load(pointer, integer(0)) for pointer in self.entries(factor, count)]

    def signed(self, value: ir.Value, negative: ir.Value) -> ir.Value:
        """Return a vector, or its negative where a number is 1 and not 0."""
        b, bits = self.v.builder, 8 * self.v.bytes
        word = ir.IntType(bits)
        sign = b.shl(b.trunc(negative, word) if bits < 64 else negative, ir.Constant(word, bits - 1))
        words = ir.VectorType(word, self.v.width)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.v.width), None)
        first = b.insert_element(ir.Constant(words, ir.Undefined), sign, ir.Constant(ir.IntType(32), 0))
        signs = b.shuffle_vector(first, ir.Constant(words, ir.Undefined), lanes)
        return b.bitcast(b.xor(b.bitcast(value, words), signs), self.v.type)

    def chosen(self, condition: ir.Value, then: Any, otherwise: Any) -> list[ir.Value]:
        """Return the vectors that one of two functions computes."""
        b = self.v.builder
        found, ends = [], []
        with b.if_else(condition) as branches:
            for branch, compute in zip(branches, (then, otherwise)):
                with branch:
                    found.append(compute())
                    ends.append(b.block)
        merged = []
        for values in zip(*found):
            phi = b.phi(self.v.type)
            for value, end in zip(values, ends):
                phi.add_incoming(value, end)
            merged.append(phi)
        return merged

    def first(self, base: _Factor, number_at: ir.Value, about: tuple[ir.Value, ir.Value], count: int) -> Any:
        """Return the vectors at which the sums begin: entries of a tile, or one number for all; both may be subtracted."""
        v, (alike, negative) = self.v, about

        def number() -> list[ir.Value]:
            pointer = v.builder.inttoptr(number_at, v.scalar.as_pointer())
            return [self.signed(v.broadcast(v.builder.load(pointer)), negative)] * count

        def each() -> list[ir.Value]:
            return [self.signed(value, negative) for value in self.loaded(base, count)]

        return self.chosen(alike, number, each)

    def terms(self, totals: list[ir.Value], places: list[ir.Value]) -> list[ir.Value]:
        """Return sums with all products added."""
        v, b, count = self.v, self.v.builder, len(totals)
        each = Loop(b, integer(0), self.count, integer(1), totals)
        numbers = b.gep(self.table, [b.mul(each.index, integer(TERM))])
        negative = entry(b, numbers, 0)
        left = self.at(entry(b, numbers, 1), numbers, 2, places)
        right = self.at(entry(b, numbers, 5), numbers, 6, places)

        def shared() -> list[ir.Value]:
            one = self.signed(v.load(left.pointer, integer(0)), negative)
            return [v.fma(one, other, t) for other, t in zip(self.loaded(right, count), each.values)]

        def different() -> list[ir.Value]:
            pairs = zip(self.loaded(left, count), self.loaded(right, count), each.values)
            return [v.fma(self.signed(one, negative), other, t) for one, other, t in pairs]

        def plain() -> list[ir.Value]:
            return self.chosen(b.icmp_signed("==", left.apart, integer(0)), shared, different)

        number = entry(b, numbers, 9)

        def within() -> list[ir.Value]:
            first = v.broadcast(b.load(b.inttoptr(number, v.scalar.as_pointer())))
            one = self.at(entry(b, numbers, 11), numbers, 12, places)
            minus = self.signed(v.load(one.pointer, integer(0)), entry(b, numbers, 10))
            factors = [v.fma(minus, other, first) for other in self.loaded(right, count)]
            lefts = [self.signed(one, negative) for one in self.loaded(left, count)]
            return [v.fma(one, factor, t) for one, factor, t in zip(lefts, factors, each.values)]

        return each.close(self.chosen(b.icmp_signed("!=", number, integer(0)), within, plain))


def sum_function(module: ir.Module, scalar: ir.Type, width: int, heights: tuple[int, ...]) -> ir.Function:
    """Return the function of sums of products; for the heights see `HEIGHTS`.

    It takes the addresses of the result and the base, whether the base is one number, whether it is subtracted, the
    lanes, the table of the letters of the result (size, distance in the result) and then the distances in the base, the
    table of products, and their number. Distances are in rows.
    """
    name = f"evorrn_sums_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    table = I64.as_pointer()
    function = new_function(module, name, [I64, I64, I64, I64, I64, table, table, I64])
    if function is None:
        return module.globals[name]
    out, base, number, negative, lanes, letters, terms, count = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    written = _Sum(Vector(b, scalar, width), lanes, terms, count)
    sizes = [entry(b, letters, k) for k in range(LETTERS)]
    alike = b.icmp_signed("!=", number, integer(0))
    columns = Loop(b, integer(0), lanes, integer(width), [])
    outer = [Loop(b, integer(0), sizes[0], integer(1), [])]
    outer.append(Loop(b, integer(0), sizes[1], integer(1), []))
    first: ir.Value = integer(0)
    for height in heights:
        stop = b.add(first, b.mul(b.sdiv(b.sub(sizes[2], first), integer(height)), integer(height)))
        down = Loop(b, first, stop, integer(height), [])
        places = [outer[0].index, outer[1].index, down.index, columns.index]
        start = written.at(base, letters, 2 * LETTERS, places)
        totals = written.terms(written.first(start, base, (alike, negative), height), places)
        to = written.at(out, letters, LETTERS, places)
        for pointer, total in zip(written.entries(to, height), totals):
            written.v.store(total, pointer, integer(0))
        down.close([])
        first = stop
    outer[1].close([])
    outer[0].close([])
    columns.close([])
    b.ret_void()
    return function


@intrinsic
def _sum_at(typingctx: Any, number: Any, row: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        heights = HEIGHTS[machine.registers().number]
        function = sum_function(builder.module, scalar_type(number), width_of(number), heights)
        _, row, at = arguments
        out, base = (builder.load(builder.gep(at, [entry(builder, row, k)])) for k in (2, 3))
        about = [entry(builder, row, k) for k in (4, 5, 6)]
        letters = builder.gep(row, [integer(7)])
        table = builder.gep(at, [entry(builder, row, 16)])
        builder.call(function, [out, base, *about, letters, table, entry(builder, row, 17)])
        return context.get_dummy_value()

    return types.void(number, row, at), generate


@register_jitable
def plain_sum_at(F, row, at):
    """Set a tile to a base plus products of tiles, for a row of `evorrn.engine.listing.arrays.sums`."""
    lanes = row[6]
    size = vector(F, at[row[2]], lanes).itemsize * lanes
    for a in range(row[7]):
        for b in range(row[8]):
            for c in range(row[9]):
                o = a * row[10] + b * row[11] + c * row[12]
                out = vector(F, at[row[2]] + o * size, lanes)
                o = a * row[13] + b * row[14] + c * row[15]
                base = vector(F, at[row[3]] + o * size, 1 if row[4] else lanes)
                for k in range(lanes):
                    first = base[0] if row[4] else base[k]
                    out[k] = -first if row[5] else first
                for term in range(row[17]):
                    n = row[16] + TERM * term
                    i = a * at[n + 2] + b * at[n + 3] + c * at[n + 4]
                    j = a * at[n + 6] + b * at[n + 7] + c * at[n + 8]
                    left = vector(F, at[n + 1] + i * size, lanes)
                    right = vector(F, at[n + 5] + j * size, lanes)
                    within, i = at[n + 9] != 0, a * at[n + 12] + b * at[n + 13] + c * at[n + 14]
                    base = vector(F, at[n + 9] if within else at[n + 5], 1)
                    other = vector(F, at[n + 11] + i * size if within else at[n + 5], lanes)
                    for k in range(lanes):
                        one = -left[k] if at[n] else left[k]
                        two = -right[k] if at[n + 10] else right[k]
                        out[k] = multiply_add(
                            one, multiply_add(two, other[k], base[0]) if within else two, out[k]
                        )


sum_at: Any = _sum_at if machine.simd() and machine.compiling() else plain_sum_at
"""See `plain_sum_at`."""
