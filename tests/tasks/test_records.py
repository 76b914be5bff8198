"""Splitting and scaling of one long record, on numbers small enough to be written down."""

import numpy as np
import pytest

from evorrn.base.errors import DataError
from evorrn_tasks.common.records import forecasting_splits, learn_scaling, split_record
from evorrn_tasks.common.shares import cut, share_problems


def test_a_record_of_numbered_rows():
    inputs = np.arange(20.0)[:, None]
    train, valid, test = split_record(inputs, 100 + inputs, scored=(10, 3, 5), washout=2, windows=3)
    assert train.lengths.tolist() == [6, 5, 5]
    assert [train.inputs[k, :n, 0].tolist() for k, n in enumerate(train.lengths)] == [
        [0, 1, 2, 3, 4, 5],
        [4, 5, 6, 7, 8],
        [7, 8, 9, 10, 11],
    ]
    assert train.inputs[1, 5, 0] == 0 and not train.scored[:, :2].any()
    assert train.targets[train.scored].ravel().tolist() == list(range(102, 112))
    assert valid.inputs[0, :, 0].tolist() == [10, 11, 12, 13, 14]
    assert valid.targets[valid.scored].ravel().tolist() == [112, 113, 114]
    assert test.inputs[0, :, 0].tolist() == list(range(13, 20))
    assert test.targets[test.scored].ravel().tolist() == list(range(115, 120))


def test_labels_and_masks_of_a_record():
    labels, mask = np.arange(12) % 3, np.arange(12) % 2 == 0
    parts = split_record(np.ones((12, 2)), labels, scored=(6, 2, 2), washout=2, mask=mask)
    scored = np.concatenate([part.targets[part.scored] for part in parts])
    assert scored.tolist() == [2, 1, 0, 2, 1]
    assert all(part.labelled for part in parts)


def test_no_row_of_a_later_split_is_in_training():
    record = np.stack([np.sin(np.arange(30.0)), np.cos(np.arange(30.0))], axis=1)
    changed = record.copy()
    changed[20:] = 1000 + np.arange(20).reshape(10, 2)
    settings = {"targets": 1, "horizon": 4, "ends": (20, 25), "washout": 3, "windows": 2}
    one, other = forecasting_splits(record, **settings), forecasting_splits(changed, **settings)
    assert np.array_equal(one.train.inputs, other.train.inputs)
    assert np.array_equal(one.train.targets, other.train.targets)
    assert all(np.array_equal(a, b) for a, b in zip(vars(one.scaling).values(), vars(other.scaling).values()))


def test_scaling_of_own_past_binary_and_constant_columns():
    rows = np.array([[1.0, 0.0, 5.0, 7.0], [3.0, 1.0, 5.0, 9.0], [5.0, 1.0, 5.0, 11.0]])
    targets = np.array([[10.0], [20.0], [30.0]])
    free = learn_scaling(rows, targets)
    assert free.input_mean.tolist() == [3.0, 0.0, 5.0, 9.0]
    assert np.allclose(free.input_deviation, [np.std([1, 3, 5]), 1, 1, np.std([7, 9, 11])])
    own = learn_scaling(rows, targets, own=1)
    assert own.input_mean[0] == own.target_mean[0] == 20
    assert own.input_deviation[0] == own.target_deviation[0]
    assert np.allclose(own.restore_targets(own.scale_targets(targets)), targets)
    assert np.allclose(own.restore_inputs(own.scale_inputs(rows)), rows)


@pytest.mark.parametrize("value", [0.1, 1e300, -3.0])
def test_a_constant_target_is_refused(value):
    with pytest.raises(DataError, match="target 2 of 2 is constant"):
        learn_scaling(np.eye(5), np.stack([np.arange(5.0), np.full(5, value)], axis=1))


@pytest.mark.parametrize("low", [0.0, 1e308, 1e-320])
def test_numbers_that_cannot_be_scaled_are_refused(low):
    targets = np.array([[low], [-low], [low * 1.5], [5e-324]])
    if low == 0.0:
        targets[3] = 5e-324
    with pytest.raises(DataError, match="too large or too close"):
        learn_scaling(np.eye(4), targets)


@pytest.mark.parametrize("count", [3, 10, 21, 100, 101])
def test_shares_cut_everything_once(count):
    train, valid, test = cut(count, (0.7, 0.15, 0.15), least=1)
    assert train + valid + test == count and min(valid, test) >= 1
    assert abs(test - 0.15 * count) <= 1


def test_shares_are_checked():
    assert share_problems((0.6, 0.2, 0.2)) == []
    assert share_problems((0.7, 0.1, 0.2)) == []
    for shares in ((1.0, 0.0, 0.0), (0.5, 0.2, 0.2), (0.9, 0.3, -0.2)):
        assert "add up to 1" in share_problems(shares)[0]
