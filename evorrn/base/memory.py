"""The memory of the machine, and the refusal of arrays that cannot fit into it."""

from __future__ import annotations

import os
from contextlib import suppress

UNKNOWN = 2**40
"""Bytes that are assumed where the system does not tell its memory."""


def installed() -> int:
    """Return the bytes of the machine's memory."""
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return UNKNOWN


def excess(numbers: int, itemsize: int = 8) -> str:
    """Return how much memory so many numbers take and how much there is, empty where they fit.

    Examples
    --------
    >>> from evorrn.base.memory import excess
    >>> excess(1000)
    ''
    """
    wanted, there = numbers * itemsize, installed()
    return (
        f"{_gigabytes(wanted)} of memory, and this machine has {_gigabytes(there)}" if wanted > there else ""
    )


def _gigabytes(count: int) -> str:
    return f"{count / 2**30:.3g} GiB"
