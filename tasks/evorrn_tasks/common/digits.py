"""Pictures of digits: seven segments at a random place with noise, or handwriting."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from evorrn.base.files import read_arrays
from evorrn_tasks.common.draws import generator

DRAWN, HANDWRITTEN = "drawn", "handwritten"
SEGMENTS = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
"""The segments of each digit: a top, b and c right, d bottom, e and f left, g middle."""
HEIGHT, WIDTH = 5, 3
"""Pixels of a digit of segments."""
SIDE, GREYS = 8, 16
"""Pixels of a side of a handwritten digit, and the value of a black one."""
HANDWRITING = 1797
"""Pictures of handwritten digits."""
PATH = Path(__file__).parent.parent / "data" / "digits.npz"


def drawing(digit: int) -> np.ndarray:
    """Return the pixels (5, 3) of a digit."""
    pixels = np.zeros((HEIGHT, WIDTH))
    strokes: dict[str, tuple[int | slice, int | slice]] = {
        "a": (0, slice(None)),
        "b": (slice(0, 3), 2),
        "c": (slice(2, 5), 2),
        "d": (4, slice(None)),
        "e": (slice(2, 5), 0),
        "f": (slice(0, 3), 0),
        "g": (2, slice(None)),
    }
    for segment in SEGMENTS[digit]:
        pixels[strokes[segment]] = 1
    return pixels


def drawn(
    rng: np.random.Generator, count: int, rows: int, columns: int, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (count, rows, columns) of 0 and 1, each of one digit at a random place, and the digits (count,)."""
    digits = rng.integers(0, 10, count)
    pictures = np.zeros((count, rows, columns))
    for picture, digit in zip(pictures, digits):
        top, left = rng.integers(rows - HEIGHT + 1), rng.integers(columns - WIDTH + 1)
        picture[top : top + HEIGHT, left : left + WIDTH] = drawing(int(digit))
    return np.where(rng.random(pictures.shape) < noise, 1 - pictures, pictures), digits


def handwritten(seed: int, counts: tuple[int, int, int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return pictures (count, 8, 8) from 0 to 1 and their digits (count,) for each count, drawn without repetition."""
    pictures, labels = _handwriting()
    order = generator(seed).permutation(len(labels))
    ends = np.cumsum(counts)
    parts = [order[end - count : end] for end, count in zip(ends, counts)]
    return [(pictures[part], labels[part]) for part in parts]


def handwriting_problems(counts: tuple[int, int, int]) -> list[str]:
    """Return a sentence when more handwritten digits are asked for than there are."""
    if sum(counts) <= HANDWRITING:
        return []
    return [
        f"train, valid, test: expected at most {HANDWRITING} handwritten digits together, got {sum(counts)}"
    ]


@cache
def _handwriting() -> tuple[np.ndarray, np.ndarray]:
    arrays = read_arrays(PATH)
    return arrays["pictures"] / GREYS, arrays["labels"].astype(np.int64)


def pixel_bayes(shown: tuple[np.ndarray, np.ndarray], asked: np.ndarray) -> np.ndarray:
    """Return logits (B, T, 10) of naive Bayes over the pixels read so far, each at its place, with one count added.

    Parameters
    ----------
    shown : tuple of ndarray
        Training pixels (N, T, K), those above one half counted as 1, and labels (N,).
    asked : ndarray, shape (B, T, K)
    """
    train, labels = shown
    dark = asked > 0.5
    logits = np.zeros((*asked.shape[:2], 10))
    for label in range(10):
        mine = train[labels == label] > 0.5
        on = (mine.sum(axis=0) + 1) / (len(mine) + 2)
        share = np.log(max(float((labels == label).mean()), 0.5 / len(labels)))
        terms = np.where(dark, np.log(on), np.log(1 - on)).sum(axis=2)
        logits[:, :, label] = share + np.cumsum(terms, axis=1)
    return logits
