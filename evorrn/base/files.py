"""Files: atomic writing, and trees of numbers, text and arrays stored in one npz file.

Nothing is pickled, so reading a file never runs code.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import math
import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evorrn.base import system
from evorrn.base.errors import RunError

if TYPE_CHECKING:
    import numpy as np

_unsynced: ContextVar[set[Path] | None] = ContextVar("unsynced", default=None)
"""Files written inside `delayed_sync` since the last `sync_files`; None outside of such a block."""


def cache_folder() -> Path:
    """Return the folder of compiled kernels: ``$EVORRN_CACHE`` if set, else the user's cache folder."""
    given = os.environ.get("EVORRN_CACHE")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("evorrn"))


def write_atomic(path: Path, content: bytes | str, through: Path | None = None) -> None:
    """Write a file so that readers see either the old content or the new, never a part of it.

    When the function returns, the file is on the disk and survives a power loss. Inside a `delayed_sync`
    block this holds only after the next `sync_files`.

    Parameters
    ----------
    path : Path
        Missing folders are created, unless `through` is given.
    content : bytes or str
    through : Path, optional
        An existing folder on the same disk in which the new content is prepared; by default that of the file. When
        the folder has gone, nothing is written.

    Raises
    ------
    OSError
        When the file cannot be written; the old content is then still there.
    """
    unsynced = _unsynced.get()
    data = content.encode() if isinstance(content, str) else content
    temporary = (through or path.parent) / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        handle = _create(temporary)
    except FileNotFoundError:
        if through is not None:
            raise
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _create(temporary)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            if unsynced is None:
                os.fsync(stream.fileno())
            elif hasattr(os, "posix_fadvise"):  # starts the write now, so that the later fsync is short
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if unsynced is None:
        _sync(path.parent)
    else:
        unsynced.add(path)


@contextmanager
def delayed_sync() -> Iterator[None]:
    """Sync the files that `write_atomic` writes in the block together: at each `sync_files` and at the end."""
    token = _unsynced.set(set())
    try:
        yield
        sync_files()
    finally:
        _unsynced.reset(token)


def sync_files() -> None:
    """Wait until all files written so far inside a `delayed_sync` block are on the disk."""
    unsynced = _unsynced.get()
    if unsynced:
        handles: list[int] = []
        try:
            for path in unsynced:
                with suppress(FileNotFoundError):  # removed since it was written
                    handles.append(os.open(path, system.TO_SYNC))
            for handle in handles:
                os.fsync(handle)
        finally:
            for handle in handles:
                os.close(handle)
        for folder in {path.parent for path in unsynced}:
            _sync(folder)
        unsynced.clear()


def _create(path: Path) -> int:
    """Create a file that does not exist yet, and return its descriptor."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.BINARY, 0o666)


def _sync(path: Path) -> None:
    """Wait until a folder's list of files is on the disk; Windows opens no folders, and keeps their lists by itself."""
    if not system.UNIX:
        return
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # removed since it was written
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save_tree(path: Path, tree: Any, through: Path | None = None) -> None:
    """Write a tree of dicts, lists, tuples, numbers, text, None and arrays to one npz file.

    For `through` see `write_atomic`.

    Raises
    ------
    TypeError
        When the tree holds anything else.
    """
    write_atomic(Path(path), tree_bytes(tree), through)


def load_tree(path: Path) -> Any:
    """Return the tree that `save_tree` wrote to a file.

    Raises
    ------
    RunError
        When the file is missing, truncated or was not written by `save_tree`.
    """

    try:
        arrays = read_arrays(path)
        return _restore(json.loads(str(arrays.pop("tree"))), arrays)
    except Exception as error:  # a damaged file can fail in any way
        raise RunError(
            f"{path}: expected a file written by evorrn, but it cannot be read ({error})"
        ) from None


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file, after the checksum of each was compared; raise any error if it is damaged."""
    import numpy as np

    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = io.BytesIO(archive.read(name))
            arrays[name.removesuffix(".npy")] = np.lib.format.read_array(content, allow_pickle=False)
            if content.read(1):
                raise ValueError(f"{name} is longer than its array")
    return arrays


def tree_bytes(tree: Any) -> bytes:
    """Return a tree as the bytes of an npz file; equal trees give equal bytes."""
    import numpy as np

    arrays: dict[str, np.ndarray] = {}
    skeleton = _flatten(tree, arrays)
    return npz_bytes({"tree": np.array(json.dumps(skeleton)), **arrays})


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Return arrays as the bytes of an npz file that holds no times; equal arrays give equal bytes."""
    import numpy as np

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            array = np.asarray(array)
            content = _npy_header(array.dtype, array.shape) + array.tobytes()
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


@functools.lru_cache(maxsize=256)
def _npy_header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """Return the header of an npy file; it is cached, since the runs of a sweep write the same headers often."""
    import numpy as np

    if dtype.hasobject:
        raise TypeError(f"expected an array of numbers or text, got {dtype}")
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, header)
    return member.getvalue()


def _flatten(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return a tree as JSON data in which names stand for arrays, and add the arrays to `arrays` by name."""
    import numpy as np

    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, np.generic):
        return _flatten(value.item(), arrays)
    if isinstance(value, dict):
        return {"dict": [[key, _flatten(item, arrays)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_flatten(item, arrays) for item in value]}
    if isinstance(value, list):
        return [_flatten(item, arrays) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"expected plain data, got {type(value).__name__}")


def _restore(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return the tree of JSON data and arrays that `_flatten` made."""
    if isinstance(value, list):
        return [_restore(item, arrays) for item in value]
    if isinstance(value, dict):
        if "array" in value:
            return arrays[value["array"]]
        if "tuple" in value:
            return tuple(_restore(item, arrays) for item in value["tuple"])
        return {key: _restore(item, arrays) for key, item in value["dict"]}
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; empty where there is no file.

    Raises
    ------
    RunError
        When the file cannot be read or is not a JSON object.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path.name} cannot be read ({error})") from None
    if not isinstance(content, dict):
        raise RunError(f"{path.name} is no JSON object")
    return content


def readable_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; empty where there is none that can be read."""
    try:
        return read_json(path)
    except RunError:
        return {}


def jsonable(value: Any) -> Any:
    """Return plain data, or a dataclass of plain data, as values of strict JSON; NaN and infinity become None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [jsonable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def content(path: Path) -> bytes:
    """Return the bytes of a file; of a folder the names and SHA-256 digests of all files in it, at any depth.

    Raises OSError for a path that cannot be read.
    """
    if not path.is_dir():
        return path.read_bytes()
    files = sorted(each for each in path.rglob("*") if each.is_file())
    lines = [
        f"{each.relative_to(path).as_posix()} {hashlib.sha256(each.read_bytes()).hexdigest()}"
        for each in files
    ]
    return "\n".join(lines).encode()
