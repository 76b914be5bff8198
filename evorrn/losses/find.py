"""Functions that find losses by name."""

from __future__ import annotations

import functools

from evorrn.base.errors import UnknownName
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
    """Return the loss with a name; raise UnknownName with the nearest valid name when there is none."""
    if name not in losses():
        raise UnknownName("loss", name, losses())
    return losses()[name]
