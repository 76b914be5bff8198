"""Classifiers of whole sequences as baselines of a file of arrays."""

import numpy as np
import pytest

import evorrn
from evorrn.data.metrics import METRICS
from evorrn_tasks.common import sequence_labels


def waves(count, classes=2, noise=0.3, seed=0):
    """Return noisy sines of a frequency for each class and any phase, of 20 to 40 steps, with labels and lengths."""
    rng = np.random.default_rng(seed)
    labels, lengths = np.arange(count) % classes, rng.integers(20, 41, count)
    t = np.arange(40)
    inputs = np.stack([np.sin(0.3 * (1 + label) * t + rng.uniform(0, 2 * np.pi)) for label in labels])
    return (inputs + noise * rng.normal(size=inputs.shape))[:, :, None], labels, lengths


def save(path, labels_of=None, **changes):
    inputs, labels, lengths = waves(90)
    np.savez(path, **{"inputs": inputs, "targets": labels, "lengths": lengths, **changes})
    return evorrn.task("npz", path=str(path))


def accuracy(logits, batch):
    found = sequence_labels.sequence_labels(batch)
    return (logits[np.arange(batch.size), batch.lengths - 1].argmax(axis=1) == found).mean()


def test_both_find_the_frequency_that_the_class_frequencies_cannot(tmp_path):
    task = save(tmp_path / "a.npz")
    splits = task.data(0)
    assert task.comparators(splits, []) == {}
    found = task.comparators(splits, ["dtw", "hmm", "dtw"])
    assert [name.split(",")[0] for name in found] == ["nearest neighbour", "hidden Markov models"]
    for logits in found.values():
        assert logits.shape == (splits.test.size, splits.test.steps, 2) and np.isfinite(logits).all()
        assert accuracy(logits, splits.test) > 0.9
    trivial = task.baselines(splits)["class frequencies"]
    assert accuracy(trivial, splits.test) < 0.7


def test_the_same_data_give_the_same_bytes_and_test_labels_have_no_effect(tmp_path):
    inputs, labels, lengths = waves(40)
    arrays = {"inputs": inputs[:, :20], "lengths": lengths // 2}
    other = np.where(np.arange(40) >= 34, 1 - labels, labels)  # the last 6 are test
    first = save(tmp_path / "a.npz", targets=labels, **arrays)
    changed = save(tmp_path / "b.npz", targets=other, **arrays)
    assert first.data(0).test.size == 6
    for name in ("dtw", "hmm"):
        (logits,), (again,), (without,) = (
            list(task.comparators(task.data(0), [name]).values()) for task in (first, first, changed)
        )
        assert logits.tobytes() == again.tobytes() == without.tobytes()


def test_the_probability_of_the_neighbours_class_is_its_share_on_validation(tmp_path):
    task = save(tmp_path / "a.npz")
    (logits,) = task.comparators(task.data(0), ["dtw"]).values()
    chances = np.exp(logits)
    assert np.allclose(chances.sum(axis=2), 1, atol=1e-5)
    assert np.allclose(chances.max(axis=2), chances.max())
    assert METRICS["cross_entropy"](logits[:, -1], task.data(0).test.targets.max(axis=1)) < np.log(2)


def test_a_class_that_only_validation_and_training_share_is_known(tmp_path):
    """Three classes, ragged, one sequence of a class: nothing fails where a class has hardly any data."""
    inputs, labels, lengths = waves(30, classes=2)
    labels = labels.copy()
    labels[3] = 2
    task = save(tmp_path / "a.npz", inputs=inputs, targets=labels, lengths=lengths)
    for logits in task.comparators(task.data(0), ["dtw", "hmm"]).values():
        assert logits.shape[2] == 3 and np.isfinite(logits).all()


def test_fewer_known_sequences_where_all_take_too_much_work(tmp_path, monkeypatch):
    task = save(tmp_path / "a.npz")
    splits = task.data(0)
    monkeypatch.setattr(sequence_labels, "MOST_WORK", 20 * 13 * 40 * 40)
    (logits,) = task.comparators(splits, ["dtw"]).values()
    assert accuracy(logits, splits.test) > 0.6
    monkeypatch.setattr(sequence_labels, "MOST_WORK", 1)
    (logits,) = task.comparators(splits, ["dtw"]).values()
    assert len(np.unique(logits.argmax(axis=2))) == 1  # one sequence is known


def test_a_wrong_name_and_other_targets_are_told(tmp_path):
    task = save(tmp_path / "a.npz")
    assert task.comparator_problems(["dtw", "hmm"]) == []
    (problem,) = task.comparator_problems(["dwt"])
    assert "'dwt'" in problem and "did you mean 'dtw'" in problem
    inputs, labels, _ = waves(90)
    steps = np.repeat(labels[:, None], 40, axis=1)
    for targets in (steps, inputs):
        (problem,) = save(tmp_path / "b.npz", targets=targets).comparator_problems(["hmm"])
        assert "one label for each sequence" in problem


@pytest.mark.parametrize("lengths", [None, [3, 2]])
def test_one_label_a_sequence_is_told_from_labels_at_steps(lengths):
    inputs = np.zeros((2, 3, 1))
    whole = sequence_labels.whole_sequences
    assert whole(evorrn.Batch(inputs, np.array([0, 1]), lengths=lengths))
    assert not whole(evorrn.Batch(inputs, np.zeros((2, 3), int), lengths=lengths))
    assert not whole(evorrn.Batch(inputs, inputs, lengths=lengths))
