"""NPZ: whole numbers (B, T) as inputs, one symbol at each time step."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import DataError
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.spec import resolve
from evorrn.testing import check_task

RNG = np.random.default_rng(0)
SYMBOLS, LENGTHS = RNG.integers(0, 5, (24, 6)), RNG.integers(1, 7, 24)
SPLIT = np.repeat([0, 1, 2], [12, 6, 6])


def saved(tmp_path, **arrays):
    path = tmp_path / "data.npz"
    np.savez(path, **{"inputs": SYMBOLS, **arrays})
    return str(path)


def test_classes_of_symbols_are_read_with_lengths_or_splits_or_where_the_setting_says_so(tmp_path):
    classes = SYMBOLS[:, 0] % 2
    for arrays, more in (
        ({"lengths": LENGTHS}, {}),
        ({"split": SPLIT}, {}),
        ({}, {"symbols": True}),
        ({"lengths": LENGTHS, "mask": np.arange(6) < LENGTHS[:, None]}, {"symbols": True}),
    ):
        task = evorrn.task("npz", path=saved(tmp_path, targets=classes, **arrays), **more)
        check_task(task)
        train, _, test = task.data(0)
        assert train.symbols and task.inputs == 5 and task.metrics[0] == "accuracy"
        assert np.array_equal(train.inputs[0, : train.lengths[0]], SYMBOLS[0, : train.lengths[0]])
        for name, found in task.comparators(task.data(0), ("dtw", "hmm")).items():
            assert found.shape == (test.size, test.steps, 2) and np.isfinite(found).all(), name


def test_whole_numbers_alone_stay_one_sequence_and_the_note_tells_the_setting(tmp_path):
    task = evorrn.task("npz", path=saved(tmp_path, targets=SYMBOLS[:, 0] % 2))
    assert (
        task.batch.size == 1 and task.inputs == 6 and any("task.symbols=true" in n for n in task.data_notes)
    )


def test_the_next_symbol_has_an_n_gram_and_a_network_in_both_directions_is_said_to_see_it(tmp_path):
    pattern = (np.arange(7) + np.arange(24)[:, None]) % 3
    path = saved(tmp_path, inputs=pattern[:, :-1], targets=pattern[:, 1:], lengths=LENGTHS)
    task = evorrn.task("npz", path=path)
    check_task(task)
    assert task.predicts_inputs and task.horizon is None
    (found,) = task.comparators(task.data(0), ("ngram",)).values()
    test = task.data(0).test
    assert (found.argmax(axis=2)[test.scored] == test.targets[test.scored]).all()
    network = evorrn.Network.for_task(task, cell="gru", hidden=2, embedding=2, bidirectional=True)
    assert evorrn.BPTT().fit(network, task, budget="2gen").sees_targets


def test_numbers_labels_without_alignment_and_trees_follow_symbols(tmp_path):
    numbers = SYMBOLS[:, :, None] * 0.5 + 1
    task = evorrn.task("npz", path=saved(tmp_path, targets=numbers, lengths=LENGTHS))
    check_task(task)
    linear = task.baselines(task.data(0))["linear model of the last steps"]
    test = task.data(0).test
    np.testing.assert_allclose(linear[test.scored], test.targets[test.scored], atol=1e-6)
    rows = {"targets": SYMBOLS[:, :2] % 3 + 1, "target_lengths": np.minimum(LENGTHS // 3, 2)}
    check_task(evorrn.task("npz", path=saved(tmp_path, lengths=LENGTHS, **rows)))
    links = np.full((24, 6, 2), -1)
    links[:, 2] = [0, 1]
    task = evorrn.task("npz", path=saved(tmp_path, targets=SYMBOLS % 2, links=links))
    assert task.arity == 2 and task.data(0).train.symbols
    raw = {"task": {"name": task.path}, "network": {"cell": "recursive", "hidden": 2}}
    run = execute(resolve({**raw, "strategy": {"name": "bptt"}, "budget": "1gen"}), tmp_path / "runs")
    assert run.status == "complete" and run.spec.network.inputs == 5


def test_what_cannot_be_symbols_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(DataError, match=r"symbols: expected inputs \(B, T\) of whole numbers"):
        evorrn.task("npz", path=saved(tmp_path, inputs=SYMBOLS + 0.5, targets=SYMBOLS), symbols=True).data(0)
    with pytest.raises(DataError, match="symbols from 0 on"):
        evorrn.task("npz", path=saved(tmp_path, inputs=SYMBOLS - 1, targets=SYMBOLS), symbols=True).data(0)
    with pytest.raises(DataError, match=r"targets: expected shape \(24, 6, O\) of floats"):
        evorrn.task("npz", path=saved(tmp_path, targets=SYMBOLS * 0.5), symbols=True).data(0)
