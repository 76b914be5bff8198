"""The compiled sums that a step's Jacobian is made of: derivatives times runs of weights."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable

from evorrn.kernels import machine
from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, scalar_type, unpacked, width_of


def folds_function(module: ir.Module, scalar: ir.Type, width: int) -> ir.Function:
    """Build the sums; see `plain_add_folds`."""
    pointer, indices = scalar.as_pointer(), I64.as_pointer()
    name = f"evorrn_folds_{'f' if isinstance(scalar, ir.FloatType) else 'd'}{width}"
    # jacobian, factors, weights, targets, their number, runs
    function = new_function(module, name, [pointer, pointer, pointer, indices, I64, indices])
    if function is None:
        return module.globals[name]
    jacobian, factors, weights, targets, count, runs = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    each = Loop(b, integer(0), count, integer(1), [])
    own = b.mul(each.index, integer(4))
    place, entries, first, last = (b.load(b.gep(targets, [b.add(own, integer(k))])) for k in range(4))
    column = integer(0)
    while width:  # what whole vectors leave is done by halves of them
        v, size = Vector(b, scalar, width), integer(width)
        whole = b.add(column, b.mul(b.sdiv(b.sub(entries, column), size), size))
        along = Loop(b, column, whole, size, [])
        at = b.add(place, along.index)
        down = Loop(b, first, last, integer(1), [v.load(jacobian, at)])
        run = b.mul(down.index, integer(2))
        factor, weight = (b.load(b.gep(runs, [b.add(run, integer(k))])) for k in (0, 1))
        number = v.broadcast(b.load(b.gep(factors, [factor])))
        (total,) = down.close([v.fma(number, v.load(weights, b.add(weight, along.index)), down.values[0])])
        v.store(total, jacobian, at)
        along.close([])
        column, width = whole, width // 2
    each.close([])
    b.ret_void()
    return function


@intrinsic
def _add_folds(typingctx: Any, jacobian: Any, factors: Any, weights: Any, targets: Any, runs: Any) -> Any:
    signature = types.void(jacobian, factors, weights, targets, runs)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = folds_function(builder.module, scalar_type(jacobian), width_of(jacobian))
        data, shapes = [], []
        for kind, value in zip(signature.args, arguments):
            start, shape, _ = unpacked(context, builder, kind, value)
            data.append(start)
            shapes.append(shape)
        builder.call(function, [*data[:4], shapes[3][0], data[4]])
        return context.get_dummy_value()

    return signature, generate


@register_jitable
def plain_add_folds(jacobian, factors, weights, targets, runs):
    """Add products of factors and runs of weights to entries of a Jacobian.

    Parameters
    ----------
    jacobian, factors, weights : ndarray
        Vectors.
    targets : ndarray of int64, shape (K, 4)
        The first entry of each target, its entries, and the first and last of its runs.
    runs : ndarray of int64, shape (N, 2)
        A factor, and the first weight.
    """
    for i in range(targets.shape[0]):
        place, entries = targets[i, 0], targets[i, 1]
        for run in range(targets[i, 2], targets[i, 3]):
            factor, weight = factors[runs[run, 0]], runs[run, 1]
            for k in range(entries):
                jacobian[place + k] += factor * weights[weight + k]


add_folds: Any = _add_folds if machine.simd() and machine.compiling() else plain_add_folds
"""See `plain_add_folds`."""
