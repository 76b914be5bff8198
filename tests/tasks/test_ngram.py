"""The n-gram with back-off, against counting by hand."""

from fractions import Fraction

import numpy as np
import pytest

import evorrn
from evorrn_tasks.common.ngram import is_symbolic, next_labels, probabilities


def by_counting(pairs, context, label, classes):
    """Return the probability of a label after a context, the newest symbol first, by counting pairs one by one."""
    shorter = by_counting(pairs, context[:-1], label, classes) if context else Fraction(1, classes)
    followers = [found for past, found in pairs if past[: len(context)] == context]
    different = len(set(followers))
    if not followers:
        return shorter
    return (followers.count(label) + different * shorter) / (len(followers) + different)


def test_a_string_by_hand():
    """In "aab ab", b follows a twice out of three times: (2 + 2 p) / (3 + 2), where p(b) = (2 + 2/2) / (4 + 2) = 1/2."""
    known, labels = np.array([[0], [0], [1], [0]]), np.array([0, 1, 0, 1])
    nothing, one = probabilities(known, labels, np.array([[0], [1], [7]]), 2)
    assert np.allclose(nothing, 0.5)
    assert one[0, 1] == pytest.approx((2 + 2 * 0.5) / 5)
    assert one[1, 0] == pytest.approx((1 + 1 * 0.5) / 2)
    assert one[2].tolist() == [0.5, 0.5]  # a symbol that was never seen


@pytest.mark.parametrize(("symbols", "longest", "classes"), [(2, 4, 2), (3, 3, 4), (1, 2, 3), (5, 1, 5)])
def test_probabilities_are_those_of_counting(symbols, longest, classes):
    rng = np.random.default_rng(symbols)
    known, asked = (rng.integers(0, symbols + extra, (30, longest)) for extra in (0, 1))
    labels = rng.integers(0, classes, 30)
    pairs = [(tuple(past), label) for past, label in zip(known.tolist(), labels.tolist())]
    for seen, found in enumerate(probabilities(known, labels, asked, classes)):
        assert np.allclose(found.sum(axis=1), 1)
        for row, past in zip(found, asked.tolist()):
            wanted = [by_counting(pairs, tuple(past[:seen]), label, classes) for label in range(classes)]
            assert np.allclose(row, np.array(wanted, dtype=float), atol=1e-12)


def save(path, size=40, order=2, **changes):
    """Write ragged strings of 3 letters; each next one is the sum of the last two, in a tenth of the steps any letter."""
    rng = np.random.default_rng(0)
    letters = rng.integers(0, 3, (size, 31))
    for step in range(order, 31):
        said = letters[:, step - order : step].sum(axis=1) % 3
        letters[:, step] = np.where(rng.random(size) < 0.9, said, letters[:, step])
    arrays = {"inputs": np.eye(3)[letters[:, :-1]], "targets": letters[:, 1:]}
    np.savez(path, **{**arrays, "lengths": rng.integers(5, 31, size), **changes})
    return evorrn.task("npz", path=str(path))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_it_sees_as_many_symbols_as_decide(tmp_path, order):
    task = save(tmp_path / "a.npz", order=order)
    splits = task.data(0)
    ((name, logits),) = task.comparators(splits, ["ngram"]).items()
    assert name.startswith(f"n-gram, {order} symbol")
    scored = splits.test.scored
    right = (logits.argmax(axis=2) == splits.test.targets)[scored].mean()
    assert right > 0.8 and np.isfinite(logits).all()
    assert np.allclose(np.exp(logits).sum(axis=2), 1)


def test_test_labels_have_no_effect_and_nothing_of_later_steps_is_seen(tmp_path):
    splits = save(tmp_path / "a.npz").data(0)
    test = splits.test
    changed = np.array(test.inputs)
    changed[:, 4:] = changed[:, 4:, ::-1]
    other = evorrn.Batch(changed, 2 - test.targets, mask=test.scored, lengths=test.lengths)
    found = next_labels(splits, 3)[1]
    again = next_labels(evorrn.Splits(splits.train, splits.valid, other), 3)[1]
    assert np.array_equal(found[:, :4], again[:, :4]) and not np.array_equal(found, again)


def test_targets_or_inputs_that_are_no_symbols_are_told(tmp_path):
    assert save(tmp_path / "a.npz").comparator_problems(["ngram"]) == []
    noise = np.random.default_rng(0).normal(size=(40, 30, 3))
    (problem,) = save(tmp_path / "b.npz", inputs=noise).comparator_problems(["ngram"])
    assert "256 different values" in problem
    (problem,) = save(tmp_path / "c.npz").comparator_problems(["hmm"])
    assert "one label for each sequence" in problem
    (problem,) = save(tmp_path / "d.npz").comparator_problems(["ngramm"])
    assert "did you mean 'ngram'" in problem
    assert not is_symbolic(evorrn.Batch(noise, noise))
