"""Metrics of the labels of whole sequences, which have no time of their own: decoded ones beside the true ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from evorrn.base.errors import UnknownName

SequenceMetric = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], float]


def edits(decoded: np.ndarray, truth: np.ndarray) -> int:
    """Return the edit distance: the fewest insertions, deletions and replacements that make one row of labels the other.

    Source: Levenshtein 1966.

    Examples
    --------
    >>> import numpy as np
    >>> edits(np.array([1, 2, 3, 4]), np.array([2, 3, 5, 4, 4]))
    3
    """
    places = np.arange(len(truth) + 1)
    row = places
    for label in decoded:
        changed = np.minimum(row[:-1] + (truth != label), row[1:] + 1)
        ahead = np.concatenate([[row[0] + 1], changed])
        row = np.minimum.accumulate(ahead - places) + places  # insertions cost one each
    return int(row[-1])


def edit_distance(decoded: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> float:
    """Return the mean over sequences of the edit distance between decoded and true labels, see `edits`."""
    return float(np.mean([edits(*pair) for pair in zip(decoded, truth, strict=True)]))


def label_error_rate(decoded: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> float:
    """Return the sum of the edit distances divided by the number of true labels; NaN where there are none.

    Source: Graves, Fernández, Gomez and Schmidhuber 2006, section 2.1.
    """
    labels = sum(map(len, truth))
    return edit_distance(decoded, truth) * len(truth) / labels if labels else math.nan


def _same_labels(decoded: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> float:
    """Return the share of sequences whose decoded labels are the true ones."""
    return float(np.mean([np.array_equal(*pair) for pair in zip(decoded, truth, strict=True)]))


def token_accuracy(decoded: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> float:
    """Return the share of places at which decoded and true labels are the same.

    A row has as many places as the longer of the two, so that missing labels and labels too many are wrong. NaN where there are
    no places.

    Examples
    --------
    >>> import numpy as np
    >>> token_accuracy([np.array([1, 2, 3]), np.array([4])], [np.array([1, 5, 3]), np.array([4, 4])])
    0.6
    """
    pairs = list(zip(decoded, truth, strict=True))
    places = sum(max(len(row), len(true)) for row, true in pairs)
    right = 0
    for row, true in pairs:
        common = min(len(row), len(true))
        right += int((np.asarray(row)[:common] == np.asarray(true)[:common]).sum())
    return right / places if places else math.nan


SEQUENCE_METRICS: dict[str, SequenceMetric] = {
    "edit_distance": edit_distance,
    "label_error_rate": label_error_rate,
    "exact_match": _same_labels,
    "token_accuracy": token_accuracy,
}
"""Metrics of the labels of whole sequences, from those that are decoded and the true ones."""


def evaluate_sequences(
    names: Iterable[str], decoded: Sequence[np.ndarray], truth: Sequence[np.ndarray]
) -> dict[str, float]:
    """Return every named metric of the decoded labels of sequences; raise UnknownName for a name that is no metric."""
    result = {}
    for name in names:
        if name not in SEQUENCE_METRICS:
            raise UnknownName("metric", name, SEQUENCE_METRICS)
        result[name] = SEQUENCE_METRICS[name](decoded, truth)
    return result
