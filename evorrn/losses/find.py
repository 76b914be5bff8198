"""Finding losses by name."""

from __future__ import annotations

import functools
from typing import cast

from evorrn.base.plugins import Plugins, named_subclass
from evorrn.losses.base import Loss

LOSSES = Plugins(
    "loss",
    "evorrn.losses",
    "evorrn.losses",
    named_subclass(lambda: (Loss,)),
    "a subclass of Loss with a name",
)


@functools.cache
def losses() -> dict[str, Loss]:
    """Return every loss by its name."""
    return {name: kind() for name, kind in LOSSES.all().items()}


def find_loss(name: str) -> Loss:
    """Return a loss from its name; raises UnknownName with the nearest one."""
    return losses()[name] if name in losses() else cast(type[Loss], LOSSES.find(name))()
