import numpy as np
import pytest

from evorrn.strategies.reservoir.tridiagonal import Tridiagonal


@pytest.mark.parametrize("size", [1, 2, 3, 40])
def test_shifted_systems_and_eigenvalues_are_those_of_numpy(size):
    rng = np.random.default_rng(size)
    rows = rng.standard_normal((60, size))
    matrix, right = rows.T @ rows / 60, rng.standard_normal((size, 2))
    shifts = np.array([1e-3, 0.5, 20.0])
    reduced = Tridiagonal(matrix.copy())
    np.testing.assert_allclose(reduced.values, np.linalg.eigvalsh(matrix), rtol=1e-12)
    found = reduced.solve(right, shifts)
    assert found.shape == (size, 3, 2)
    for k, shift in enumerate(shifts):
        wanted = np.linalg.solve(matrix + shift * np.eye(size), right)
        np.testing.assert_allclose(found[:, k], wanted, rtol=1e-9, atol=1e-12)


def test_a_shift_that_leaves_a_negative_eigenvalue_is_refused():
    with pytest.raises(np.linalg.LinAlgError):
        Tridiagonal(np.diag([-2.0, 1.0, 3.0])).solve(np.ones((3, 1)), np.array([1.0]))
