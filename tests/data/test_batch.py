"""Batch: its arguments, its attributes, and its errors."""

import itertools

import numpy as np
import pytest

from evorrn.base.errors import DataError, ShapeError
from evorrn.data.batch import Batch
from evorrn.network.network import Network

X = np.zeros((3, 4, 2))
Y = np.ones((3, 4, 1))


def test_defaults_score_every_step():
    batch = Batch(X, Y)
    assert (batch.size, batch.steps, batch.n_inputs, batch.n_outputs) == (3, 4, 2, 1)
    assert batch.scored.all() and batch.lengths.tolist() == [4, 4, 4]
    assert batch.moved_steps == 12 and not batch.labelled


def test_lengths_and_mask_decide_what_is_scored():
    mask = np.array([[0, 1, 1, 1]] * 3)
    batch = Batch(X, Y, mask=mask, lengths=[2, 4, 1])
    assert batch.scored.tolist() == [[False, True, False, False], [False, True, True, True], [False] * 4]
    assert batch.moved_steps == 7


def test_a_batch_is_shown_in_a_line():
    assert repr(Batch(X, Y)) == "Batch(3 sequences of up to 4 time steps: 2 inputs, 1 target)"
    assert repr(Batch([[1, 2]], [0])) == "Batch(1 sequence of up to 2 time steps: symbols, labels)"


def test_labels_of_each_step():
    batch = Batch(X, np.array([[0, 1, 2, 0]] * 3), lengths=[4, 4, 2])
    assert batch.labelled and batch.n_outputs == 3
    assert batch.targets.dtype == np.int64


def test_one_label_is_scored_at_the_last_step():
    batch = Batch(X, np.array([2, 0, 1], dtype=np.uint8), lengths=[4, 2, 1])
    assert batch.targets[batch.scored].tolist() == [2, 0, 1]
    assert np.argwhere(batch.scored).tolist() == [[0, 3], [1, 1], [2, 0]]


@pytest.mark.parametrize("outputs", [1, 3, 4, 5])
def test_floats_of_whole_sequences_are_scored_at_the_last_step_whatever_their_number(outputs):
    targets = np.arange(3.0 * outputs).reshape(3, outputs)
    batch = Batch(X, targets, lengths=[4, 1, 2])  # four time steps: (3, 4) could also be (B, T)
    assert batch.targets.shape == (3, 4, outputs) and batch.scored.sum() == 3
    assert np.array_equal(batch.targets[batch.scored], targets)
    assert np.array_equal(Batch(X[:, :1], targets).targets, targets[:, None])


def test_floats_without_their_last_axis_are_answered_with_how_to_give_it():
    network = Network(2, 1, cell="elman", hidden=2)
    with pytest.raises(ShapeError, match=r"expected 1 targets, got 4; .* so targets\[..., None\]"):
        network.fitness(network.init(seed=0)[None], Batch(X, Y[:, :, 0]))


def test_values_that_are_not_scored_or_beyond_a_length_may_be_nan():
    x, y = X.copy(), Y.copy()
    x[0, 3], y[0, 3], y[1, 0] = np.nan, np.inf, np.nan
    mask = np.ones((3, 4), dtype=bool)
    mask[1, 0] = False
    assert Batch(x, y, mask=mask, lengths=[3, 4, 4]).size == 3
    labels = np.zeros((3, 4), dtype=int)
    labels[0, 0] = -1
    mask[0, 0] = False
    assert Batch(X, labels, mask=mask).n_outputs == 1


def test_arrays_are_copies_that_cannot_be_written():
    x = X.copy()
    batch = Batch(x, Y)
    x[:] = 7
    assert (batch.inputs == 0).all()
    with pytest.raises(ValueError, match="read-only"):
        batch.inputs[0] = 1


