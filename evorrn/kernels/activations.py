"""Branch-free activations that a compiler can vectorise, in float32 and float64.

Numba has no vector mathematical library, and a scalar ``math.tanh`` in a loop costs about as much as
thirty multiply-adds. Everything here is made of multiply-adds, selections and one bit-cast, so a loop
over a buffer runs at the width of the machine's vectors. Selections are written so that NaN passes
through and infinities reach their limits. Accuracy over the whole range is a few units in the last
place; results below the smallest normal number may be flushed to zero.

The coefficients are our own fits: iteratively reweighted least squares on the relative error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload, register_jitable

from evorrn.compile import ops

_JIT = {"fastmath": {"contract"}, "error_model": "numpy"}

F, D = np.float32, np.float64

# 1.5 * 2^23 (2^52): adding it rounds to a whole number, which then stands in the low bits.
_SHIFT32, _SHIFT64 = F(12582912.0), D(6755399441055744.0)
_LOG2E32, _LOG2E64 = F(1.4426950408889634), D(1.4426950408889634)
# ln 2 in two parts, so that n * ln 2 is exact enough to be subtracted.
_LN2_HIGH32, _LN2_LOW32 = F(0.693359375), F(-2.12194440e-4)
_LN2_HIGH64, _LN2_LOW64 = D(6.93145751953125e-1), D(1.42860682030941723212e-6)


@intrinsic
def _power_of_two(typingctx: Any, shifted: Any) -> Any:
    """Return 2^n for a float that holds n in its low bits, by writing n into the exponent."""
    single = shifted == types.float32
    word, number, bits, bias = (
        (ir.IntType(32), ir.FloatType(), 23, 127) if single else (ir.IntType(64), ir.DoubleType(), 52, 1023)
    )

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        n = builder.bitcast(arguments[0], word)
        exponent = builder.shl(builder.add(n, ir.Constant(word, bias)), ir.Constant(word, bits))
        return builder.bitcast(exponent, number)

    return shifted(shifted), generate


@register_jitable(**_JIT)
def _expm1_parts32(x):
    """Return (s, p) with exp(x) = s + s p, s a power of two; x in [-87, 88.3], from 88.4 on s is infinite."""
    shifted = x * _LOG2E32 + _SHIFT32
    n = shifted - _SHIFT32
    r = (x - n * _LN2_HIGH32) - n * _LN2_LOW32
    p = F(0.00138824)
    p = p * r + F(0.00836718)
    p = p * r + F(0.04166722)
    p = p * r + F(0.16666539)
    p = p * r + F(0.49999998)
    return _power_of_two(shifted), p * (r * r) + r


@register_jitable(**_JIT)
def _expm1_parts64(x):
    """Return (s, p) with exp(x) = s + s p, s a power of two; x in [-708, 709.4], beyond s is infinite; Taylor to degree 13."""
    shifted = x * _LOG2E64 + _SHIFT64
    n = shifted - _SHIFT64
    r = (x - n * _LN2_HIGH64) - n * _LN2_LOW64
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
    return _power_of_two(shifted), p * (r * r) + r


@register_jitable(**_JIT)
def _clamp(x, low, high):
    """Bound x; NaN stays NaN, since every comparison with it is false."""
    x = low if x < low else x
    return high if x > high else x


@register_jitable(**_JIT)
def _exp32(x):
    high = x > F(88.0)  # the power of two would overflow before the result does
    s, p = _expm1_parts32(_clamp(x - F(1.0) if high else x, F(-87.0), F(88.3)))
    y = s * p + s
    y = y * F(math.e) if high else y
    return F(0.0) if x < F(-87.0) else y


@register_jitable(**_JIT)
def _exp64(x):
    high = x > D(709.0)
    s, p = _expm1_parts64(_clamp(x - D(1.0) if high else x, D(-708.0), D(709.0)))
    y = s * p + s
    y = y * D(math.e) if high else y
    return D(0.0) if x < D(-708.0) else y


@register_jitable(**_JIT)
def _expm1_negative32(x):
    """Return exp(x) - 1 for x <= 0, without cancellation near 0."""
    s, p = _expm1_parts32(_clamp(x, F(-80.0), F(0.0)))
    return s * p + (s - F(1.0))


@register_jitable(**_JIT)
def _expm1_negative64(x):
    s, p = _expm1_parts64(_clamp(x, D(-80.0), D(0.0)))
    return s * p + (s - D(1.0))


@register_jitable(**_JIT)
def _tanh32(x):
    """An odd rational function of degree 9 over 8.

    Computed in float32 it is exactly 1 at the bound and at most 1 below, so that nothing is left to select.
    """
    z = _clamp(x, F(-8.0847006), F(8.0847006))
    u = z * z
    p = F(0.0186009388)
    p = p * u + F(24.8172112)
    p = p * u + F(3857.03833)
    p = p * u + F(141916.188)
    p = p * u + F(1048576.0)
    q = u + F(376.069031)
    q = q * u + F(27860.5801)
    q = q * u + F(491441.656)
    q = q * u + F(1048576.0)
    return z * p / q


@register_jitable(**_JIT)
def _tanh64(x):
    """tanh(x) = e / (e + 2) with e = exp(2x) - 1, on [-20, 20]."""
    s, p = _expm1_parts64(D(2.0) * _clamp(x, D(-20.0), D(20.0)))
    e = s * p + (s - D(1.0))
    return e / (e + D(2.0))


@register_jitable(**_JIT)
def _sigmoid32(x):
    s, p = _expm1_parts32(_clamp(-x, F(-87.0), F(88.9)))
    return F(1.0) / (F(1.0) + s * (F(1.0) + p))  # s + s p would be NaN where s is infinite and p negative


@register_jitable(**_JIT)
def _sigmoid64(x):
    s, p = _expm1_parts64(_clamp(-x, D(-708.0), D(709.9)))
    return D(1.0) / (D(1.0) + s * (D(1.0) + p))


@register_jitable(**_JIT)
def _softplus32(x):
    """max(x, 0) + log(1 + e), e = exp(-|x|); the logarithm as 2 atanh(e / (2 + e))."""
    e = _exp32(-abs(x))
    z = e / (F(2.0) + e)
    u = z * z
    p = F(0.14012235)
    p = p * u + F(0.13999569)
    p = p * u + F(0.2001085)
    p = p * u + F(0.33333207)
    positive = x if x > F(0.0) else F(0.0)
    return positive + F(2.0) * (z * (u * p) + z)


@register_jitable(**_JIT)
def _softplus64(x):
    e = _exp64(-abs(x))
    z = e / (D(2.0) + e)
    u = z * z
    p = D(1.0 / 33.0)
    p = p * u + D(1.0 / 31.0)
    p = p * u + D(1.0 / 29.0)
    p = p * u + D(1.0 / 27.0)
    p = p * u + D(1.0 / 25.0)
    p = p * u + D(1.0 / 23.0)
    p = p * u + D(1.0 / 21.0)
    p = p * u + D(1.0 / 19.0)
    p = p * u + D(1.0 / 17.0)
    p = p * u + D(1.0 / 15.0)
    p = p * u + D(1.0 / 13.0)
    p = p * u + D(1.0 / 11.0)
    p = p * u + D(1.0 / 9.0)
    p = p * u + D(1.0 / 7.0)
    p = p * u + D(1.0 / 5.0)
    p = p * u + D(1.0 / 3.0)
    positive = x if x > D(0.0) else D(0.0)
    return positive + D(2.0) * (z * (u * p) + z)


def _each(kind: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the piecewise functions for one float type."""
    one, zero, slope = kind(1.0), kind(0.0), kind(ops.LEAKY_SLOPE)
    alpha, scale = kind(ops.ELU_ALPHA), kind(ops.SELU_SCALE)
    scale_alpha = kind(ops.SELU_SCALE * ops.SELU_ALPHA)
    expm1 = _expm1_negative32 if kind is F else _expm1_negative64
    logistic = _sigmoid32 if kind is F else _sigmoid64

    def relu(x):
        return zero if x < zero else x

    def leaky_relu(x):
        return x if x > zero else slope * x

    def elu(x):
        negative = alpha * expm1(x)
        return x if x > zero else negative

    def selu(x):
        positive, negative = scale * x, scale_alpha * expm1(x)
        return positive if x > zero else negative

    def swish(x):
        # Not to be reached at minus infinity as -inf * 0, which is NaN: the limit is 0.
        y = x * logistic(x)
        return zero if x < kind(-1e30) else y

    def step(x):
        at_or_below = x if x != x else zero
        return one if x > zero else at_or_below

    def leaky_slope(x):
        return one if x > zero else slope

    def elu_slope(x):
        other = x + alpha
        return one if x > zero else other

    def selu_slope(x):
        other = x + scale_alpha
        return scale if x > zero else other

    made = (relu, leaky_relu, elu, selu, swish, step, leaky_slope, elu_slope, selu_slope)
    return {function.__name__: register_jitable(**_JIT)(function) for function in made}  # type: ignore[return-value]


