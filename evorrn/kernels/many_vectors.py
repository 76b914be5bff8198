"""Products of one matrix, dense or sparse, with many vectors at once.

The vectors stand side by side, one in each lane, so that an entry of the matrix is multiplied with a whole register of
them. Blocks of sums stay in registers, see `BLOCKS`; of a sparse matrix only entries that are not zero are read.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from evorrn.kernels import machine
from evorrn.kernels.vector import (
    I64,
    Loop,
    Vector,
    check_contiguous,
    integer,
    new_function,
    scalar_type,
    unpacked,
    width_of,
)

BLOCKS = {32: {4: 6, 3: 8, 2: 8, 1: 8}, 16: {3: 4, 2: 6, 1: 8}}
"""Rows of a block of sums by the vectors side by side, by the number of registers."""
CHAINS = 2
"""Sums of a row of a sparse matrix that are added side by side, which hides the latency of adding."""


@intrinsic
def dense_lanes(typingctx: Any, out: Any, matrix: Any, source: Any) -> Any:
    """Set `out` (R, L) to a matrix (R, K) times `source` (K, L); L is a multiple of the machine's vector."""
    check_contiguous(out, matrix, source)
    signature = types.void(out, matrix, source)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = _dense_function(builder.module, scalar_type(out), width_of(out))
        (to, shape, _), (left, sides, _), (right, _, _) = (
            unpacked(context, builder, kind, value) for kind, value in zip(signature.args, arguments)
        )
        builder.call(function, [to, *shape, left, sides[1], right])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def sparse_lanes(typingctx: Any, out: Any, starts: Any, columns: Any, values: Any, source: Any) -> Any:
    """Do the same for the entries of a sparse matrix, row by row: those of row r from ``starts[r]`` to ``starts[r + 1]``."""
    check_contiguous(out, starts, columns, values, source)
    signature = types.void(out, starts, columns, values, source)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = _sparse_function(builder.module, scalar_type(out), width_of(out))
        (to, shape, _), *others = (
            unpacked(context, builder, kind, value) for kind, value in zip(signature.args, arguments)
        )
        builder.call(function, [to, *shape, *(pointer for pointer, _, _ in others)])
        return context.get_dummy_value()

    return signature, generate


def _strips(b: ir.IRBuilder, lanes: ir.Value, width: int) -> Any:
    """Yield the vectors side by side in each strip of lanes and its first lane, inside a loop over equal strips."""
    lane = integer(0)
    for vectors in BLOCKS[machine.registers().number]:
        breadth = integer(vectors * width)
        whole = b.add(lane, b.mul(b.sdiv(b.sub(lanes, lane), breadth), breadth))
        strip = Loop(b, lane, whole, breadth, [])
        yield vectors, strip.index
        strip.close([])
        lane = whole


def _dense_function(module: ir.Module, scalar: ir.Type, width: int) -> ir.Function:
    """out[r, :] = sum over k of matrix[r, k] * source[k, :]."""
    pointer = scalar.as_pointer()
    function = new_function(module, f"evorrn_dense_lanes_{width}", [pointer, I64, I64, pointer, I64, pointer])
    if function is None:
        return module.globals[f"evorrn_dense_lanes_{width}"]
    out, rows, lanes, matrix, depth, source = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = Vector(b, scalar, width)
    for vectors, lane in _strips(b, lanes, width):
        row = integer(0)
        for height in (BLOCKS[machine.registers().number][vectors], 1):
            stop = b.add(row, b.mul(b.sdiv(b.sub(rows, row), integer(height)), integer(height)))
            down = Loop(b, row, stop, integer(height), [])
            starts = [b.mul(b.add(down.index, integer(r)), depth) for r in range(height)]
            along = Loop(b, integer(0), depth, integer(1), [v.zero] * (height * vectors))
            place = b.add(b.mul(along.index, lanes), lane)
            given = [v.load(source, b.add(place, integer(c * width))) for c in range(vectors)]
            sums = []
            for r, start in enumerate(starts):
                weight = v.broadcast(b.load(b.gep(matrix, [b.add(start, along.index)])))
                sums += [v.fma(weight, given[c], along.values[r * vectors + c]) for c in range(vectors)]
            for place, total in enumerate(along.close(sums)):
                r, c = divmod(place, vectors)
                at = b.add(b.mul(b.add(down.index, integer(r)), lanes), b.add(lane, integer(c * width)))
                v.store(total, out, at)
            down.close([])
            row = stop
    b.ret_void()
    return function


def _sparse_function(module: ir.Module, scalar: ir.Type, width: int) -> ir.Function:
    """out[r, :] = sum over k from starts[r] to starts[r + 1] of values[k] * source[columns[k], :]."""
    pointer, indices = scalar.as_pointer(), I64.as_pointer()
    function = new_function(
        module, f"evorrn_sparse_lanes_{width}", [pointer, I64, I64, indices, indices, pointer, pointer]
    )
    if function is None:
        return module.globals[f"evorrn_sparse_lanes_{width}"]
    out, rows, lanes, starts, columns, values, source = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = Vector(b, scalar, width)
    for vectors, lane in _strips(b, lanes, width):
        down = Loop(b, integer(0), rows, integer(1), [])
        first, last = (b.load(b.gep(starts, [b.add(down.index, integer(k))])) for k in (0, 1))
        paired = b.add(first, b.mul(b.sdiv(b.sub(last, first), integer(CHAINS)), integer(CHAINS)))
        sums = [v.zero] * (CHAINS * vectors)
        for chains, begin, end in ((CHAINS, first, paired), (1, paired, last)):
            along = Loop(b, begin, end, integer(chains), sums)
            sums = list(along.values)
            for chain in range(chains):
                entry = b.add(along.index, integer(chain))
                weight = v.broadcast(b.load(b.gep(values, [entry])))
                place = b.add(b.mul(b.load(b.gep(columns, [entry])), lanes), lane)
                for c in range(vectors):
                    k = chain * vectors + c
                    sums[k] = v.fma(weight, v.load(source, b.add(place, integer(c * width))), sums[k])
            sums = along.close(sums)
        for c in range(vectors):
            at = b.add(b.mul(down.index, lanes), b.add(lane, integer(c * width)))
            v.store(b.fadd(sums[c], sums[vectors + c]), out, at)
        down.close([])
    b.ret_void()
    return function
