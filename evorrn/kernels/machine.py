"""What the kernels know of the machine: its vector registers, and whether to use them.

``EVORRN_VECTOR=256,16`` (bits and number of registers) makes a wider machine stand in for an AVX2 one: kernels
are shaped for these registers, and numba compiles for no others. The whole stand-in, NumPy and its BLAS
included, is::

    EVORRN_VECTOR=256,16 NUMBA_CPU_NAME=haswell OPENBLAS_CORETYPE=Haswell
    NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR"

with the groups in the last variable that ``numpy.show_config()`` lists as found.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
from typing import TYPE_CHECKING, NamedTuple

from evorrn.base.errors import EvorrnError

if TYPE_CHECKING:
    import numpy as np


class Registers(NamedTuple):
    """Width in bits and number of the vector registers of a processor."""

    bits: int
    number: int


SHAPES = (Registers(512, 32), Registers(256, 32), Registers(256, 16), Registers(128, 32), Registers(128, 16))
"""The registers that processors have: AVX-512, AVX-512 limited to narrower ones, AVX2, 64-bit Arm, SSE."""


def simd() -> bool:
    """Return whether the vector kernels are on; ``EVORRN_SIMD=0`` takes the plain loops."""
    return os.environ.get("EVORRN_SIMD", "1") != "0"


def compiling() -> bool:
    """Return whether numba compiles; ``NUMBA_DISABLE_JIT=1`` runs emitted programs as plain Python."""
    from numba import config

    return not config.DISABLE_JIT  # type: ignore[attr-defined]


@functools.cache
def registers() -> Registers:
    """Return the vector registers that kernels are made for: ``$EVORRN_VECTOR``, else those of the host.

    Raises
    ------
    EvorrnError
        When the variable names registers that the host does not have, or is set too late.
    """
    wanted = _wanted()
    if wanted != _host() and compiling():
        _check_limit()
    return wanted


def vector_bits() -> int:
    """Return the width of a vector register in bits: 512, 256 or 128."""
    return registers().bits


def lanes(dtype: np.dtype | type) -> int:
    """Return how many numbers of a dtype one vector holds."""
    import numpy as np  # not above: `limit_compiler` is called whenever evorrn is imported

    return vector_bits() // (8 * np.dtype(dtype).itemsize)


def limit_compiler() -> None:
    """Make numba compile for the registers of ``$EVORRN_VECTOR`` alone, before it compiles anything.

    ``$NUMBA_CPU_FEATURES`` is left alone where it is set. A bad value is reported by `registers`.
    """
    try:
        wanted, host = _wanted(), _host()
    except EvorrnError:
        return
    if wanted == host or "NUMBA_CPU_FEATURES" in os.environ:
        return
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if wanted.number < host.number:
        features.update((name, False) for name in features if name.startswith(("avx512", "avx10")))
    preferred = f",+prefer-{wanted.bits}-bit" if _is_x86() else ""
    os.environ["NUMBA_CPU_FEATURES"] = features.flatten() + preferred
    if "numba" in sys.modules:
        from numba.core.config import reload_config

        reload_config()


def _wanted() -> Registers:
    """Return the registers that the environment asks for."""
    host, given = _host(), os.environ.get("EVORRN_VECTOR")
    if not given:
        return host
    accepted = {
        f"{shape.bits},{shape.number}": shape
        for shape in SHAPES
        if shape.bits <= host.bits and shape.number <= host.number
    }
    if given not in accepted:
        raise EvorrnError(
            f"EVORRN_VECTOR: expected bits and number of vector registers that this processor has, "
            f"one of {' '.join(accepted)}; got {given!r}"
        )
    return accepted[given]


@functools.cache
def _host() -> Registers:
    """Return the host's registers."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return Registers(128, 32)
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return Registers(512, 32)
    return Registers(256 if features.get("avx2") else 128, 16)


def _is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def _check_limit() -> None:
    """Raise where numba was set up for the host's own registers before `limit_compiler` was called."""
    from numba.core.registry import cpu_target

    features = cpu_target.target_context.codegen().magic_tuple()[2]
    if features != os.environ.get("NUMBA_CPU_FEATURES"):
        raise EvorrnError("EVORRN_VECTOR: numba compiled for wider vectors before evorrn was imported")
