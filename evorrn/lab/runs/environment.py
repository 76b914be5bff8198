"""The environment of a run: versions, processor, libraries, host; and the entries that its bytes depend on."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import evorrn

RESULTS_VERSION = 6
"""Raised whenever the same spec gives other numbers than before."""

LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "deap", "scikit-learn", "statsforecast")
"""Those whose versions a report names, of the last two where they are there: models that are compared with are theirs."""

THREAD_VARIABLES = (
    "EVORRN_SIMD",
    "EVORRN_VECTOR",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMBA_THREADING_LAYER",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
JOB_VARIABLES = ("SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "FLUX_JOB_ID")

BITS = ("results_version", "cpu_features", "numba", "blas")
"""Entries that the promise of equal bytes holds for: where one differs, last digits may."""


def describe() -> dict[str, Any]:
    """Return the environment of this process as plain data."""
    return {
        "evorrn": evorrn.__version__,
        "results_version": RESULTS_VERSION,
        **_lasting(),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        "host": socket.gethostname(),
        "job": {name: os.environ[name] for name in JOB_VARIABLES if name in os.environ},
    }


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return one sentence for each entry that results depend on and that has changed."""
    return [
        f"{name}: was {before[name]!r}, now {now[name]!r}"
        for name in BITS
        if name in before and before[name] != now[name]
    ]


@functools.cache
def _lasting() -> dict[str, Any]:
    """Return the entries that cannot change within a process."""
    import llvmlite.binding
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own, to be listed whatever ran before
    import threadpoolctl

    metadata = [found.metadata for found in importlib.metadata.distributions()]
    distributions = {str(one["Name"]): str(one["Version"]) for one in metadata if one["Name"]}
    features = llvmlite.binding.get_host_cpu_features()
    blas = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"]
    return {
        "git": _git(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpu": llvmlite.binding.get_host_cpu_name(),
        "cpu_features": sorted(name for name, present in features.items() if present),
        "cores": os.cpu_count(),
        "numba": distributions.get("numba"),
        "blas": sorted(
            {f"{info['internal_api']} {info['version']} {info.get('architecture', '')}" for info in blas}
        ),
        "distributions": dict(sorted(distributions.items(), key=lambda item: item[0].lower())),
    }


def _git() -> dict[str, Any] | None:
    """Return commit and state of the working tree evorrn runs from; None for an installed copy."""
    here = Path(evorrn.__file__).parent
    # Only where git tracks this very package: a virtual environment may lie inside another repository.
    if _ask_git(here, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit = _ask_git(here, "rev-parse", "HEAD")
    changes = _ask_git(here, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changes)}


def _ask_git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def summary() -> dict[str, Any]:
    """Return the part of the environment that a report shows; ``env.json`` of each run has all of it."""
    found = dict(describe())
    versions = found.pop("distributions")
    return {**found, "libraries": {name: versions[name] for name in LIBRARIES if name in versions}}
