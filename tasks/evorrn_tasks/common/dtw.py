"""The nearest neighbour of a sequence by dynamic time warping, which compares sequences that run at different speeds."""

from __future__ import annotations

import numpy as np

from evorrn.data.batch import Batch
from evorrn.kernels.deferred import cached


def nearest(queries: Batch, known: Batch, band: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of the nearest known sequence of each query, and the distance to it, shape (B,) both.

    The distance is the least sum of squared differences of inputs along a path that pairs the steps of two sequences in
    their order, begins with the first and ends with the last steps of both. All inputs are warped together.

    Parameters
    ----------
    queries, known : Batch
        Of as many inputs; their sequences may have different lengths.
    band : float
        How far apart the steps of a pair may be, as a share of the longer sequence, from 0 to 1; at least the difference of
        the two lengths. With 0, sequences of one length are compared step by step.

    Returns
    -------
    tuple of ndarray
        Of known sequences at equal distance the first is taken.

    Source: Sakoe and Chiba 1978 (band and symmetric path without weights); several inputs as "dependent" warping in
    Shokoohi-Yekta et al. 2017. Deviation: the sum is not divided by the length of the path, nor is its root taken.
    """
    values = [np.ascontiguousarray(batch.inputs, dtype=np.float64) for batch in (queries, known)]
    assert queries.lengths is not None and known.lengths is not None
    places, distances = _nearest(values[0], queries.lengths, values[1], known.lengths, float(band))
    return places, distances


@cached
def distance(left: np.ndarray, right: np.ndarray, width: int, limit: float) -> float:
    """Return the distance of two sequences (T, I) and (S, I); infinity as soon as it cannot be below `limit`.

    The steps of a pair are at most `width` apart, or the difference of the lengths where that is more.
    """
    rows, columns, inputs = len(left), len(right), left.shape[1]
    width = max(width, abs(rows - columns))
    above, here = np.full(columns + 1, np.inf), np.full(columns + 1, np.inf)
    above[0] = 0.0
    for row in range(rows):
        here[:] = np.inf
        least = np.inf
        for column in range(max(0, row - width), min(columns, row + width + 1)):
            cost = 0.0
            for place in range(inputs):
                difference = left[row, place] - right[column, place]
                cost += difference * difference
            cost += min(above[column], above[column + 1], here[column])
            here[column + 1] = cost
            least = min(least, cost)
        if least >= limit:
            return np.inf
        above, here = here, above
    return float(above[columns])


@cached
def _nearest(
    queries: np.ndarray, query_lengths: np.ndarray, known: np.ndarray, known_lengths: np.ndarray, band: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of and the distance to the nearest of sequences (B, T, I) for each query."""
    places = np.zeros(len(queries), dtype=np.int64)
    distances = np.full(len(queries), np.inf)
    for query in range(len(queries)):
        own = queries[query, : query_lengths[query]]
        for other in range(len(known)):
            longer = max(query_lengths[query], known_lengths[other])
            width = int(np.floor(band * longer + 1e-9))
            found = distance(own, known[other, : known_lengths[other]], width, distances[query])
            if found < distances[query]:
                distances[query], places[query] = found, other
    return places, distances
