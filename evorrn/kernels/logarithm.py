"""The natural logarithm for loops that a compiler can vectorise, in float32 and float64.

A number is ``m 2^n`` with m between sqrt(1/2) and sqrt(2), and ``log m = 2 artanh s`` with ``s = (m - 1) / (m + 1)``,
a series in odd powers of s. Numbers below the smallest normal one count as 0, whose logarithm is minus infinity;
that of a negative number is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.kernels.deferred import elementwise, intrinsic
from evorrn.kernels.exponential import D, F

_LN2_HIGH32, _LN2_LOW32 = F(0.693359375), F(-2.12194440e-4)
_LN2_HIGH64, _LN2_LOW64 = D(6.93147180369123816490e-1), D(1.90821492927058770002e-10)
_TINY32, _TINY64 = F(np.finfo(F).tiny), D(np.finfo(D).tiny)
_INFINITE32, _INFINITE64 = F(np.inf), D(np.inf)
_NAN32, _NAN64 = F(np.nan), D(np.nan)


@intrinsic
def parts(typingctx: Any, x: Any) -> Any:
    """Return (m, n) with x = m 2^n and m between sqrt(1/2) and sqrt(2), for a normal number x > 0."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils

    single = x == types.float32
    word, bits = (ir.IntType(32), 23) if single else (ir.IntType(64), 52)
    number = ir.FloatType() if single else ir.DoubleType()
    root = int(F(np.sqrt(0.5)).view(np.int32)) if single else int(D(np.sqrt(0.5)).view(np.int64))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = builder.bitcast(arguments[0], word)
        n = builder.ashr(builder.sub(whole, ir.Constant(word, root)), ir.Constant(word, bits))
        m = builder.bitcast(builder.sub(whole, builder.shl(n, ir.Constant(word, bits))), number)
        return cgutils.pack_array(builder, [m, builder.sitofp(n, number)])

    return types.UniTuple(x, 2)(x), generate


@elementwise
def log32(x):
    """Return the natural logarithm of x."""
    m, n = parts(x if x > _TINY32 else _TINY32)
    s = (m - F(1.0)) / (m + F(1.0))
    u = s * s
    p = F(2.0 / 9.0)
    p = p * u + F(2.0 / 7.0)
    p = p * u + F(2.0 / 5.0)
    p = p * u + F(2.0 / 3.0)
    y = n * _LN2_LOW32 + (p * u * s + F(2.0) * s)
    y = n * _LN2_HIGH32 + y
    y = y if x >= _TINY32 else -_INFINITE32
    y = y if x < _INFINITE32 else x
    return y if x >= F(0.0) else _NAN32


@elementwise
def log64(x):
    """Return the natural logarithm of x."""
    m, n = parts(x if x > _TINY64 else _TINY64)
    s = (m - D(1.0)) / (m + D(1.0))
    u = s * s
    p = D(2.0 / 21.0)
    p = p * u + D(2.0 / 19.0)
    p = p * u + D(2.0 / 17.0)
    p = p * u + D(2.0 / 15.0)
    p = p * u + D(2.0 / 13.0)
    p = p * u + D(2.0 / 11.0)
    p = p * u + D(2.0 / 9.0)
    p = p * u + D(2.0 / 7.0)
    p = p * u + D(2.0 / 5.0)
    p = p * u + D(2.0 / 3.0)
    y = n * _LN2_LOW64 + (p * u * s + D(2.0) * s)
    y = n * _LN2_HIGH64 + y
    y = y if x >= _TINY64 else -_INFINITE64
    y = y if x < _INFINITE64 else x
    return y if x >= D(0.0) else _NAN64
