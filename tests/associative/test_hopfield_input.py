"""Wrong input of Hopfield networks is refused in words; more patterns than a rule holds are noted."""

import warnings
from fractions import Fraction

import numpy as np
import pytest

from evorrn.associative import BAM, ContinuousHopfield, Hopfield, ModernHopfield, StochasticBAM
from evorrn.base.errors import EvorrnError, ShapeError, UnknownName


def random_patterns(rng, count, units):
    return rng.choice([-1.0, 1.0], (count, units))


@pytest.mark.parametrize(
    "act, kind, message",
    [
        (lambda m: m.store([[1, 0, 1]]), ShapeError, "patterns: expected patterns of -1 and 1, got 0"),
        (lambda m: m.store(np.ones((0, 3))), ShapeError, "patterns: expected at least one pattern, got none"),
        (lambda m: m.store([[1, -1]]), ShapeError, r"expected shape \(M, 3\) or \(3,\), got \(1, 2\)"),
        (lambda m: m.store([[1, -1, np.nan]]), ShapeError, "finite"),
        (lambda m: m.store([[1, -1, 1]], rule="hebbs"), UnknownName, "did you mean 'hebb'"),
        (lambda m: m.recall([1, 1, 1], order="random"), UnknownName, "unknown order 'random'"),
        (lambda m: m.recall([1, 1, 1], sweeps=0), EvorrnError, "sweeps: expected a whole number"),
        (
            lambda m: setattr(m, "weights", np.triu(np.ones((3, 3)), 1)),
            ShapeError,
            "expected a symmetric matrix",
        ),
        (lambda m: setattr(m, "weights", np.eye(3)), ShapeError, "zeros on the diagonal"),
        (lambda m: m.unpack(np.zeros(4)), ShapeError, "genome"),
        (
            lambda m: m.fitness(np.zeros(3), [[1, 1, 1]], [[1, 1, 1]] * 2),
            ShapeError,
            "one for each of 1 patterns",
        ),
        (lambda _: Hopfield(0), EvorrnError, "units"),
        (
            lambda _: Hopfield(3, np.zeros((2, 3))),
            ShapeError,
            r"thresholds: expected shape \(3,\), got \(2, 3\)",
        ),
        (lambda m: setattr(m, "thresholds", [0, 1]), ShapeError, r"expected shape \(3,\), got \(2,\)"),
        (lambda m: setattr(m, "thresholds", ["a"] * 3), ShapeError, "expected an array of numbers, got list"),
        (lambda _: ContinuousHopfield(3, gain=0), EvorrnError, "gain"),
        (
            lambda _: ContinuousHopfield(3, gain="a"),
            EvorrnError,
            "gain: expected a finite number > 0, got 'a'",
        ),
        (
            lambda _: ContinuousHopfield(3).relax(np.zeros(3), -1),
            EvorrnError,
            "time: expected a finite number",
        ),
        (
            lambda _: ContinuousHopfield(3).relax(np.zeros(3), 9, step=2),
            EvorrnError,
            "at most the time constant, 1",
        ),
        (lambda _: ContinuousHopfield(3).relax(np.zeros(3), 1e12), EvorrnError, "expected fewer, as"),
        (lambda _: ModernHopfield([[1], [1, 2]]), ShapeError, "patterns: expected an array of numbers"),
        (lambda _: ModernHopfield(np.eye(2)).recall([1, 0], steps=0), EvorrnError, "steps: expected a whole"),
        (lambda _: ContinuousHopfield(3).relax([1.0, 0, 0], 1.0), EvorrnError, "between -1 and 1"),
        (lambda _: ModernHopfield(np.ones((2, 3)), beta=-1), EvorrnError, "beta"),
        (lambda m: m.store(np.ma.masked_less(np.ones((2, 3)), 2)), ShapeError, "without masked entries"),
        (
            lambda m: m.recall(np.ones(3) + 0j),
            ShapeError,
            "numbers, got ndarray of dtype complex128",
        ),
        (
            lambda m: m.recall(["1", "1", "-1"]),
            ShapeError,
            "cues: expected an array of numbers, got list of dtype <U2",
        ),
        (lambda _: Hopfield(10**7), EvorrnError, "units: expected fewer, as 10,000,000 take"),
        (lambda _: BAM(10**7, 10**7), EvorrnError, "y_units: expected fewer, as 10,000,000 take"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(act, kind, message):
    with pytest.raises(kind, match=message):
        act(Hopfield(3))


@pytest.mark.parametrize(
    "rule, count, message",
    [
        ("hebb", 12, "12 patterns in 30 units: hebb holds about 4"),
        ("storkey", 12, "storkey holds about 8"),
        ("pseudo-inverse", 20, "pseudo-inverse holds about 15"),
        ("gradient", 50, "of 50 patterns are no fixed points"),
    ],
)
def test_more_patterns_than_a_rule_can_hold_are_stored_with_a_note(rule, count, message):
    with pytest.warns(UserWarning, match=message):
        Hopfield(30).store(random_patterns(np.random.default_rng(0), count, 30), rule=rule)


@pytest.mark.parametrize("rule", ["hebb", "storkey", "pseudo-inverse", "gradient"])
@pytest.mark.parametrize("units", [1, 2, 6])
def test_one_pattern_is_stored_without_a_note_however_few_units_there_are(rule, units):
    pattern = random_patterns(np.random.default_rng(units), 1, units)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        memory = Hopfield(units).store(pattern, rule=rule)
    assert memory.recall(pattern).states.tolist() == pattern.tolist()


def test_numbers_may_be_fractions_whole_numbers_or_truth_values_that_are_real():
    memory = Hopfield(2, thresholds=[Fraction(1, 2), Fraction(-1, 2)])
    assert memory.thresholds.tolist() == [0.5, -0.5]
    memory.weights = np.array([[False, True], [True, False]])
    assert memory.recall(np.array([1, 1], np.int8)).states.tolist() == [[1.0, 1.0]]


def test_memories_name_themselves_and_their_sizes():
    stochastic = StochasticBAM([1.0, 2.0], [1.0], np.ones((1, 2, 1)), np.ones((1, 1, 2)))
    assert repr(ContinuousHopfield(3)) == "ContinuousHopfield(3 units, 3 weights)"
    assert repr(ModernHopfield(np.eye(2), beta=0.5)) == "ModernHopfield(2 patterns of 2 numbers, beta 0.5)"
    assert repr(stochastic) == "StochasticBAM(2 x 1 units, 1 mode)"


def test_large_rates_between_modes_add_up_to_zero_within_rounding():
    rates = np.random.default_rng(0).uniform(0, 1e7, (5, 5))
    np.fill_diagonal(rates, 0)
    np.fill_diagonal(rates, -rates.sum(axis=1))
    ones = np.ones((5, 1))
    StochasticBAM(ones, ones, np.ones((5, 1, 1)), np.ones((5, 1, 1)), generator=rates)
    with pytest.raises(ShapeError, match="rows that add up to 0"):
        StochasticBAM(ones, ones, np.ones((5, 1, 1)), np.ones((5, 1, 1)), generator=rates + 1e-3)
