"""Units of -1 and 1 that turn one after the other, each of which may make the next ones turn or stay."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

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

UNITS = 64
"""Units that are looked at together, as many as an integer has bits."""


@intrinsic
def turn_units(
    typingctx: Any,
    states: Any,
    fields: Any,
    at: Any,
    group: Any,
    within: Any,
    turned: Any,
    changes: Any,
) -> Any:
    """Turn units of one of the states one after the other; return the number of all that turned.

    `at` holds the row of the state, and how many units turned before in others.

    A unit turns if its field times its state is below its limit, and changes the fields of the later ones of its group of
    at most 64 units; `fields` is left as it is. In `within` (67, 64) stand the weights between the units of the group, their
    limits, and two rows that are overwritten; beyond the group the limits are minus infinity. The units that turned
    and the changes of their states are written behind those before.
    """
    check_contiguous(states, fields, group, within, turned, changes)
    signature = types.int64(states, fields, at, group, within, turned, changes)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, count = cgutils.unpack_tuple(builder, arguments[2], 2)
        (state, _, longs), (field, _, longer), (units, size, _), *others = (
            unpacked(context, builder, kind, value)
            for kind, value in zip(signature.args, arguments)
            if isinstance(kind, types.Array)
        )
        rows = [
            builder.gep(data, [builder.mul(row, steps[0])])
            for data, steps in ((state, longs), (field, longer))
        ]
        function = _function(builder.module, scalar_type(states), width_of(states))
        return builder.call(function, [*rows, units, *size, *(data for data, _, _ in others), count])

    return signature, generate


def _function(module: ir.Module, scalar: ir.Type, width: int) -> ir.Function:
    pointer, indices = scalar.as_pointer(), I64.as_pointer()
    name = f"evorrn_turn_units_{width}"
    function = new_function(
        module, name, [pointer, pointer, indices, I64, pointer, indices, pointer, I64], I64
    )
    if function is None:
        return module.globals[name]
    state, field, group, size, within, turned, changes, count = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = Vector(b, scalar, width)
    limits, own, numbers = (b.gep(within, [integer(UNITS * (UNITS + k))]) for k in range(3))
    places = [integer(place) for place in range(0, UNITS, width)]

    each = Loop(b, integer(0), size, integer(1), [])
    unit = b.gep(group, [each.index])
    sign = b.load(b.gep(state, [b.load(unit)]))
    b.store(sign, b.gep(own, [each.index]))
    b.store(b.fmul(sign, b.load(b.gep(field, [b.load(unit)]))), b.gep(numbers, [each.index]))
    each.close([])
    products = [v.load(numbers, place) for place in places]

    def below(values: list[ir.Value]) -> ir.Value:
        """Return an integer with a bit for each value that is below its limit."""
        bits = integer(0)
        for value, place in zip(values, places):
            mask = b.bitcast(b.fcmp_ordered("<", value, v.load(limits, place)), ir.IntType(width))
            bits = b.or_(bits, b.shl(b.zext(mask, I64), place))
        return bits

    head, body, after = (b.append_basic_block(name) for name in ("head", "body", "after"))
    carried = [(below(products), I64), (count, I64), *((value, value.type) for value in products)]
    before = b.block
    b.branch(head)
    b.position_at_end(head)
    phis = [b.phi(kind) for _, kind in carried]
    for phi, (value, _) in zip(phis, carried):
        phi.add_incoming(value, before)
    bits, n, *products = phis
    b.cbranch(b.icmp_signed("!=", bits, integer(0)), body, after)

    b.position_at_end(body)
    place = b.cttz(bits, ir.IntType(1)(0))
    unit, sign = b.load(b.gep(group, [place])), b.load(b.gep(own, [place]))
    b.store(b.fneg(sign), b.gep(state, [unit]))
    change = b.fmul(ir.Constant(scalar, -2.0), sign)
    b.store(unit, b.gep(turned, [n]))
    b.store(change, b.gep(changes, [n]))
    factor, row = v.broadcast(change), b.mul(place, integer(UNITS))
    products = [
        v.fma(factor, b.fmul(v.load(within, b.add(row, at)), v.load(own, at)), product)
        for at, product in zip(places, products)
    ]
    # -1 shifted by one place more, which for the last place would be too far:
    later = b.shl(integer(-2), place)
    for phi, value in zip(phis, [b.and_(below(products), later), b.add(n, integer(1)), *products]):
        phi.add_incoming(value, b.block)
    b.branch(head)
    b.position_at_end(after)
    b.ret(n)
    return function
