"""A listing: rows of numbers in sections, each row a kernel with the places that it works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from evorrn.engine.listing.kernel import Kernel

TIME, STEP = 0, 1
"""The clocks of a place: the time step t, and the step k within a segment."""

VALUE, SCRATCH, NUMBERS = "value", "scratch", "numbers"
"""Bases that every listing has: nothing, the memory of a thread, and constants and numeric options."""

LINK_LANES = 256
"""A link names a lane of a tile by ``tile * LINK_LANES + lane``: more lanes than any tile has."""


class Place(NamedTuple):
    """Where an operand of a kernel is: ``base + offset + ((clock + shift) & mask) * stride``, counted in numbers.

    Attributes
    ----------
    base : str
        The array; the walk receives its address.
    offset : int
    stride : int
        Distance of two successive time steps.
    shift : int
        1 for the following time step.
    mask : int
        0 for a tile that does not move, 1 for two tiles used in turn, n - 1 for a ring of n tiles, -1 for a series.
    clock : int
        `TIME` or `STEP`.
    name : str
        A name for readers.
    """

    base: str
    offset: int = 0
    stride: int = 0
    shift: int = 0
    mask: int = 0
    clock: int = TIME
    name: str = ""

    def later(self, steps: int = 1) -> Place:
        """Return the place some time steps later."""
        return self._replace(shift=self.shift + steps)

    def from_row(self, count: int) -> Place:
        """Return the place behind the first `count` numbers."""
        return self._replace(offset=self.offset + count, name=f"{self.name}_from_{count}")


class Table(NamedTuple):
    """Places and numbers that a kernel finds one after the other among the addresses."""

    entries: tuple[Place | int, ...]


Operand = Place | Table | int | None
"""An operand of a kernel: a place, a table, a number, or None for a place that is absent."""


Text = str | Callable[[], str]
"""A text, or a function that writes it: most listings are never read."""


class Row(NamedTuple):
    """A row: a kernel, its operands, and the equation that it computes."""

    kernel: Kernel
    operands: tuple[Operand, ...]
    equation: Text


class Code(NamedTuple):
    """A listing as numbers, for the walk; valid in this process.

    Attributes
    ----------
    rows : ndarray of int64
        Rows one after the other: address of the kernel, length of the row, operands. That of a place is its index
        among the addresses, that of a table the index of its first entry.
    sections : ndarray of int64, shape (S, 4)
        First and last number of each section in `rows`, and its first and last row of `moves`.
    moves : ndarray of int64, shape (M, 5)
        The addresses that change in time, by section: index, clock, shift, mask, and stride in bytes.
    places : ndarray of int64, shape (N, 2)
        Base, and offset in bytes, of each address.
    """

    rows: np.ndarray
    sections: np.ndarray
    moves: np.ndarray
    places: np.ndarray


class _Addresses:
    """The places of a listing, in the order of their addresses."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._first: dict[Place | Table, int] = {}

    def index(self, operand: Place | Table) -> int:
        """Return the index of a place, or of the first entry of a table."""
        if operand not in self._first:
            self._first[operand] = len(self.places)
            entries = operand.entries if isinstance(operand, Table) else (operand,)
            self.places += [e if isinstance(e, Place) else Place(VALUE, e) for e in entries]
        return self._first[operand]

    def moving(self, operand: Place | Table) -> list[int]:
        """Return the indices of the addresses of an operand that change in time."""
        first = self.index(operand)
        count = len(operand.entries) if isinstance(operand, Table) else 1
        return [index for index in range(first, first + count) if self.places[index].mask]


class Listing:
    """A listing that is being written.

    Parameters
    ----------
    lanes : int
        Lanes of a tile.
    bases : sequence of str
        The names of its arrays besides `SCRATCH` and `NUMBERS`.

    Attributes
    ----------
    size : dict of str to int
        The numbers that a base must hold, of those whose memory the listing divides (see `room`).
    """

    def __init__(self, lanes: int, bases: Sequence[str]) -> None:
        self.lanes = lanes
        self.bases = (VALUE, SCRATCH, NUMBERS, *bases)
        self.size = dict.fromkeys(self.bases, 0)
        self.sections: dict[str, list[Row]] = {}
        self._rows: list[Row] = []

    def room(self, count: int, base: str = SCRATCH) -> int:
        """Return the offset of memory for `count` numbers, rounded up to whole rows of lanes."""
        start = self.size[base]
        self.size[base] += -(-count // self.lanes) * self.lanes
        return start

    def tile(self, rows: int, name: str) -> Place:
        """Return a new tile of scratch memory."""
        return Place(SCRATCH, self.room(rows * self.lanes), name=name)

    def slots(self, rows: int, name: str) -> Place:
        """Return two new tiles of scratch memory that are used in turn."""
        size = rows * self.lanes
        return Place(SCRATCH, self.room(2 * size), size, mask=1, name=name)

    def row(self, kernel: Kernel, *operands: Operand, equation: Text = "") -> None:
        """Add a row."""
        self._rows.append(Row(kernel, operands, equation))

    def section(self, name: str) -> None:
        """Make the rows added since the last section a section."""
        self.sections[name], self._rows = self._rows, []

    def code(self, dtype: np.dtype) -> Code:
        """Return the numbers of the listing; kernels that this machine has never needed are compiled."""
        addresses, size = _Addresses(), dtype.itemsize
        rows: list[int] = []
        sections: list[tuple[int, ...]] = []
        moves: list[tuple[int, ...]] = []
        for section in self.sections.values():
            start, first_move = len(rows), len(moves)
            moving: dict[int, None] = {}
            for kernel, operands, _ in section:
                rows += [kernel.address(dtype), len(operands) + 2]
                for operand in operands:
                    if isinstance(operand, Place | Table):
                        moving.update(dict.fromkeys(addresses.moving(operand)))
                        rows.append(addresses.index(operand))
                    else:
                        rows.append(-1 if operand is None else operand)
            for index in moving:
                place = addresses.places[index]
                moves.append((index, place.clock, place.shift, place.mask, place.stride * size))
            sections.append((start, len(rows), first_move, len(moves)))
        table = [
            (self.bases.index(place.base), place.offset * (1 if place.base == VALUE else size))
            for place in addresses.places
        ]
        return Code(
            np.array(rows, np.int64),
            np.array(sections, np.int64).reshape(-1, 4),
            np.array(moves, np.int64).reshape(-1, 5),
            np.array(table, np.int64).reshape(-1, 2),
        )

    def text(self) -> str:
        """Return the listing for readers: a call for each row, under the equation that it computes."""
        lines: list[str] = []
        for name, rows in self.sections.items():
            lines += ["", f"def {name}():"]
            for kernel, operands, equation in rows:
                written = equation if isinstance(equation, str) else equation()
                lines += [f"    # {written}"] if written else []
                shown = [_shown(operand) for operand in operands]
                lines.append(f"    {kernel.name}({', '.join(shown)})")
            lines += [] if rows else ["    pass"]
        return "\n".join(lines)


def _shown(operand: Operand) -> str:
    if isinstance(operand, Table):
        return f"({', '.join(map(_shown, operand.entries))})"
    if not isinstance(operand, Place):
        return str(operand)
    name = operand.name or operand.base
    if not operand.mask:
        return name
    moment = "tk"[operand.clock] + (f" + {operand.shift}" if operand.shift else "")
    return f"{name}[{moment}]"
