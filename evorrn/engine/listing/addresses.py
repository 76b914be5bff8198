"""Arrays at addresses, and calls of functions at addresses: what compiled code needs to run a listing.

The addresses are valid in this process alone. The caller of a listing holds the arrays that they point into.
"""

from __future__ import annotations

import ctypes
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


FUNCTIONS: dict[int, Callable[..., None]] = {}
"""The kernels by the number that stands for their address where nothing is compiled."""


def plain_call(code, start, at, now):
    """Call the kernel that the row at `start` names, with the row, the addresses and the moment."""
    FUNCTIONS[int(code[start])](code[start:], at, now)


vector: Any = _vector if machine.compiling() else plain_vector
tile: Any = _tile if machine.compiling() else plain_tile
call: Any = _call if machine.compiling() else plain_call
