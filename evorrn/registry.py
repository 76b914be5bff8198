"""Finding cells, tasks and strategies by name.

Built-ins are found by scanning their package, other distributions by entry points of the groups
``evorrn.cells``, ``evorrn.tasks`` and ``evorrn.strategies``, a user's own by ``file.py:name``.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from evorrn.errors import EvorrnError, UnknownName
from evorrn.settings import build

if TYPE_CHECKING:
    from evorrn.compile.grammar import Cell
    from evorrn.environment import Environment
    from evorrn.strategies.base import Strategy
    from evorrn.task import Task


def cells() -> dict[str, Cell]:
    """Return every registered cell by name."""
    from evorrn.compile.grammar import Cell

    return _find("evorrn.cells", lambda value: isinstance(value, Cell), lambda value: value.name)


def tasks() -> dict[str, type[Task] | type[Environment]]:
    """Return every registered class of tasks and environments by name."""
    from evorrn.environment import Environment
    from evorrn.task import Task

    return _find("evorrn_tasks", _concrete(Task, Environment), lambda value: value.name, group="evorrn.tasks")


def strategies() -> dict[str, type[Strategy]]:
    """Return every registered strategy class by its command-line name."""
    from evorrn.strategies.base import Strategy

    return _find("evorrn.strategies", _concrete(Strategy), lambda value: value.name)


def find_cell(reference: Any) -> Cell:
    """Return a cell from its name, ``"file.py:name"``, ``"module:name"`` or the cell itself."""
    from evorrn.compile.grammar import Cell

    found = reference if isinstance(reference, Cell) else _lookup("cell", reference, cells())
    if not isinstance(found, Cell):
        raise EvorrnError(
            f"cell: expected a name, a function made with @evorrn.cell or 'file.py:function', got {reference!r}"
        )
    return found


def cell_reference(cell: Cell) -> str:
    """Return a name from which a cell object can be found again."""
    if cells().get(cell.name) is cell:
        return cell.name
    module, name = cell.function.__module__, cell.function.__name__
    path = inspect.getsourcefile(cell.function)
    if path and (module == "__main__" or module.startswith("evorrn_user_")):
        return f"{Path(path).resolve()}:{name}"
    return f"{module}:{name}"


def find_task(reference: str) -> type[Task] | type[Environment]:
    """Return the class of a task or an environment from its name or ``"file.py:name"``."""
    from evorrn.environment import Environment
    from evorrn.task import Task

    found = _lookup("task", reference, tasks())
    if not _concrete(Task, Environment)(found):
        raise EvorrnError(
            f"task: expected a subclass of evorrn.task.Task with a name or of evorrn.environment.Environment, got {found!r}"
        )
    return _with_settings("task", found)


def find_strategy(reference: str) -> type[Strategy]:
    """Return a strategy class from its command-line name or ``"file.py:name"``."""
    from evorrn.strategies.base import Strategy

    found = _lookup("strategy", reference, strategies())
    if not _concrete(Strategy)(found):
        raise EvorrnError(f"strategy: expected a subclass of evorrn.strategies.base.Strategy, got {found!r}")
    return _with_settings("strategy", found)


def make_task(name: str, settings: Mapping[str, Any]) -> Task | Environment:
    """Make a task or an environment from its name and settings; every mistake is reported at once."""
    name, implied = expand_task(name)
    return build(find_task(name), {**implied, **settings}, "task")


def expand_task(name: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the setting that a short name like ``gym:CartPole-v1`` stands for.

    Any other name comes back as it is, with no settings.
    """
    head, separator, rest = name.partition(":")
    setting = getattr(tasks().get(head), "short", None) if separator else None
    return (name, {}) if setting is None else (head, {setting: rest})


def make_strategy(name: str, settings: Mapping[str, Any]) -> Strategy:
    """Make a strategy from its name and settings; every mistake is reported at once."""
    return build(find_strategy(name), settings, "strategy")


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


def _with_settings(kind: str, found: Any) -> Any:
    """Return a class whose settings can be read; EvorrnError where it is no dataclass."""
    if not dataclasses.is_dataclass(found):
        raise EvorrnError(f"{kind}: expected @dataclass(frozen=True) above the class {found.__name__}")
    return found


def _concrete(*bases: type) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, type) and issubclass(value, bases) and isinstance(getattr(value, "name", None), str)
    )


def _lookup(kind: str, reference: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(reference, str):
        return reference
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


def _find(
    package: str, wanted: Callable[[Any], bool], name: Callable[[Any], str], group: str | None = None
) -> dict[str, Any]:
    found = {}
    for module in _modules(package):
        for value in vars(module).values():
            if wanted(value):
                found[name(value)] = value
    for value in _entries(group or package):
        if wanted(value):
            found.setdefault(name(value), value)
    return dict(sorted(found.items()))


@functools.cache
def _entries(group: str) -> tuple[Any, ...]:
    """Return what other distributions registered; looking it up reads a file of every distribution there is."""
    return tuple(entry.load() for entry in importlib.metadata.entry_points(group=group))


@functools.cache
def _modules(package: str) -> tuple[ModuleType, ...]:
    root = importlib.import_module(package)
    names = [info.name for info in pkgutil.walk_packages(root.__path__, prefix=f"{package}.")]
    return tuple(importlib.import_module(name) for name in names)
