"""Micro-kernels on a tile of lanes: a matrix times a tile, and the product of two tiles.

`affine` keeps a block of rows x vectors of the result in registers while it runs through all terms,
reading each matrix through its row and column strides, so a transposed matrix costs nothing.
`outer` reduces over lanes and time for the gradients of matrices. Both are LLVM functions of their
own (not inlined: one copy a program, so compiling stays cheap) built with llvmlite; the plain loops
beside them are the oracle and the fallback for ``EVORRN_SIMD=0``.

Tiles are arrays (rows, lanes), contiguous, lanes a multiple of the machine's vector.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload, register_jitable

from evorrn.kernels import machine

I64 = ir.IntType(64)
ROW_BLOCKS = {4: 4, 2: 8, 1: 8}
"""Vectors side by side -> rows of accumulators above each other: at most 16 registers."""


def integer(value: int) -> ir.Constant:
    """Return a 64-bit constant."""
    return ir.Constant(I64, value)


class Vector:
    """Vector code of one float type: loads, stores, broadcasts and fused multiply-adds."""

    def __init__(self, builder: ir.IRBuilder, scalar: ir.Type, width: int) -> None:
        self.builder = builder
        self.scalar = scalar
        self.width = width
        self.type = ir.VectorType(scalar, width)
        self.bytes = 4 if isinstance(scalar, ir.FloatType) else 8
        self.zero = ir.Constant(self.type, [0.0] * width)
        suffix = f"v{width}f{8 * self.bytes}"
        self._fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(self.type, [self.type] * 3), f"llvm.fma.{suffix}"
        )
        self._sum = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(scalar, [scalar, self.type]), f"llvm.vector.reduce.fadd.{suffix}"
        )

    def _at(self, pointer: ir.Value, offset: ir.Value) -> ir.Value:
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), self.type.as_pointer())

    def load(self, pointer: ir.Value, offset: ir.Value) -> ir.Value:
        """Load a vector; nothing is assumed of its alignment."""
        value = self.builder.load(self._at(pointer, offset))
        value.align = self.bytes
        return value

    def store(self, value: ir.Value, pointer: ir.Value, offset: ir.Value) -> None:
        """Store a vector."""
        self.builder.store(value, self._at(pointer, offset)).align = self.bytes

    def broadcast(self, number: ir.Value) -> ir.Value:
        """Return a vector of one number."""
        b = self.builder
        undefined = ir.Constant(self.type, ir.Undefined)
        first = b.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
        return b.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), self.width), None)
        )

    def fma(self, left: ir.Value, right: ir.Value, total: ir.Value) -> ir.Value:
        """Return ``left * right + total``."""
        return self.builder.call(self._fma, [left, right, total])

    def sum(self, value: ir.Value) -> ir.Value:
        """Return the sum of a vector's entries, added as a tree."""
        zero = ir.Constant(self.scalar, 0.0)
        return self.builder.call(self._sum, [zero, value], fastmath=("reassoc",))


class Loop:
    """A counted loop ``for i in range(start, stop, step)`` that carries values; `stop` may equal `start`."""

    def __init__(
        self, builder: ir.IRBuilder, start: ir.Value, stop: ir.Value, step: ir.Value, carried: list[ir.Value]
    ) -> None:
        self.builder = builder
        before = builder.block
        self.head = builder.append_basic_block("head")
        self.body = builder.append_basic_block("body")
        self.after = builder.append_basic_block("after")
        builder.branch(self.head)
        builder.position_at_end(self.head)
        self.index = builder.phi(I64)
        self.index.add_incoming(start, before)
        self.values = []
        for value in carried:
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            self.values.append(phi)
        builder.cbranch(builder.icmp_signed("<", self.index, stop), self.body, self.after)
        builder.position_at_end(self.body)
        self.step = step

    def close(self, updated: list[ir.Value]) -> list[ir.Value]:
        """End the body with the values for the next round; return the values after the loop."""
        b = self.builder
        following = b.add(self.index, self.step)
        self.index.add_incoming(following, b.block)
        for phi, value in zip(self.values, updated):
            phi.add_incoming(value, b.block)
        b.branch(self.head)
        b.position_at_end(self.after)
        return list(self.values)


