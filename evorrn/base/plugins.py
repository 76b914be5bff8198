"""Plug-ins: things found by name in a package of evorrn, in other distributions, or in a user's file.

Built-ins are found by scanning their package, those of other distributions by entry points, a user's own by
``file.py:name`` or ``module:name``. What a scan finds is kept as JSON in the cache folder while the package's files
stay the same, so that a built-in is found by importing its module alone, and names are listed without any import.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import pkgutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from evorrn.base.errors import EvorrnError, UnknownName
from evorrn.base.trust import check_file, check_module


class Place(NamedTuple):
    """Where a built-in is defined, and the first line of its documentation."""

    module: str
    attribute: str
    summary: str


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
        return {name: self.get(name) for name in self.names()}

    def names(self) -> list[str]:
        """Return the names of all plug-ins of this kind, sorted."""
        return list(self.summaries())

    def summaries(self) -> dict[str, str]:
        """Return the first line of the documentation of every plug-in by its name, sorted."""
        found = {name: summary(value) for name, value in self._registered().items()}
        found |= {name: place.summary for name, place in self._places().items()}
        return dict(sorted(found.items()))

    def get(self, name: str) -> Any:
        """Return the plug-in of a name, None when there is none."""
        place = self._places().get(name)
        if place is None:
            return self._registered().get(name)
        found = getattr(importlib.import_module(place.module), place.attribute, None)
        return found if self.wanted(found) else None

    def find(self, reference: Any) -> Any:
        """Return a plug-in from its name, ``"file.py:name"``, ``"module:name"`` or the plug-in itself.

        Raises
        ------
        EvorrnError
            When there is none of that name, or what was found is of another kind.
        """
        found = reference
        if isinstance(reference, str):
            found = self.get(reference)
            if found is None:
                found = self._from_source(reference)
        if not self.wanted(found):
            raise EvorrnError(f"{self.kind}: expected {self.expected}, got {found!r}")
        return found

    def reference(self, found: Any) -> str:
        """Return a name from which `find` gives a plug-in again: its own, ``"file.py:name"`` or ``"module:name"``."""
        if self.get(found.name) is found:
            return str(found.name)
        defined = getattr(found, "function", found)  # of a cell the function that it was made from
        module, name = defined.__module__, defined.__name__
        path = inspect.getsourcefile(defined)
        if path and (module == "__main__" or module.startswith("evorrn_user_")):
            return f"{Path(path).resolve()}:{name}"
        return f"{module}:{name}"

    def find_with_settings(self, reference: Any) -> Any:
        """Return a plug-in class whose settings can be read; raises EvorrnError where it is no dataclass."""
        found = self.find(reference)
        if not dataclasses.is_dataclass(found):
            raise EvorrnError(
                f"{self.kind}: expected @dataclass(frozen=True) above the class {found.__name__}"
            )
        return found

    def _from_source(self, reference: str) -> Any:
        """Return what ``"file.py:name"`` or ``"module:name"`` names."""
        source, separator, name = reference.rpartition(":")
        if not separator:
            raise UnknownName(self.kind, reference, self.names())
        if source.endswith(".py"):
            module = load_file(Path(source))
        else:
            check_module(source)
            try:
                module = importlib.import_module(source)
            except ImportError as error:
                raise EvorrnError(f"{self.kind} {reference!r}: cannot import {source!r}: {error}") from None
        if not hasattr(module, name):
            raise UnknownName(f"name in {source}", name, [n for n in vars(module) if not n.startswith("_")])
        return getattr(module, name)

    def _registered(self) -> dict[str, Any]:
        """Return the plug-ins of other distributions by name."""
        return {value.name: value for value in entries(self.group) if self.wanted(value)}

    def _places(self) -> dict[str, Place]:
        """Return where each built-in is defined."""
        return _places(self.package, self.wanted)


def named_subclass(bases: Callable[[], tuple[type, ...]]) -> Callable[[Any], bool]:
    """Return a test for classes that have a name and derive from one of the bases that a function returns."""

    def wanted(value: Any) -> bool:
        named = isinstance(value, type) and isinstance(getattr(value, "name", None), str)
        return named and issubclass(value, bases())

    return wanted


def summary(value: Any) -> str:
    """Return the first line of the documentation of a class or a cell."""
    return str(getattr(value, "doc", None) or value.__doc__ or "").strip().split("\n")[0]


def load_file(path: Path) -> ModuleType:
    """Import a user's Python file under a name made from its path and content.

    Raises
    ------
    EvorrnError
        When the file cannot be read, fails, or may not be imported here, see `evorrn.base.trust`.
    """
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise EvorrnError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    digest = hashlib.sha256(str(path.resolve()).encode() + content).hexdigest()[:16]
    name = f"evorrn_user_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    check_file(path, content)
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
def _places(package: str, wanted: Callable[[Any], bool]) -> dict[str, Place]:
    """Return where the built-ins of a package are defined, from the cache folder while its files are the same."""
    from evorrn.base.files import cache_folder, write_atomic

    found = importlib.util.find_spec(package)
    assert found is not None and found.submodule_search_locations is not None
    files = []
    for folder in found.submodule_search_locations:
        for path in sorted(Path(folder).rglob("*.py")):
            state = path.stat()
            files.append([str(path), state.st_size, state.st_mtime_ns])
    key = hashlib.sha256(json.dumps([package, files]).encode()).hexdigest()
    place = hashlib.sha256("".join(found.submodule_search_locations).encode()).hexdigest()[:8]
    index = cache_folder() / f"plugins-{package}-{place}.json"  # one for each copy of the package
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        content = json.loads(index.read_bytes())
        if (content["files"], content["checksum"]) == (key, _checksum(content["found"])):
            return {str(name): Place(*map(str, place)) for name, place in content["found"].items()}
    scanned = _scan(package, wanted)
    content = {"files": key, "checksum": _checksum(scanned), "found": scanned}
    with suppress(OSError):
        write_atomic(index, json.dumps(content, indent=1) + "\n")
    return scanned


def _checksum(found: Any) -> str:
    """Return a checksum of what a scan found, so that a damaged index is not believed."""
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _scan(package: str, wanted: Callable[[Any], bool]) -> dict[str, Place]:
    """Import the modules of a package, and return where its plug-ins are defined.

    A folder `common` holds what plug-ins share and no plug-ins. It is left out, since it may need optional packages.
    """
    root = importlib.import_module(package)
    found: dict[str, Place] = {}
    for info in pkgutil.walk_packages(root.__path__, prefix=f"{package}."):
        if "common" in info.name.split("."):
            continue
        module = importlib.import_module(info.name)
        for attribute, value in vars(module).items():
            if wanted(value) and (value.name not in found or _home(value) == module.__name__):
                found[value.name] = Place(module.__name__, attribute, summary(value))
    return dict(sorted(found.items()))


def _home(value: Any) -> str:
    """Return the module that defines a class, or the function of a cell."""
    return str(getattr(getattr(value, "function", value), "__module__", ""))
