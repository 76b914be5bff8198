"""The compiled update of an influence matrix beside NumPy."""

import numpy as np
import pytest
from numba import njit

from evorrn.engine.influence.folds import add_folds
from evorrn.engine.influence.groups import zeros
from evorrn.engine.influence.moves import FIELDS, move_tile
from evorrn.kernels import machine

OPTIONS = {"cache": False, "error_model": "numpy", "nogil": True}


def compiled(F):
    @njit(**OPTIONS)
    def move(given):
        move_tile(F, given)

    return move


@njit(**OPTIONS)
def fold(jacobian, factors, weights, targets, runs):
    add_folds(jacobian, factors, weights, targets, runs)


def drawn(rng, *shape):
    return rng.standard_normal(shape)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_tile_moves_on_as_its_product_single_entries_and_weights_at_once(dtype):
    """One row and one step to many, tiles of one to five vectors, blocks with columns of their own, no loss at some rows."""
    dtype = np.dtype(dtype)
    width, move = machine.lanes(dtype), compiled(dtype.type)
    for rows, vectors, steps, seed in (
        (1, 1, 1, 0),
        (5, 3, 2, 1),
        (17, 4, 3, 2),
        (33, 5, 6, 3),
        (12, 2, 5, 4),
    ):
        rng = np.random.default_rng(seed)
        lanes, depth = vectors * width, int(rng.integers(1, rows + 1))
        split = int(rng.integers(0, rows + 1))
        left = int(rng.integers(0, depth))
        blocks = np.array([[0, split, 0, depth], [split, rows, left, depth]], np.int64)
        singles = rng.integers(0, rows, (int(rng.integers(0, 2 * rows)), 3)).astype(np.int32)
        singles[:, 2] = rows * depth + np.arange(len(singles))
        puts = np.zeros((int(rng.integers(0, 3 * rows)), 5), np.int32)
        puts[:, 0], puts[:, 1] = rng.integers(0, rows, len(puts)), rng.integers(0, vectors, len(puts)) * width
        puts[:, 2] = rng.integers(0, 4, len(puts))
        puts[:, 3], puts[:, 4] = rng.integers(0, 2 * width, len(puts)), rng.integers(0, 3, len(puts)) * width
        masks = (rng.random((3, width)) < 0.5).astype(dtype)
        jacobians, coefficients, sources, loss = (
            (drawn(rng, steps, count) / 3).astype(dtype)
            for count in (rows * depth + len(singles), 4, 3 * width, rows)
        )
        loss[:, rng.random(rows) < 0.5] = 0
        home, other, gradient = (zeros(shape, dtype) for shape in ((rows, lanes), (rows, lanes), (lanes,)))
        home[:], gradient[:] = drawn(rng, rows, lanes), drawn(rng, lanes)
        now, total = home.astype(float), gradient.astype(float)
        names = "home other gradient dense jacobian coefficients sources loss blocks singles puts masks"
        arrays = (
            home,
            other,
            gradient,
            jacobians,
            jacobians,
            coefficients,
            sources,
            loss,
            blocks,
            singles,
            puts,
            masks,
        )
        values = dict(zip(names.split(), arrays, strict=True))
        given = {name: array.ctypes.data for name, array in values.items()}
        for name in ("jacobian", "coefficients", "sources", "loss"):
            given[f"{name}_step"] = values[name].shape[1]
        given |= {f"{name}_count": len(values[name]) for name in ("blocks", "singles", "puts")}
        given |= {"rows": rows, "depth": depth, "lanes": lanes, "width": width, "steps": steps}
        move(tuple(int(given[name]) for name in FIELDS))
        for t in range(steps):
            matrix = jacobians[t, : rows * depth].reshape(rows, depth).astype(float)
            matrix[split:, :left] = 0
            after = matrix @ now[:depth]
            for row, column, place in singles:
                after[row] += float(jacobians[t, place]) * now[column]
            for row, lane, coefficient, source, mask in puts:
                own = masks.ravel()[mask : mask + width] * sources[t, source : source + width].astype(float)
                after[row, lane : lane + width] += coefficients[t, coefficient] * own
            now, total = after, total + loss[t] @ after
        tolerance = 1e-4 if dtype == np.float32 else 1e-12
        for found, wanted in (((home, other)[steps % 2], now), (gradient, total)):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * (1 + np.abs(wanted).max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_entries_of_a_jacobian_are_sums_of_factors_times_runs_of_weights(dtype):
    rng = np.random.default_rng(5)
    for entries in (1, 3, 16, 31, 50):
        jacobian, factors, weights = (
            drawn(rng, size).astype(dtype) for size in (3 * entries, 6, 2 * entries + 9)
        )
        targets = np.array(
            [[0, entries, 0, 3], [2 * entries, entries, 3, 3], [entries, entries, 3, 5]], np.int64
        )
        runs = np.stack([rng.integers(0, 6, 5), rng.integers(0, entries + 9, 5)], axis=1)
        wanted = jacobian.astype(float)
        for place, count, first, last in targets:
            for factor, weight in runs[first:last]:
                wanted[place : place + count] += float(factors[factor]) * weights[weight : weight + count]
        fold(jacobian, factors, weights, targets, runs)
        np.testing.assert_allclose(jacobian, wanted, rtol=0, atol=1e-5 if dtype == "float32" else 1e-13)
