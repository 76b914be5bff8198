"""Kernels that take an array's address alone refuse an array with gaps, whose numbers they would confuse."""

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from evorrn.kernels import machine
from evorrn.kernels.many_vectors import dense_lanes


@njit
def product(out, matrix, source):
    dense_lanes(out, matrix, source)


@pytest.mark.skipif(not (machine.simd() and machine.compiling()), reason="needs vector code")
def test_a_product_with_many_vectors_takes_contiguous_arrays_alone():
    rng, lanes = np.random.default_rng(0), machine.lanes(np.float64)
    matrix, source, out = rng.standard_normal((3, 5)), rng.standard_normal((5, lanes)), np.zeros((3, lanes))
    product(out, matrix, source)
    np.testing.assert_allclose(out, matrix @ source)
    with pytest.raises(TypingError, match="contiguous"):
        product(out, np.asfortranarray(matrix), source)
