"""The compiled update of traces, with the units along the vectors and many time steps in one call.

A few sources of a vector of units are worked on at a time: their traces and their gradient stay in registers for all
time steps, so that a step takes three multiply-adds a weight and state and writes nothing to memory.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from evorrn.engine.influence.kernels import LOOP
from evorrn.engine.listing.addresses import tile
from evorrn.kernels import machine
from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, scalar_type, unpacked, width_of

_SOURCES = {1: (8, 4, 1), 2: (4, 2, 1), 3: (2, 1), 4: (2, 1)}
"""Sources that are worked on side by side, by the number of states."""

_FEW_REGISTERS = {1: (4, 1), 2: (2, 1), 3: (1,), 4: (1,)}
"""The same for processors with 16 registers."""


def traces_function(module: ir.Module, scalar: ir.Type, width: int, states: int) -> ir.Function:
    """Build the update of K traces of each weight; see `plain_traces`."""
    pointer = scalar.as_pointer()
    name = f"evorrn_traces{states}_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    # traces, gradient, blocks of units, sources, steps, table of addresses and strides
    function = new_function(module, name, [pointer, pointer, I64, I64, I64, I64.as_pointer()])
    if function is None:
        return module.globals[name]
    traces, gradient, blocks, sources, steps, table = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = Vector(b, scalar, width)
    each = Loop(b, integer(0), blocks, integer(1), [])
    units = b.mul(each.index, integer(width))
    first = b.mul(each.index, sources)
    row = integer(0)
    for several in (_SOURCES if machine.registers().number >= 32 else _FEW_REGISTERS)[states]:
        block = integer(several)
        whole = b.add(row, b.mul(b.sdiv(b.sub(sources, row), block), block))
        down = Loop(b, row, whole, block, [])
        places = [b.mul(b.add(first, b.add(down.index, integer(j))), integer(width)) for j in range(several)]
        cells = [
            b.add(b.mul(place, integer(states)), integer(k * width))
            for place in places
            for k in range(states)
        ]
        carried = [v.load(traces, cell) for cell in cells] + [v.load(gradient, at) for at in places]
        along = Loop(b, integer(0), steps, integer(1), carried)

        def now(number: int, time: ir.Value = along.index) -> ir.Value:
            """Return a pointer to the numbers of an array at a time step."""
            start = b.inttoptr(b.load(b.gep(table, [integer(2 * number)])), pointer)
            return b.gep(start, [b.mul(time, b.load(b.gep(table, [integer(2 * number + 1)])))])

        squared = states * states
        kept = [v.load(now(k), units) for k in range(squared)]
        slopes = [v.load(now(squared + k), units) for k in range(states)]
        losses = [v.load(now(squared + states + k), units) for k in range(states)]
        source = now(squared + 2 * states)
        moved, added = [], []
        for j in range(several):
            number = v.broadcast(b.load(b.gep(source, [b.add(down.index, integer(j))])))
            before = along.values[j * states : (j + 1) * states]
            total = along.values[several * states + j]
            for k in range(states):
                value = b.fmul(slopes[k], number)
                for c in range(states):
                    value = v.fma(kept[k * states + c], before[c], value)
                moved.append(value)
                total = v.fma(losses[k], value, total)
            added.append(total)
        after = along.close(moved + added)
        for cell, value in zip(cells, after):
            v.store(value, traces, cell)
        for place, value in zip(places, after[several * states :]):
            v.store(value, gradient, place)
        down.close([])
        row = whole
    each.close([])
    b.ret_void()
    return function


@intrinsic
def _traces_simd(typingctx: Any, traces: Any, gradient: Any, run: Any, steps: Any, arrays: Any) -> Any:
    signature = types.void(traces, gradient, types.UniTuple(types.int64, 5), types.int64, arrays)
    kinds = list(arrays)
    states = math.isqrt(len(kinds)) - 1

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = traces_function(builder.module, scalar_type(traces), width_of(traces), states)
        table = cgutils.alloca_once(builder, ir.ArrayType(I64, 2 * len(kinds)))
        for k, kind in enumerate(kinds):
            data, _, strides = unpacked(context, builder, kind, builder.extract_value(arguments[4], k))
            for place, value in ((2 * k, builder.ptrtoint(data, I64)), (2 * k + 1, strides[0])):
                builder.store(value, builder.gep(table, [integer(0), integer(place)]))
        sequence, at, start, blocks, sources = cgutils.unpack_tuple(builder, arguments[2], 5)
        parts = []
        for kind, value, place in ((traces, arguments[0], at), (gradient, arguments[1], start)):
            data, _, strides = unpacked(context, builder, kind, value)
            parts.append(builder.gep(data, [builder.add(builder.mul(sequence, strides[0]), place)]))
        first = builder.gep(table, [integer(0), integer(0)])
        builder.call(function, [*parts, blocks, sources, arguments[3], first])
        return context.get_dummy_value()

    return signature, generate


@register_jitable
def plain_traces(traces, gradient, run, steps, arrays):
    """Move traces on by time steps, and add the products of the losses' derivatives and the traces to the gradient.

    Parameters
    ----------
    traces : ndarray, shape (B, numbers)
        Those of a run of weights have the shape (blocks, M, K, lanes): of each vector of units and each of M sources a trace
        for each of K states.
    gradient : ndarray, shape (B, numbers)
        That of a run has the shape (blocks, M, lanes).
    run : tuple of int
        The sequence, the first trace and the first place in the gradient of the run, its blocks and its sources.
    steps : int
    arrays : tuple of ndarray, each of shape (steps or more, units or M)
        K * K derivatives of new by old states, K slopes, K derivatives of the loss, and the sources.
    """
    b, at, start, blocks, sources = run
    states = int(np.sqrt(len(arrays))) - 1
    squared, lanes = states * states, arrays[0].shape[1] // blocks
    new = np.empty(states, traces.dtype)
    for block in range(blocks):
        for j in range(sources):
            place = start + (block * sources + j) * lanes
            first = at + (block * sources + j) * states * lanes
            for t in range(steps):
                for lane in range(lanes):
                    unit = block * lanes + lane
                    for k in range(states):
                        value = arrays[squared + k][t, unit] * arrays[-1][t, j]
                        for c in range(states):
                            value += arrays[k * states + c][t, unit] * traces[b, first + c * lanes + lane]
                        new[k] = value
                    for k in range(states):
                        traces[b, first + k * lanes + lane] = new[k]
                        gradient[b, place + lane] += arrays[squared + states + k][t, unit] * new[k]


move_traces: Any = _traces_simd if machine.simd() and machine.compiling() else plain_traces
"""What emitted programs call, see `plain_traces`."""


@register_jitable
def _at_step(F, array, step):
    size = array.shape[2]
    return tile(F, np.int64(array.ctypes.data + step * size * array.itemsize), 1, size)


def plain_at_step(F, array, step):
    """Return the entry (1, units) of an array (steps, 1, units) at a step, without a reference that costs time."""
    return array[step]


at_step: Any = _at_step if machine.compiling() else plain_at_step
"""What emitted programs call, see `plain_at_step`."""


@njit(**LOOP)
def pack_diagonal(target, matrix):
    """Copy the diagonal of a matrix."""
    for k in range(matrix.shape[0]):
        target[k] = matrix[k, k]


@njit(**LOOP)
def back_to_units(loss, errors, weights, first, units):
    """Set derivatives of the loss by units, (1, H), to errors (O, 1) times the columns of weights (O, R) from `first` on."""
    for k in range(units):
        loss[0, k] = 0
    for o in range(errors.shape[0]):
        error = errors[o, 0]
        for k in range(units):
            loss[0, k] += error * weights[o, first + k]


@njit(**LOOP)
def add_products(gradient, errors, source):
    """Add the products of errors (O, 1) and a source (1, M or more) to a gradient (O, M)."""
    for o in range(errors.shape[0]):
        error = errors[o, 0]
        for k in range(gradient.shape[1]):
            gradient[o, k] += error * source[0, k]