def test_types_of_numbers():
    assert Batch(X.astype(np.float32), Y).inputs.dtype == np.float32
    assert Batch(X.astype(np.float16), Y).inputs.dtype == np.float64
    assert Batch(X.astype(int), Y.astype(bool)).targets.dtype == np.float64
    assert Batch(X.tolist(), Y.tolist()).inputs.shape == (3, 4, 2)


def test_take_keeps_the_order_of_the_indices():
    x = np.arange(24.0).reshape(3, 4, 2)
    mask = np.eye(3, 4, dtype=bool)
    batch = Batch(x, Y, mask=mask, lengths=[1, 2, 3]).take([2, 0, 2])
    assert np.array_equal(batch.inputs, x[[2, 0, 2]])
    assert batch.lengths.tolist() == [3, 1, 3]
    assert np.array_equal(batch.scored, mask[[2, 0, 2]])


def test_take_keeps_labels_at_the_last_step():
    batch = Batch(X, np.array([2, 0, 1]), lengths=[4, 2, 1]).take(np.array([1]))
    assert batch.targets[batch.scored].tolist() == [0]


@pytest.mark.parametrize(
    ("inputs", "targets", "options", "kind", "sentence"),
    [
        (X[0], Y, {}, ShapeError, "inputs: expected shape (B, T, I), or (B, T) of integers, got (4, 2)"),
        (X[:, :0], Y[:, :0], {}, ShapeError, "at least one sequence and step, got (3, 0, 2)"),
        (X, Y[:2], {}, ShapeError, "targets: expected shape (3, 4, O) or (3, O) of floats"),
        (X[:, 0], Y[:, :, 0], {}, ShapeError, "targets: expected shape (3, 4, O) of floats, or (3, 4)"),
        (X, Y[:, :, :0], {}, ShapeError, "got (3, 4, 0)"),
        ([[[1.0], [2.0]], [[1.0]]], Y, {}, ShapeError, "inputs: expected a rectangular array"),
        (X.astype(complex), Y, {}, ShapeError, "inputs: expected numbers, got dtype complex128"),
        (X.astype("U1"), Y, {}, ShapeError, "inputs: expected numbers, got dtype <U1"),
        (X, Y, {"mask": np.ones((3, 5))}, ShapeError, "mask: expected shape (3, 4), got (3, 5)"),
        (X, Y, {"mask": np.full((3, 4), 0.5)}, ShapeError, "mask: expected booleans"),
        (X, Y, {"mask": np.zeros((3, 4))}, DataError, "mask: expected at least one scored step"),
        (X, Y, {"lengths": [4, 4]}, ShapeError, "lengths: expected 3 integers, got (2,)"),
        (X, Y, {"lengths": [4.0, 4.0, 4.0]}, ShapeError, "lengths: expected 3 integers"),
        (X, Y, {"lengths": [0, 4, 4]}, ShapeError, "lengths: expected values from 1 to 4, got 0 to 4"),
        (X, Y, {"lengths": [5, 4, 4]}, ShapeError, "lengths: expected values from 1 to 4, got 4 to 5"),
        (X, np.full((3, 4), -1), {}, DataError, "targets: expected labels from 0 on, got -1"),
        (np.where(np.arange(24).reshape(3, 4, 2) == 13, np.nan, X), Y, {}, DataError, "got nan at (1, 2, 1)"),
        (X, np.where(np.arange(12).reshape(3, 4, 1) == 6, np.inf, Y), {}, DataError, "got inf at (1, 2, 0)"),
    ],
)
def test_wrong_arguments_raise_errors(inputs, targets, options, kind, sentence):
    with pytest.raises(kind) as error:
        Batch(inputs, targets, **options)
    assert sentence in str(error.value)


