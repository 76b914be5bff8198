"""Strips: a group of operations on large arrays is computed for some entries of the first dimension, then for the next.

What one of them writes and the next one reads is then still in the fastest cache, and what only they read has memory
for one strip. Each number is computed as without strips, with the same bytes.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from evorrn.compile.graph import Node
from evorrn.compile.tensors import letters, numbers

LARGE = 2**11
"""Numbers of an array from which on it is worth while to compute it in strips."""

STRIP = 12288
"""About as many numbers of all arrays of a group are in a strip: half of the fastest cache, in float32."""

Sizes = tuple[int, ...]


class Cut(NamedTuple):
    """How an operation is divided.

    Attributes
    ----------
    size : int
        The entries of the first dimension of the result that has more than one.
    aligned : frozenset of int
        The operands of which a strip reads the same entries; of others it may read all.
    """

    size: int
    aligned: frozenset[int]


class Strip(NamedTuple):
    """Entries `start` to `stop` of the first dimension that has more than one."""

    start: int
    stop: int
    cut: Cut

    def of(self, sizes: Sizes) -> Sizes:
        """Return the sizes of what the strip has of an array."""
        axis = leading(sizes)
        return (*sizes[:axis], self.stop - self.start, *sizes[axis + 1 :])


def leading(sizes: Sequence[int]) -> int:
    """Return the first dimension with more than one entry."""
    return next((k for k, size in enumerate(sizes) if size > 1), 0)


def strides(sizes: Sequence[int]) -> list[int]:
    """Return the distances in rows of the entries along each dimension of an array."""
    found = [1]
    for size in reversed(sizes[1:]):
        found.insert(0, found[0] * size)
    return found[: len(sizes)]


# --- What can be divided ---------------------------------------------------------------------------------

WINDOWS = frozenset({"shift", "push", "pad", "slice"})
"""Operations that move entries along an axis; with the first axis a strip is a part of the whole operand."""


def window(op: str, form: str, size: int) -> tuple[int, int, int]:
    """Return what an operation along the first axis takes: entry k is entry ``k - moved`` of its operand, from low to high.

    Parameters
    ----------
    op, form : str
    size : int
        The entries of the result.
    """
    if op == "push":
        return 1, 1, size
    if op == "shift":
        moved = max(-size, min(size, numbers(form)[0]))
        return moved, max(moved, 0), size + min(moved, 0)
    _, start, stop, _ = numbers(form)
    return (start, start, stop) if op == "pad" else (-start, 0, size)


def cut_of_whole(node: Node, result: Sizes, operands: Sequence[Sizes]) -> Cut | None:
    """Return how an operation on whole arrays is divided; None for one that is not.

    Parameters
    ----------
    node : Node
    result : tuple of int
        The sizes of its dimensions.
    operands : sequence of tuple of int
        Those of its operands.
    """
    if max(result, default=1) == 1:
        return None
    axis = leading(result)
    size = result[axis]
    if node.op in ("contract", "reduce", "spread"):
        names, out = letters(node.form)
        aligned = set()
        for operand, own, sizes in zip(node.reads, names, operands):
            if out[axis] in own:
                if own.index(out[axis]) != leading(sizes):
                    return None
                aligned.add(operand)
        return None if _read_twice(node, aligned) else Cut(size, frozenset(aligned))
    if node.op in ("product", "others") and operands[0][0] == 1:
        return Cut(size, frozenset(node.operands))
    if axis == 0 and node.op in WINDOWS and _along_first(node):
        return Cut(size, frozenset())
    return None


def _along_first(node: Node) -> bool:
    """Return whether an operation that moves entries does so along the first axis of its result."""
    if node.op == "push":
        return True
    if node.op == "shift":
        return numbers(node.form)[1] == 0
    axis, _, _, drops = numbers(node.form)
    return axis == 0 and not (drops and node.op == "slice")


def _read_twice(node: Node, aligned: set[int]) -> bool:
    """Return whether one operand is read in two ways."""
    return len(set(node.reads)) < len(node.reads) and len(set(letters(node.form)[0])) > 1 and bool(aligned)


# --- Groups ----------------------------------------------------------------------------------------------


class Action(Protocol):
    """What reads and writes nodes, and how it is divided; None for what is not."""

    @property
    def reads(self) -> frozenset[int]:
        """The nodes that it reads."""

    @property
    def writes(self) -> frozenset[int]:
        """The nodes that it writes."""

    @property
    def cut(self) -> Cut | None:
        """How it is divided."""


A = TypeVar("A", bound=Action)


def in_order(actions: Sequence[A]) -> list[A]:
    """Return actions such that each comes after those whose results it reads, and otherwise in the order given."""
    writer = {node: k for k, action in enumerate(actions) for node in action.writes}
    waits = [
        {writer[node] for node in action.reads & writer.keys()} - {k} for k, action in enumerate(actions)
    ]
    readers: dict[int, list[int]] = {}
    for k, before in enumerate(waits):
        for other in before:
            readers.setdefault(other, []).append(k)
    ready, found = [k for k, before in enumerate(waits) if not before], []
    heapq.heapify(ready)
    while ready:
        done = heapq.heappop(ready)
        found.append(actions[done])
        for k in readers.get(done, ()):
            waits[k].remove(done)
            if not waits[k]:
                heapq.heappush(ready, k)
    assert len(found) == len(actions)
    return found


def grouped(actions: Sequence[A]) -> list[list[A]]:
    """Return the order of actions in which those that are computed strip by strip together are one group.

    Each action comes after those whose results it reads. A strip of a member of a group reads the same strip of what
    other members write, and nothing else of it.
    """
    actions = in_order(actions)
    writer = {node: k for k, action in enumerate(actions) for node in action.writes}
    level: list[int] = []
    for action in actions:
        before = [(writer[node], node) for node in action.reads if node in writer]
        level.append(max((level[k] + _apart(actions[k], action, node) for k, node in before), default=0))
    readers: dict[int, list[tuple[int, int]]] = {}
    for k, action in enumerate(actions):
        for node in action.reads & writer.keys():
            readers.setdefault(writer[node], []).append((k, node))
    for k in reversed(range(len(actions))):  # as late as can be, beside what reads it
        if actions[k].cut and k in readers:
            level[k] = min(level[r] - _apart(actions[k], actions[r], node) for r, node in readers[k])
    order: dict[tuple[int, bool, int], list[A]] = {}
    for k, action in enumerate(actions):
        key = (level[k], True, action.cut.size) if action.cut else (level[k], False, k)
        order.setdefault(key, []).append(action)
    return [order[key] for key in sorted(order)]


def _apart(before: Action, after: Action, node: int) -> int:
    """Return 1 where an action must come after the group of one that writes a node that it reads, else 0."""
    if before.cut is None:
        return 0
    together = after.cut is not None and after.cut.size == before.cut.size and node in after.cut.aligned
    return 0 if together else 1


def temporary(group: Sequence[Action], actions: Sequence[Action], given: Container[int]) -> dict[int, int]:
    """Return the nodes without a given place that a group alone reads, with the last member that needs each."""
    members = {id(action) for action in group}
    found = {node: k for k, action in enumerate(group) for node in action.writes if node not in given}
    for k, action in enumerate(group):
        found.update(dict.fromkeys(action.reads & found.keys(), k))
    for action in actions:
        if id(action) not in members:
            for node in action.reads & found.keys():
                del found[node]
    return found


def slots(
    group: Sequence[Action], last: Mapping[int, int], each: Mapping[int, int]
) -> tuple[dict[int, int], list[int]]:
    """Return the memory of temporary nodes; nodes that are not needed at the same time share it.

    Parameters
    ----------
    group : sequence of Action
    last : mapping of int to int
        The temporary nodes, with the last member that needs each.
    each : mapping of int to int
        The rows of one entry of each node.

    Returns
    -------
    slot : dict of int to int
        The number of the memory of each node.
    rows : list of int
        The rows of one entry of each memory.
    """
    slot: dict[int, int] = {}
    rows: list[int] = []
    free: dict[int, list[int]] = {}
    for k, action in enumerate(group):
        for node in sorted(action.writes & last.keys()):
            waiting = free.setdefault(each[node], [])
            if not waiting:
                waiting.append(len(rows))
                rows.append(each[node])
            slot[node] = waiting.pop()
        for node in [node for node, end in last.items() if end == k]:
            free[each[node]].append(slot[node])
    return slot, rows


def bounds(size: int, numbers_each: int) -> list[tuple[int, int]]:
    """Return the first and last entry of each strip of a dimension, from the numbers of one of its entries."""
    count = -(-size // max(1, STRIP // numbers_each))
    ends = [size * k // count for k in range(count + 1)]
    return list(itertools.pairwise(ends))
