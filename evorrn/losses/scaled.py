"""Pairs (m, n) that stand for ``m 2^n``: products and sums of probabilities of any size, without logarithms.

The exponent n is a whole number, kept as a float of the same dtype, so that loops over pairs are vector code. A sum shifts the
smaller terms to the exponent of the largest, which costs no exponential function. Zero is 1 with a very low exponent.
"""

from __future__ import annotations

from typing import Any

from evorrn.kernels.deferred import by_dtype, elementwise
from evorrn.kernels.exponential import (
    SHIFT32,
    SHIFT64,
    D,
    F,
    clamp,
    exp_parts32,
    exp_parts64,
    power_of_two,
)
from evorrn.kernels.logarithm import parts

LOW = -1e30
"""The exponent of zero."""


@elementwise
def _two_to32(x):
    return power_of_two(clamp(x, F(-127.0), F(127.0)) + SHIFT32)


@elementwise
def _two_to64(x):
    return power_of_two(clamp(x, D(-1023.0), D(1023.0)) + SHIFT64)


@by_dtype(_two_to32, _two_to64)
def two_to(x: Any) -> Any:
    """Return ``2^x``, for a whole number; 0 below the smallest normal number, and the largest power of two above it."""
    raise NotImplementedError


@by_dtype(exp_parts32, exp_parts64)
def exp_parts(x: Any) -> Any:
    """Return exp(x) as a pair, for every finite x."""
    raise NotImplementedError


@elementwise
def sum_of_three(m1, n1, m2, n2, m3, n3):
    """Return the sum of three pairs, its m between sqrt(1/2) and sqrt(2)."""
    n = n1 if n1 > n2 else n2
    n = n if n > n3 else n3
    m, carry = parts(m1 * two_to(n1 - n) + m2 * two_to(n2 - n) + m3 * two_to(n3 - n))
    return m, n + carry