@pytest.mark.parametrize("name", ["inputs", "targets", "mask", "lengths"])
def test_masked_arrays_are_refused_where_an_entry_is_masked(name):
    """The value below a mask is a fill value, on which a network would be trained without a word."""
    given = {"inputs": X, "targets": Y, "mask": np.ones((3, 4), bool), "lengths": np.array([4, 2, 3])}
    masked = np.ma.array(given[name], mask=np.zeros(given[name].shape, bool))
    Batch(**{**given, name: masked})
    masked.mask[-1] = True
    for value in (masked, list(masked)) if masked.ndim > 1 else (masked,):
        with pytest.raises(DataError, match=f"{name}: expected an array without masked entries"):
            Batch(**{**given, name: value})


def test_the_range_of_targets_is_that_of_scored_steps():
    targets = np.arange(12.0).reshape(3, 4, 1)
    mask = np.zeros((3, 4), bool)
    mask[1, 1:3] = True
    assert Batch(X, targets, mask=mask).target_range == (5.0, 6.0)


def test_labels_of_whole_sequences():
    """Numbers of labels from none to all; what stands beyond them has no effect, and all time steps count."""
    batch = Batch(X, [[2, 1], [-1, 7], [3, -1]], lengths=[4, 2, 1], target_lengths=[2, 0, 1])
    assert [row.tolist() for row in batch.rows] == [[2, 1], [], [3]]
    assert batch.whole and batch.n_outputs == 4 and batch.scored.sum() == 7
    part = batch.take([2, 0])
    assert [row.tolist() for row in part.rows] == [[3], [2, 1]] and part.lengths.tolist() == [1, 4]
    assert Batch(X, np.zeros((3, 0)), target_lengths=[0, 0, 0]).rows[0].tolist() == []
    assert not Batch(X, Y).whole


@pytest.mark.parametrize(
    ("targets", "numbers", "message"),
    [
        ([[1], [2]], [1, 1, 1], r"targets: with target_lengths expected shape \(3, U\) of integer labels"),
        ([[1.0], [2.0], [1.0]], [1, 1, 1], "of integer labels, got .* float64"),
        ([[1], [2], [1]], [1, 1], "target_lengths: expected 3 integers"),
        ([[1], [2], [1]], [1, 2, 0], "target_lengths: expected values from 0 to 1, got 0 to 2"),
        ([[1], [-2], [1]], [1, 1, 1], "targets: expected labels from 0 on, got -2"),
    ],
)
def test_wrong_labels_of_whole_sequences(targets, numbers, message):
    with pytest.raises((ShapeError, DataError), match=message):
        Batch(X, targets, target_lengths=numbers)


def test_labels_of_whole_sequences_have_no_mask():
    with pytest.raises(DataError, match="mask: expected none"):
        Batch(X, [[1], [1], [1]], mask=np.ones((3, 4)), target_lengths=[1, 1, 1])


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_is_cut_where_states_start_anew(seed):
    rng = np.random.default_rng(seed)
    count, steps = int(rng.integers(1, 4)), int(rng.integers(1, 12))
    lengths = rng.integers(1, steps + 1, count)
    mask = rng.random((count, steps)) < 0.6
    mask[0, 0] = True
    batch = Batch(rng.normal(size=(count, steps, 2)), rng.normal(size=(count, steps, 1)), mask, lengths)
    resets = rng.random((count, steps)) < 0.3
    pieces = []
    for row, length in enumerate(lengths):
        edges = [0, *(t for t in range(1, length) if resets[row, t]), length]
        pieces += [(row, slice(a, b)) for a, b in itertools.pairwise(edges)]
    found = batch.cut(resets)
    assert found.lengths.tolist() == [part.stop - part.start for _, part in pieces]
    for piece, (row, part) in enumerate(pieces):
        length = found.lengths[piece]
        np.testing.assert_array_equal(found.inputs[piece, :length], batch.inputs[row, part])
        np.testing.assert_array_equal(found.targets[piece, :length], batch.targets[row, part])
        np.testing.assert_array_equal(found.scored[piece, :length], batch.scored[row, part])
        assert not found.scored[piece, length:].any()
    with pytest.raises(ShapeError, match="resets: expected shape"):
        batch.cut([True])
