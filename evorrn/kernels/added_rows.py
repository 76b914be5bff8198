"""Sums of a few rows of a small matrix, chosen anew for each sum, that are added to what stands there."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from evorrn.kernels.vector import I64, Loop, Vector, integer, new_function, scalar_type, unpacked, width_of

STRIPS = (8, 4, 2, 1)
"""Vectors side by side whose sums stay in registers; eight and the factor are nine registers of at least sixteen."""


@intrinsic
def add_rows(typingctx: Any, out: Any, starts: Any, chosen: Any, factors: Any, rows: Any) -> Any:
    """Add to row r of `out` (R, L) the sum of ``factors[k] * rows[chosen[k]]`` over k from ``starts[r]`` to ``starts[r + 1]``.

    The entries of a row lie side by side, but rows may lie apart; L is a multiple of the machine's vector. It is fast where
    the chosen rows (K, L) stay in the first cache.
    """
    signature = types.void(out, starts, chosen, factors, rows)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = _function(builder.module, scalar_type(out), width_of(out))
        (to, shape, apart), (begins, _, _), (which, _, _), (weights, _, _), (given, _, steps) = (
            unpacked(context, builder, kind, value) for kind, value in zip(signature.args, arguments)
        )
        builder.call(function, [to, *shape, apart[0], begins, which, weights, given, steps[0]])
        return context.get_dummy_value()

    return signature, generate


def _function(module: ir.Module, scalar: ir.Type, width: int) -> ir.Function:
    pointer, indices = scalar.as_pointer(), I64.as_pointer()
    name = f"evorrn_add_rows_{width}"
    function = new_function(module, name, [pointer, I64, I64, I64, indices, indices, pointer, pointer, I64])
    if function is None:
        return module.globals[name]
    out, count, lanes, apart, starts, chosen, factors, rows, step = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = Vector(b, scalar, width)
    lane = integer(0)
    for vectors in STRIPS:
        breadth = integer(vectors * width)
        whole = b.add(lane, b.mul(b.sdiv(b.sub(lanes, lane), breadth), breadth))
        strip = Loop(b, lane, whole, breadth, [])
        down = Loop(b, integer(0), count, integer(1), [])
        first, last = (b.load(b.gep(starts, [b.add(down.index, integer(k))])) for k in (0, 1))
        with b.if_then(b.icmp_signed("<", first, last)):
            at = b.add(b.mul(down.index, apart), strip.index)
            places = [b.add(at, integer(c * width)) for c in range(vectors)]
            along = Loop(b, first, last, integer(1), [v.load(out, place) for place in places])
            factor = v.broadcast(b.load(b.gep(factors, [along.index])))
            from_ = b.add(b.mul(b.load(b.gep(chosen, [along.index])), step), strip.index)
            sums = [
                v.fma(factor, v.load(rows, b.add(from_, integer(c * width))), total)
                for c, total in enumerate(along.values)
            ]
            for place, total in zip(places, along.close(sums)):
                v.store(total, out, place)
        down.close([])
        strip.close([])
        lane = whole
    b.ret_void()
    return function
