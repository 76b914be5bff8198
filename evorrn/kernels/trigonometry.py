"""Branch-free sine and cosine that a compiler can vectorise, in float32 and float64.

A call of ``math.sin`` keeps a loop from being vectorised and costs as much as forty multiply-adds. Here
an argument is brought to [-pi/4, pi/4] by taking away whole quarter turns, pi/2 being kept in parts short
enough that their multiples are exact (Cody and Waite 1980); two polynomials give sine and cosine there,
and the quarter says which of them is wanted and with what sign. Compiled together, the sine and the
cosine of one angle share all of it but the last selection.

Within a million (float32: ten thousand) of zero the results are right to 2 units in the last place. Beyond,
they lose digits, and stay within [-1, 1]. Infinities give NaN. The coefficients are our own fits, by
Chebyshev's nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from evorrn.kernels.deferred import by_dtype, elementwise, intrinsic

F, D = np.float32, np.float64

# 1.5 * 2^23 (2^52): adding it rounds to a whole number, which then stands in the low bits.
_SHIFT32, _SHIFT64 = F(12582912.0), D(6755399441055744.0)
_QUARTERS32, _QUARTERS64 = F(0.6366197723675814), D(0.6366197723675814)
# pi / 2 in parts of 11 bits (33), and the rest.
_FIRST32, _SECOND32, _THIRD32, _REST32 = F(1.5703125), F(4.837513e-04), F(7.5495336e-08), F(2.563344e-12)
_FIRST64, _SECOND64, _REST64 = D(1.5707963267341256), D(6.077100506303966e-11), D(2.0222662487959506e-21)
_BOUND32, _BOUND64 = F(0.79), D(0.79)


def _turned(quarters: int) -> Any:
    """Return a function of (shifted, value, other): a value turned by the quarters in `shifted` and more.

    For an even number of quarters it is `value`, for an odd one `other`; ``quarters`` is added for the sign.
    """

    @intrinsic
    def turned(typingctx: Any, shifted: Any, value: Any, other: Any) -> Any:
        from llvmlite import ir
        from numba import types

        word, number = (
            (ir.IntType(32), ir.FloatType())
            if shifted == types.float32
            else (ir.IntType(64), ir.DoubleType())
        )

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            count = builder.bitcast(arguments[0], word)
            odd = builder.trunc(count, ir.IntType(1))
            chosen = builder.bitcast(builder.select(odd, arguments[2], arguments[1]), word)
            two = builder.and_(builder.add(count, ir.Constant(word, quarters)), ir.Constant(word, 2))
            sign = builder.shl(two, ir.Constant(word, word.width - 2))
            return builder.bitcast(builder.xor(chosen, sign), number)

        return shifted(shifted, value, other), generate

    return turned


_sine_turned: Any = _turned(0)
_cosine_turned: Any = _turned(1)


@elementwise
def _reduced32(x):
    """Return (shifted, r): the number of quarter turns in the low bits of a float, and what remains."""
    shifted = x * _QUARTERS32 + _SHIFT32
    n = shifted - _SHIFT32
    r = (((x - n * _FIRST32) - n * _SECOND32) - n * _THIRD32) - n * _REST32
    r = _BOUND32 if r > _BOUND32 else r
    return shifted, -_BOUND32 if r < -_BOUND32 else r


@elementwise
def _reduced64(x):
    shifted = x * _QUARTERS64 + _SHIFT64
    n = shifted - _SHIFT64
    r = ((x - n * _FIRST64) - n * _SECOND64) - n * _REST64
    r = _BOUND64 if r > _BOUND64 else r
    return shifted, -_BOUND64 if r < -_BOUND64 else r


@elementwise
def _sine_near32(r):
    z = r * r
    p = F(-0.00019587639)
    p = p * z + F(0.0083327471)
    p = p * z + F(-0.16666665)
    return r + r * (z * p)


@elementwise
def _cosine_near32(r):
    z = r * r
    p = F(2.454769e-05)
    p = p * z + F(-0.0013888302)
    p = p * z + F(0.041666665)
    half = F(0.5) * z
    w = F(1.0) - half
    return w + (((F(1.0) - w) - half) + z * z * p)


@elementwise
def _sine_near64(r):
    z = r * r
    p = D(1.5917988979397435e-10)
    p = p * z + D(-2.5051129896450185e-08)
    p = p * z + D(2.7557316093198404e-06)
    p = p * z + D(-0.00019841269836740532)
    p = p * z + D(0.008333333333330936)
    p = p * z + D(-0.16666666666666666)
    return r + r * (z * p)


@elementwise
def _cosine_near64(r):
    z = r * r
    p = D(-1.138254464534925e-11)
    p = p * z + D(2.087614504941318e-09)
    p = p * z + D(-2.755731726587808e-07)
    p = p * z + D(2.48015872987544e-05)
    p = p * z + D(-0.0013888888888887389)
    p = p * z + D(0.041666666666666664)
    half = D(0.5) * z
    w = D(1.0) - half
    return w + (((D(1.0) - w) - half) + z * z * p)


@elementwise
def _sin32(x):
    shifted, r = _reduced32(x)
    return _sine_turned(shifted, _sine_near32(r), _cosine_near32(r))


@elementwise
def _sin64(x):
    shifted, r = _reduced64(x)
    return _sine_turned(shifted, _sine_near64(r), _cosine_near64(r))


@elementwise
def _cos32(x):
    shifted, r = _reduced32(x)
    return _cosine_turned(shifted, _cosine_near32(r), _sine_near32(r))


@elementwise
def _cos64(x):
    shifted, r = _reduced64(x)
    return _cosine_turned(shifted, _cosine_near64(r), _sine_near64(r))


def _public(meaning: Callable[..., Any], single: Any, double: Any) -> Callable[..., Any]:
    """Return a function that is NumPy's in Python and the scalar kernel in compiled code."""

    def function(x):
        return meaning(x)

    function.__name__ = function.__qualname__ = meaning.__name__

    return by_dtype(single, double, lambda x: double(D(x)))(function)


sin = _public(np.sin, _sin32, _sin64)
"""Sine of an angle in radians."""

cos = _public(np.cos, _cos32, _cos64)
"""Cosine of an angle in radians."""
