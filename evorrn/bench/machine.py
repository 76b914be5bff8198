"""The machine that numbers come from: processor, versions, and its rate of arithmetic in the same run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.bench.peers import PACKAGES
from evorrn.bench.peers.numpy_peer import GEMM_SIZE
from evorrn.bench.timing import alternate
from evorrn.kernels.machine import vector_bits
from evorrn.lab.runs.environment import describe as environment

FEATURES = ("avx", "avx2", "fma", "avx512f", "avx512bf16", "neon", "sve")


def describe(threads: int, rounds: int) -> dict[str, Any]:
    """Return what a reader needs in order to compare numbers with those of another machine, as plain data.

    Parameters
    ----------
    threads : int
        Of every contender.
    rounds : int
        Of the product of matrices that is timed.
    """
    known = environment()
    versions = known["distributions"]
    return {
        "processor": _processor() or known["cpu"],
        "architecture": known["cpu"],
        "features": [name for name in FEATURES if name in known["cpu_features"]],
        "vector_bits": vector_bits(),
        "cores": known["cores"],
        "threads": threads,
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "platform": known["platform"],
        "python": known["python"],
        "evorrn": known["evorrn"],
        "git": known["git"],
        "versions": {name: versions[name] for name in PACKAGES if name in versions},
        "blas": known["blas"],
        "gemm_gflops": product_rates(rounds),
    }


def product_rates(rounds: int) -> dict[str, float]:
    """Return NumPy's rate of a product of two matrices of 2000 x 2000, in 1e9 operations a second, by dtype."""
    calls = {}
    for name in ("float32", "float64"):
        matrix = np.random.default_rng(0).standard_normal((GEMM_SIZE, GEMM_SIZE)).astype(name)
        calls[name] = lambda matrix=matrix: matrix @ matrix
    times = alternate(calls, rounds)
    return {name: 2e-9 * GEMM_SIZE**3 / taken.minimum for name, taken in times.items()}


def line(machine: dict[str, Any]) -> str:
    """Return a description in two lines; BLAS says for which processor its kernels are, often not for the newest."""
    rates = ", ".join(f"{rate:.0f} in {name}" for name, rate in machine["gemm_gflops"].items())
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    load = "" if machine["load"] is None else f", load {machine['load'][0]:.1f} before the run"
    return (
        f"{machine['processor']} ({machine['architecture']}, {machine['vector_bits']} bits), {machine['cores']} cores, "
        f"{machine['threads']} threads each{load}; NumPy GEMM {rates} GFLOP/s\n"
        f"evorrn {machine['evorrn']}, Python {machine['python']}, {versions}; {', '.join(machine['blas'])}"
    )


def _processor() -> str:
    """Return the processor's name as Linux knows it, empty elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((text.split(":", 1)[1].strip() for text in lines if text.startswith("model name")), "")
