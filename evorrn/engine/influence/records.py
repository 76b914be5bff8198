"""Records of time steps: what an influence of any pattern needs of each of them, one after the other in memory.

A record holds the factors of each direction, of which two more stand for 1 and 0, the derivatives along each direction with respect
to old states, and the derivative of the loss with respect to the new state.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from evorrn.engine.cache import load
from evorrn.engine.influence.folds import add_folds
from evorrn.engine.influence.kernels import LOOP
from evorrn.engine.listing.addresses import tile, vector
from evorrn.kernels import machine

SOURCE = '''"""What an influence needs of time steps, from their records in {dtype}."""

import numpy as np
from numba import njit

from evorrn.engine.influence import records

OPTIONS = dict(cache=True, error_model="numpy", fastmath={{"contract"}}, nogil=True)


@njit(**OPTIONS)
def fold(first, last, *arguments):
    """Fold the records of sequences first to last."""
    records.fold_records(first, last, np.{dtype}, *arguments)
'''


@functools.cache
def folding_for(dtype: str) -> Any:
    """Return the module of a dtype with the kernel ``fold``."""
    return load(SOURCE.format(dtype=dtype), f"records_{dtype}")


@register_jitable
def _at_record(F, records, about):
    b, t, first, count = about
    place = (b * records.shape[1] + t) * records.shape[2] + first
    return tile(F, np.int64(records.ctypes.data + place * records.itemsize), 1, count)


def plain_at_record(F, records, about):
    """Return a part (1, count) of a record, from its sequence, time step, first entry and count."""
    b, t, first, count = about
    return records[b, t : t + 1, first : first + count]


at_record: Any = _at_record if machine.compiling() else plain_at_record
"""What emitted programs call, see `plain_at_record`."""


@njit(**LOOP)
def set_record(part, values):
    """Copy as many values (1, count or more) as a part of a record has."""
    for k in range(part.shape[1]):
        part[0, k] = values[0, k]


@njit(**LOOP)
def _zero(values):
    for k in range(values.shape[0]):
        values[k] = 0


@njit(**LOOP)
def _gather(out, values, places):
    for k in range(places.shape[0]):
        out[k] = values[places[k]]


@njit(**LOOP)
def _add(out, values, places):
    """Add values to entries: entry, place of the value."""
    for k in range(places.shape[0]):
        out[places[k, 0]] += values[places[k, 1]]


@register_jitable
def fold_records(first, last, F, lengths, given, tables, results):
    """Set what the influence of sequences first to last needs of their time steps.

    Parameters
    ----------
    lengths : ndarray of int64, shape (B,)
    given : tuple of ndarray
        The records (B, T, numbers), and all weights (N,).
    tables : tuple of ndarray of int64
        Entries of the Jacobian that are derivatives (entry, place in the record); the targets and the runs of derivatives times weights,
        see `evorrn.engine.influence.folds.add_folds`; then the places of coefficients, sources and derivatives of the loss.
    results : tuple of ndarray, each of shape (B, T, numbers)
        Set to entries of Jacobians, coefficients, sources and derivatives of the loss.
    """
    records, genome = given
    jacobians, coefficients, sources, losses = results
    olds, targets, runs, slopes, rows, states = tables
    for b in range(first, last):
        for t in range(lengths[b]):
            record = _numbers(F, records, b, t)
            found = _numbers(F, jacobians, b, t)
            _zero(found)
            _add(found, record, olds)
            add_folds(found, record, genome, targets, runs)
            _gather(_numbers(F, coefficients, b, t), record, slopes)
            _gather(_numbers(F, sources, b, t), record, rows)
            _gather(_numbers(F, losses, b, t), record, states)


@register_jitable
def _numbers(F, array, b, t):
    """Return the numbers of a time step without a reference of their own."""
    place = (b * array.shape[1] + t) * array.shape[2]
    return vector(F, np.int64(array.ctypes.data + place * array.itemsize), array.shape[2])
