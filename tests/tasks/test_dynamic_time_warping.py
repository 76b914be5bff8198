"""Dynamic time warping against its recursive definition, and the nearest neighbour against a search through all."""

from functools import cache

import numpy as np
import pytest

import evorrn
from evorrn_tasks.common.dtw import distance, nearest


def recursive(left, right, width):
    """Return the distance by the plain recursion on pairs of steps."""
    width = max(width, abs(len(left) - len(right)))

    @cache
    def cost(row, column):
        if row < 0 and column < 0:
            return 0.0
        if row < 0 or column < 0 or abs(row - column) > width:
            return np.inf
        before = min(cost(row - 1, column), cost(row, column - 1), cost(row - 1, column - 1))
        return float(np.sum((left[row] - right[column]) ** 2)) + before

    return cost(len(left) - 1, len(right) - 1)


@pytest.mark.parametrize("lengths", [(1, 1), (1, 6), (7, 1), (8, 8), (12, 5), (5, 13)])
@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize("width", [0, 1, 4, 100])
def test_the_distance_is_that_of_the_recursion(lengths, inputs, width):
    rng = np.random.default_rng(sum(lengths) + width)
    left, right = (rng.normal(size=(length, inputs)) for length in lengths)
    wanted = recursive(left, right, width)
    assert distance(left, right, width, np.inf) == pytest.approx(wanted, abs=1e-12)
    assert distance(right, left, width, np.inf) == pytest.approx(wanted, abs=1e-12)
    assert distance(left, right, width, wanted * 1.001 + 1e-9) == pytest.approx(wanted, abs=1e-12)
    assert distance(left, right, width, wanted * 0.999) in (np.inf, pytest.approx(wanted, abs=1e-12))


def test_a_band_of_zero_compares_step_by_step_and_a_wide_band_removes_a_delay():
    left = np.array([0.0, 0, 1, 2, 1, 0, 0, 0])[:, None]
    right = np.roll(left, 2)
    assert distance(left, right, 0, np.inf) == np.sum((left - right) ** 2) == 10
    assert distance(left, right, 1, np.inf) > 0
    assert distance(left, right, 2, np.inf) == 0


@pytest.mark.parametrize("band", [0.0, 0.1, 0.35, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_nearest_of_ragged_sequences_is_found(band, dtype):
    rng = np.random.default_rng(4)
    batches = []
    for size in (9, 14):
        lengths = rng.integers(1, 12, size)
        inputs = rng.normal(size=(size, 11, 2)).astype(dtype)
        inputs[np.arange(11) >= lengths[:, None]] = np.nan  # beyond the end there may be anything
        batches.append(evorrn.Batch(inputs, np.zeros(size, dtype=int), lengths=lengths))
    queries, known = batches
    places, distances = nearest(queries, known, band)
    for query, (place, found) in enumerate(zip(places, distances)):
        own = queries.inputs[query, : queries.lengths[query]].astype(float)
        all_of_them = []
        for other in range(known.size):
            theirs = known.inputs[other, : known.lengths[other]].astype(float)
            width = int(np.floor(band * max(len(own), len(theirs)) + 1e-9))
            all_of_them.append(recursive(own, theirs, width))
        assert place == np.argmin(all_of_them) and found == pytest.approx(min(all_of_them))


def test_of_equally_near_sequences_the_first_is_taken():
    known = evorrn.Batch(np.array([1.0, 0, 0])[:, None, None], np.array([0, 1, 2]))
    query = evorrn.Batch(np.zeros((1, 1, 1)), np.array([0]))
    assert nearest(query, known, 1.0)[0].tolist() == [1]
