"""The form of network that a task states: its wiring, merged with what a user sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evorrn.base.errors import ConfigError, unknown
from evorrn.network.settings import NetworkSettings

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task

WITHOUT = {
    name: NetworkSettings.__dataclass_fields__[name].default
    for name in ("bidirectional", "embedding", "context", "learn_start", "readout", "reads")
}
"""The settings that a form may have, each with the value that means a network without it."""
OF_KIND = ("kind", "start", "stop", "encoder", "decoder")
"""Those that a form may have too, for a network of another kind than layers."""


def form_of(task: Task | Environment) -> dict[str, Any]:
    """Return the form that a task states, see `evorrn.Task.network_form`.

    Raises
    ------
    ConfigError
        When it is no mapping, or has a name that is no setting of the form.
    """
    form = getattr(task, "network_form", {})
    if not isinstance(form, Mapping):
        raise ConfigError(f"task {task.name}: network_form: expected names with their values, got {form!r}")
    wrong = [
        f"task {task.name}: network_form.{name}: {unknown('setting of the form', str(name), [*WITHOUT, *OF_KIND])}"
        for name in form
        if name not in (*WITHOUT, *OF_KIND)
    ]
    if wrong:
        raise ConfigError(wrong)
    return dict(form)


def blamed(error: ConfigError, task: Task | Environment, given: Mapping[str, Any]) -> ConfigError:
    """Return an error whose problems say which settings are those of the form of a task, and not given by a user."""
    own = tuple(f"network.{name}:" for name in form_of(task) if name not in given)
    return ConfigError(
        [
            f"{problem} (the task {task.name} states it in its network_form)"
            if own and problem.startswith(own)
            else problem
            for problem in error.problems
        ]
    )


def is_wired(settings: Mapping[str, Any]) -> bool:
    """Return whether settings ask for a network that can have neither direct connections nor feedback."""
    return any(
        settings.get(name, WITHOUT[name]) != WITHOUT[name]
        for name in ("bidirectional", "embedding", "readout")
    )
