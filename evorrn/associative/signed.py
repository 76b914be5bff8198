"""Compiled loops over many states of -1 and 1 by whole vectors; the plain ones stand in `kernels`."""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.associative.kernels import settle_one_by_one, still_moving
from evorrn.kernels import machine
from evorrn.kernels.added_rows import add_rows
from evorrn.kernels.deferred import cached
from evorrn.kernels.many_vectors import dense_lanes
from evorrn.kernels.memory import aligned
from evorrn.kernels.turns import UNITS, turn_units

VECTORS = machine.simd() and machine.compiling()
"""Whether these loops can run."""
TOGETHER = 128
"""States that are updated together, so that a row of weights is read once for all whose unit turns."""
STRIP = 64
"""Entries of rows that are summed at once."""
FEWEST = 64
"""States from which the sums of rows that they share are worth their while."""
LEAST = 256
"""Units from which they are; below, finding the sums of a state takes longer than its product."""
FOUR = 4
"""Rows of weights that are added with every sign beforehand. Four have 16 signed sums, 8 of them but for the sign."""
FOURS = 8
"""Fours of rows whose sums lie in the first cache together, `STRIP` entries of each."""


@cached
def sums_of_inputs(
    first: int,
    last: int,
    states: np.ndarray,
    weights: np.ndarray,
    thresholds: np.ndarray,
    fields: np.ndarray,
) -> None:
    """Write the weighted sums of states `first` to `last` of (B, N), less the thresholds (N,), into fields (B, L).

    The weights are (N, L), with zeros in the lanes from N to L, a multiple of the machine's vector.
    """
    units, count = states.shape[1], last - first
    if units >= LEAST and count >= FEWEST:
        _shared_sums(states[first:last], weights, fields[first:last])
    else:
        dense_lanes(fields[first:last], states[first:last], weights)  # type: ignore[call-arg]
    for b in range(first, last):
        for unit in range(units):
            fields[b, unit] -= thresholds[unit]


@cached
def _shared_sums(states: np.ndarray, weights: np.ndarray, fields: np.ndarray) -> None:
    """Write the weighted sums of states (B, N) into fields (B, L) with a quarter of the additions.

    Each takes one of the sums of four rows that are shared by all states.

    Source: V. L. Arlazarov, E. A. Dinic, M. A. Kronrod, I. A. Faradzhev, "On economical construction of the transitive
    closure of a directed graph" (1970): tables of sums of a few rows; here with signs in place of zeros and ones.
    """
    count, units = states.shape
    fields[:] = 0.0
    sums = aligned(8 * FOURS, STRIP)
    starts = np.arange(count + 1) * FOURS
    chosen, signs = np.zeros(count * FOURS, np.int64), np.zeros(count * FOURS)
    for begin in range(0, units, FOUR * FOURS):
        for b in range(count):
            state = states[b]
            for four in range(FOURS):
                unit, which = begin + FOUR * four, 8 * four
                sign = state[min(unit, units - 1)]  # beyond the last unit no sign matters: weights are zero
                for k in range(1, FOUR):
                    which += (state[min(unit + k, units - 1)] != sign) << (k - 1)
                chosen[b * FOURS + four], signs[b * FOURS + four] = which, sign
        for low in range(0, weights.shape[1], STRIP):
            lanes = min(STRIP, weights.shape[1] - low)
            for four in range(FOURS):
                _signed_sums(weights, begin + FOUR * four, low, lanes, sums[8 * four : 8 * four + 8])
            add_rows(fields[:, low : low + lanes], starts, chosen, signs, sums)  # type: ignore[call-arg]


@cached
def _signed_sums(weights: np.ndarray, row: int, low: int, lanes: int, sums: np.ndarray) -> None:
    """Write what four rows of weights add up to from lane `low` on, the others with either sign, into `sums` (8, STRIP)."""
    zero, units = np.zeros(STRIP), weights.shape[0]
    one = weights[row, low : low + lanes] if row < units else zero[:lanes]
    two = weights[row + 1, low : low + lanes] if row + 1 < units else zero[:lanes]
    three = weights[row + 2, low : low + lanes] if row + 2 < units else zero[:lanes]
    four = weights[row + 3, low : low + lanes] if row + 3 < units else zero[:lanes]
    for lane in range(lanes):
        same, other = one[lane] + two[lane], one[lane] - two[lane]
        and_, less = three[lane] + four[lane], three[lane] - four[lane]
        sums[0, lane], sums[1, lane] = same + and_, other + and_
        sums[2, lane], sums[3, lane] = same - less, other - less
        sums[4, lane], sums[5, lane] = same + less, other + less
        sums[6, lane], sums[7, lane] = same - and_, other - and_


@cached
def _settle_in_groups(
    first: int,
    last: int,
    states: np.ndarray,
    fields: np.ndarray,
    weights: np.ndarray,
    ties: np.ndarray,
    orders: np.ndarray,
    sweeps: np.ndarray,
) -> None:
    """Do what `settle_one_by_one` does, but tell units outside a group of what turned in it once for the group."""
    units = orders.shape[1]
    moving = np.zeros(TOGETHER, np.bool_)
    starts = np.zeros(TOGETHER + 1, np.int64)
    turned, changes = np.zeros(TOGETHER * UNITS, np.int64), np.zeros(TOGETHER * UNITS)
    within = aligned(UNITS + 3, UNITS)
    for begin in range(first, last, TOGETHER):
        end = min(begin + TOGETHER, last)
        sweeps[begin:end] = -1
        for sweep in range(orders.shape[0]):
            if not still_moving(sweep, states[begin:end], fields[begin:end], ties, sweeps[begin:end], moving):
                break
            for place in range(0, units, UNITS):
                group = orders[sweep, place : place + UNITS]
                within[UNITS] = -np.inf  # also of places beyond the last unit
                for i, unit in enumerate(group):
                    within[UNITS, i] = -ties[unit]
                    for k, other in enumerate(group):
                        within[i, k] = weights[unit, other]
                count = 0
                for b in range(begin, end):
                    starts[b - begin] = count
                    if moving[b - begin]:
                        count = turn_units(states, fields, (b, count), group, within, turned, changes)  # type: ignore[call-arg]
                starts[end - begin] = count
                add_rows(fields[begin:end], starts, turned, changes, weights)  # type: ignore[call-arg]


settle: Any = _settle_in_groups if VECTORS else settle_one_by_one
