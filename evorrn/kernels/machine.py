"""What the kernels know of the machine: the width of its vectors, and whether to use them."""

from __future__ import annotations

import functools
import os

import numpy as np


def simd() -> bool:
    """Return whether the vector kernels are on; ``EVORRN_SIMD=0`` takes the plain loops."""
    return os.environ.get("EVORRN_SIMD", "1") != "0"


def compiling() -> bool:
    """Return whether numba compiles; ``NUMBA_DISABLE_JIT=1`` runs emitted programs as plain Python."""
    from numba import config

    return not config.DISABLE_JIT  # type: ignore[attr-defined]


@functools.cache
def vector_bits() -> int:
    """Return the width of the host's vector registers in bits: 512, 256 or 128."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 512
    return 256 if features.get("avx2") else 128


def lanes(dtype: np.dtype | type) -> int:
    """Return how many numbers of a dtype one vector holds."""
    return vector_bits() // (8 * np.dtype(dtype).itemsize)
