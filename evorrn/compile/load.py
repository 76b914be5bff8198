"""Emitted source becomes a module: a content-named file in the kernel cache, imported for real.

A real file lets numba keep machine code beside it and gives tracebacks their lines. The name covers
the source and everything the source imports, since numba's cache does not notice edits there.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from evorrn.errors import EvorrnError
from evorrn.plain import write_atomic


def cache_folder() -> Path:
    """Return the folder of compiled kernels: ``$EVORRN_CACHE``, else the user's cache folder."""
    given = os.environ.get("EVORRN_CACHE")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("evorrn"))


def load(source: str, label: str, given: Mapping[str, Any] | None = None) -> ModuleType:
    """Import emitted source, from the cache when it is there.

    Parameters
    ----------
    source : str
    label : str
        Put into the file's name for the reader.
    given : mapping, optional
        Functions that the source uses without defining them, by name; what they do must show in the source.

    Raises
    ------
    EvorrnError
        When neither the cache folder nor a temporary one can be written.
    """
    digest = hashlib.sha256((source + _surroundings()).encode()).hexdigest()[:20]
    name = f"evorrn_kernel_{label}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    path = _write(f"{name}.py", source)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise EvorrnError(f"cannot import the kernel {path}")
    module = importlib.util.module_from_spec(spec)
    vars(module).update(given or {})
    sys.modules[name] = module  # numba finds the module by its name when it loads cached code
    spec.loader.exec_module(module)
    return module


def _write(name: str, source: str) -> Path:
    for folder in (cache_folder(), Path(tempfile.gettempdir()) / f"evorrn-{os.getuid()}"):
        path = folder / name
        try:
            if not path.exists() or path.read_text() != source:
                write_atomic(path, source)
            return path
        except OSError as error:
            failure = error
    raise EvorrnError(
        f"cannot write kernels to {cache_folder()} ({failure}); set EVORRN_CACHE to a folder that can be"
    )


@functools.cache
def _surroundings() -> str:
    """Return what emitted code depends on beside its source: kernels, numba, vectors, threads' layer."""
    import numba

    from evorrn.kernels import machine

    kernels = Path(machine.__file__).parent
    text = "".join(path.read_text() for path in sorted(kernels.glob("*.py")))
    text += (kernels.parent / "compile" / "ops.py").read_text()
    return f"{text}{numba.__version__}{machine.registers()}{machine.simd()}"
