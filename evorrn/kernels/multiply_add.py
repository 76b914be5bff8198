"""A product and a sum with one rounding, said outright.

Kernels may be compiled with multiply-adds in place of products and sums (``contract``), which changes
nothing that depends on the compiler as long as a sum has one product in it. Of two products either can be
the one that is rounded alone, and LLVM's choice is not always the same for the same source: it differed
between the process that compiled a program and those that read it from the cache.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload


def multiply_add(left: Any, right: Any, addend: Any) -> Any:
    """Return ``left * right + addend``; in compiled code it is rounded once."""
    return left * right + addend


@intrinsic
def _rounded_once(typingctx: Any, left: Any, right: Any, addend: Any) -> Any:
    number = typingctx.unify_types(left, right, addend)
    if number not in (types.float32, types.float64):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, suffix = (ir.FloatType(), "f32") if number == types.float32 else (ir.DoubleType(), "f64")
        fused = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.{suffix}"
        )
        return builder.call(fused, arguments)

    return number(number, number, number), generate


@overload(multiply_add)
def _compiled(left, right, addend):
    return lambda left, right, addend: _rounded_once(left, right, addend)
