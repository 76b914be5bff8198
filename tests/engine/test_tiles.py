"""Micro-kernels against NumPy, for sizes that are no multiple of anything."""

import numpy as np
import pytest
from numba import njit
from rows import run_row

from evorrn.engine.lanes.backward import OUTER
from evorrn.engine.listing.listing import Place, Table
from evorrn.engine.listing.writer import AFFINE
from evorrn.engine.rows.kernels import affine_columns, affine_dots
from evorrn.kernels import machine


def affine(out, bias, *terms):
    """Set `out` to a bias plus the sum of matrices times tiles; a matrix may be the transpose of a contiguous one."""
    arrays, table = {"out": out}, []
    for k in range(0, len(terms), 2):
        matrix, tile = terms[k : k + 2]
        arrays |= {f"matrix{k}": matrix, f"tile{k}": tile}
        strides = [stride // matrix.itemsize for stride in matrix.strides]
        table += [Place(f"matrix{k}"), *strides, Place(f"tile{k}"), out.shape[1], matrix.shape[1]]
    if bias is not None:
        arrays["bias"] = bias
    start = None if bias is None else Place("bias")
    operands = (Place("out"), *out.shape, start, Table(tuple(table)), len(terms) // 2)
    run_row(AFFINE, operands, arrays, out.dtype)


def outer(target, left, right):
    """Add the products of two series of tiles to a matrix."""
    sides = []
    for name, series in (("left", left), ("right", right)):
        sides += [Place(name), series.shape[1] * series.shape[2], series.shape[1]]
    arrays = {"target": target, "left": left, "right": right}
    run_row(OUTER, (Place("target"), *sides, left.shape[2]), arrays, target.dtype, many=len(left))


@njit
def by_columns(out, bias, w, x, u, h, n, rows):
    affine_columns(out, bias, (w, x, u, h), n, rows)


@njit
def by_rows(out, w, x, n, rows):
    affine_dots(out, None, (w, x), n, rows)


@pytest.mark.parametrize("dtype,tolerance", [(np.float32, 2e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize(
    "units,inputs,vectors", [(1, 1, 1), (5, 3, 2), (8, 1, 3), (33, 7, 4), (16, 16, 7), (3, 70, 8)]
)
def test_kernels_of_tiles_equal_numpy(units, inputs, vectors, dtype, tolerance):
    rng = np.random.default_rng(units)
    lanes = vectors * machine.lanes(dtype)

    def draw(*shape):
        return rng.standard_normal(shape).astype(dtype)

    w, u, x, h, b = (
        draw(units, inputs),
        draw(units, units),
        draw(inputs, lanes),
        draw(units, lanes),
        draw(units),
    )
    out = np.full((units, lanes), np.nan, dtype)
    affine(out, b, w, x, u, h)
    exact = w.astype(float) @ x + u.astype(float) @ h + b[:, None]
    np.testing.assert_allclose(out, exact, atol=tolerance * (units + inputs))
    back = np.full((inputs, lanes), np.nan, dtype)
    expected = w.T.astype(float) @ h
    affine(back, None, w.T, h)
    np.testing.assert_allclose(back, expected, atol=tolerance * units)
    target, left, right = draw(units, inputs), draw(3, units, lanes), draw(3, inputs, lanes)
    expected = target + np.einsum("tml,tnl->mn", left.astype(float), right.astype(float))
    outer(target, left, right)
    np.testing.assert_allclose(target, expected, atol=tolerance * lanes)


@pytest.mark.parametrize("dtype,tolerance", [(np.float32, 2e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("vectors,inputs,individuals", [(1, 1, 1), (3, 5, 8), (7, 17, 2)])
def test_kernels_of_rows_equal_numpy(vectors, inputs, individuals, dtype, tolerance):
    rng = np.random.default_rng(vectors)
    units = vectors * machine.lanes(dtype)

    def draw(*shape):
        return rng.standard_normal(shape).astype(dtype)

    w, x = draw(individuals, inputs, units), draw(individuals, inputs)
    u, h, b = draw(individuals, units, units), draw(individuals, units), draw(individuals, units)
    out = np.full((individuals, units), np.nan, dtype)
    by_columns(out, b, w, x, u, h, individuals, units)
    exact = np.einsum("nkr,nk->nr", w.astype(float), x) + np.einsum("nkr,nk->nr", u.astype(float), h) + b
    np.testing.assert_allclose(out, exact, atol=tolerance * (units + inputs))
    dots = np.full((individuals, 3), np.nan, dtype)
    matrix = draw(individuals, 3, inputs)
    by_rows(dots, matrix, x, individuals, 3)
    np.testing.assert_allclose(
        dots, np.einsum("nrk,nk->nr", matrix.astype(float), x), atol=tolerance * inputs
    )
