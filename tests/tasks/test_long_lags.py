"""Long lag and temporal order: sequences told apart by what they show, and by their first symbols alone."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError


@pytest.mark.parametrize("lag", [1, 20])
def test_the_last_symbol_is_the_first_and_those_between_are_the_same(lag):
    task = evorrn.task("long-lag", lag=lag)
    batch = task.data(0).train
    shown = np.c_[batch.inputs.argmax(axis=2), batch.targets[:, -1]]
    assert shown.shape == (2, lag + 2) and batch.scored.all()
    np.testing.assert_array_equal(shown[:, 0], shown[:, -1])
    np.testing.assert_array_equal(shown[0, 1:-1], shown[1, 1:-1])
    np.testing.assert_array_equal(batch.targets[:, :-1], shown[:, 1:-1])
    assert set(shown[:, 0]) == {0, 1} and len(set(shown[0, 1:-1])) == lag
    last = evorrn.task("long-lag", lag=lag, scored="last").data(0).test
    np.testing.assert_array_equal(last.scored.sum(axis=1), 1)


def test_fewer_symbols_follow_one_another_until_the_last_step():
    task = evorrn.task("long-lag", lag=8, symbols=3, scored="last")
    assert task.input_names == ("x", "y", "a1", "a2", "a3")
    batch = task.data(0).train
    for sequence, answer, first in zip(batch.inputs, batch.targets, "xy"):
        word = [task.input_names[place] for place in sequence.argmax(axis=1)]
        assert word == [first, "a1", "a2", "a3", "a1", "a2", "a3", "a1", "a2"]
        assert task.output_names[answer[-1]] == first
    whole, other = evorrn.task("long-lag", lag=8, symbols=8), evorrn.task("long-lag", lag=8)
    np.testing.assert_array_equal(whole.data(0).train.inputs, other.data(0).train.inputs)
    with pytest.raises(ConfigError, match="symbols: expected at most the lag, 8, got 9"):
        evorrn.task("long-lag", lag=8, symbols=9)


@pytest.mark.parametrize("scale", [1.0, 0.2])
def test_the_class_is_the_order_of_the_relevant_symbols(scale):
    task = evorrn.task("temporal-order", scale=scale, train=60)
    batch = task.data(1).train
    for x, y, length, scored in zip(batch.inputs, batch.targets, batch.lengths, batch.scored):
        word = [task.input_names[place] for place in x[:length].argmax(axis=1)]
        assert word[0] == "E" and word[-1] == "B" and round(100 * scale) <= length <= round(110 * scale)
        relevant = [(t, symbol) for t, symbol in enumerate(word) if symbol in "XY"]
        assert task.output_names[y[length - 1]] == "".join(symbol for _, symbol in relevant)
        assert round(10 * scale) <= relevant[0][0] <= round(20 * scale)
        assert round(50 * scale) <= relevant[1][0] <= round(60 * scale)
        assert scored.sum() == 1 and scored[length - 1]
    assert len(set(batch.targets[np.arange(60), batch.lengths - 1])) == 4
