"""Activations: NumPy functions with their compiled kernels, derivatives ("slopes") and costs.

A new activation is one new entry in this file: the compiler of cells, the emitted programs and the tests find it in
`TABLE`. Kernels have no branches, so that a loop over a buffer becomes vector code (a scalar ``math.tanh`` costs
about as much as thirty multiply-adds); see `evorrn.kernels.exponential`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.kernels.activation_table import TABLE as TABLE
from evorrn.kernels.activation_table import entry, for_both_types
from evorrn.kernels.deferred import elementwise
from evorrn.kernels.exponential import (
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
from evorrn.kernels.logarithm import log32, log64

LEAKY_SLOPE = 0.01
ELU_ALPHA = 1.0
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


# --- Smooth activations --------------------------------------------------------------------------------


@entry(exp32, exp64, 12, lambda b, y, x: y)
def exp(x):
    """Return the exponential function of x, elementwise.

    Examples
    --------
    >>> import evorrn
    >>> float(evorrn.exp(0.0))
    1.0
    """
    return np.exp(x)


@entry(log32, log64, 16, lambda b, y, x: b.apply("divide", b.constant(1.0), x))
def log(x):
    """Return the natural logarithm of x, elementwise.

    Examples
    --------
    >>> import evorrn
    >>> float(evorrn.log(1.0))
    0.0
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x)


def _square_root(kind):
    def kernel(x):
        return np.sqrt(x)

    return kernel


@entry(*for_both_types(_square_root), 8, lambda b, y, x: b.apply("divide", b.constant(0.5), y))
def sqrt(x):
    """Return the square root of x, elementwise.

    Examples
    --------
    >>> import evorrn
    >>> float(evorrn.sqrt(4.0))
    2.0
    """
    with np.errstate(invalid="ignore"):
        return np.sqrt(x)


@elementwise
def _tanh32(x):
    """An odd rational function of degree 9 over 8.

    Computed in float32 it is exactly 1 at the bound and at most 1 below, so that nothing is left to select.
    """
    z = clamp(x, F(-8.0847006), F(8.0847006))
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


@elementwise
def _tanh64(x):
    """tanh(x) = e / (e + 2) with e = exp(2x) - 1, on [-20, 20]."""
    s, p = expm1_parts64(D(2.0) * clamp(x, D(-20.0), D(20.0)))
    e = s * p + (s - D(1.0))
    return e / (e + D(2.0))


@entry(_tanh32, _tanh64, 14, lambda b, y, x: b.apply("subtract", b.constant(1.0), b.apply("multiply", y, y)))
def tanh(x):
    """Return the hyperbolic tangent of x, elementwise.

    Examples
    --------
    >>> import evorrn
    >>> round(float(evorrn.tanh(1.0)), 4)
    0.7616
    """
    return np.tanh(x)


@elementwise
def _sigmoid32(x):
    s, p = expm1_parts32(clamp(-x, F(-87.0), F(88.9)))
    return F(1.0) / (F(1.0) + s * (F(1.0) + p))  # s + s p would be NaN where s is infinite and p negative


@elementwise
def _sigmoid64(x):
    s, p = expm1_parts64(clamp(-x, D(-708.0), D(709.9)))
    return D(1.0) / (D(1.0) + s * (D(1.0) + p))


@entry(
    _sigmoid32,
    _sigmoid64,
    14,
    lambda b, y, x: b.apply("multiply", y, b.apply("subtract", b.constant(1.0), y)),
)
def sigmoid(x):
    """Return the logistic function ``1 / (1 + exp(-x))``, elementwise.

    Examples
    --------
    >>> import evorrn
    >>> round(float(evorrn.sigmoid(1.0)), 4)
    0.7311
    """
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-np.asarray(x)))


@elementwise
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


@elementwise
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


@entry(_softplus32, _softplus64, 26, lambda b, y, x: b.apply("sigmoid", x))
def softplus(x):
    """Return ``log(1 + exp(x))``, elementwise.

    Examples
    --------
    >>> import evorrn
    >>> round(float(evorrn.softplus(0.0)), 4)
    0.6931
    """
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


@entry(*for_both_types(_swish), 15, _swish_slope)
def swish(x):
    """Return ``x * sigmoid(x)``, elementwise.

    Source: Ramachandran et al. 2017.

    Examples
    --------
    >>> import evorrn
    >>> round(float(evorrn.swish(1.0)), 4)
    0.7311
    """
    with np.errstate(invalid="ignore"):
        return np.where(np.less(x, -1e30), 0.0, np.asarray(x) * sigmoid(x))


