"""Functions that find losses by name, and those of a user by class or file."""

from __future__ import annotations

import functools
from typing import Any

from evorrn.base.errors import EvorrnError, UnknownName
from evorrn.base.plugins import Plugins, named_subclass
from evorrn.losses.base import Loss
from evorrn.losses.sequence import SequenceLoss

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


def find_loss(reference: Any) -> Loss:
    """Return the loss with a name, or a user's loss on whole sequences: its class, ``"file.py:name"`` or ``"module:name"``.

    Raises
    ------
    UnknownName
        With the nearest valid name, when there is no loss of this name.
    EvorrnError
        When a file or class holds no subclass of `SequenceLoss`, or the file may not be imported.
    """
    if not isinstance(reference, type):
        if isinstance(reference, str) and reference in losses():
            return losses()[reference]
        if ":" not in str(reference):
            raise UnknownName("loss", reference, losses())
    found = LOSSES.find(reference)
    if not issubclass(found, SequenceLoss):
        raise EvorrnError(
            f"loss: expected a subclass of evorrn.losses.sequence.SequenceLoss, got {found.__name__}; only a loss of whole "
            "sequences can be given by its class or file"
        )
    return _made(found)


def reference_of(loss: Loss) -> str:
    """Return a text from which `find_loss` gives a loss again: its name, ``"file.py:name"`` or ``"module:name"``."""
    return LOSSES.reference(type(loss))


@functools.cache
def _made(kind: type[Loss]) -> Loss:
    return kind()
