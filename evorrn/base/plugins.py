"""Plug-ins: things found by name in a package of evorrn, in other distributions, or in a user's file.

Built-ins are found by scanning their package, those of other distributions by entry points, a user's own by
``file.py:name`` or ``module:name``.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from evorrn.base.errors import EvorrnError, UnknownName


@dataclass(frozen=True)
class Plugins:
    """One kind of plug-in.

    Parameters
    ----------
    kind : str
        What messages call it, for instance ``"task"``.
    package : str
        The package whose modules are scanned.
    group : str
        The entry-point group of other distributions.
    wanted : callable
        Returns whether a value found in a module is of this kind.
    expected : str
        What messages say was expected where something else came.
    """

    kind: str
    package: str
    group: str
    wanted: Callable[[Any], bool]
    expected: str

    def all(self) -> dict[str, Any]:
        """Return every plug-in of this kind by its name, sorted."""
        found = {}
        for module in _modules(self.package):
            for value in vars(module).values():
                if self.wanted(value):
                    found[value.name] = value
        for value in entries(self.group):
            if self.wanted(value):
                found.setdefault(value.name, value)
        return dict(sorted(found.items()))

    def find(self, reference: Any) -> Any:
        """Return a plug-in from its name, ``"file.py:name"``, ``"module:name"`` or the plug-in itself.

        Raises
        ------
        EvorrnError
            When there is none of that name, or what was found is of another kind.
        """
        found = lookup(self.kind, reference, self.all()) if isinstance(reference, str) else reference
        if not self.wanted(found):
            raise EvorrnError(f"{self.kind}: expected {self.expected}, got {found!r}")
        return found

    def find_with_settings(self, reference: Any) -> Any:
        """Return a plug-in class whose settings can be read; raises EvorrnError where it is no dataclass."""
        found = self.find(reference)
        if not dataclasses.is_dataclass(found):
            raise EvorrnError(
                f"{self.kind}: expected @dataclass(frozen=True) above the class {found.__name__}"
            )
        return found


def named_subclass(*bases: type) -> Callable[[Any], bool]:
    """Return a test for classes that derive from one of some bases and have a name."""
    return lambda value: (
        isinstance(value, type) and issubclass(value, bases) and isinstance(getattr(value, "name", None), str)
    )


def lookup(kind: str, reference: str, known: Mapping[str, Any]) -> Any:
    """Return what a reference names: one of the known names, ``"file.py:name"`` or ``"module:name"``."""
    if reference in known:
        return known[reference]
    source, separator, name = reference.rpartition(":")
    if not separator:
        raise UnknownName(kind, reference, known)
    if source.endswith(".py"):
        module = load_file(Path(source))
    else:
        try:
            module = importlib.import_module(source)
        except ImportError as error:
            raise EvorrnError(f"{kind} {reference!r}: cannot import {source!r}: {error}") from None
    if not hasattr(module, name):
        raise UnknownName(f"name in {source}", name, [n for n in vars(module) if not n.startswith("_")])
    return getattr(module, name)


def load_file(path: Path) -> ModuleType:
    """Import a user's Python file under a name made from its path and content."""
    try:
        digest = hashlib.sha256(str(path.resolve()).encode() + path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise EvorrnError(f"cannot read {path}: {error.strerror or error}") from None
    name = f"evorrn_user_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise EvorrnError(f"expected a Python file, got {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except EvorrnError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        raise EvorrnError(f"{path} failed while it was imported: {type(error).__name__}: {error}") from error
    return module


@functools.cache
def entries(group: str) -> tuple[Any, ...]:
    """Return what other distributions registered in a group; reading it opens a file of each distribution."""
    return tuple(entry.load() for entry in importlib.metadata.entry_points(group=group))


@functools.cache
def _modules(package: str) -> tuple[ModuleType, ...]:
    """Return all modules of a package, imported."""
    root = importlib.import_module(package)
    names = [info.name for info in pkgutil.walk_packages(root.__path__, prefix=f"{package}.")]
    return tuple(importlib.import_module(name) for name in names)