# --- Piecewise activations, each with its slope --------------------------------------------------------


def _relu(kind):
    zero = kind(0.0)
    return lambda x: zero if x < zero else x


@entry(*for_both_types(_relu), 1, lambda b, y, x: b.apply("step", y))
def relu(x):
    """Return ``max(0, x)``, elementwise; its derivative at 0 is 0.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.relu([-1.0, 0.0, 2.0]).tolist()
    [0.0, 0.0, 2.0]
    """
    return np.where(np.less(x, 0), 0.0, x)


def _step(kind):
    one, zero = kind(1.0), kind(0.0)

    def kernel(x):
        at_or_below = x if x != x else zero
        return one if x > zero else at_or_below

    return kernel


@entry(*for_both_types(_step), 1)
def step(x):
    """Return 1 where x is positive and 0 elsewhere: the derivative of `relu`."""
    return np.where(np.isnan(x), x, np.greater(x, 0) * 1.0)


def _leaky_relu(kind):
    zero, slope = kind(0.0), kind(LEAKY_SLOPE)
    return lambda x: x if x > zero else slope * x


@entry(*for_both_types(_leaky_relu), 1, lambda b, y, x: b.apply("leaky_slope", y))
def leaky_relu(x):
    """Return x where it is positive and ``0.01 x`` elsewhere.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.leaky_relu([-1.0, 2.0]).tolist()
    [-0.01, 2.0]
    """
    return np.where(np.greater(x, 0), x, LEAKY_SLOPE * np.asarray(x))


def _leaky_slope(kind):
    one, zero, slope = kind(1.0), kind(0.0), kind(LEAKY_SLOPE)
    return lambda x: one if x > zero else slope


@entry(*for_both_types(_leaky_slope), 1)
def leaky_slope(x):
    """Return the derivative of `leaky_relu`."""
    return np.where(np.greater(x, 0), 1.0, LEAKY_SLOPE)


def _elu(kind):
    zero, alpha = kind(0.0), kind(ELU_ALPHA)
    expm1 = expm1_negative32 if kind is F else expm1_negative64

    def kernel(x):
        negative = alpha * expm1(x)
        return x if x > zero else negative

    return kernel


@entry(*for_both_types(_elu), 14, lambda b, y, x: b.apply("elu_slope", y))
def elu(x):
    """Return x where it is positive and ``exp(x) - 1`` elsewhere.

    Source: Clevert et al. 2016.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.elu([-1.0, 2.0]).round(4).tolist()
    [-0.6321, 2.0]
    """
    return np.where(np.greater(x, 0), x, ELU_ALPHA * np.expm1(np.minimum(x, 0)))


def _elu_slope(kind):
    one, zero, alpha = kind(1.0), kind(0.0), kind(ELU_ALPHA)

    def kernel(x):
        other = x + alpha
        return one if x > zero else other

    return kernel


@entry(*for_both_types(_elu_slope), 1)
def elu_slope(y):
    """Return the derivative of `elu` at the point where its value is y."""
    return np.where(np.greater(y, 0), 1.0, np.asarray(y) + ELU_ALPHA)


def _selu(kind):
    zero, scale, scale_alpha = kind(0.0), kind(SELU_SCALE), kind(SELU_SCALE * SELU_ALPHA)
    expm1 = expm1_negative32 if kind is F else expm1_negative64

    def kernel(x):
        positive, negative = scale * x, scale_alpha * expm1(x)
        return positive if x > zero else negative

    return kernel


@entry(*for_both_types(_selu), 15, lambda b, y, x: b.apply("selu_slope", y))
def selu(x):
    """Return the self-normalising ELU: ``1.0507 x`` where x is positive, ``1.7581 (exp(x) - 1)`` elsewhere.

    Source: Klambauer et al. 2017.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.selu([-1.0, 2.0]).round(4).tolist()
    [-1.1113, 2.1014]
    """
    return SELU_SCALE * np.where(np.greater(x, 0), x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def _selu_slope(kind):
    zero, scale, scale_alpha = kind(0.0), kind(SELU_SCALE), kind(SELU_SCALE * SELU_ALPHA)

    def kernel(x):
        other = x + scale_alpha
        return scale if x > zero else other

    return kernel


@entry(*for_both_types(_selu_slope), 1)
def selu_slope(y):
    """Return the derivative of `selu` at the point where its value is y."""
    return np.where(np.greater(y, 0), SELU_SCALE, np.asarray(y) + SELU_SCALE * SELU_ALPHA)
