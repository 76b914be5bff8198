"""Arrays at addresses, and calls of functions at addresses: what compiled code needs to run a listing.

The addresses are valid in this process alone. The caller of a listing holds the arrays that they point into.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from evorrn.kernels import machine
from evorrn.kernels.vector import I64, integer, ir

POINTER = types.CPointer(types.int64)


def entry(builder: ir.IRBuilder, numbers: ir.Value, index: int) -> ir.Value:
    """Return the number at an index behind a pointer."""
    return builder.load(builder.gep(numbers, [integer(index)]))


def arrays_of_row(
    builder: ir.IRBuilder, row: ir.Value, at: ir.Value, entries: Iterable[int], scalar: ir.Type
) -> list[ir.Value]:
    """Return pointers to the arrays that some entries of a row name by the index of their address in `at`."""
    addresses = [builder.gep(at, [entry(builder, row, k)]) for k in entries]
    return [builder.inttoptr(builder.load(address), scalar.as_pointer()) for address in addresses]


def _array(context: Any, builder: Any, kind: Any, address: ir.Value, shape: list[ir.Value]) -> Any:
    """Return a contiguous array over the memory at an address, without a reference of its own."""
    made = context.make_array(kind)(context, builder)
    size = integer(kind.dtype.bitwidth // 8)
    made.data = builder.inttoptr(address, made.data.type)
    total, strides = integer(1), [size]
    for length in reversed(shape):
        total = builder.mul(total, length)
        strides.insert(0, builder.mul(length, strides[0]))
    made.nitems = total
    made.itemsize = size
    made.shape = cgutils.pack_array(builder, shape)
    made.strides = cgutils.pack_array(builder, strides[1:])
    made.meminfo = ir.Constant(made.meminfo.type, None)
    made.parent = ir.Constant(made.parent.type, None)
    return made._getvalue()


@intrinsic
def _vector(typingctx: Any, number: Any, address: Any, count: Any) -> Any:
    kind = types.Array(number.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _array(context, builder, kind, arguments[1], [arguments[2]])

    return kind(number, types.int64, types.int64), generate


@intrinsic
def _tile(typingctx: Any, number: Any, address: Any, rows: Any, lanes: Any) -> Any:
    kind = types.Array(number.dtype, 2, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _array(context, builder, kind, arguments[1], list(arguments[2:]))

    return kind(number, types.int64, types.int64, types.int64), generate


BOUND = 5
"""The numbers by which a table of arrays names one: its address, and its shape filled up with 1."""


def _bound(dimensions: int) -> Any:
    """Return the function that gives array k of a table, see `BOUND`; one with one dimension has all numbers."""

    @intrinsic
    def made(typingctx: Any, number: Any, table: Any, k: Any) -> Any:
        kind = types.Array(number.dtype, dimensions, "C")

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            numbers = context.make_array(signature.args[1])(context, builder, arguments[1]).data
            first = builder.gep(numbers, [builder.mul(arguments[2], integer(BOUND))])
            address, *shape = (entry(builder, first, i) for i in range(BOUND))
            if dimensions == 1:
                shape = [functools.reduce(builder.mul, shape)]
            return _array(context, builder, kind, address, shape[:dimensions])

        return kind(number, table, types.int64), generate

    return made


@intrinsic
def _call(typingctx: Any, code: Any, start: Any, at: Any, now: Any) -> Any:
    signature = types.void(code, types.int64, at, now)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers, addresses, moment = (
            context.make_array(signature.args[k])(context, builder, arguments[k]).data for k in (0, 2, 3)
        )
        row = builder.gep(numbers, [arguments[1]])
        # As numba's functions take them: where the result and an error would be written, then the arguments.
        unused = [cgutils.alloca_once(builder, I64) for _ in range(2)]
        function = ir.FunctionType(ir.IntType(32), [I64.as_pointer()] * 5).as_pointer()
        builder.call(builder.inttoptr(builder.load(row), function), [*unused, row, addresses, moment])
        return context.get_dummy_value()

    return signature, generate


def plain_tile(number, address, rows, lanes):
    """Return the matrix (rows, lanes) of a dtype at an address."""
    size = rows * lanes * np.dtype(number).itemsize
    memory = (ctypes.c_char * int(size)).from_address(int(address))
    return np.ndarray((rows, lanes), number, memory)


def plain_vector(number, address, count):
    """Return the vector (count,) of a dtype at an address."""
    return plain_tile(number, address, 1, count)[0]


def _plain_bound(dimensions: int) -> Any:
    def made(number, table, k):
        address, *shape = table[k]
        flat = plain_vector(number, address, np.prod(shape))
        return flat if dimensions == 1 else flat.reshape(shape[:dimensions])

    return made


FUNCTIONS: dict[int, Callable[..., None]] = {}
"""The kernels by the number that stands for their address where nothing is compiled."""


def plain_call(code, start, at, now):
    """Call the kernel that the row at `start` names, with the row, the addresses and the moment."""
    FUNCTIONS[int(code[start])](code[start:], at, now)


vector: Any = _vector if machine.compiling() else plain_vector
tile: Any = _tile if machine.compiling() else plain_tile
bound: Any = [None, *((_bound if machine.compiling() else _plain_bound)(k) for k in range(1, 5))]
"""The functions that give an array of a table, by the number of its dimensions."""
call: Any = _call if machine.compiling() else plain_call
