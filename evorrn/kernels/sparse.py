"""Sparse recurrent matrices: compressed rows, several sums at a time.

A row is summed in eight partial sums, which hides the latency of adding; the order is fixed, so the
bits are. Whether a matrix is run this way is decided by its density alone, see `evorrn.programs`.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def compress(matrix):
    """Return a matrix (M, K) as row starts (M + 1,), column indices and values of what is not zero."""
    starts = np.zeros(matrix.shape[0] + 1, np.uint32)
    count = 0
    for r in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            if matrix[r, j] != 0:
                count += 1
        starts[r + 1] = count
    # Unsigned indices: signed ones are checked for being negative at every access.
    columns = np.empty(count, np.uint32)
    values = np.empty(count, matrix.dtype)
    k = 0
    for r in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            if matrix[r, j] != 0:
                columns[k] = j
                values[k] = matrix[r, j]
                k += 1
    return starts, columns, values


@njit(fastmath={"contract"}, error_model="numpy")
def add_sparse(out, compressed, vector):
    """Add a compressed matrix times a vector to `out`."""
    starts, columns, values = compressed
    zero = out[0] * 0
    for r in range(starts.shape[0] - 1):
        k, end = starts[r], starts[r + 1]
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = zero
        eight = np.uint32(8)
        while k + eight <= end:
            s0 += values[k] * vector[columns[k]]
            s1 += values[k + np.uint32(1)] * vector[columns[k + np.uint32(1)]]
            s2 += values[k + np.uint32(2)] * vector[columns[k + np.uint32(2)]]
            s3 += values[k + np.uint32(3)] * vector[columns[k + np.uint32(3)]]
            s4 += values[k + np.uint32(4)] * vector[columns[k + np.uint32(4)]]
            s5 += values[k + np.uint32(5)] * vector[columns[k + np.uint32(5)]]
            s6 += values[k + np.uint32(6)] * vector[columns[k + np.uint32(6)]]
            s7 += values[k + np.uint32(7)] * vector[columns[k + np.uint32(7)]]
            k += eight
        while k < end:
            s0 += values[k] * vector[columns[k]]
            k += np.uint32(1)
        out[r] += ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
