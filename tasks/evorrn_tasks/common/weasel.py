"""A bag of patterns: how often words of Fourier coefficients occur in a sequence, and a logistic regression on these counts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

LENGTHS = (4, 8, 16, 32)
"""Steps of the windows; those that are longer than the shortest training sequence are left out."""
COEFFICIENTS = 4
"""Real numbers of a word: real and imaginary parts of the first Fourier coefficients behind the mean."""
LETTERS = 4
KEPT = 1.0
"""Words whose chi-squared statistic is smaller are left out, see `Bag`."""


class Bag:
    """The words of training sequences, and the logits of classes that a logistic regression on their counts gives.

    Every window of every length in each input is a word: its first Fourier coefficients, each replaced by its quarter among those
    of the training windows. The mean of a window is not part of the word. The counts of words whose chi-squared statistic with the
    classes is at least `KEPT` are the features of the regression.

    Parameters
    ----------
    sequences : sequence of ndarray, shape (T, I)
    labels : ndarray of int, shape (N,)
    classes : int

    Source: Schäfer and Leser 2017, "Fast and accurate time series classification with WEASEL". Deviations: the first coefficients
    in place of those that an F test chooses, quarters in place of bins by information gain, no pairs of words, and counts under a square
    root.
    """

    def __init__(self, sequences: Sequence[np.ndarray], labels: np.ndarray, classes: int) -> None:
        from sklearn.feature_selection import chi2
        from sklearn.linear_model import LogisticRegression

        self.classes = classes
        shortest = min(map(len, sequences))
        self.lengths = [length for length in LENGTHS if length <= shortest] or [shortest]
        self.edges = {}
        for key in [(length, place) for length in self.lengths for place in range(sequences[0].shape[1])]:
            found = np.concatenate([_coefficients(x[:, key[1]], key[0]) for x in sequences])
            self.edges[key] = np.quantile(found, np.arange(1, LETTERS) / LETTERS, axis=0)
        bags = [self._words(x) for x in sequences]
        self.places = {word: place for place, word in enumerate(sorted({w for bag in bags for w in bag}))}
        counts = self._counts(bags)
        statistic = np.nan_to_num(chi2(counts, labels)[0])
        self.kept = np.flatnonzero(statistic >= min(KEPT, statistic.max()))
        self.model = LogisticRegression(max_iter=1000, C=1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of steps that did not converge
            self.model.fit(np.sqrt(counts[:, self.kept]), labels)

    def logits(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Return the log probabilities of the classes (N, classes); about -23 for a class that training has not."""
        shown = np.sqrt(self._counts([self._words(x) for x in sequences])[:, self.kept])
        found = np.full((len(sequences), self.classes), 1e-10)
        found[:, self.model.classes_] = np.maximum(self.model.predict_proba(shown), 1e-10)
        return np.log(found)

    def _words(self, x: np.ndarray) -> dict[tuple[int, int, int], int]:
        """Return how often each word occurs in a sequence (T, I), by length of window, input and number of the word."""
        found: dict[tuple[int, int, int], int] = {}
        for (length, place), edges in self.edges.items():
            letters = (_coefficients(x[:, place], length)[:, None] > edges).sum(axis=1)
            numbers, counts = np.unique(letters @ LETTERS ** np.arange(letters.shape[1]), return_counts=True)
            found |= {
                (length, place, number): count for number, count in zip(numbers.tolist(), counts.tolist())
            }
        return found

    def _counts(self, bags: Sequence[dict[tuple[int, int, int], int]]) -> np.ndarray:
        """Return the counts of the known words, (N, words)."""
        counts = np.zeros((len(bags), len(self.places)))
        for row, bag in zip(counts, bags):
            for word, count in bag.items():
                if word in self.places:
                    row[self.places[word]] = count
        return counts


def _coefficients(x: np.ndarray, length: int) -> np.ndarray:
    """Return the first Fourier coefficients (windows, numbers) of all windows of a series (T,); none if it is shorter."""
    count = min(COEFFICIENTS, 2 * (length // 2))
    if len(x) < length:
        return np.zeros((0, max(count, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(x, length)
    if length < 2:
        return windows
    found = np.fft.rfft(windows, axis=1)[:, 1:]
    return np.stack([found.real, found.imag], axis=2).reshape(len(windows), -1)[:, :count]