_SCALAR: dict[str, tuple[Any, Any]] = {
    "tanh": (_tanh32, _tanh64),
    "sigmoid": (_sigmoid32, _sigmoid64),
    "exp": (_exp32, _exp64),
    "softplus": (_softplus32, _softplus64),
}
_PIECES32: Any = _each(F)
_PIECES64: Any = _each(D)
_SCALAR.update({name: (_PIECES32[name], _PIECES64[name]) for name in _PIECES32})


def _public(name: str, meaning: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is NumPy's meaning in Python and the scalar kernel in compiled code."""

    def function(x):
        return meaning(x).astype(x.dtype) if hasattr(x, "dtype") else meaning(x)

    function.__name__ = function.__qualname__ = name
    single, double = _SCALAR[name]

    @overload(function, jit_options=_JIT)
    def choose(x):
        if x == types.float32:
            return single
        if x == types.float64:
            return double
        return None

    return function


tanh = _public("tanh", ops.tanh)
sigmoid = _public("sigmoid", ops.sigmoid)
exp = _public("exp", ops.exp)
softplus = _public("softplus", ops.softplus)
relu = _public("relu", ops.relu)
leaky_relu = _public("leaky_relu", ops.leaky_relu)
elu = _public("elu", ops.elu)
selu = _public("selu", ops.selu)
swish = _public("swish", ops.swish)
step = _public("step", ops.OPS["step"].numpy)
leaky_slope = _public("leaky_slope", ops.OPS["leaky_slope"].numpy)
elu_slope = _public("elu_slope", ops.OPS["elu_slope"].numpy)
selu_slope = _public("selu_slope", ops.OPS["selu_slope"].numpy)
