"""The kernel of linear equations against NumPy's solution, lane by lane."""

import numpy as np
import pytest
from rows import run_row

from evorrn.compile.cell import cell
from evorrn.compile.circuits import solve
from evorrn.engine.listing.listing import Place
from evorrn.engine.listing.wholes import SOLVE
from evorrn.network.network import Network


def solved(matrix, b, dtype, transposed=False):
    """Return the kernel's solutions (n, lanes) for matrices (n, n, lanes) and right sides (n, lanes)."""
    n, lanes = b.shape
    arrays = {
        "out": np.full((n, lanes), np.nan, dtype),
        "matrix": matrix.astype(dtype),
        "b": b.astype(dtype),
        "memory": np.full((n * n + 3, lanes), np.nan, dtype),
    }
    strides = (1, n) if transposed else (n, 1)
    places = Place("out"), Place("matrix"), Place("b"), n, lanes, *strides, Place("memory")
    run_row(SOLVE, places, arrays, dtype)
    np.testing.assert_array_equal(arrays["matrix"], matrix.astype(dtype))
    np.testing.assert_array_equal(arrays["b"], b.astype(dtype))
    return arrays["out"]


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("n", "lanes"), [(1, 1), (2, 5), (7, 16), (13, 3), (20, 64)])
def test_every_lane_is_solved_with_its_own_matrix(n, lanes, transposed):
    rng = np.random.default_rng([n, lanes])
    matrix, b = rng.standard_normal((n, n, lanes)), rng.standard_normal((n, lanes))
    matrix[0, 0] = 0.0 if n > 1 else 1.0  # so that rows must change places
    x = solved(matrix, b, "float64", transposed)
    for k in range(lanes):
        given = matrix[:, :, k].T if transposed else matrix[:, :, k]
        size = np.abs(np.linalg.inv(given)).sum(1).max() * np.abs(given).sum(1).max()
        np.testing.assert_allclose(
            x[:, k], np.linalg.solve(given, b[:, k]), rtol=0, atol=1e-14 * size * np.abs(x[:, k]).max()
        )
    diagonal = matrix + 3 * n * np.eye(n)[:, :, None]
    single = solved(diagonal, b, "float32", transposed)
    np.testing.assert_allclose(single, solved(diagonal, b, "float64", transposed), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_singular_matrix_gives_numbers_that_are_not_finite_in_its_lane_alone(dtype):
    rng = np.random.default_rng(0)
    matrix, b = rng.standard_normal((4, 4, 6)) + 8 * np.eye(4)[:, :, None], rng.standard_normal((4, 6))
    matrix[:, :, 0], b[:, 0] = 0.0, 0.0
    matrix[:, 2, 1] = 0.0
    matrix[3, :, 2] = 0.0
    matrix[1, :, 3] = matrix[2, :, 3]
    matrix[0, 0, 4] = np.nan
    x = solved(matrix, b, dtype)
    assert not np.isfinite(x[:, :5]).any()
    np.testing.assert_allclose(x[:, 5], np.linalg.solve(matrix[:, :, 5], b[:, 5]), rtol=1e-4)
    assert not np.isfinite(solve(matrix[:, :, 1], b[:, 1])).any()


@cell(state={"h": "H"}, parameters={"W_x": "H I", "A": "H H", "b": "H"})
def still(p, x, h):
    return solve(p.A, p.W_x @ x + p.b)


def test_a_matrix_of_weights_may_be_solved_with_too():
    rng = np.random.default_rng(1)
    network = Network(3, 2, cell=still, hidden=4, dtype="float64")
    genome, x = network.init(rng=rng), rng.standard_normal((5, 6, 3))
    w = network.unpack(genome)
    wanted = np.linalg.solve(w["layer0.A"], (x @ w["layer0.W_x"].T + w["layer0.b"])[..., None])[..., 0]
    np.testing.assert_allclose(network.states(genome, x), wanted, rtol=1e-12, atol=1e-12)