def new_function(module: ir.Module, name: str, arguments: list[ir.Type]) -> ir.Function | None:
    """Return a new function of a module, or None when the module has it already."""
    if name in module.globals:
        return None
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    return function


# One term of an affine sum, as the micro-kernel reads it: W, row stride, column stride, X, width of
# X's rows, columns of W. Pointers are kept as integers.
_TERM = ir.ArrayType(I64, 6)


def _affine_function(module: ir.Module, scalar: ir.Type, width: int) -> ir.Function:
    """out[r, :] (+)= start + sum over terms and j of W[r, j] * X[j, :]."""
    pointer = scalar.as_pointer()
    name = f"evorrn_affine_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    # out, rows, lanes, bias (null: zero), bias stride, terms, their number, whether to add to out
    function = new_function(
        module, name, [pointer, I64, I64, pointer, I64, _TERM.as_pointer(), I64, ir.IntType(1)]
    )
    if function is None:
        return module.globals[name]
    out, rows, lanes, bias, bias_stride, terms, count, add = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    lane = integer(0)
    for vectors, block in ROW_BLOCKS.items():
        tile = integer(vectors * width)
        whole = b.add(lane, b.mul(b.sdiv(b.sub(lanes, lane), tile), tile))
        columns = Loop(b, lane, whole, tile, [])
        blocked = b.mul(b.sdiv(rows, integer(block)), integer(block))
        for height, start, stop in ((block, integer(0), blocked), (1, blocked, rows)):
            down = Loop(b, start, stop, integer(height), [])
            _affine_block(
                b,
                scalar,
                width,
                height,
                vectors,
                out,
                down.index,
                columns.index,
                lanes,
                bias,
                bias_stride,
                terms,
                count,
                add,
            )
            down.close([])
        columns.close([])
        lane = whole
    b.ret_void()
    return function


def _affine_block(
    b: ir.IRBuilder,
    scalar: ir.Type,
    width: int,
    height: int,
    vectors: int,
    out: ir.Value,
    row: ir.Value,
    lane: ir.Value,
    lanes: ir.Value,
    bias: ir.Value,
    bias_stride: ir.Value,
    terms: ir.Value,
    count: ir.Value,
    add: ir.Value,
) -> None:
    """Emit one block of height x vectors accumulators."""
    v = Vector(b, scalar, width)
    place = [
        [b.add(b.mul(b.add(row, integer(r)), lanes), b.add(lane, integer(c * width))) for c in range(vectors)]
        for r in range(height)
    ]
    from_out, from_bias, check_bias, from_zero, ready = (
        b.append_basic_block(name) for name in ("from_out", "from_bias", "check_bias", "from_zero", "ready")
    )
    b.cbranch(add, from_out, check_bias)
    b.position_at_end(from_out)
    kept = [v.load(out, place[r][c]) for r in range(height) for c in range(vectors)]
    b.branch(ready)
    b.position_at_end(check_bias)
    null = ir.Constant(bias.type, None)
    b.cbranch(b.icmp_unsigned("!=", b.ptrtoint(bias, I64), b.ptrtoint(null, I64)), from_bias, from_zero)
    b.position_at_end(from_bias)
    spread = [
        v.broadcast(b.load(b.gep(bias, [b.mul(b.add(row, integer(r)), bias_stride)]))) for r in range(height)
    ]
    b.branch(ready)
    b.position_at_end(from_zero)
    b.branch(ready)
    b.position_at_end(ready)
    totals = []
    for r in range(height):
        for c in range(vectors):
            phi = b.phi(v.type)
            phi.add_incoming(kept[r * vectors + c], from_out)
            phi.add_incoming(spread[r], from_bias)
            phi.add_incoming(v.zero, from_zero)
            totals.append(phi)
    each = Loop(b, integer(0), count, integer(1), totals)
    fields = [b.load(b.gep(terms, [each.index, integer(k)])) for k in range(6)]
    matrix = b.inttoptr(fields[0], scalar.as_pointer())
    row_stride, column_stride = fields[1:3]
    tile = b.inttoptr(fields[3], scalar.as_pointer())
    tile_width, depth = fields[4:]
    starts = [b.gep(matrix, [b.mul(b.add(row, integer(r)), row_stride)]) for r in range(height)]
    inner = Loop(b, integer(0), depth, integer(1), each.values)
    base = b.add(b.mul(inner.index, tile_width), lane)
    inputs = [v.load(tile, b.add(base, integer(c * width))) for c in range(vectors)]
    offset = b.mul(inner.index, column_stride)
    updated = []
    for r in range(height):
        weight = v.broadcast(b.load(b.gep(starts[r], [offset])))
        updated += [v.fma(weight, inputs[c], inner.values[r * vectors + c]) for c in range(vectors)]
    finished = each.close(inner.close(updated))
    for r in range(height):
        for c in range(vectors):
            v.store(finished[r * vectors + c], out, place[r][c])


