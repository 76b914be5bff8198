"""Storing machine code: numba's cache files with checksums, so that a damaged one is made anew.

numba reads its files without a check: an empty index raises EOFError in every process, and flipped bits in machine code
are executed. Here a file begins with the checksum of what follows. Whatever fails it counts as missing, is compiled
again and replaced.

Processes that begin together need the same machine code. A function is locked while a process compiles it; others wait, and
load what was stored. The operating system releases the locks of a process that ends, however it ends.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numba.core.caching import Cache, IndexDataCacheFile
from numba.core.compiler_lock import global_compiler_lock

from evorrn.base.files import cache_folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

DIGEST = hashlib.sha256().digest_size
LOCKS = "compiling.lock"
"""The file whose bytes processes lock, one for each function."""
PATIENCE = 20.0
"""Seconds after which a process no longer waits for another one, which may have been suspended, and compiles as well."""
LOOK_SECONDS = 0.02
"""Time between two attempts to lock a function."""


class _CheckedFile(IndexDataCacheFile):
    """The index and the data files of one function."""

    def save(self, key: Any, data: Any) -> None:
        """Store the machine code of a signature; a store that cannot be written only costs time later.

        The name of the data file follows from the signature. numba counts: of two processes that store different
        signatures at once, one would find the other's machine code under its own.
        """
        name = f"{self._index_name.removesuffix('.nbi')}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"
        with suppress(OSError):
            self._save_data(name, data)
            overloads = self._load_index()
            if overloads.get(key) != name:
                self._save_index({**overloads, key: name})

    def _load_index(self) -> dict[Any, str]:
        try:
            version, stamp, overloads = pickle.loads(_unsealed(Path(self._index_path).read_bytes()))
        except Exception:  # missing or damaged
            return {}
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, self._dump((self._version, self._source_stamp, overloads)))

    def _load_data(self, name: str) -> Any:
        try:
            return pickle.loads(_unsealed(Path(self._data_path(name)).read_bytes()))
        except Exception as error:
            raise OSError(f"{name}: missing or damaged") from error  # numba compiles again

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), self._dump(data))

    def _write(self, path: str, content: bytes) -> None:
        with self._open_for_write(path) as stream:
            stream.write(_checksum(content) + content)


def checked(function: Any) -> Any:
    """Return a function compiled by numba, its stored machine code checked whenever it is read."""
    cache = getattr(function, "_cache", None)
    if isinstance(cache, Cache):
        found: Any = cache._cache_file
        checking: Any = _CheckedFile(cache._cache_path, "", found._source_stamp)
        checking._index_name, checking._index_path = found._index_name, found._index_path
        cache._cache_file = checking
        function.compile = _locked(function.compile, checking._index_path)
    return function


def _locked(compiling: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    """Return the method by which numba loads or compiles a function, which holds the function's lock."""

    @functools.wraps(compiling)
    def compile_alone(signature: Any) -> Any:
        with (
            global_compiler_lock,
            locked(name),
        ):  # in this order: a thread never waits for the first with the second
            return compiling(signature)

    return compile_alone


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of a name against other processes; without one where the cache folder has no locks."""
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7])
    limit = time.monotonic() + PATIENCE
    held = None
    with suppress(OSError):
        file = _lock_file(cache_folder())
        while fcntl is not None and held is None and time.monotonic() < limit:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                held = file
            except BlockingIOError:
                time.sleep(LOOK_SECONDS)
    try:
        yield
    finally:
        if held is not None:
            fcntl.lockf(held, fcntl.LOCK_UN, 1, place)


@functools.cache
def _lock_file(folder: Path) -> int:
    """Return the descriptor of the file of locks. It stays open, since closing it would release every lock of the process."""
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / LOCKS, os.O_RDWR | os.O_CREAT, 0o666)


def _unsealed(content: bytes) -> bytes:
    """Return the content of a file after its checksum; raise ValueError when the two do not fit."""
    if content[:DIGEST] != _checksum(content[DIGEST:]):
        raise ValueError("the checksum does not fit")
    return content[DIGEST:]


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(_versions() + content).digest()


@functools.cache
def _versions() -> bytes:
    """Return the versions that stored machine code depends on."""
    import llvmlite
    import numba

    return f"{numba.__version__} {llvmlite.__version__}".encode()
