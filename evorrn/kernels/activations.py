"""Activations: one entry each, with everything that is known about it.

An entry is the meaning on NumPy, decorated with its compiled kernels, its slope and its cost. Adding an
activation is adding one entry here: the compiler of cells, the emitted programs and the tests find it in
`TABLE`. Kernels are branch-free, so that a loop over a buffer runs at the width of the machine's vectors (a
scalar ``math.tanh`` costs about as much as thirty multiply-adds); see `evorrn.kernels.exponential`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from evorrn.kernels.exponential import (
    JIT,
    D,
    F,
    clamp,
    exp32,
    exp64,
    expm1_negative32,
    expm1_negative64,
    expm1_parts32,
    expm1_parts64,
)

LEAKY_SLOPE = 0.01
ELU_ALPHA = 1.0
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

Slope = Callable[[Any, int, int], int]


@dataclass(frozen=True)
class Activation:
    """One activation, or the slope of one.

    Attributes
    ----------
    function : callable
        Its meaning on NumPy; in compiled code it is the kernel.
    slope : callable or None
        ``slope(b, y, x)`` returns the node of the derivative at ``y = f(x)``, made with the builder ``b`` of a
        graph; None for a slope, which is not differentiated again.
    cost : int
        Multiply-adds of one evaluation.
    """

    function: Callable[[Any], Any]
    slope: Slope | None
    cost: int


TABLE: dict[str, Activation] = {}
"""Every activation and every slope by name."""

Function = Callable[[Any], Any]


def _entry(
    single: Function, double: Function, cost: int, slope: Slope | None = None
) -> Callable[[Function], Function]:
    """Return a decorator that adds the meaning of an activation on NumPy to `TABLE`.

    Parameters
    ----------
    single, double : callable
        Kernels for one number of float32 and of float64.
    cost : int
        Multiply-adds.
    slope : callable, optional
        See `Activation`.
    """

    def decorate(meaning: Function) -> Function:
        name = meaning.__name__

        def function(x: Any) -> Any:
            result = meaning(x)
            return result.astype(x.dtype) if getattr(x, "dtype", None) in (F, D) else result

        function.__name__ = function.__qualname__ = name
        function.__module__, function.__doc__ = meaning.__module__, meaning.__doc__

        @overload(function, jit_options=JIT)
        def choose(x):
            return {types.float32: single, types.float64: double}.get(x)

        TABLE[name] = Activation(function, slope, cost)
        return function

    return decorate


def _both(kernel: Callable[[Any], Function]) -> tuple[Function, Function]:
    """Return a kernel for float32 and one for float64 from a function that makes it for a type."""
    return register_jitable(**JIT)(kernel(F)), register_jitable(**JIT)(kernel(D))


# --- Smooth activations --------------------------------------------------------------------------------


@_entry(exp32, exp64, 12, lambda b, y, x: y)
def exp(x):
    """Return the exponential function."""
    return np.exp(x)


@register_jitable(**JIT)
def _tanh32(x):
    """An odd rational function of degree 9 over 8 on [-8, 8]; beyond 8.66, tanh rounds to 1."""
    z = clamp(x, F(-8.0), F(8.0))
    u = z * z
    p = F(1.52305546e-08)
    p = p * u + F(2.18947589e-05)
    p = p * u + F(0.00357160368)
    p = p * u + F(0.134445027)
    p = p * u + F(1.0)
    q = F(8.52250196e-07)
    q = q * u + F(0.000341130159)
    q = q * u + F(0.0261644647)
    q = q * u + F(0.467778295)
    q = q * u + F(1.0)
    y = z * p / q
    y = F(1.0) if x > F(8.66) else y
    return F(-1.0) if x < F(-8.66) else y


@register_jitable(**JIT)
def _tanh64(x):
    """tanh(x) = e / (e + 2) with e = exp(2x) - 1, on [-20, 20]."""
    s, p = expm1_parts64(D(2.0) * clamp(x, D(-20.0), D(20.0)))
    e = s * p + (s - D(1.0))
    return e / (e + D(2.0))


@_entry(_tanh32, _tanh64, 14, lambda b, y, x: b.apply("subtract", b.constant(1.0), b.apply("multiply", y, y)))
def tanh(x):
    """Return the hyperbolic tangent."""
    return np.tanh(x)


@register_jitable(**JIT)
def _sigmoid32(x):
    s, p = expm1_parts32(clamp(-x, F(-87.0), F(88.9)))
    return F(1.0) / (F(1.0) + s * (F(1.0) + p))  # s + s p would be NaN where s is infinite and p negative


@register_jitable(**JIT)
def _sigmoid64(x):
    s, p = expm1_parts64(clamp(-x, D(-708.0), D(709.9)))
    return D(1.0) / (D(1.0) + s * (D(1.0) + p))


@_entry(
    _sigmoid32,
    _sigmoid64,
    14,
    lambda b, y, x: b.apply("multiply", y, b.apply("subtract", b.constant(1.0), y)),
)
def sigmoid(x):
    """Return the logistic function ``1 / (1 + exp(-x))``."""
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-np.asarray(x)))


@register_jitable(**JIT)
def _softplus32(x):
    """max(x, 0) + log(1 + e), e = exp(-|x|); the logarithm as 2 atanh(e / (2 + e))."""
    e = exp32(-abs(x))
    z = e / (F(2.0) + e)
    u = z * z
    p = F(0.14012235)
    p = p * u + F(0.13999569)
    p = p * u + F(0.2001085)
    p = p * u + F(0.33333207)
    positive = x if x > F(0.0) else F(0.0)
    return positive + F(2.0) * (z * (u * p) + z)


@register_jitable(**JIT)
def _softplus64(x):
    e = exp64(-abs(x))
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


@_entry(_softplus32, _softplus64, 26, lambda b, y, x: b.apply("sigmoid", x))
def softplus(x):
    """Return ``log(1 + exp(x))``."""
    with np.errstate(invalid="ignore"):
        return np.logaddexp(0.0, x)


def _swish_slope(b: Any, y: int, x: int) -> int:
    s = b.apply("sigmoid", x)
    return b.apply("add", s, b.apply("multiply", y, b.apply("subtract", b.constant(1.0), s)))


def _swish(kind):
    logistic = _sigmoid32 if kind is F else _sigmoid64
    zero = kind(0.0)

    def kernel(x):
        y = x * logistic(x)  # NaN at minus infinity, where the limit is 0
        return zero if x < kind(-1e30) else y

    return kernel


@_entry(*_both(_swish), 15, _swish_slope)
def swish(x):
    """Return ``x * sigmoid(x)`` (Ramachandran et al. 2017)."""
    with np.errstate(invalid="ignore"):
        return np.where(np.less(x, -1e30), 0.0, np.asarray(x) * sigmoid(x))


# --- Piecewise activations, each with its slope --------------------------------------------------------


def _relu(kind):
    zero = kind(0.0)
    return lambda x: zero if x < zero else x


@_entry(*_both(_relu), 1, lambda b, y, x: b.apply("step", y))
def relu(x):
    """Return ``max(0, x)``; its slope at 0 is 0."""
    return np.where(np.less(x, 0), 0.0, x)


def _step(kind):
    one, zero = kind(1.0), kind(0.0)

    def kernel(x):
        at_or_below = x if x != x else zero
        return one if x > zero else at_or_below

    return kernel


@_entry(*_both(_step), 1)
def step(x):
    """Return 1 where positive, 0 elsewhere: the slope of `relu`."""
    return np.where(np.isnan(x), x, np.greater(x, 0) * 1.0)


def _leaky_relu(kind):
    zero, slope = kind(0.0), kind(LEAKY_SLOPE)
    return lambda x: x if x > zero else slope * x


@_entry(*_both(_leaky_relu), 1, lambda b, y, x: b.apply("leaky_slope", y))
def leaky_relu(x):
    """Return x where positive, ``0.01 x`` elsewhere."""
    return np.where(np.greater(x, 0), x, LEAKY_SLOPE * np.asarray(x))


def _leaky_slope(kind):
    one, zero, slope = kind(1.0), kind(0.0), kind(LEAKY_SLOPE)
    return lambda x: one if x > zero else slope


@_entry(*_both(_leaky_slope), 1)
def leaky_slope(x):
    """Return the slope of `leaky_relu`."""
    return np.where(np.greater(x, 0), 1.0, LEAKY_SLOPE)


def _elu(kind):
    zero, alpha = kind(0.0), kind(ELU_ALPHA)
    expm1 = expm1_negative32 if kind is F else expm1_negative64

    def kernel(x):
        negative = alpha * expm1(x)
        return x if x > zero else negative

    return kernel


@_entry(*_both(_elu), 14, lambda b, y, x: b.apply("elu_slope", y))
def elu(x):
    """Return x where positive, ``exp(x) - 1`` elsewhere (Clevert et al. 2016)."""
    return np.where(np.greater(x, 0), x, ELU_ALPHA * np.expm1(np.minimum(x, 0)))


def _elu_slope(kind):
    one, zero, alpha = kind(1.0), kind(0.0), kind(ELU_ALPHA)

    def kernel(x):
        other = x + alpha
        return one if x > zero else other

    return kernel


@_entry(*_both(_elu_slope), 1)
def elu_slope(y):
    """Return the slope of `elu` from its value."""
    return np.where(np.greater(y, 0), 1.0, np.asarray(y) + ELU_ALPHA)


def _selu(kind):
    zero, scale, scale_alpha = kind(0.0), kind(SELU_SCALE), kind(SELU_SCALE * SELU_ALPHA)
    expm1 = expm1_negative32 if kind is F else expm1_negative64

    def kernel(x):
        positive, negative = scale * x, scale_alpha * expm1(x)
        return positive if x > zero else negative

    return kernel


@_entry(*_both(_selu), 15, lambda b, y, x: b.apply("selu_slope", y))
def selu(x):
    """Return the self-normalising ELU (Klambauer et al. 2017)."""
    return SELU_SCALE * np.where(np.greater(x, 0), x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def _selu_slope(kind):
    zero, scale, scale_alpha = kind(0.0), kind(SELU_SCALE), kind(SELU_SCALE * SELU_ALPHA)

    def kernel(x):
        other = x + scale_alpha
        return scale if x > zero else other

    return kernel


@_entry(*_both(_selu_slope), 1)
def selu_slope(y):
    """Return the slope of `selu` from its value."""
    return np.where(np.greater(y, 0), SELU_SCALE, np.asarray(y) + SELU_SCALE * SELU_ALPHA)
