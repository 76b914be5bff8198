"""Trust: which files of Python code may be imported while data are read back.

A run folder that somebody sent may name any file or module. While it is read, code is imported only when it was imported
before, when the folder's spec has recorded the SHA-256 of the file, or when the user trusts the folder.
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evorrn.base.errors import EvorrnError

REMEDY = "--trust (trust=True in Python) imports it"


class UntrustedCode(EvorrnError):
    """Code that data name, and that is not imported."""


@dataclass(frozen=True)
class _Guard:
    recorded: frozenset[str]
    remedy: str


_guard: ContextVar[_Guard | None] = ContextVar("guard", default=None)
_trusted: ContextVar[bool] = ContextVar("trusted", default=False)
_tell: ContextVar[Callable[[str], None] | None] = ContextVar("tell", default=None)


@contextmanager
def trusting(everything: bool, tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Say whether the data read in the block are trusted; `tell` gets a sentence before each import of recorded code."""
    before, telling = _trusted.set(everything), _tell.set(tell)
    try:
        yield
    finally:
        _trusted.reset(before)
        _tell.reset(telling)


@contextmanager
def only_recorded(digests: Iterable[str], remedy: str = REMEDY) -> Iterator[None]:
    """Refuse new code in the block, apart from files whose SHA-256 is among some; `remedy` ends the refusal."""
    token = _guard.set(_Guard(frozenset(map(str, digests)), remedy))
    try:
        yield
    finally:
        _guard.reset(token)


def is_trusted() -> bool:
    """Return whether the data that are being read are trusted."""
    return _trusted.get()


def check_file(path: Path, content: bytes) -> None:
    """Raise UntrustedCode when a file that was not imported yet may not be imported here."""
    guard = _guard.get()
    if guard is None:
        return
    recorded = hashlib.sha256(content).hexdigest() in guard.recorded
    if not (recorded or is_trusted()):
        raise UntrustedCode(
            f"{path} is not the file the spec was made for, and was not imported; {guard.remedy}"
            if guard.recorded
            else f"code outside of evorrn was not imported: {path}, which no spec has recorded; {guard.remedy}"
        )
    tell = _tell.get()
    if tell is not None:
        tell(
            f"importing {path}, "
            + ("whose content the spec has recorded" if recorded else "which is trusted")
        )


def check_module(name: str) -> None:
    """Raise UntrustedCode when a module that was not imported yet may not be imported here."""
    guard = _guard.get()
    if guard is not None and name not in sys.modules and not is_trusted():
        raise UntrustedCode(f"code outside of evorrn was not imported: module {name}; {guard.remedy}")


def stored_spec(folder: Path) -> Mapping[str, Any]:
    """Return the ``spec.toml`` of a run folder; empty where there is none that can be read."""
    try:
        return tomllib.loads((folder / "spec.toml").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}


def recorded_files(spec: Mapping[str, Any]) -> list[str]:
    """Return the SHA-256 of the files that a spec has recorded."""
    files = spec.get("files")
    return list(map(str, files.values())) if isinstance(files, Mapping) else []
