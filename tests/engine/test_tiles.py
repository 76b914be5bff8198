"""Micro-kernels against NumPy, for sizes that are no multiple of anything."""

import numpy as np
import pytest
from numba import njit

from evorrn.engine.lanes.tiles import affine, outer
from evorrn.engine.rows.kernels import affine_columns, affine_dots
from evorrn.kernels import machine


@njit
def two_terms(out, bias, w, x, u, h):
    affine(out, bias, (w, x, u, h))


@njit
def transposed(out, w, x):
    affine(out, None, (w.T, x))


@njit
def product(target, left, right):
    outer(target, left, right)


@njit
def by_columns(out, bias, w, x, u, h, n, rows):
    affine_columns(out, bias, (w, x, u, h), n, rows)


@njit
def by_rows(out, w, x, n, rows):
    affine_dots(out, None, (w, x), n, rows)


@pytest.mark.parametrize("dtype,tolerance", [(np.float32, 2e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("units,inputs,vectors", [(1, 1, 1), (5, 3, 2), (8, 1, 3), (33, 7, 4), (16, 16, 7)])
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
    two_terms(out, b, w, x, u, h)
    exact = w.astype(float) @ x + u.astype(float) @ h + b[:, None]
    np.testing.assert_allclose(out, exact, atol=tolerance * (units + inputs))
    back = np.full((inputs, lanes), np.nan, dtype)
    expected = w.T.astype(float) @ h
    transposed(back, w, h)
    np.testing.assert_allclose(back, expected, atol=tolerance * units)
    target, left, right = draw(units, inputs), draw(3, units, lanes), draw(3, inputs, lanes)
    expected = target + np.einsum("tml,tnl->mn", left.astype(float), right.astype(float))
    product(target, left, right)
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
