"""Micro-kernels with the units of a layer as the vector axis, several individuals one after the other.

When a genome meets one or few sequences there is nothing to fill lanes with. Then a matrix is laid out
by columns, so that ``W @ x`` adds columns scaled by the entries of x, and the matrix stays in the
fastest cache for all time steps. Individuals are independent, so the processor overlaps them and hides
the latency of the recurrence. A readout of few rows is a dot product along the units instead.

Buffers are (N, units), units padded to whole vectors; matrices (N, K, units) by columns or (N, M, K)
by rows. Each kernel is one LLVM function, see `evorrn.engine.lanes.tiles`; plain loops stand beside it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload, register_jitable

from evorrn.kernels import machine
from evorrn.kernels.deferred import called_part, part
from evorrn.kernels.threads import CACHE_LINE
from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, scalar_type, unpacked, width_of

# Columns worked on side by side, by vectors per column: enough chains to hide the latency of adding.
_COLUMNS = {4: 2, 2: 4, 1: 8}

# Sums side by side in a dot product, which hide the latency of adding; vectors that are left take turns.
_CHAINS = 4

# One term: W, stride between individuals, stride between columns (rows), X, its stride, number of columns.
_TERM = ir.ArrayType(I64, 6)


def affine_function(module: ir.Module, scalar: ir.Type, width: int, kind: str) -> ir.Function:
    """Build ``out[n] = bias[n] + sum over terms of W[n] @ X[n]`` for n individuals."""
    pointer = scalar.as_pointer()
    name = f"evorrn_{kind}_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    # out, its stride, individuals, rows, bias (null: zero), its stride, terms, their number
    function = new_function(module, name, [pointer, I64, I64, I64, pointer, I64, _TERM.as_pointer(), I64])
    if function is None:
        return module.globals[name]
    out, out_stride, individuals, rows, bias, bias_stride, terms, count = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    each = Loop(b, integer(0), individuals, integer(1), [])
    target = b.gep(out, [b.mul(each.index, out_stride)])
    null = b.icmp_unsigned("==", b.ptrtoint(bias, I64), integer(0))
    # Without a bias the loads below read the result's own memory, and zero is selected.
    start = b.select(null, target, b.gep(bias, [b.mul(each.index, bias_stride)]))
    body = _columns if kind == "columns" else _dots
    body(_Individual(Vector(b, scalar, width), target, start, null, rows, terms, count, each.index))
    each.close([])
    b.ret_void()
    return function


class _Individual(NamedTuple):
    """What the body of a kernel needs to compute the result of one individual."""

    vector: Vector
    target: ir.Value
    start: ir.Value
    null: ir.Value
    rows: ir.Value
    terms: ir.Value
    count: ir.Value
    number: ir.Value


def _fields(one: _Individual, term: ir.Value) -> list[ir.Value]:
    """Return W and X of an individual, the stride of W and the number of columns."""
    b, pointer = one.vector.builder, one.vector.scalar.as_pointer()
    fields = [b.load(b.gep(one.terms, [term, integer(k)])) for k in range(6)]
    matrix = b.gep(b.inttoptr(fields[0], pointer), [b.mul(one.number, fields[1])])
    vector = b.gep(b.inttoptr(fields[3], pointer), [b.mul(one.number, fields[4])])
    return [matrix, vector, fields[2], fields[5]]


def _tree(b: ir.IRBuilder, parts: list[ir.Value]) -> ir.Value:
    """Return the sum of some values, a power of two of them, added in pairs."""
    while len(parts) > 1:
        parts = [b.fadd(parts[k], parts[k + 1]) for k in range(0, len(parts), 2)]
    return parts[0]


def _columns(one: _Individual) -> None:
    """Emit the sums of columns scaled by the entries of the vectors."""
    v = one.vector
    b, width = v.builder, v.width
    row = integer(0)
    for vectors, chains in _COLUMNS.items():
        block = integer(vectors * width)
        whole = b.add(row, b.mul(b.sdiv(b.sub(one.rows, row), block), block))
        down = Loop(b, row, whole, block, [])
        places = [b.add(down.index, integer(c * width)) for c in range(vectors)]
        first = [b.select(one.null, v.zero, v.load(one.start, place)) for place in places]
        each = Loop(b, integer(0), one.count, integer(1), first + [v.zero] * (vectors * (chains - 1)))
        matrix, vector, stride, depth = _fields(one, each.index)
        split = b.mul(b.sdiv(depth, integer(chains)), integer(chains))
        values = each.values
        for breadth, begin, end in ((chains, integer(0), split), (1, split, depth)):
            inner = Loop(b, begin, end, integer(breadth), values)
            updated = list(inner.values)
            for u in range(breadth):
                j = b.add(inner.index, integer(u))
                number = v.broadcast(b.load(b.gep(vector, [j])))
                column = b.mul(j, stride)
                for c in range(vectors):
                    weight = v.load(matrix, b.add(column, places[c]))
                    updated[u * vectors + c] = v.fma(weight, number, updated[u * vectors + c])
            values = inner.close(updated)
        totals = each.close(values)
        for c in range(vectors):
            v.store(_tree(b, totals[c::vectors]), one.target, places[c])
        down.close([])
        row = whole


def _dots(one: _Individual) -> None:
    """Emit one dot product along the units for each row."""
    v = one.vector
    b, width, scalar = v.builder, v.width, v.scalar
    down = Loop(b, integer(0), one.rows, integer(1), [])
    first = b.select(one.null, ir.Constant(scalar, 0.0), b.load(b.gep(one.start, [down.index])))
    each = Loop(b, integer(0), one.count, integer(1), [first])
    matrix, vector, stride, depth = _fields(one, each.index)
    row = b.gep(matrix, [b.mul(down.index, stride)])
    block = integer(_CHAINS * width)
    blocked = b.mul(b.sdiv(depth, block), block)
    along = Loop(b, integer(0), blocked, block, [v.zero] * _CHAINS)
    places = [b.add(along.index, integer(k * width)) for k in range(_CHAINS)]
    sums = along.close(
        [v.fma(v.load(row, at), v.load(vector, at), along.values[k]) for k, at in enumerate(places)]
    )
    whole = b.mul(b.sdiv(depth, integer(width)), integer(width))
    single = Loop(b, blocked, whole, integer(width), sums)
    added = v.fma(v.load(row, single.index), v.load(vector, single.index), single.values[0])
    total = v.sum(_tree(b, single.close([*single.values[1:], added])))
    rest = Loop(b, whole, depth, integer(1), [b.fadd(each.values[0], total)])
    product = b.fmul(b.load(b.gep(row, [rest.index])), b.load(b.gep(vector, [rest.index])))
    (total,) = each.close(rest.close([b.fadd(rest.values[0], product)]))
    b.store(total, b.gep(one.target, [down.index]))
    down.close([])


def _kernel(kind: str) -> Any:
    """Return the intrinsic that calls one of the two functions."""

    @intrinsic
    def call(typingctx: Any, out: Any, bias: Any, terms: Any, individuals: Any, rows: Any) -> Any:
        signature = types.void(out, bias, terms, types.int64, types.int64)
        kinds = list(terms)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            scalar = scalar_type(out)
            function = affine_function(builder.module, scalar, width_of(out), kind)
            table = cgutils.alloca_once(builder, ir.ArrayType(_TERM, len(kinds) // 2))
            for position in range(0, len(kinds), 2):
                matrix, vector = (builder.extract_value(arguments[2], position + k) for k in range(2))
                data, shape, strides = unpacked(context, builder, kinds[position], matrix)
                x_data, _, x_strides = unpacked(context, builder, kinds[position + 1], vector)
                depth = shape[1] if kind == "columns" else shape[2]
                fields = [
                    builder.ptrtoint(data, I64),
                    strides[0],
                    strides[1],
                    builder.ptrtoint(x_data, I64),
                    x_strides[0],
                    depth,
                ]
                for k, value in enumerate(fields):
                    builder.store(value, builder.gep(table, [integer(0), integer(position // 2), integer(k)]))
            data, _, strides = unpacked(context, builder, out, arguments[0])
            start, start_stride = ir.Constant(scalar.as_pointer(), None), integer(0)
            if isinstance(bias, types.Array):
                start, _, bias_strides = unpacked(context, builder, bias, arguments[1])
                start_stride = bias_strides[0]
            first = builder.gep(table, [integer(0), integer(0)])
            count = integer(len(kinds) // 2)
            builder.call(
                function, [data, strides[0], arguments[3], arguments[4], start, start_stride, first, count]
            )
            return context.get_dummy_value()

        return signature, generate

    return call


_columns_simd = _kernel("columns")
_dots_simd = _kernel("dots")


@register_jitable
def _start(out, bias, individuals, rows):
    for n in range(individuals):
        for r in range(rows):
            out[n, r] = 0.0 if bias is None else bias[n, r]


@register_jitable
def _add_columns(out, matrix, vector, individuals, rows):
    for n in range(individuals):
        for j in range(matrix.shape[1]):
            for r in range(rows):
                out[n, r] += matrix[n, j, r] * vector[n, j]


@register_jitable
def _add_dots(out, matrix, vector, individuals, rows):
    for n in range(individuals):
        for r in range(rows):
            for j in range(matrix.shape[2]):
                out[n, r] += matrix[n, r, j] * vector[n, j]


def plain_columns(out, bias, terms, individuals, rows):
    """Set each individual's vector to a bias plus a sum of matrices, kept by columns, times vectors.

    Parameters
    ----------
    out : ndarray, shape (N, rows)
    bias : ndarray, shape (N, rows), or None for zero
    terms : tuple (W1, X1, W2, X2, ...)
        Matrices (N, K, rows) and vectors (N, K or more).
    individuals : int
        How many of the N are in use.
    rows : int
        A multiple of the machine's vector.
    """
    _start(out, bias, individuals, rows)
    for position in range(0, len(terms), 2):
        _add_columns(out, terms[position], terms[position + 1], individuals, rows)


@overload(plain_columns)
def _columns_choose(out, bias, terms, individuals, rows):
    if len(terms) == 2:

        def last(out, bias, terms, individuals, rows):
            _start(out, bias, individuals, rows)
            _add_columns(out, terms[0], terms[1], individuals, rows)

        return last

    def more(out, bias, terms, individuals, rows):
        plain_columns(out, bias, terms[:-2], individuals, rows)
        _add_columns(out, terms[-2], terms[-1], individuals, rows)

    return more


def plain_dots(out, bias, terms, individuals, rows):
    """Do what `plain_columns` does for matrices kept by rows (N, rows, K), any number of rows."""
    _start(out, bias, individuals, rows)
    for position in range(0, len(terms), 2):
        _add_dots(out, terms[position], terms[position + 1], individuals, rows)


@overload(plain_dots)
def _dots_choose(out, bias, terms, individuals, rows):
    if len(terms) == 2:

        def last(out, bias, terms, individuals, rows):
            _start(out, bias, individuals, rows)
            _add_dots(out, terms[0], terms[1], individuals, rows)

        return last

    def more(out, bias, terms, individuals, rows):
        plain_dots(out, bias, terms[:-2], individuals, rows)
        _add_dots(out, terms[-2], terms[-1], individuals, rows)

    return more


affine_columns: Any = _columns_simd if machine.simd() and machine.compiling() else plain_columns
"""What emitted programs call, see `plain_columns`."""

affine_dots: Any = _dots_simd if machine.simd() and machine.compiling() else plain_dots
"""What emitted programs call, see `plain_dots`."""


@intrinsic
def _aligned(typingctx: Any, shape: Any, dtype: Any) -> Any:
    kind = types.Array(dtype.dtype, len(shape), "C")
    signature = kind(types.UniTuple(types.int64, len(shape)), dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lengths = cgutils.unpack_tuple(builder, arguments[0], kind.ndim)
        strides = [integer(kind.dtype.bitwidth // 8)]
        for length in reversed(lengths):
            strides.insert(0, builder.mul(strides[0], length))
        memory = context.nrt.meminfo_alloc_aligned(builder, strides[0], CACHE_LINE)
        made = context.make_array(kind)(context, builder)
        made.data = builder.bitcast(context.nrt.meminfo_data(builder, memory), made.data.type)
        made.nitems = builder.udiv(strides[0], strides[-1])
        made.itemsize = strides[-1]
        made.shape = cgutils.pack_array(builder, lengths)
        made.strides = cgutils.pack_array(builder, strides[1:])
        made.meminfo = memory
        made.parent = ir.Constant(made.parent.type, None)
        cgutils.memset(builder, made.data, strides[0], 0)
        return made._getvalue()

    return signature, generate


def plain_aligned(shape, dtype):
    """Return zeros that begin at a cache line: elsewhere each load of 512 bits would touch two of them."""
    return np.zeros(shape, dtype)


aligned: Any = _aligned if machine.compiling() else plain_aligned
"""What emitted programs call, see `plain_aligned`."""


@called_part
def pack_columns(target, matrix):
    """Lay a matrix (M, K) out by columns (K, M or more)."""
    for r in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            target[j, r] = matrix[r, j]


@called_part
def pack_rows(target, matrix):
    """Copy a matrix (M, K)."""
    for r in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            target[r, j] = matrix[r, j]


@called_part
def pack_vector(target, vector):
    """Copy a vector to the front of a padded one."""
    for r in range(vector.shape[0]):
        target[r] = vector[r]


@called_part
def hold_rows(new, old, lengths, t):
    """Keep the old state of every individual whose sequence has ended at time step t."""
    for n in range(lengths.shape[0]):
        if t >= lengths[n]:
            for k in range(new.shape[1]):
                new[n, k] = old[n, k]


@part
def join_rows(target, first, first_size, second, second_size):
    """Put two vectors of every individual one after the other."""
    for n in range(target.shape[0]):
        for k in range(first_size):
            target[n, k] = first[n, k]
        for k in range(second_size):
            target[n, first_size + k] = second[n, k]
