"""The bag of patterns and the feed-forward window, on sequences whose class is known from their making."""

import numpy as np
import pytest

import evorrn
from evorrn.data.metrics import accuracy

pytest.importorskip("sklearn")

from evorrn_tasks.common.sequence_labels import classifiers
from evorrn_tasks.common.weasel import Bag, _coefficients


def waves(size, rng, inputs=1):
    """Return ragged noisy sines at random phases, whose class is their pace, and the classes."""
    labels = np.arange(size) % 2
    found = []
    for label in labels:
        time = np.arange(rng.integers(30, 60))[:, None] * (0.4, 0.9)[label] + rng.uniform(0, 6, inputs)
        found.append(np.sin(time) + 0.3 * rng.standard_normal(time.shape) + rng.normal())
    return found, labels


@pytest.mark.parametrize("inputs", [1, 3])
def test_paces_are_told_at_any_phase_and_level(inputs):
    rng = np.random.default_rng(inputs)
    bag = Bag(*waves(40, rng, inputs), classes=2)
    sequences, labels = waves(60, rng, inputs)
    logits = bag.logits(sequences)
    assert (logits.argmax(axis=1) == labels).mean() > 0.9
    assert np.allclose(np.exp(logits).sum(axis=1), 1)


def test_a_word_does_not_change_with_the_level_and_counts_windows():
    x = np.random.default_rng(0).standard_normal(20)
    assert np.allclose(_coefficients(x, 8), _coefficients(x + 5, 8))
    by_hand = np.fft.fft(x[3:11])[1:3]
    assert np.allclose(
        _coefficients(x, 8)[3], [by_hand[0].real, by_hand[0].imag, by_hand[1].real, by_hand[1].imag]
    )
    assert len(_coefficients(x, 8)) == 13 and len(_coefficients(x, 21)) == 0


def test_sequences_of_one_step_and_classes_that_training_lacks_are_no_failure():
    bag = Bag([np.array([[1.0]]), np.array([[-1.0]]), np.array([[2.0]])], np.array([1, 0, 1]), classes=3)
    assert np.isfinite(bag.logits([np.array([[1.5]])])).all()


def test_the_comparators_are_asked_by_name(tmp_path):
    sequences, labels = waves(40, np.random.default_rng(3))
    rows = [
        f"{value:.4f},{n},{'ab'[label]}"
        for n, (x, label) in enumerate(zip(sequences, labels))
        for value in x[:, 0]
    ]
    (tmp_path / "a.csv").write_text("\n".join(["x,sequence,label", *rows]))
    task = evorrn.task("sequence-classes", path=str(tmp_path / "a.csv"))
    assert task.comparator_problems(["weasel"]) == []
    assert task.comparator_problems(["mlp"]) == ["mlp needs a label at every step"]
    splits = task.data(0)
    logits = classifiers(splits, 2, ["weasel"])["bag of patterns"]
    assert accuracy(logits[splits.test.scored], splits.test.targets[splits.test.scored]) > 0.8


def test_a_window_of_two_steps_tells_what_the_last_two_inputs_decide(tmp_path):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (40, 30))
    labels = bits ^ np.roll(bits, 1, axis=1)
    labels[:, 0] = 0
    np.savez(tmp_path / "a.npz", inputs=bits[:, :, None].astype(float), targets=labels)
    task = evorrn.task("npz", path=str(tmp_path / "a.npz"))
    assert task.comparator_problems(["mlp"]) == [] and task.comparator_problems(["weasel"])
    splits = task.data(0)
    ((name, logits),) = classifiers(splits, 2, ["mlp"]).items()
    assert name in ("window MLP, 3 steps seen", "window MLP, 8 steps seen")
    found = accuracy(logits[splits.test.scored], splits.test.targets[splits.test.scored])
    assert found > 0.95
