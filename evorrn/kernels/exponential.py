"""The exponential function for loops that a compiler can vectorise, in float32 and float64.

Everything is made of multiply-adds, selections and one bit-cast, so a loop over a buffer runs at the width of
the machine's vectors. Selections are written so that NaN passes through and infinities reach their limits.
Accuracy over the whole range is a few units in the last place; results below the smallest normal number may
be flushed to zero. The coefficients are our own fits: iteratively reweighted least squares on the relative error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from evorrn.kernels.deferred import elementwise, intrinsic

F, D = np.float32, np.float64

# 1.5 * 2^23 (2^52): adding it rounds to a whole number, which then stands in the low bits.
SHIFT32, SHIFT64 = F(12582912.0), D(6755399441055744.0)
LOG2E32, LOG2E64 = F(1.4426950408889634), D(1.4426950408889634)
# ln 2 in two parts, so that n * ln 2 is exact enough to be subtracted.
LN2_HIGH32, LN2_LOW32 = F(0.693359375), F(-2.12194440e-4)
LN2_HIGH64, LN2_LOW64 = D(6.93145751953125e-1), D(1.42860682030941723212e-6)

POLYNOMIAL32 = F(0.00138824), F(0.00836718), F(0.04166722), F(0.16666539), F(0.49999998)
"""Coefficients of p in exp(r) = 1 + r + r^2 p, from that of the highest power on."""


@intrinsic
def power_of_two(typingctx: Any, shifted: Any) -> Any:
    """Return 2^n for a float that holds n in its low bits, by writing n into the exponent."""
    from llvmlite import ir
    from numba import types

    single = shifted == types.float32
    word, number, bits, bias = (
        (ir.IntType(32), ir.FloatType(), 23, 127) if single else (ir.IntType(64), ir.DoubleType(), 52, 1023)
    )

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        n = builder.bitcast(arguments[0], word)
        exponent = builder.shl(builder.add(n, ir.Constant(word, bias)), ir.Constant(word, bits))
        return builder.bitcast(exponent, number)

    return shifted(shifted), generate


@elementwise
def expm1_parts32(x):
    """Return (s, p) with exp(x) = s + s p, s a power of two; x in [-87, 88.3], from 88.4 on s is infinite."""
    shifted = x * LOG2E32 + SHIFT32
    n = shifted - SHIFT32
    r = (x - n * LN2_HIGH32) - n * LN2_LOW32
    p = POLYNOMIAL32[0]
    p = p * r + POLYNOMIAL32[1]
    p = p * r + POLYNOMIAL32[2]
    p = p * r + POLYNOMIAL32[3]
    p = p * r + POLYNOMIAL32[4]
    return power_of_two(shifted), p * (r * r) + r


@elementwise
def expm1_parts64(x):
    """Return (s, p) with exp(x) = s + s p, s a power of two; x in [-708, 709.4], beyond s is infinite; Taylor to degree 13."""
    shifted = x * LOG2E64 + SHIFT64
    n = shifted - SHIFT64
    r = (x - n * LN2_HIGH64) - n * LN2_LOW64
    p = D(1.0 / 6227020800.0)
    p = p * r + D(1.0 / 479001600.0)
    p = p * r + D(1.0 / 39916800.0)
    p = p * r + D(1.0 / 3628800.0)
    p = p * r + D(1.0 / 362880.0)
    p = p * r + D(1.0 / 40320.0)
    p = p * r + D(1.0 / 5040.0)
    p = p * r + D(1.0 / 720.0)
    p = p * r + D(1.0 / 120.0)
    p = p * r + D(1.0 / 24.0)
    p = p * r + D(1.0 / 6.0)
    p = p * r + D(0.5)
    return power_of_two(shifted), p * (r * r) + r


@elementwise
def clamp(x, low, high):
    """Bound x; NaN stays NaN, since every comparison with it is false."""
    x = low if x < low else x
    return high if x > high else x


@elementwise
def exp32(x):
    """Return exp(x)."""
    high = x > F(88.0)  # the power of two would overflow before the result does
    s, p = expm1_parts32(clamp(x - F(1.0) if high else x, F(-87.0), F(88.3)))
    y = s * p + s
    y = y * F(math.e) if high else y
    return F(0.0) if x < F(-87.0) else y


@elementwise
def exp64(x):
    """Return exp(x)."""
    high = x > D(709.0)
    s, p = expm1_parts64(clamp(x - D(1.0) if high else x, D(-708.0), D(709.0)))
    y = s * p + s
    y = y * D(math.e) if high else y
    return D(0.0) if x < D(-708.0) else y


@elementwise
def exp_parts32(x):
    """Return (m, n) with exp(x) = m 2^n, n a whole number and m between 0.7 and 1.42; for every finite x."""
    n = np.rint(x * LOG2E32)
    s, p = expm1_parts32(clamp((x - n * LN2_HIGH32) - n * LN2_LOW32, F(-0.35), F(0.35)))
    return s * p + s, n


@elementwise
def exp_parts64(x):
    """Return (m, n) with exp(x) = m 2^n, n a whole number and m between 0.7 and 1.42; for every finite x."""
    n = np.rint(x * LOG2E64)
    s, p = expm1_parts64(clamp((x - n * LN2_HIGH64) - n * LN2_LOW64, D(-0.35), D(0.35)))
    return s * p + s, n


@elementwise
def expm1_negative32(x):
    """Return exp(x) - 1 for x <= 0, without cancellation near 0."""
    s, p = expm1_parts32(clamp(x, F(-80.0), F(0.0)))
    return s * p + (s - F(1.0))


@elementwise
def expm1_negative64(x):
    """Return exp(x) - 1 for x <= 0, without cancellation near 0."""
    s, p = expm1_parts64(clamp(x, D(-80.0), D(0.0)))
    return s * p + (s - D(1.0))
