"""Writing vector code with llvmlite: vectors, counted loops, functions of a module, arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError

from evorrn.kernels import machine

I64 = ir.IntType(64)


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
            builder.module, ir.FunctionType(self.type, [self.type] * 3), f"llvm.fmuladd.{suffix}"
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
        """Return ``left * right + total``, rounded once where the processor can: elsewhere that takes long."""
        return self.builder.call(self._fma, [left, right, total])

    def sum(self, value: ir.Value) -> ir.Value:
        """Return the sum of a vector's entries, added as a tree."""
        zero = ir.Constant(self.scalar, 0.0)
        return self.builder.call(self._sum, [zero, value], fastmath=("reassoc",))

    def add_sums(self, values: list[ir.Value], pointer: ir.Value, offsets: list[ir.Value]) -> None:
        """Add the sum of each vector's entries, added as `sum` does, to the number at its offset.

        The vectors are summed together, half to half, until each vector of sums holds what belongs to several.
        """
        b, count, size = self.builder, len(values), self.width
        if count == 1:
            sums = [self.sum(values[0])]
        else:
            values = values + [self.zero] * ((1 << (count - 1).bit_length()) - count)
            while size > 1:
                size //= 2
                pairs = list(zip(values[::2], values[1::2])) or [(values[0], None)]
                values = [b.fadd(self._part(*pair, size, 0), self._part(*pair, size, 1)) for pair in pairs]
            sums = [
                b.extract_element(vector, ir.Constant(ir.IntType(32), k))
                for vector in values
                for k in range(vector.type.count)
            ]
        for offset, total in zip(offsets, sums):
            cell = b.gep(pointer, [offset])
            b.store(b.fadd(b.load(cell), total), cell)

    def _part(self, left: ir.Value, right: ir.Value | None, size: int, half: int) -> ir.Value:
        """Return the first or second half of each segment of ``2 * size`` entries of one or two vectors."""
        length = left.type.count * (1 if right is None else 2)
        places = [k for k in range(length) if k // size % 2 == half]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)
        return self.builder.shuffle_vector(left, left if right is None else right, mask)


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


def new_function(
    module: ir.Module, name: str, arguments: list[ir.Type], result: ir.Type | None = None
) -> ir.Function | None:
    """Return a new function of a module, without a result unless its type is given; None when the module has it already."""
    if name in module.globals:
        return None
    function = ir.Function(module, ir.FunctionType(result or ir.VoidType(), arguments), name)
    function.linkage = "linkonce_odr"
    # Without the second, LLVM makes a copy of the function for every set of constant arguments and unrolls
    # loops that are unrolled already: twice the code, no faster.
    function.attributes.update(("noinline", "optsize"))
    return function


def opaque(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return a value, of which LLVM no longer knows how it was computed and so keeps it in a register."""
    return builder.asm(ir.FunctionType(value.type, [value.type]), "", "=r,0", [value], side_effect=False)


def scalar_type(array: Any) -> ir.Type:
    """Return the LLVM type of a numba array's entries."""
    return ir.FloatType() if array.dtype == types.float32 else ir.DoubleType()


def width_of(array: Any) -> int:
    """Return how many entries of a numba array one vector holds."""
    return machine.lanes(np.float32 if array.dtype == types.float32 else np.float64)


def check_contiguous(*arrays: Any) -> None:
    """Raise TypingError where numba arrays, of which generated code takes the address alone, may have gaps."""
    for array in arrays:
        if array.layout != "C":
            raise TypingError(f"expected a C-contiguous array, got {array}")


def unpacked(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, list[Any], list[Any]]:
    """Return data pointer, shape and strides (in entries) of an array in generated code."""
    array = context.make_array(kind)(context, builder, value)
    size = integer(4 if kind.dtype == types.float32 else 8)
    shape = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
    strides = [builder.sdiv(s, size) for s in cgutils.unpack_tuple(builder, array.strides, kind.ndim)]
    return array.data, shape, strides
