"""What tiles need beside arithmetic: views and copies of them, and lanes that have ended.

These are small LLVM functions of their own, like the tile kernels: written as plain loops they would
be inlined and vectorised at every call, and compiling them would take longer than all the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from evorrn.kernels import machine
from evorrn.kernels.vector import I64, Loop, integer, new_function, scalar_type, unpacked


def _select_function(module: ir.Module, scalar: ir.Type) -> ir.Function:
    """target[r, k] = other[r, k] where ends[k] <= t; other null means zero."""
    pointer = scalar.as_pointer()
    name = f"evorrn_select_{'f' if isinstance(scalar, ir.FloatType) else 'd'}"
    function = new_function(module, name, [pointer, I64, I64, pointer, I64.as_pointer(), I64])
    if function is None:
        return module.globals[name]
    target, rows, lanes, other, ends, t = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    nothing = b.icmp_unsigned("==", b.ptrtoint(other, I64), integer(0))
    source = b.select(nothing, target, other)
    down = Loop(b, integer(0), rows, integer(1), [])
    start = b.mul(down.index, lanes)
    along = Loop(b, integer(0), lanes, integer(1), [])
    place = b.gep(target, [b.add(start, along.index)])
    kept = b.load(place)
    given = b.load(b.gep(source, [b.add(start, along.index)]))
    given = b.select(nothing, ir.Constant(scalar, 0.0), given)
    ended = b.icmp_signed("<=", b.load(b.gep(ends, [along.index])), t)
    b.store(b.select(ended, given, kept), place)
    along.close([])
    down.close([])
    b.ret_void()
    return function


@intrinsic
def _select(typingctx: Any, target: Any, other: Any, ends: Any, t: Any) -> Any:
    signature = types.void(target, other, ends, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = scalar_type(target)
        data, shape, _ = unpacked(context, builder, target, arguments[0])
        source = ir.Constant(scalar.as_pointer(), None)
        if isinstance(other, types.Array):
            source = unpacked(context, builder, other, arguments[1])[0]
        lengths = context.make_array(ends)(context, builder, arguments[2]).data
        builder.call(
            _select_function(builder.module, scalar),
            [data, shape[0], shape[1], source, lengths, arguments[3]],
        )
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _memory_copy(typingctx: Any, target: Any, source: Any) -> Any:
    signature = types.void(target, source)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        to, shape, _ = unpacked(context, builder, target, arguments[0])
        origin = unpacked(context, builder, source, arguments[1])[0]
        size = integer(4 if target.dtype == types.float32 else 8)
        cgutils.raw_memcpy(builder, to, origin, builder.mul(shape[0], shape[1]), size)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _flat(typingctx: Any, array: Any) -> Any:
    kind = types.Array(array.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given = context.make_array(array)(context, builder, arguments[0])
        made = context.make_array(kind)(context, builder)
        made.data = given.data
        made.nitems = given.nitems
        made.itemsize = given.itemsize
        made.shape = cgutils.pack_array(builder, [given.nitems])
        made.strides = cgutils.pack_array(builder, [given.itemsize])
        made.meminfo = ir.Constant(made.meminfo.type, None)  # borrowed: the caller holds the buffer
        made.parent = ir.Constant(made.parent.type, None)
        return made._getvalue()

    return kind(array), generate


@intrinsic
def _at(typingctx: Any, array: Any, index: Any) -> Any:
    kind = types.Array(array.dtype, array.ndim - 1, "C")
    signature = kind(array, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _borrowed(context, builder, array, arguments[0], kind, arguments[1], None)

    return signature, generate


@intrinsic
def _block(typingctx: Any, array: Any, start: Any, count: Any) -> Any:
    signature = array(array, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _borrowed(context, builder, array, arguments[0], array, arguments[1], arguments[2])

    return signature, generate


@intrinsic
def _entries(typingctx: Any, vector: Any, offsets: Any, k: Any) -> Any:
    signature = vector(vector, offsets, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table = context.make_array(offsets)(context, builder, arguments[1]).data
        start = builder.load(builder.gep(table, [arguments[2]]))
        stop = builder.load(builder.gep(table, [builder.add(arguments[2], integer(1))]))
        count = builder.sub(stop, start)
        return _borrowed(context, builder, vector, arguments[0], vector, start, count)

    return signature, generate


@intrinsic
def _matrix(typingctx: Any, vector: Any, offsets: Any, k: Any, rows: Any, columns: Any) -> Any:
    kind = types.Array(vector.dtype, 2, "C")
    signature = kind(vector, offsets, types.int64, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _shaped(context, builder, signature, arguments)

    return signature, generate


def _shaped(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Return what begins at ``offsets[k]`` of a vector as a contiguous array without a reference."""
    given = context.make_array(signature.args[0])(context, builder, arguments[0])
    table = context.make_array(signature.args[1])(context, builder, arguments[1]).data
    made = context.make_array(signature.return_type)(context, builder)
    made.data = builder.gep(given.data, [builder.load(builder.gep(table, [arguments[2]]))])
    shape = arguments[3:]
    total, strides = integer(1), [given.itemsize]
    for length in reversed(shape):
        total = builder.mul(total, length)
        strides.insert(0, builder.mul(length, strides[0]))
    made.nitems = total
    made.itemsize = given.itemsize
    made.shape = cgutils.pack_array(builder, shape)
    made.strides = cgutils.pack_array(builder, strides[1:])
    made.meminfo = ir.Constant(made.meminfo.type, None)
    made.parent = ir.Constant(made.parent.type, None)
    return made._getvalue()


