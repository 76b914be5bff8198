"""The cell of next generation reservoir computing: a delay line and the monomials of what it holds."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.compile.calls import einsum
from evorrn.compile.cell import cell
from evorrn.compile.equations import Fixed
from evorrn.compile.tensors import push

LARGEST_ORDER = 3


def monomials(variables: int, order: int) -> list[tuple[int, ...]]:
    """Return the variables that each monomial multiplies, from degree 1 to `order`, without repetitions."""
    degrees = range(1, order + 1)
    return [
        each
        for degree in degrees
        for each in itertools.combinations_with_replacement(range(variables), degree)
    ]


def count(variables: int, order: int) -> int:
    """Return the number of monomials of degree 1 to `order`."""
    return math.comb(variables + order, order) - 1


def _lags(sizes: Mapping[str, int], options: Mapping[str, Any]) -> np.ndarray:
    """Return which rows of the delay line are read, (taps, depth): evenly spaced, the present and the oldest included."""
    taps, depth = sizes["taps"], sizes["depth"]
    if (taps == 1 and depth > 1) or (taps > 1 and (depth - 1) % (taps - 1)):
        raise ConfigError(f"depth: expected one more than a multiple of taps - 1 = {taps - 1}, got {depth}")
    read = np.zeros((taps, depth))
    read[np.arange(taps), np.arange(taps) * max((depth - 1) // max(taps - 1, 1), 1)] = 1
    return read


def _factors(sizes: Mapping[str, int]) -> np.ndarray:
    """Return the variable of each factor of each monomial, (H, 3): -1 where it has no such factor, -2 without a monomial."""
    variables, units = sizes["taps"] * sizes["I"], sizes["H"]
    order = next((each for each in range(1, LARGEST_ORDER) if count(variables, each) >= units), LARGEST_ORDER)
    factors = np.full((units, LARGEST_ORDER), -2)
    for row, chosen in zip(factors, monomials(variables, order)):
        row[:] = chosen + (-1,) * (LARGEST_ORDER - len(chosen))
    return factors


def _factor(place: int) -> Fixed:
    """Return the array that picks the factor at a place of every monomial, (H, taps, I)."""

    def rule(sizes: Mapping[str, int], options: Mapping[str, Any]) -> np.ndarray:
        chosen = _factors(sizes)[:, place]
        picked = np.eye(sizes["taps"] * sizes["I"] + 2)[chosen, :-2]
        return picked.reshape(len(chosen), sizes["taps"], sizes["I"])

    return Fixed("H taps I", rule=rule)


def _ones(place: int) -> Fixed:
    """Return the array that is 1 where a monomial has no factor at a place, (H,)."""
    return Fixed("H", rule=lambda sizes, options: np.where(_factors(sizes)[:, place] == -1, 1.0, 0.0))


@cell(
    name="ng-rc",
    sizes={"taps": 2, "depth": 2},
    state={"h": "H", "past": "depth I"},
    parameters={},
    fixed={
        "lags": Fixed("taps depth", rule=_lags),
        "first": _factor(0),
        "second": _factor(1),
        "third": _factor(2),
        "no_second": _ones(1),
        "no_third": _ones(2),
    },
)
def ng_rc(p, x, h, past):
    """Monomials of present and past inputs, of which a readout makes a nonlinear vector autoregression; nothing is trained.

    Source: Gauthier, Bollt, Griffith and Barbosa 2021, "Next generation reservoir computing". The network sees `taps` inputs,
    the newest and the one of ``depth - 1`` steps before included, evenly spaced: with a skip of s, depth is
    ``(taps - 1) s + 1``. The units are the first H monomials of these values, each once, those of a lower degree
    first, up to degree 3: H is that of all monomials up to a degree in the source. The constant is the bias of the readout. Further units are 0. Inputs before the first time step are zero. The last h is not used.
    """
    past = push(past, x)
    seen = einsum("kd,di->ki", p.lags, past)
    second = einsum("hki,ki->h", p.second, seen) + p.no_second
    third = einsum("hki,ki->h", p.third, seen) + p.no_third
    return einsum("hki,ki->h", p.first, seen) * second * third, past
