"""The kernel cache: emitted source is written to a file and imported as a module.

numba stores machine code beside the file, with a checksum, and tracebacks show its lines. The name of the file is a hash of the
source and of everything that the source imports, since numba's cache does not notice changes there.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from evorrn.base.errors import EvorrnError
from evorrn.base.files import cache_folder, write_atomic


def load(source: str, label: str, given: Mapping[str, Any] | None = None) -> ModuleType:
    """Return the module of emitted source; its machine code is loaded from the cache if it is there.

    Parameters
    ----------
    source : str
    label : str
        A readable part of the name of the file.
    given : mapping of str to callable, optional
        Functions that the source uses but does not define. The source must contain a hash of them.

    Raises
    ------
    EvorrnError
        When neither the cache folder nor a temporary folder can be written.
    """
    digest = hashlib.sha256((source + _surroundings()).encode()).hexdigest()[:20]
    name = f"evorrn_kernel_{label}_{digest}"
    with _loading:
        return sys.modules[name] if name in sys.modules else _load(name, source, given)


_loading = threading.RLock()
"""Held while a module is loaded, so that another thread does not find it before all its functions are there."""


def _load(name: str, source: str, given: Mapping[str, Any] | None) -> ModuleType:
    """Return a new module of emitted source."""
    from evorrn.kernels.store import checked

    path = _write(f"{name}.py", source)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise EvorrnError(f"cannot import the kernel {path}")
    module = importlib.util.module_from_spec(spec)
    vars(module).update(given or {})
    sys.modules[name] = module  # numba finds the module by its name when it loads cached code
    try:
        # Not by the loader, which may find a damaged .pyc file.
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    for function in vars(module).values():
        if getattr(getattr(function, "py_func", None), "__module__", "") == name:
            checked(function)
    return module


def _write(name: str, source: str) -> Path:
    """Write source to the cache folder, or to a temporary folder if that fails; return the path."""
    for folder in (
        cache_folder(),
        Path(tempfile.gettempdir()) / f"evorrn-{getattr(os, 'getuid', os.getpid)()}",
    ):
        path = folder / name
        try:
            if not _holds(path, source):
                write_atomic(path, source)
            return path
        except OSError as error:
            failure = error
    raise EvorrnError(
        f"cannot write kernels to {cache_folder()} ({failure}); set EVORRN_CACHE to a writable folder"
    )


def _holds(path: Path, source: str) -> bool:
    """Return whether a file can be read and holds a source."""
    try:
        return path.read_bytes() == source.encode()
    except OSError:
        return False


@functools.cache
def _surroundings() -> str:
    """Return everything besides its source that emitted code depends on: functions it calls, numba, vector width."""
    import numba

    import evorrn
    from evorrn.kernels import machine

    root = Path(evorrn.__file__).parent
    paths = [path for folder in ("kernels", "losses", "engine") for path in (root / folder).rglob("*.py")]
    text = "".join(path.read_text() for path in [*sorted(paths), root / "compile" / "ops.py"])
    return f"{text}{numba.__version__}{machine.registers()}{machine.simd()}"
