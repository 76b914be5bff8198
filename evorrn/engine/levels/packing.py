"""Levels are a matter of packing: nodes of one level of many sequences become the lanes of tiles.

The level of a step is one more than the highest level of its predecessors, 0 without any. The sequences of a batch are
divided into groups; a group is a list of tiles in the order of levels, each with nodes of one level. Tile 0 is empty
and stands for a predecessor that is absent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evorrn.data.batch import Batch
from evorrn.engine.listing.listing import LINK_LANES
from evorrn.engine.listing.walk import Base, base
from evorrn.kernels import machine

LEAF, FULL, MIXED = 0, 1, 2
"""Tiles whose nodes have no predecessor, all predecessors, or some."""

KINDS = tuple(range(6))
"""All kinds of tiles, see `parts_of`."""

NODES = 2048
"""Nodes of a group at least, where there is more than one for each of two threads."""

MOST_GROUPS = 64


def parts_of(kind: int) -> tuple[int, bool]:
    """Return the predecessors of a kind of tiles, and whether an input of its nodes is not zero: 2 and 1 in a sum."""
    return kind // 2, bool(kind % 2)


@dataclass(frozen=True, eq=False)
class Levels:
    """The places of the nodes of sequences in tiles.

    Attributes
    ----------
    groups, tiles, lanes : int
        Q groups of at most M tiles, with L lanes.
    sequence, step, group, tile, lane : ndarray of int64, shape (N,)
        Where each node is in the batch, and where in the tiles, in the order of sequences and steps.
    links : ndarray of int64, shape (Q, M, A, L)
        See `evorrn.engine.listing.links`.
    there : ndarray of bool, shape (Q, M, A, L)
        Whether there is a predecessor.
    kinds : ndarray of int64, shape (Q, M)
        The kind of each tile, see `parts_of`; -1 for tile 0 and behind the last tile of a group.
    """

    groups: int
    tiles: int
    lanes: int
    sequence: np.ndarray
    step: np.ndarray
    group: np.ndarray
    tile: np.ndarray
    lane: np.ndarray
    links: np.ndarray
    there: np.ndarray
    kinds: np.ndarray

    @classmethod
    def of(cls, inputs: np.ndarray, lengths: np.ndarray, links: np.ndarray, dtype: np.dtype) -> Levels:
        """Return the places for inputs (B, T, I), lengths (B,), links (B, T, A) and a dtype.

        They do not depend on the number of threads.
        """
        inside = np.arange(inputs.shape[1]) < lengths[:, None]
        sequence, step = np.nonzero(inside)
        level = _levels(links, inside)[sequence, step]
        has = links[sequence, step] >= 0
        reads = inputs[sequence, step].any(axis=1)
        count, groups = len(sequence), _groups(len(sequence), len(inputs))
        lanes = machine.lanes(dtype) * (2 if count >= 8 * groups * machine.lanes(dtype) else 1)
        group = sequence % groups
        order = np.lexsort((step, sequence, reads, has.all(axis=1), level, group))
        tile, lane = np.empty(count, np.int64), np.empty(count, np.int64)
        tile[order], lane[order] = _places(group[order], level[order], lanes)
        tiles = int(tile.max()) + 1
        whole = np.zeros(inside.shape, np.int64)
        whole[sequence, step] = tile * LINK_LANES + lane
        shape = (groups, tiles, links.shape[2], lanes)
        packed, there = np.zeros(shape, np.int64), np.zeros(shape, bool)
        found = whole[sequence[:, None], np.maximum(links[sequence, step], 0)]
        packed[group, tile, :, lane] = np.where(has, found, 0)
        there[group, tile, :, lane] = has

        at = group * tiles + tile
        nodes, some, every, read = (
            np.bincount(at[wanted], minlength=groups * tiles).reshape(groups, tiles)
            for wanted in (level >= 0, has.any(axis=1), has.all(axis=1), reads)
        )
        predecessors = np.where(some == 0, LEAF, np.where(every == nodes, FULL, MIXED))
        kinds = np.where(nodes > 0, 2 * predecessors + (read > 0), -1)
        return cls(groups, tiles, lanes, sequence, step, group, tile, lane, packed, there, kinds)

    def pack(self, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Return an array (B, T, K) as (Q, M, K, L), with zeros in empty lanes."""
        packed = np.zeros((self.groups, self.tiles, array.shape[2], self.lanes), dtype)
        packed[self.group, self.tile, :, self.lane] = array[self.sequence, self.step]
        return packed

    def unpack(self, packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return an array (Q, M, K, L) as (B, T, K), a shape that is given; zero beyond the sequences' lengths."""
        array = np.zeros(shape, packed.dtype)
        array[self.sequence, self.step] = packed[self.group, self.tile, :, self.lane]
        return array

    @cached_property
    def used(self) -> tuple[int, ...]:
        """The kinds of its tiles."""
        return tuple(int(kind) for kind in np.unique(self.kinds) if kind >= 0)


@dataclass(frozen=True, eq=False)
class PackedLevels:
    """Sequences packed into the tiles of `Levels`.

    Attributes
    ----------
    levels : Levels
    x : ndarray, shape (Q, M, I, L)
    there : ndarray, shape (Q, M, A, L)
        1 where there is a predecessor, else 0.
    targets : ndarray, shape (Q, M, O, L), or (Q, M, 1, L) of labels
    weights : ndarray, shape (Q, M, L)
        1 where a node is scored, else 0.
    """

    levels: Levels
    x: np.ndarray
    there: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    @cached_property
    def bases(self) -> dict[str, Base]:
        """Where the arrays are, for a listing."""
        arrays = {name: getattr(self, name) for name in ("x", "there", "targets", "weights")}
        return {name: base(array, "q") for name, array in {**arrays, "links": self.levels.links}.items()}


def pack(
    levels: Levels,
    inputs: np.ndarray,
    dtype: np.dtype,
    targets: np.ndarray | None = None,
    scored: np.ndarray | None = None,
) -> PackedLevels:
    """Return packed sequences; the parameters are those of `evorrn.engine.packing.pack`."""
    if targets is None or scored is None:
        targets, scored = np.zeros((*inputs.shape[:2], 1)), np.zeros(inputs.shape[:2], bool)
    columns = targets[:, :, None] if targets.ndim == 2 else targets
    truth = levels.pack(np.where(scored[:, :, None], columns, 0), dtype)
    weights = np.ascontiguousarray(levels.pack(scored[:, :, None], dtype)[:, :, 0])
    return PackedLevels(levels, levels.pack(inputs, dtype), levels.there.astype(dtype), truth, weights)


def packed_batch(batch: Batch, dtype: np.dtype) -> PackedLevels:
    """Return a packed batch; the batch keeps it, so that it is packed once for each dtype."""
    key = ("levels", dtype.str)
    if key not in batch.packed:
        assert batch.lengths is not None and batch.links is not None
        levels = Levels.of(batch.inputs, batch.lengths, batch.links, dtype)
        whole = batch.whole  # targets of whole sequences belong to no node
        scored = None if whole else batch.scored
        batch.packed[key] = pack(levels, batch.inputs, dtype, None if whole else batch.targets, scored)
    return batch.packed[key]


def nodes_of_kinds(batch: Batch) -> Counter[int]:
    """Return how many nodes of each kind a batch has, counted one by one: those of a tile may be of several kinds."""
    assert batch.links is not None and batch.lengths is not None
    inside = np.arange(batch.steps) < batch.lengths[:, None]
    has = batch.links[inside] >= 0
    predecessors = np.where(has.all(axis=1), FULL, np.where(has.any(axis=1), MIXED, LEAF))
    return Counter((2 * predecessors + batch.inputs[inside].any(axis=1)).tolist())


def _levels(links: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the level of each step (B, T); links go to earlier steps."""
    rows = np.arange(len(links))[:, None]
    level = np.zeros(inside.shape, np.int64)
    for t in range(inside.shape[1]):
        to = links[:, t]
        below = np.where(to >= 0, level[rows, np.maximum(to, 0)] + 1, 0)
        level[:, t] = below.max(axis=1, initial=0)
    return level


def _groups(nodes: int, sequences: int) -> int:
    """Return the number of groups: a power of two, at least two where there are two sequences."""
    wanted = min(MOST_GROUPS, max(2, nodes // NODES), sequences)
    return 1 << (wanted.bit_length() - 1)


def _places(group: np.ndarray, level: np.ndarray, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return tile and lane of nodes that are sorted by group and level; each level of a group begins a tile."""
    new = np.ones(len(group), bool)
    new[1:] = (group[1:] != group[:-1]) | (level[1:] != level[:-1])
    first = np.flatnonzero(new)  # of each level of a group
    counts = np.diff(np.append(first, len(group)))
    within = np.arange(len(group)) - np.repeat(first, counts)
    filled = -(-counts // lanes)
    before = np.cumsum(filled) - filled
    starts = np.flatnonzero(np.append(True, np.diff(group[first]) != 0))  # the first level of each group
    before -= np.repeat(before[starts], np.diff(np.append(starts, len(first))))
    return 1 + np.repeat(before, counts) + within // lanes, within % lanes
