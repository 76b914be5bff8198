"""Counterpoint: the rules, and the exact probabilities against a count of all phrases."""

import itertools

import numpy as np
import pytest

import evorrn
from evorrn.data.metrics import binary_cross_entropy
from evorrn_tasks.common.logistic import PENALTY, fit
from evorrn_tasks.counterpoint import CONSONANT, Rules


def follows(before, after):
    """Return whether the rules allow one pair of notes after another, from the words of the task."""
    moves = [abs(a - b) for a, b in zip(before, after)]
    distances = before[1] - before[0], after[1] - after[0]
    if distances[0] == distances[1] and distances[0] in (4, 7) and min(moves) > 0:
        return False
    return max(moves) <= 2 and max(moves) > 0


def phrases(start, length, notes):
    """Return every phrase that the rules allow after a pair."""
    pairs = [(low, low + step) for low in range(notes) for step in CONSONANT if low + step < notes]
    found = []
    for phrase in itertools.product(pairs, repeat=length):
        legal = all(follows(*two) for two in itertools.pairwise([start, *phrase]))
        if legal and phrase[-1][1] - phrase[-1][0] == 7 and phrase[-1][0] % 7 == 0:
            found.append(phrase)
    return found


def test_exact_probabilities_are_shares_of_all_phrases_that_go_on_so():
    notes, length = 10, 3
    rules = Rules(notes, length)
    every = phrases((0, 7), length, notes)
    for taken in range(length):
        start = every[len(every) // 2][:taken]
        rest = [phrase for phrase in every if phrase[:taken] == start]
        shares = np.zeros(notes)
        for phrase in rest:
            shares[list(phrase[taken])] += 1 / len(rest)
        frames = rules.frames(np.array([rules.pairs.tolist().index([0, 7])] * 3))
        for place, pair in enumerate(start):
            frames[place + 1] = np.eye(notes)[list(pair)].sum(axis=0)
        logits = rules.logits(frames[: taken + 1], np.arange(taken + 1) % length)[-1]
        assert np.allclose(1 / (1 + np.exp(-logits)), shares, atol=1e-9)


@pytest.mark.parametrize(("notes", "phrase"), [(15, 8), (10, 2), (22, 5), (13, 40)])
def test_drawn_music_obeys_the_rules(notes, phrase):
    rules = Rules(notes, phrase)
    music = rules.pairs[rules.draw(np.random.default_rng(0), 20, 3)]
    for voices in music.tolist():
        assert all(follows(*two) for two in itertools.pairwise(voices))
        assert all(upper - lower in CONSONANT and lower >= 0 and upper < notes for lower, upper in voices)
        assert all(upper - lower == 7 and lower % 7 == 0 for lower, upper in voices[::phrase])


def test_phrases_are_drawn_with_equal_probability():
    rules = Rules(10, 2)
    every = phrases((0, 7), 2, 10)
    drawn = rules.pairs[rules.draw(np.random.default_rng(0), 4000, 1)][:, 1:]
    counts = [(drawn == np.array(phrase)).all(axis=(1, 2)).sum() for phrase in every]
    assert sum(counts) == 4000 and np.ptp(counts) < 8 * np.sqrt(4000 / len(every))


def test_no_baseline_is_better_than_the_rules_themselves():
    task = evorrn.task("counterpoint", train=40, valid=20, test=60)
    splits = task.data(0)
    losses = {
        name: binary_cross_entropy(logits[splits.test.scored], splits.test.targets[splits.test.scored])
        for name, logits in task.baselines(splits).items()
    }
    frequencies, logistic, exact = losses.values()
    assert exact < logistic < frequencies


def test_logistic_regression_is_where_the_gradient_of_its_loss_is_zero():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((200, 3)), (rng.random((200, 2)) < 0.4).astype(float)
    weights = fit(x, y)
    slope, bias = weights[:-1], weights[-1]
    error = 1 / (1 + np.exp(-(x @ slope + bias))) - y
    assert (
        np.abs(x.T @ error / 200 + PENALTY * slope).max() < 1e-4 and np.abs(error.mean(axis=0)).max() < 1e-4
    )