def _borrowed(
    context: Any, builder: Any, source: Any, value: Any, kind: Any, start: ir.Value, count: ir.Value | None
) -> Any:
    """Return a view without a reference of its own: one entry of an array, or `count` of them."""
    given = context.make_array(source)(context, builder, value)
    shape = cgutils.unpack_tuple(builder, given.shape, source.ndim)
    strides = cgutils.unpack_tuple(builder, given.strides, source.ndim)
    address = builder.add(builder.ptrtoint(given.data, I64), builder.mul(start, strides[0]))
    made = context.make_array(kind)(context, builder)
    made.data = builder.inttoptr(address, made.data.type)
    lengths = shape[1:] if count is None else [count, *shape[1:]]
    total = integer(1)
    for length in lengths:
        total = builder.mul(total, length)
    made.nitems = total
    made.itemsize = given.itemsize
    made.shape = cgutils.pack_array(builder, lengths)
    made.strides = cgutils.pack_array(builder, strides[1:] if count is None else strides)
    made.meminfo = ir.Constant(made.meminfo.type, None)
    made.parent = ir.Constant(made.parent.type, None)
    return made._getvalue()


def plain_select(target, other, ends, t):
    """Take `other` (or zero, for None) in the lanes whose end is at or before time step t.

    Parameters
    ----------
    target, other : ndarray, shape (rows, lanes)
    ends : ndarray of int64, shape (lanes,)
    t : int
    """
    target[:, ends <= t] = 0 if other is None else other[:, ends <= t]


def plain_copy(target, source):
    """Copy a tile (rows, lanes), both contiguous."""
    target[:] = source


def plain_flat(array):
    """Return a contiguous array as a vector over the same memory."""
    return np.reshape(array, -1)


def plain_at(array, index):
    """Return one entry of an array along its first axis.

    Compiled, the view holds no reference, which is cheaper to make and to compile: only where the array
    is used again later, as in a loop.
    """
    return array[index]


def plain_block(array, start, count):
    """Return `count` entries of an array along its first axis; see `plain_at`."""
    return array[start : start + count]


def plain_entries(vector, offsets, k):
    """Return block k of a genome, from ``offsets[k]`` to ``offsets[k + 1]``; see `plain_at`."""
    return vector[offsets[k] : offsets[k + 1]]


def plain_matrix(vector, offsets, k, rows, columns):
    """Return block k of a genome as a matrix; see `plain_at`."""
    return vector[offsets[k] : offsets[k] + rows * columns].reshape((rows, columns))


entries: Any = _entries if machine.compiling() else plain_entries
matrix: Any = _matrix if machine.compiling() else plain_matrix
at: Any = _at if machine.compiling() else plain_at
block: Any = _block if machine.compiling() else plain_block
select_lanes: Any = _select if machine.compiling() else plain_select
copy: Any = _memory_copy if machine.compiling() else plain_copy
flat: Any = _flat if machine.compiling() else plain_flat


@register_jitable
def join(target, first, second):
    """Put two tiles one below the other."""
    copy(target[: first.shape[0]], first)
    copy(target[first.shape[0] :], second)


@register_jitable
def take(target, source, start):
    """Copy the rows of a tile from `start` on."""
    copy(target, source[start : start + target.shape[0]])
