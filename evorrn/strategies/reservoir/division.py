"""Which rows choose a penalty: blocks of a record held out in time order, or whole sequences held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Division:
    """Rows divided into pieces, some of which are predicted from others.

    Attributes
    ----------
    order : ndarray of int, shape (R,), or None
        The rows in the order of the pieces; None when they stay as they are.
    edges : list of int
        The first row of each piece in this order, and R.
    trials : list of (tuple of int, int)
        The pieces that a readout is fitted on, and the piece that it predicts.
    """

    order: np.ndarray | None
    edges: list[int]
    trials: list[tuple[tuple[int, ...], int]]

    @property
    def pieces(self) -> tuple[int, ...]:
        """The numbers of all pieces."""
        return tuple(range(len(self.edges) - 1))

    def rows(self, piece: int) -> slice:
        """Return the rows of a piece, in the order of the pieces."""
        return slice(self.edges[piece], self.edges[piece + 1])

    @property
    def held_out(self) -> np.ndarray:
        """The original indices of the predicted rows, in the order of the trials."""
        places = [np.arange(self.edges[piece], self.edges[piece + 1]) for _, piece in self.trials]
        together = np.concatenate(places) if places else np.zeros(0, np.int64)
        return together if self.order is None else self.order[together]


def undivided(rows: int) -> Division:
    """Return one piece of all rows, with nothing held out."""
    return Division(None, [0, rows], [])


def by_time(rows: int, held_out: float, blocks: int) -> Division:
    """Return the last rows in blocks, each predicted from all rows before it."""
    last = min(max(round(held_out * rows), 1), rows - 1)
    edges = [0, *np.unique(np.linspace(rows - last, rows, blocks + 1).round().astype(int)).tolist()]
    return Division(None, edges, [(tuple(range(piece)), piece) for piece in range(1, len(edges) - 1)])


def by_sequence(sequences: np.ndarray, classes: np.ndarray, held_out: float, blocks: int) -> Division:
    """Return whole sequences in blocks, each predicted from all other sequences.

    Parameters
    ----------
    sequences : ndarray of int, shape (R,)
        The sequence of each row, at least two of them.
    classes : ndarray of int, shape (B,)
        The class of each sequence; equal numbers where there are no classes.
    held_out : float
        Share of the sequences that is divided into blocks.
    blocks : int

    Notes
    -----
    The sequences of each class are shuffled and dealt to the blocks in turn, so that the classes have about the same
    shares in all blocks. The shuffle is the same for equal numbers of sequences.
    """
    present = np.unique(sequences)
    shuffled = present[np.random.default_rng(0).permutation(len(present))]
    dealt = shuffled[np.argsort(classes[shuffled], kind="stable")]
    hands = max(round(blocks / held_out), 2)
    hand = np.full(len(classes), hands)
    hand[dealt] = np.arange(len(dealt)) % hands
    block = np.where(hand < blocks, hand + 1, 0)[sequences]  # 0 for what is never held out
    order = np.argsort(block, kind="stable")
    counts = np.bincount(block, minlength=blocks + 1)
    counts = counts[counts > 0]
    pieces = range(len(counts))
    first = 0 if block.min() > 0 else 1
    trials = [(tuple(other for other in pieces if other != piece), piece) for piece in pieces[first:]]
    return Division(order, [0, *np.cumsum(counts).tolist()], trials)
