"""A single time step with the influence of all weights in one call of a compiled function.

A call of a compiled function takes about as long for each array as some hundred multiply-adds, so all arrays are bound once,
as a table of their addresses and shapes. The caller holds them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from evorrn.engine.cache import load
from evorrn.engine.influence.kernels import LOOP, fold, move_tiles, move_traces, project
from evorrn.engine.listing.addresses import BOUND, bound
from evorrn.engine.listing.jobs import run_jobs

SOURCE = '''"""Single time steps with the influence of all weights in {dtype}."""

import numpy as np
from numba import njit

from evorrn.engine.influence import single

OPTIONS = dict(cache=True, error_model="numpy", fastmath={{"contract"}}, nogil=True)


@njit(**OPTIONS)
def step(table, stacks):
    """Take a time step, and set the derivatives of its outputs."""
    single.enter(table, np.{dtype})
    single.run(table)
    single.finish(table, stacks, np.{dtype})
'''

COMMON = {
    **dict.fromkeys(("x", "x_lanes", "teacher", "teacher_lanes", "kept"), "float"),
    **dict.fromkeys(("genome", "old", "factors", "last_state", "state"), "float"),
    **dict.fromkeys(("outputs_lanes", "outputs", "by_state", "result"), "float"),
    **dict.fromkeys(("lengths", "seen", "given", "starts"), "int64"),
    **dict.fromkeys(("numbers", "rows", "moves", "places", "bases", "timetable", "parts"), "int64"),
}
"""The arrays of a network in the order of a table, with their types. `numbers` are the directions and the readout's first weight."""

OWN = {
    **dict.fromkeys(("jacobians", "coefficients", "sources", "influence", "unused", "loss"), "float"),
    **dict.fromkeys(("seen_rows", "found", "masks"), "float"),
    **dict.fromkeys(("olds", "targets", "runs", "taught", "coefficient_table", "source_table"), "int64"),
    **dict.fromkeys(("parts", "second", "third"), "int64"),
    **dict.fromkeys(("singles", "puts"), "int32"),
    **dict.fromkeys(("put", "lane_of", "weights", "rows", "numbers"), "int64"),
}
"""The same for a stack. `parts`, `second`, `third` and those after are the tables of its kernel; `numbers` are whether it has traces, its
rows, dense columns, lanes and jobs."""

(X, X_LANES, TEACHER, TEACHER_LANES, KEPT, GENOME, OLD, FACTORS, LAST_STATE, STATE) = range(10)
(OUTPUTS_LANES, OUTPUTS, BY_STATE, RESULT, LENGTHS, SEEN, GIVEN, STARTS, NUMBERS) = range(10, 19)
(ROWS, MOVES, PLACES, BASES, TIMETABLE, PARTS) = range(19, 25)
(S_JACOBIANS, S_COEFFICIENTS, S_SOURCES, S_INFLUENCE, S_UNUSED, S_LOSS, S_SEEN_ROWS, S_FOUND, S_MASKS) = (
    range(9)
)
(S_OLDS, S_TARGETS, S_RUNS, S_TAUGHT, S_COEFFICIENT_TABLE, S_SOURCE_TABLE) = range(9, 15)
(S_PARTS, S_SECOND, S_THIRD, S_SINGLES, S_PUTS, S_PUT, S_LANE_OF, S_WEIGHTS, S_ROWS, S_NUMBERS) = range(
    15, 25
)


@functools.cache
def step_for(dtype: str) -> Any:
    """Return the function of a dtype that takes a step, from the tables of a network and of its stacks."""
    return load(SOURCE.format(dtype=dtype), f"single_{dtype}").step


_, _flat, _two, _three, _four = bound


