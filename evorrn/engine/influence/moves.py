"""The update of one tile of an influence matrix by many time steps in one call.

A block of the product of a step's Jacobian and the tile stays in registers; what it adds to the gradient is added while it is
there. What weights do at once is added to whole vectors, with a mask for the lanes of the weights concerned.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from evorrn.engine.lanes.tiles import BLOCKS, Blocks
from evorrn.engine.listing.addresses import tile, vector
from evorrn.kernels import machine
from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, scalar_type, width_of

I32 = ir.IntType(32)

ADDRESSES = ("home", "other", "gradient", "dense", "jacobian", "coefficients", "sources", "loss")
"""Arrays of floats at their first time step: the tile, room for another, its gradient, and what steps give, see `fold`."""

TABLES = ("blocks", "singles", "puts", "masks")
"""The addresses of the tables of `evorrn.engine.influence.kernels.move_tiles`, of int64, int32, int32 and floats."""

NUMBERS = ("jacobian_step", "coefficients_step", "sources_step", "loss_step")
"""Entries from one time step to the next."""

SIZES = ("blocks_count", "singles_count", "puts_count", "rows", "depth", "lanes", "width", "steps")
"""Entries of the tables, sizes of the tile, the numbers of a vector, and time steps."""

FIELDS = (*ADDRESSES, *TABLES, *NUMBERS, *SIZES)
"""The numbers that `move_tile` takes."""


class _Move(NamedTuple):
    """The values that the emitted function uses throughout, and pointers at a time step."""

    v: Vector
    lanes: ir.Value
    depth: ir.Value
    gradient: ir.Value
    before: ir.Value
    after: ir.Value
    dense: ir.Value
    jacobian: ir.Value
    loss: ir.Value


def move_function(module: ir.Module, scalar: ir.Type, width: int, blocks: Blocks) -> ir.Function:
    """Build the update of a tile; see `plain_move_tile`."""
    pointer = scalar.as_pointer()
    name = f"evorrn_move_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    function = new_function(module, name, [I64.as_pointer()])
    if function is None:
        return module.globals[name]
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = Vector(b, scalar, width)
    given = {field: b.load(b.gep(function.args[0], [integer(k)])) for k, field in enumerate(FIELDS)}
    arrays = {field: b.inttoptr(given[field], pointer) for field in (*ADDRESSES, "masks")}
    tables = {field: b.inttoptr(given[field], I32.as_pointer()) for field in ("singles", "puts")}
    spans = b.inttoptr(given["blocks"], I64.as_pointer())
    lanes, count = given["lanes"], {field: given[f"{field}_count"] for field in ("blocks", "singles", "puts")}
    time = Loop(b, integer(0), given["steps"], integer(1), [arrays["home"], arrays["other"]])

    def now(field: str, step: str) -> ir.Value:
        return b.gep(arrays[field], [b.mul(time.index, given[f"{step}_step"])])

    before, after = time.values
    dense, jacobian = now("dense", "jacobian"), now("jacobian", "jacobian")
    about = lanes, given["depth"], arrays["gradient"], before, after, dense, jacobian, now("loss", "loss")
    move = _Move(v, *about)
    lane = integer(0)
    for strip, shapes in blocks.items():
        breadth = integer(strip * width)
        whole = b.add(lane, b.mul(b.sdiv(b.sub(lanes, lane), breadth), breadth))
        columns = Loop(b, lane, whole, breadth, [])
        each = Loop(b, integer(0), count["blocks"], integer(1), [])
        first = b.mul(each.index, integer(4))
        row, bottom, left, right = (b.load(b.gep(spans, [b.add(first, integer(k))])) for k in range(4))
        for vectors, height in shapes:
            last = b.add(row, b.mul(b.sdiv(b.sub(bottom, row), integer(height)), integer(height)))
            down = Loop(b, row, last, integer(height), [])
            for start in range(0, strip, vectors):
                place = b.add(columns.index, integer(start * width))
                _product(move, (height, vectors), down.index, place, (left, right))
            down.close([])
            row = last
        each.close([])
        _singles(move, tables["singles"], count["singles"], columns.index, strip)
        columns.close([])
        lane = whole
    at_once = now("coefficients", "coefficients"), now("sources", "sources")
    _puts(move, tables["puts"], count["puts"], arrays["masks"], at_once)
    time.close([after, before])
    b.ret_void()
    return function


def _row_starts(move: _Move, row: ir.Value, height: int) -> list[ir.Value]:
    b = move.v.builder
    return [b.gep(move.dense, [b.mul(b.add(row, integer(r)), move.depth)]) for r in range(height)]


def _product(
    move: _Move, shape: tuple[int, int], row: ir.Value, lane: ir.Value, columns: tuple[ir.Value, ir.Value]
) -> None:
    """Emit a block of rows x vectors of the product, and add what it does to the gradient."""
    v, (height, vectors) = move.v, shape
    b = v.builder
    starts = _row_starts(move, row, height)
    along = Loop(b, *columns, integer(1), [v.zero] * (height * vectors))
    place = b.add(b.mul(along.index, move.lanes), lane)
    inputs = [v.load(move.before, b.add(place, integer(c * v.width))) for c in range(vectors)]
    updated = []
    for r in range(height):
        weight = v.broadcast(b.load(b.gep(starts[r], [along.index])))
        updated += [v.fma(weight, inputs[c], along.values[r * vectors + c]) for c in range(vectors)]
    sums = along.close(updated)
    for r in range(height):
        start = b.add(b.mul(b.add(row, integer(r)), move.lanes), lane)
        for c in range(vectors):
            v.store(sums[r * vectors + c], move.after, b.add(start, integer(c * v.width)))
    losses = [b.load(b.gep(move.loss, [b.add(row, integer(r))])) for r in range(height)]
    zero = ir.Constant(v.scalar, 0.0)
    some = b.fcmp_unordered("!=", losses[0], zero)
    for loss in losses[1:]:
        some = b.or_(some, b.fcmp_unordered("!=", loss, zero))
    with b.if_then(some):
        factors = [v.broadcast(loss) for loss in losses]
        for c in range(vectors):
            at = b.add(lane, integer(c * v.width))
            total = v.load(move.gradient, at)
            for r in range(height):
                total = v.fma(factors[r], sums[r * vectors + c], total)
            v.store(total, move.gradient, at)


def _numbers(b: ir.IRBuilder, table: ir.Value, index: ir.Value, count: int) -> list[ir.Value]:
    """Return the numbers of a row of a table of int32."""
    first = b.mul(index, integer(count))
    return [b.sext(b.load(b.gep(table, [b.add(first, integer(k))])), I64) for k in range(count)]


def _singles(move: _Move, table: ir.Value, count: ir.Value, lane: ir.Value, vectors: int) -> None:
    """Emit the products of single entries of the Jacobian and rows of a strip."""
    v, b = move.v, move.v.builder
    lanes = [b.add(lane, integer(c * v.width)) for c in range(vectors)]
    with b.if_then(b.icmp_signed(">", count, integer(0))):
        each = Loop(b, integer(0), count, integer(1), [v.load(move.gradient, at) for at in lanes])
        row, column, place = _numbers(b, table, each.index, 3)
        value = v.broadcast(b.load(b.gep(move.jacobian, [place])))
        loss = v.broadcast(b.load(b.gep(move.loss, [row])))
        totals = []
        for at, total in zip(lanes, each.values):
            target = b.add(b.mul(row, move.lanes), at)
            part = b.fmul(value, v.load(move.before, b.add(b.mul(column, move.lanes), at)))
            v.store(b.fadd(v.load(move.after, target), part), move.after, target)
            totals.append(v.fma(loss, part, total))
        for at, total in zip(lanes, each.close(totals)):
            v.store(total, move.gradient, at)


def _puts(
    move: _Move, table: ir.Value, count: ir.Value, masks: ir.Value, at_once: tuple[ir.Value, ir.Value]
) -> None:
    """Emit what weights do at once."""
    v, b = move.v, move.v.builder
    coefficients, sources = at_once
    each = Loop(b, integer(0), count, integer(1), [])
    row, lane, coefficient, source, mask = _numbers(b, table, each.index, 5)
    factor = v.broadcast(b.load(b.gep(coefficients, [coefficient])))
    loss = v.broadcast(b.load(b.gep(move.loss, [row])))
    part = b.fmul(b.fmul(v.load(masks, mask), factor), v.load(sources, source))
    target = b.add(b.mul(row, move.lanes), lane)
    v.store(b.fadd(v.load(move.after, target), part), move.after, target)
    v.store(v.fma(loss, part, v.load(move.gradient, lane)), move.gradient, lane)
    each.close([])


@intrinsic
def _move_tile(typingctx: Any, number: Any, given: Any) -> Any:
    signature = types.void(number, given)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        blocks = BLOCKS[machine.registers().number]
        function = move_function(builder.module, scalar_type(number), width_of(number), blocks)
        table = cgutils.alloca_once(builder, ir.ArrayType(I64, len(FIELDS)))
        for k, value in enumerate(cgutils.unpack_tuple(builder, arguments[1], len(FIELDS))):
            builder.store(value, builder.gep(table, [integer(0), integer(k)]))
        builder.call(function, [builder.gep(table, [integer(0), integer(0)])])
        return context.get_dummy_value()

    return signature, generate


@register_jitable
def plain_move_tile(F, given):
    """Move a tile on by time steps, and add to its gradient.

    Each step sets the tile to the product of the step's Jacobian and the tile, plus what weights do at once. After an odd number
    of steps the tile is at the address ``other``.

    Parameters
    ----------
    F : type
    given : tuple of int, see `FIELDS`
    """
    home, other, gradient, dense, jacobian, coefficients, sources, loss = given[:8]
    blocks, singles, puts, masks = given[8:12]
    jacobian_step, coefficients_step, sources_step, loss_step = given[12:16]
    blocks_count, singles_count, puts_count, rows, depth, lanes, width, steps = given[16:]
    size = vector(F, home, 1).itemsize
    total = vector(F, gradient, lanes)
    spans = tile(np.int64, blocks, blocks_count, 4)
    entries, at_once = tile(np.int32, singles, singles_count, 3), tile(np.int32, puts, puts_count, 5)
    for t in range(steps):
        before, after = tile(F, home, rows, lanes), tile(F, other, rows, lanes)
        matrix = tile(F, dense + t * jacobian_step * size, rows, depth)
        lam = vector(F, loss + t * loss_step * size, rows)
        for k in range(blocks_count):
            for r in range(spans[k, 0], spans[k, 1]):
                for lane in range(lanes):
                    after[r, lane] = 0
                for c in range(spans[k, 2], spans[k, 3]):
                    for lane in range(lanes):
                        after[r, lane] += matrix[r, c] * before[c, lane]
        for i in range(singles_count):
            row, column, place = entries[i, 0], entries[i, 1], entries[i, 2]
            value = vector(F, jacobian + (t * jacobian_step + place) * size, 1)[0]
            for lane in range(lanes):
                after[row, lane] += value * before[column, lane]
        for i in range(puts_count):
            row, lane = at_once[i, 0], at_once[i, 1]
            factor = vector(F, coefficients + (t * coefficients_step + at_once[i, 2]) * size, 1)[0]
            source = vector(F, sources + (t * sources_step + at_once[i, 3]) * size, width)
            mask = vector(F, masks + at_once[i, 4] * size, width)
            for k in range(width):
                after[row, lane + k] += mask[k] * factor * source[k]
        for r in range(rows):
            for lane in range(lanes):
                total[lane] += lam[r] * after[r, lane]
        home, other = other, home


move_tile: Any = _move_tile if machine.simd() and machine.compiling() else plain_move_tile
"""See `plain_move_tile`."""