def _outer_function(module: ir.Module, scalar: ir.Type, width: int) -> ir.Function:
    """D[r, c] += sum over t and lanes of A[t, r, :] * B[t, c, :]."""
    pointer = scalar.as_pointer()
    name = f"evorrn_outer_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    # D, its row stride, A, its time stride, rows, B, its time stride, columns, steps, lanes
    function = new_function(module, name, [pointer, I64, pointer, I64, I64, pointer, I64, I64, I64, I64])
    if function is None:
        return module.globals[name]
    target, target_stride, left, left_stride, rows, right, right_stride, columns, steps, lanes = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    row_split = b.mul(b.sdiv(rows, integer(4)), integer(4))
    column_split = b.mul(b.sdiv(columns, integer(4)), integer(4))
    for height, row_start, row_stop in ((4, integer(0), row_split), (1, row_split, rows)):
        down = Loop(b, row_start, row_stop, integer(height), [])
        for breadth, column_start, column_stop in ((4, integer(0), column_split), (1, column_split, columns)):
            along = Loop(b, column_start, column_stop, integer(breadth), [])
            v = Vector(b, scalar, width)
            time = Loop(b, integer(0), steps, integer(1), [v.zero] * (height * breadth))
            left_time = b.mul(time.index, left_stride)
            right_time = b.mul(time.index, right_stride)
            left_rows = [b.add(left_time, b.mul(b.add(down.index, integer(r)), lanes)) for r in range(height)]
            right_rows = [
                b.add(right_time, b.mul(b.add(along.index, integer(c)), lanes)) for c in range(breadth)
            ]
            lane = Loop(b, integer(0), lanes, integer(width), time.values)
            lefts = [v.load(left, b.add(start, lane.index)) for start in left_rows]
            rights = [v.load(right, b.add(start, lane.index)) for start in right_rows]
            updated = [
                v.fma(lefts[r], rights[c], lane.values[r * breadth + c])
                for r in range(height)
                for c in range(breadth)
            ]
            totals = time.close(lane.close(updated))
            for r in range(height):
                for c in range(breadth):
                    position = b.add(
                        b.mul(b.add(down.index, integer(r)), target_stride), b.add(along.index, integer(c))
                    )
                    cell = b.gep(target, [position])
                    b.store(b.fadd(b.load(cell), v.sum(totals[r * breadth + c])), cell)
            along.close([])
        down.close([])
    b.ret_void()
    return function


def scalar_type(array: Any) -> ir.Type:
    """Return the LLVM type of a numba array's entries."""
    return ir.FloatType() if array.dtype == types.float32 else ir.DoubleType()


def width_of(array: Any) -> int:
    """Return how many entries of a numba array one vector holds."""
    return machine.lanes(np.float32 if array.dtype == types.float32 else np.float64)


def unpacked(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, list[Any], list[Any]]:
    """Return data pointer, shape and strides (in entries) of an array in generated code."""
    array = context.make_array(kind)(context, builder, value)
    size = integer(4 if kind.dtype == types.float32 else 8)
    shape = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
    strides = [builder.sdiv(s, size) for s in cgutils.unpack_tuple(builder, array.strides, kind.ndim)]
    return array.data, shape, strides