def bind(arrays: Mapping[str, np.ndarray], types: Mapping[str, str], dtype: np.dtype) -> np.ndarray:
    """Return a table of arrays, see `evorrn.engine.listing.addresses.BOUND`.

    Raises
    ------
    TypeError
        When an array has another type, or is not contiguous.
    """
    table = np.ones((len(types), BOUND), np.int64)
    for k, (name, kind) in enumerate(types.items()):
        array = arrays[name]
        if array.dtype != (dtype if kind == "float" else np.dtype(kind)) or not array.flags.c_contiguous:
            raise TypeError(f"{name}: expected a contiguous array of {kind}, got {array.dtype}")
        table[k, 0] = array.ctypes.data
        table[k, 1 : 1 + array.ndim] = array.shape
    return table


@register_jitable
def enter(table, F):
    """Copy inputs (B, I) and teacher (B, O) of each sequence to the lanes of all its directions.

    Parameters
    ----------
    table : ndarray
        See `bind` and `COMMON`.
    F : type
    """
    count = _flat(np.int64, table, NUMBERS)[0]
    _to_lanes(_four(F, table, X_LANES), _two(F, table, X), count)
    if table[TEACHER, 1]:
        given = _two(F, table, TEACHER)
        _to_lanes(_four(F, table, TEACHER_LANES), given, count)
        kept = _three(F, table, KEPT)
        for b in range(given.shape[0]):
            for k in range(given.shape[1]):
                kept[b, 0, k] = given[b, k] != given[b, k]


@register_jitable
def run(table):
    """Run the listing of the time step on all tiles."""
    rows = _flat(np.int64, table, ROWS)
    moves, places, bases = (
        _two(np.int64, table, MOVES),
        _two(np.int64, table, PLACES),
        _two(np.int64, table, BASES),
    )
    timetable, parts = _two(np.int64, table, TIMETABLE), _two(np.int64, table, PARTS)
    run_jobs(0, len(parts), rows, moves, places, bases, timetable, parts)


