"""Whether the targets of data are the inputs of the next step."""

import numpy as np
import pytest

from evorrn.data.ahead import next_inputs
from evorrn.data.batch import Batch

LENGTHS = [6, 2, 1]


def series(seed=0):
    """Return symbols (3, 7) of five kinds."""
    return np.random.default_rng(seed).integers(0, 5, (3, 7))


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_targets_that_are_the_next_inputs_are_found_as_numbers_symbols_and_one_hot(lengths):
    symbols, numbers = series(), np.random.default_rng(1).normal(size=(3, 7, 2))
    labels = symbols[:, 1:].copy()
    labels[:, 5] = 3  # whatever follows the last input
    assert next_inputs(Batch(symbols[:, :-1], labels, lengths=lengths))
    assert next_inputs(Batch(np.eye(5)[symbols[:, :-1]], labels, lengths=lengths))
    assert next_inputs(Batch(numbers[:, :-1], numbers[:, 1:, :1], lengths=lengths))
    assert not next_inputs(Batch(symbols[:, :-1], series(1)[:, 1:], lengths=lengths))
    assert not next_inputs(Batch(np.eye(5)[symbols[:, :-1]] * 2, labels, lengths=lengths))
    assert not next_inputs(Batch(numbers[:, :-1], numbers[:, :-1], lengths=lengths))
    assert not next_inputs(
        Batch(numbers[:, :-1, :1], numbers[:, 1:], lengths=lengths)
    )  # more targets than inputs


def test_only_scored_steps_with_a_next_input_are_compared():
    symbols = series()
    labels = symbols[:, 1:].copy()
    labels[:, 2] += 1
    mask = np.arange(6) != 2
    assert next_inputs(Batch(symbols[:, :-1], labels, mask=np.tile(mask, (3, 1))))
    assert not next_inputs(Batch(symbols[:, :-1], labels))
    assert not next_inputs(Batch(symbols[:, :-1], labels, mask=np.tile(np.arange(6) == 5, (3, 1))))
    assert not next_inputs(Batch(symbols[:, :1], symbols[:, :1]))  # one step


def test_labels_of_sequences_vectors_and_nodes_of_trees_have_no_next_input():
    symbols = series()
    assert not next_inputs(Batch(symbols, symbols + 1, target_lengths=[2, 7, 1]))
    assert not next_inputs(Batch(np.ones((3, 2)), symbols))
    links = np.full((3, 6, 2), -1)
    assert not next_inputs(Batch(symbols[:, :-1], symbols[:, 1:], links=links))
