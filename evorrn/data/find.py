"""Finding tasks and environments by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from evorrn.base.plugins import Plugins, named_subclass
from evorrn.base.settings import build

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task


def _bases() -> tuple[type, ...]:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task

    return Task, Environment


TASKS = Plugins(
    "task",
    "evorrn_tasks",
    "evorrn.tasks",
    named_subclass(_bases),
    "a subclass of evorrn.Task with a name or of evorrn.Environment",
)


def task(name: str, **settings: Any) -> Any:
    """Return a task or an environment made by its name.

    Parameters
    ----------
    name : str
        One of `tasks`, or ``"file.py:name"``.
    **settings
        Its settings; ``evorrn show NAME`` lists them.

    Raises
    ------
    ConfigError
        With every setting that is wrong, at once.
    """
    return make_task(name, settings)


def tasks() -> list[str]:
    """Return the names of all tasks and environments."""
    return TASKS.names()


def task_kinds() -> dict[str, type[Task] | type[Environment]]:
    """Return every registered class of tasks and environments by name."""
    return TASKS.all()


def find_task(reference: str) -> type[Task] | type[Environment]:
    """Return the class of a task or an environment from its name or ``"file.py:name"``."""
    return cast("type[Task] | type[Environment]", TASKS.find_with_settings(reference))


def make_task(name: str, settings: Mapping[str, Any]) -> Task | Environment:
    """Return a task or an environment made from its name and settings; all mistakes are reported at once."""
    name, implied = expand_task(name)
    return build(find_task(name), {**implied, **settings}, "task")


def expand_task(name: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the setting that a short name like ``gym:CartPole-v1`` stands for.

    Any other name comes back as it is, with no settings.
    """
    head, separator, rest = name.partition(":")
    setting = getattr(TASKS.get(head), "short", None) if separator else None
    return (name, {}) if setting is None else (head, {setting: rest})