@njit(**LOOP)
def _to_lanes(lanes, values, count):
    for b in range(values.shape[0]):
        for lane in range(b * count, (b + 1) * count):
            for k in range(values.shape[1]):
                lanes[lane // lanes.shape[3], 0, k, lane % lanes.shape[3]] = values[b, k]


@njit(**LOOP)
def _copy(target, source):
    for k in range(target.shape[0]):
        target[k] = source[k]


@njit(**LOOP)
def _from_lanes(values, lanes, count):
    for b in range(values.shape[0]):
        tile, lane = b * count // lanes.shape[3], b * count % lanes.shape[3]
        for k in range(values.shape[1]):
            values[b, k] = lanes[tile, 0, k, lane]


@register_jitable
def finish(table, stacks, F):
    """Move states and the influence on, and set the derivatives of the outputs with respect to all weights.

    Parameters
    ----------
    table : ndarray
        See `bind` and `COMMON`.
    stacks : ndarray
        The tables of all stacks, see `OWN`.
    F : type
    """
    numbers = _flat(np.int64, table, NUMBERS)
    count, first = numbers[0], numbers[1]
    _copy(_flat(F, table, STATE), _flat(F, table, LAST_STATE))
    outputs, result = _two(F, table, OUTPUTS), _three(F, table, RESULT)
    _from_lanes(outputs, _four(F, table, OUTPUTS_LANES), count)
    genome, by_state = _flat(F, table, GENOME), _two(F, table, BY_STATE)
    _spread(by_state, genome, first, _flat(np.int64, table, SEEN))
    given, factors = _two(np.int64, table, GIVEN), _four(F, table, FACTORS)
    starts = _two(np.int64, table, STARTS)
    _clear(result, given, starts)
    for s in range(stacks.shape[0]):
        _move(table, stacks[s], F, outputs.shape[0], count)
        found = _three(F, stacks[s], S_FOUND)
        _scatter(result, found, _flat(np.int64, stacks[s], S_WEIGHTS), _flat(np.int64, stacks[s], S_LANE_OF))
    _add_given(result, given, factors, count, F(1))
    for b in range(result.shape[0]):  # the readout sees a state with its first value
        for i in range(starts.shape[0]):
            for o in range(result.shape[1]):
                result[b, o, starts[i, 0]] += by_state[o, starts[i, 1]]


@register_jitable
def _move(table, own, F, sequences, count):
    """Move the influence of a stack on, and set the derivatives of the outputs by its lanes."""
    lengths = _flat(np.int64, table, LENGTHS)
    genome, by_state = _flat(F, table, GENOME), _two(F, table, BY_STATE)
    given = _four(F, table, OLD), _four(F, table, FACTORS), genome, _three(F, table, KEPT)
    tables = (
        count,
        _two(np.int64, own, S_OLDS),
        _two(np.int64, own, S_TARGETS),
        _two(np.int64, own, S_RUNS),
        _two(np.int64, own, S_TAUGHT),
        _two(np.int64, own, S_COEFFICIENT_TABLE),
        _flat(np.int64, own, S_SOURCE_TABLE),
    )
    results = _three(F, own, S_JACOBIANS), _three(F, own, S_COEFFICIENTS), _three(F, own, S_SOURCES)
    fold(0, sequences, (0, lengths), given, tables, results)
    traced, rows, depth, lanes, jobs = _five(_flat(np.int64, own, S_NUMBERS))
    influence = _two(F, own, S_INFLUENCE), _two(F, own, S_UNUSED)
    derived = *results, _four(F, own, S_LOSS)
    parts, sizes = _two(np.int64, own, S_PARTS), (rows, depth, lanes)
    if traced:
        moved = parts, _three(np.int64, own, S_SECOND), _two(np.int64, own, S_THIRD)
        move_traces(0, sequences * jobs, F, lengths, moved, sizes, influence, derived)
    else:
        singles = _two(np.int32, own, S_SINGLES), _flat(np.int64, own, S_THIRD)
        puts = _two(np.int32, own, S_PUTS), _flat(np.int64, own, S_PUT), _two(F, own, S_MASKS)
        tiles = parts, _two(np.int64, own, S_SECOND), *singles, *puts
        move_tiles(0, sequences * jobs, F, lengths, tiles, sizes, influence, derived)
    seen, states = _three(F, own, S_SEEN_ROWS), _two(np.int64, own, S_ROWS)
    for o in range(seen.shape[0]):
        for g in range(states.shape[0]):
            for k in range(states.shape[1]):
                seen[o, g, k] = by_state[o, states[g, k]]
    project(F, parts, rows, influence[0], seen, _three(F, own, S_FOUND))


@register_jitable
def _five(numbers):
    return numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]


@njit(**LOOP)
def _spread(by_state, genome, first, seen):
    """Set the derivative of outputs by the states that the readout sees to its weights."""
    for o in range(by_state.shape[0]):
        for k in range(seen.shape[0]):
            by_state[o, seen[k]] = genome[first + o * seen.shape[0] + k]


@njit(**LOOP)
def _clear(result, given, starts):
    """Set derivatives by weights of the readout and by first values to zero."""
    for b in range(result.shape[0]):
        for i in range(given.shape[0]):
            result[b, given[i, 0], given[i, 1]] = 0
        for o in range(result.shape[1]):
            for i in range(starts.shape[0]):
                result[b, o, starts[i, 0]] = 0


@njit(**LOOP)
def _scatter(result, found, weights, lane_of):
    for b in range(result.shape[0]):
        for o in range(result.shape[1]):
            for m in range(weights.shape[0]):
                result[b, o, weights[m]] = found[b, o, lane_of[m]]


@njit(**LOOP)
def _add_given(result, given, factors, count, one):
    """Add what weights of the readout do at once: output, weight, factor; factor -1 stands for 1."""
    lanes = factors.shape[3]
    for b in range(result.shape[0]):
        tile, lane = b * count // lanes, b * count % lanes
        for i in range(given.shape[0]):
            value = factors[tile, 0, given[i, 2], lane] if given[i, 2] >= 0 else one
            result[b, given[i, 0], given[i, 1]] += value