@intrinsic
def _affine_simd(typingctx: Any, out: Any, bias: Any, terms: Any, add: Any) -> Any:
    signature = types.void(out, bias, terms, add)
    kinds = list(terms)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = scalar_type(out)
        function = _affine_function(builder.module, scalar, width_of(out))
        table = cgutils.alloca_once(builder, ir.ArrayType(_TERM, len(kinds) // 2))
        for position in range(0, len(kinds), 2):
            matrix, tile = (builder.extract_value(arguments[2], position + k) for k in range(2))
            w_data, w_shape, w_strides = unpacked(context, builder, kinds[position], matrix)
            x_data, _, x_strides = unpacked(context, builder, kinds[position + 1], tile)
            fields = [
                builder.ptrtoint(w_data, I64),
                *w_strides,
                builder.ptrtoint(x_data, I64),
                x_strides[0],
                w_shape[1],
            ]
            for k, value in enumerate(fields):
                builder.store(value, builder.gep(table, [integer(0), integer(position // 2), integer(k)]))
        data, shape, _ = unpacked(context, builder, out, arguments[0])
        if isinstance(bias, types.Array):
            start, _, stride = unpacked(context, builder, bias, arguments[1])
        else:
            start, stride = ir.Constant(scalar.as_pointer(), None), [integer(0)]
        first = builder.gep(table, [integer(0), integer(0)])
        count = integer(len(kinds) // 2)
        builder.call(function, [data, shape[0], shape[1], start, stride[0], first, count, arguments[3]])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _outer_simd(typingctx: Any, target: Any, left: Any, right: Any) -> Any:
    signature = types.void(target, left, right)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = _outer_function(builder.module, scalar_type(target), width_of(target))
        data, _, strides = unpacked(context, builder, target, arguments[0])
        left_data, left_shape, left_strides = unpacked(context, builder, left, arguments[1])
        right_data, right_shape, right_strides = unpacked(context, builder, right, arguments[2])
        builder.call(
            function,
            [
                data,
                strides[0],
                left_data,
                left_strides[0],
                left_shape[1],
                right_data,
                right_strides[0],
                right_shape[1],
                left_shape[0],
                left_shape[2],
            ],
        )
        return context.get_dummy_value()

    return signature, generate


@register_jitable
def _start(out, bias, add):
    for r in range(out.shape[0]):
        for k in range(out.shape[1]):
            if bias is not None:
                out[r, k] = bias[r]
            elif not add:
                out[r, k] = 0.0


@register_jitable
def _accumulate(out, matrix, tile):
    for r in range(out.shape[0]):
        for j in range(matrix.shape[1]):
            weight = matrix[r, j]
            for k in range(out.shape[1]):
                out[r, k] += weight * tile[j, k]


def plain_affine(out, bias, terms, add):
    """Set a tile to a bias plus a sum of matrices times tiles.

    Parameters
    ----------
    out : ndarray, shape (M, lanes)
    bias : ndarray, shape (M,), or None for zero
    terms : tuple (W1, X1, W2, X2, ...)
        Matrices (M, K), of any strides, and tiles (K, lanes).
    add : bool
        Add to what `out` holds; the bias must be None then.
    """
    _start(out, bias, add)
    for position in range(0, len(terms), 2):
        _accumulate(out, terms[position], terms[position + 1])


@overload(plain_affine)
def _affine_choose(out, bias, terms, add):
    if len(terms) == 2:

        def last(out, bias, terms, add):
            _start(out, bias, add)
            _accumulate(out, terms[0], terms[1])

        return last

    def more(out, bias, terms, add):
        plain_affine(out, bias, terms[:-2], add)
        _accumulate(out, terms[-2], terms[-1])

    return more


@register_jitable
def plain_outer(target, left, right):
    """Add the product of two series of tiles, summed over time and lanes, to a matrix.

    Parameters
    ----------
    target : ndarray, shape (M, N)
        Rows contiguous.
    left : ndarray, shape (T, M, lanes)
    right : ndarray, shape (T, N, lanes)
    """
    for r in range(target.shape[0]):
        for c in range(target.shape[1]):
            for t in range(left.shape[0]):
                for k in range(left.shape[2]):
                    target[r, c] += left[t, r, k] * right[t, c, k]


affine: Any = _affine_simd if machine.simd() and machine.compiling() else plain_affine
"""What emitted programs call, see `plain_affine`."""

outer: Any = _outer_simd if machine.simd() and machine.compiling() else plain_outer
"""What emitted programs call, see `plain_outer`."""
