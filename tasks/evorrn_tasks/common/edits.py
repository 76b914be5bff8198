"""The nearest texts: those with the fewest insertions, deletions and replacements of characters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evorrn.kernels.deferred import cached


def nearest_texts(asked: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return for each text asked the place of the known one with the smallest edit distance, the first of several."""
    first, first_lengths = _codes(asked)
    second, second_lengths = _codes(known)
    return [int(place) for place in _nearest(first, first_lengths, second, second_lengths)]


def _codes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of characters, (B, T), and the lengths (B,)."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    codes = np.zeros((len(texts), max(int(lengths.max()), 1)), dtype=np.int32)
    for row, text in zip(codes, texts):
        row[: len(text)] = [ord(character) for character in text]
    return codes, lengths


@cached
def _nearest(
    asked: np.ndarray, asked_lengths: np.ndarray, known: np.ndarray, known_lengths: np.ndarray
) -> np.ndarray:
    """Return the place (B,) of the nearest known row for each row asked.

    Source: Wagner and Fischer 1974, "The string-to-string correction problem".
    """
    found = np.zeros(len(asked), dtype=np.int64)
    costs = np.zeros(known.shape[1] + 1, dtype=np.int64)
    for row in range(len(asked)):
        best = asked.shape[1] + known.shape[1] + 1
        for other in range(len(known)):
            length = known_lengths[other]
            if abs(length - asked_lengths[row]) >= best:
                continue
            for place in range(length + 1):
                costs[place] = place
            for step in range(asked_lengths[row]):
                diagonal, costs[0] = costs[0], step + 1
                for place in range(length):
                    change = diagonal + (asked[row, step] != known[other, place])
                    diagonal = costs[place + 1]
                    costs[place + 1] = min(change, diagonal + 1, costs[place] + 1)
            if costs[length] < best:
                best, found[row] = costs[length], other
    return found
