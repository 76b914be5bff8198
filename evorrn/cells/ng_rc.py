"""The cells of next generation reservoir computing: a delay line and the monomials of what it holds."""

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


def local_monomials(taps: int, reach: int, order: int) -> list[tuple[tuple[int, int], ...]]:
    """Return the monomials of one variable and its successors on a ring, each a tuple of factors.

    A factor is a pair: how many places after the variable, and which of the delayed values. The first factor is the
    variable itself, so that every monomial of a ring belongs to one variable.
    """
    own = [(0, tap) for tap in range(taps)]
    factors = [(place, tap) for place in range(reach + 1) for tap in range(taps)]
    return [
        (first, *others)
        for degree in range(order)
        for first in own
        for others in itertools.combinations_with_replacement(factors[factors.index(first) :], degree)
    ]


def local_count(taps: int, reach: int, order: int) -> int:
    """Return the number of monomials of degree 1 to `order` that belong to each variable of a ring."""
    return len(local_monomials(taps, reach, order))


def _templates(sizes: Mapping[str, int]) -> list[tuple[tuple[int, int], ...]]:
    """Return the first H monomials of each variable, without factors where there are no more."""
    taps, reach, units = sizes["taps"], sizes["near"] - 1, sizes["H"]
    order = next(
        (each for each in range(1, LARGEST_ORDER) if local_count(taps, reach, each) >= units), LARGEST_ORDER
    )
    found = local_monomials(taps, reach, order)[:units]
    return found + [()] * (units - len(found))


def _nearby(sizes: Mapping[str, int], options: Mapping[str, Any]) -> np.ndarray:
    """Return the array that picks the variable so many places after each, (near, I, I)."""
    return np.stack([np.roll(np.eye(sizes["I"]), place, axis=1) for place in range(sizes["near"])])


def _own(sizes: Mapping[str, int], options: Mapping[str, Any]) -> np.ndarray:
    """Return the array that picks the first factor of every monomial, (H, taps)."""
    chosen = _templates(sizes)
    picked = np.zeros((len(chosen), sizes["taps"]))
    for row, factors in zip(picked, chosen):
        if factors:
            row[factors[0][1]] = 1
    return picked


def _further(place: int) -> Fixed:
    """Return the array that picks a further factor of every monomial, (H, near, taps)."""

    def rule(sizes: Mapping[str, int], options: Mapping[str, Any]) -> np.ndarray:
        chosen = _templates(sizes)
        picked = np.zeros((len(chosen), sizes["near"], sizes["taps"]))
        for row, factors in zip(picked, chosen):
            if place < len(factors):
                row[factors[place]] = 1
        return picked

    return Fixed("H near taps", rule=rule)


def _without(place: int) -> Fixed:
    """Return the array that is 1 where a monomial has no factor at a place, (H, I)."""

    def rule(sizes: Mapping[str, int], options: Mapping[str, Any]) -> np.ndarray:
        missing = [float(len(chosen) <= place) for chosen in _templates(sizes)]
        return np.repeat(np.array(missing)[:, None], sizes["I"], axis=1)

    return Fixed("H I", rule=rule)


@cell(
    name="local-ng-rc",
    sizes={"taps": 1, "depth": 1, "near": 1},
    state={"h": "H I", "past": "depth I"},
    output="h",
    parameters={},
    fixed={
        "lags": Fixed("taps depth", rule=_lags),
        "nearby": Fixed("near I I", rule=_nearby),
        "first": Fixed("H taps", rule=_own),
        "second": _further(1),
        "third": _further(2),
        "no_second": _without(1),
        "no_third": _without(2),
    },
)
def local_ng_rc(p, x, h, past):
    """Monomials of present and past inputs that are near each other on a ring; nothing is trained.

    Source: Barbosa and Gauthier 2022, "Learning spatiotemporal chaos using next-generation reservoir computing". The inputs
    are variables on a ring. A monomial, up to degree 3, multiplies values of variables that are less than `near` places
    apart, each delayed as in the cell ``ng-rc``. H is the number of monomials of each variable, the lower degrees first, so
    that there are H times I units; further ones are 0. Where `near` is more than half of the ring, some monomials come twice. Deviation: the readout is that of any network, and not the same for all variables.
    """
    past = push(past, x)
    seen = einsum("kd,di->ki", p.lags, past)
    around = einsum("rij,kj->rki", p.nearby, seen)
    second = einsum("hrk,rki->hi", p.second, around) + p.no_second
    third = einsum("hrk,rki->hi", p.third, around) + p.no_third
    return einsum("hk,ki->hi", p.first, seen) * second * third, past
