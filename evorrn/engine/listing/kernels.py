"""The kernels of listings that are no elementwise operations.

A kernel receives its row, the addresses `at` of all places, the moment `now`, and a dtype. ``row[2]`` and what
follows are its operands in the order that the docstring gives: places, whose addresses are in `at`, and numbers.
"""

from __future__ import annotations

import numpy as np

from evorrn.engine.lanes.kernels import copy as copy_tile
from evorrn.engine.lanes.kernels import select_lanes
from evorrn.engine.lanes.tiles import affine_at, outer_at
from evorrn.engine.listing.addresses import tile, vector
from evorrn.kernels.deferred import part

TIME, MANY = 0, 1
"""Entries of the moment: the time step, and the number of time steps of a product."""


@part
def affine(row, at, now, F):
    """Set a tile to a bias plus products: out, rows, lanes, bias or -1, their table, and their number."""
    bias = at[row[5]] if row[5] >= 0 else 0
    affine_at(F, row, at, bias)


@part
def outer(row, at, now, F):
    """Add products of tiles over several time steps to a matrix: matrix, left, its stride in time, rows, right,
    its stride in time, columns, lanes."""
    outer_at(F, row, at, now[MANY])


@part
def copy(row, at, now, F):
    """Copy numbers: out, source, count."""
    copy_tile(tile(F, at[row[2]], 1, row[4]), tile(F, at[row[3]], 1, row[4]))


@part
def clear(row, at, now, F):
    """Set numbers to zero: out, count."""
    out = vector(F, at[row[2]], row[3])
    for k in range(row[3]):
        out[k] = 0


@part
def select(row, at, now, F):
    """Replace the lanes whose end is at or before this time step: target, other, ends, rows, lanes."""
    target, other = tile(F, at[row[2]], row[5], row[6]), tile(F, at[row[3]], row[5], row[6])
    select_lanes(target, other, vector(np.int64, at[row[4]], row[6]), now[TIME])


@part
def clear_ended(row, at, now, F):
    """Set the lanes whose end is at or before this time step to zero: target, ends, rows, lanes."""
    ends = vector(np.int64, at[row[3]], row[5])
    select_lanes(tile(F, at[row[2]], row[4], row[5]), None, ends, now[TIME])


@part
def loss(row, at, now, F, add_loss):
    """Add the loss of each lane to its sum: sums, outputs, target, weights, rows, rows of the target, lanes."""
    y, target = tile(F, at[row[3]], row[6], row[8]), tile(F, at[row[4]], row[7], row[8])
    add_loss(y, target, vector(F, at[row[5]], row[8]), vector(np.float64, at[row[2]], row[8]))


@part
def gradient_of_loss(row, at, now, F, loss_gradient):
    """Set the gradient of the loss: gradient, scale, outputs, target, weights, rows, rows of the target, lanes."""
    y, target = tile(F, at[row[4]], row[7], row[9]), tile(F, at[row[5]], row[8], row[9])
    weights, gradient = vector(F, at[row[6]], row[9]), tile(F, at[row[2]], row[7], row[9])
    loss_gradient(y, target, weights, vector(F, at[row[3]], 1)[0], gradient)


@part
def override(row, at, now, F):
    """Replace numbers with others where these are not NaN: target, others, count."""
    target, others = vector(F, at[row[2]], row[4]), vector(F, at[row[3]], row[4])
    for k in range(row[4]):
        target[k] = others[k] if others[k] == others[k] else target[k]


@part
def clear_overridden(row, at, now, F):
    """Set numbers to zero where `override` replaced them: target, others, count."""
    target, others = vector(F, at[row[2]], row[4]), vector(F, at[row[3]], row[4])
    for k in range(row[4]):
        target[k] = 0 if others[k] == others[k] else target[k]


@part
def feed(row, at, now, F, function):
    """Replace outputs with the values that go back into the network: outputs, rows, lanes."""
    function(tile(F, at[row[2]], row[3], row[4]))


@part
def gradient_of_feed(row, at, now, F, function):
    """Replace the gradient of the values of `feed` with that of the outputs: gradient, outputs, rows, lanes."""
    function(tile(F, at[row[3]], row[4], row[5]), tile(F, at[row[2]], row[4], row[5]))
