"""Storing machine code: numba's cache files with checksums, so that a damaged one is made anew.

numba reads its files without a check: an empty index raises EOFError in every process, and flipped bits in machine code
are executed. Here a file begins with the checksum of what follows. Whatever fails it counts as missing, is compiled
again and replaced.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import Cache, IndexDataCacheFile

DIGEST = hashlib.sha256().digest_size


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
    return function


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
