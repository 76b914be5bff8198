"""The memory of the machine, and the refusal of arrays that cannot fit into it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from evorrn.base.checks import is_whole
from evorrn.base.errors import ConfigError

UNKNOWN = 2**40
"""Bytes that are assumed where the system does not tell its memory."""
LIMIT = Path("/sys/fs/cgroup/memory.max")
"""Where Linux tells how much memory a container or a batch job may use."""


def installed() -> int:
    """Return the bytes of the machine's memory, or those that a container may use of it."""
    found = UNKNOWN
    with suppress(AttributeError, ValueError, OSError):
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(ValueError, OSError):  # the word "max" where there is no limit
        found = min(found, int(LIMIT.read_text()))
    return found


def excess(numbers: int, itemsize: int = 8) -> str:
    """Return how much memory so many numbers take and how much there is, empty where they fit.

    Examples
    --------
    >>> from evorrn.base.memory import excess
    >>> excess(1000)
    ''
    """
    wanted, there = numbers * itemsize, installed()
    return f"{gigabytes(wanted)} of memory, and this machine has {gigabytes(there)}" if wanted > there else ""


def whole_number(name: str, value: Any, numbers: int = 1) -> int:
    """Return a count of at least 1, for each of which `numbers` of 8 bytes must fit into the memory.

    Raises
    ------
    ConfigError
        When it is no whole number, less than 1, or needs more memory than there is.

    Examples
    --------
    >>> from evorrn.base.memory import whole_number
    >>> whole_number("steps", 20)
    20
    """
    if not is_whole(value) or value < 1:
        raise ConfigError(f"{name}: expected a whole number of at least 1, got {value!r}")
    too_large = excess(int(value) * numbers)
    if too_large:
        raise ConfigError(f"{name}: expected fewer, as {int(value):,} take {too_large}")
    return int(value)


def gigabytes(count: int) -> str:
    """Return a number of bytes in GiB, or in MiB where it is less than one.

    Examples
    --------
    >>> from evorrn.base.memory import gigabytes
    >>> gigabytes(3 * 2**29), gigabytes(2**28)
    ('1.5 GiB', '256 MiB')
    """
    size = count / 2**30
    return (
        f"{size:,.0f} GiB" if size >= 1000 else f"{size:.3g} GiB" if size >= 1 else f"{count / 2**20:.0f} MiB"
    )
