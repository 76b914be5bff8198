"""Metrics, against sums written out by hand."""

import numpy as np
import pytest

from evorrn.base.errors import UnknownName
from evorrn.data import label_metrics, metrics
from evorrn.data.episode_metrics import EPISODE_METRICS

RNG = np.random.default_rng(0)
P, T = RNG.normal(size=(50, 2)), RNG.normal(size=(50, 2)) * [1.0, 5.0] + 3.0
LOGITS, LABELS = RNG.normal(size=(40, 3)), RNG.integers(0, 3, 40)


def test_errors_by_hand():
    square = sum((P[n, o] - T[n, o]) ** 2 for n in range(50) for o in range(2)) / 100
    assert np.isclose(metrics.mse(P, T), square)
    assert np.isclose(metrics.rmse(P, T), square**0.5)
    assert np.isclose(metrics.mae(P, T), sum(abs(P - T).ravel().tolist()) / 100)


def test_each_error_is_divided_by_what_its_name_says():
    per_output = ((P - T) ** 2).mean(axis=0)
    assert np.isclose(metrics.nmse_std(P, T), (per_output / T.var(axis=0)).mean())
    assert np.isclose(metrics.nrmse_std(P, T), np.sqrt((per_output / T.var(axis=0)).mean()))
    spread = T.max(axis=0) - T.min(axis=0)
    assert np.isclose(metrics.nrmse_range(P, T), (np.sqrt(per_output) / spread).mean())
    one = metrics.nrmse_std(P[:, :1], T[:, :1])
    assert np.isclose(one, metrics.rmse(P[:, :1], T[:, :1]) / T[:, 0].std())


def test_predicting_the_mean_has_a_normalised_error_of_one():
    constant = np.broadcast_to(T.mean(axis=0), T.shape)
    assert np.isclose(metrics.nrmse_std(constant, T), 1.0)


def test_normalised_errors_do_not_depend_on_units():
    for metric in (metrics.nrmse_std, metrics.nmse_std, metrics.nrmse_range):
        assert np.isclose(metric(P * 7 + 2, T * 7 + 2), metric(P, T))


def test_classes_by_hand():
    right = sum(int(row.tolist().index(max(row.tolist())) == label) for row, label in zip(LOGITS, LABELS))
    assert metrics.accuracy(LOGITS, LABELS) == right / 40
    softmax = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    expected = -np.log(softmax[np.arange(40), LABELS]).mean()
    assert np.isclose(metrics.cross_entropy(LOGITS, LABELS), expected)
    assert np.isclose(metrics.cross_entropy(LOGITS + 1e4, LABELS), expected)


def test_share_within_0_04():
    truth = np.zeros((4, 1))
    predicted = np.array([[0.0], [0.0399], [-0.0399], [0.041]])
    assert metrics.within_004(predicted, truth) == 0.75


def test_evaluate_gives_every_metric_by_name():
    labelled = ("accuracy", "macro_f1", "cross_entropy", "bits_per_symbol", "vote_accuracy")
    names = [name for name in metrics.METRICS if name not in labelled]
    values = metrics.evaluate(names, P, T)
    assert list(values) == names
    assert all(isinstance(value, float) for value in values.values())
    assert values["rmse"] == metrics.rmse(P, T)
    assert {*metrics.METRICS, *EPISODE_METRICS} >= metrics.HIGHER_IS_BETTER


@pytest.mark.filterwarnings("error")
def test_divergence_and_constant_truth_are_values_and_not_warnings():
    flat = np.ones((5, 1))
    names = ("mse", "nrmse_std", "nrmse_range")
    diverged = metrics.evaluate(names, np.full((5, 1), 1e200), np.zeros((5, 1)))
    assert diverged["mse"] == np.inf
    assert np.isnan(metrics.evaluate(("rmse",), np.full((5, 1), np.nan), flat)["rmse"])


def test_the_error_for_an_unknown_metric_has_the_nearest_name():
    with pytest.raises(UnknownName, match="unknown metric 'nrmse'; did you mean"):
        metrics.evaluate(("nrmse",), P, T)


def test_macro_f1_weighs_classes_equally_and_is_that_of_scikit_learn():
    logits = np.eye(4)[[0, 0, 0, 0, 1, 2]]
    truth = np.array([0, 0, 0, 1, 1, 0])
    # Class 0: precision 3/4, recall 3/4; class 1: 1, 1/2; class 2 is predicted and never true; class 3 is neither.
    assert metrics.macro_f1(logits, truth) == pytest.approx((0.75 + 2 / 3 + 0) / 3)
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for classes in (2, 5, 9):
        logits, truth = rng.normal(size=(40, classes)), rng.integers(0, classes, 40)
        wanted = sklearn.f1_score(truth, logits.argmax(axis=1), average="macro", zero_division=0)
        assert metrics.macro_f1(logits, truth) == pytest.approx(wanted)


def test_binary_metrics_take_logits():
    logits, truth = np.array([[2.0, -3.0], [0.5, 0.5]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    assert metrics.binary_accuracy(logits, truth) == 0.75
    chance = 1 / (1 + np.exp(-logits))
    by_hand = -(truth * np.log(chance) + (1 - truth) * np.log(1 - chance)).mean()
    assert np.isclose(metrics.binary_cross_entropy(logits, truth), by_hand)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", sorted(set(metrics.METRICS) - {"valid_time"}))  # it counts until then
def test_every_metric_is_nan_when_one_output_is_not_finite(name, bad):
    """The argmax of a diverged classifier is class 0, which would count as right wherever class 0 is true."""
    labelled = name in (
        "accuracy",
        "macro_f1",
        "cross_entropy",
        "bits_per_symbol",
        "token_accuracy",
        "exact_match",
        "vote_accuracy",
    )
    truth = np.zeros(6, int) if labelled else np.arange(12.0).reshape(6, 2) % 5 / 4
    predicted = RNG.normal(size=(6, 2))
    assert np.isfinite(metrics.METRICS[name](predicted, truth))
    predicted[3, 1] = bad
    assert np.isnan(metrics.METRICS[name](predicted, truth))
    assert np.isnan(metrics.METRICS[name](predicted.tolist(), truth.tolist()))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_forecast_that_diverges_is_valid_until_then(bad):
    truth = np.sin(np.arange(20.0))[:, None] + [[0.0, 1.0]]
    predicted = truth.copy()
    predicted[13, 1] = bad
    assert metrics.valid_time(predicted, truth, np.array([9, 19])) == (10 + 3) / 2


@pytest.mark.filterwarnings("error")
def test_a_normalised_error_is_nan_where_the_truth_of_an_output_is_constant():
    """0.1 is no power of two: the computed variance of equal numbers is then a rounding error and not 0."""
    truth = np.stack([np.full(7, 0.1), np.arange(7.0)], axis=1)
    for columns in ([0], [0, 1]):
        values = metrics.evaluate(sorted(metrics.NORMALISED), truth[:, columns] + 1, truth[:, columns])
        assert np.isnan(list(values.values())).all()
    assert np.isfinite(metrics.nrmse_std(truth[:, [1]] + 1, truth[:, [1]]))


def test_a_normalised_error_is_undefined_only_when_another_metric_is_finite():
    assert metrics.undefined({"nrmse_std": np.nan, "rmse": 1.0, "nrmse_range": None}) == [
        "nrmse_std",
        "nrmse_range",
    ]
    assert metrics.undefined({"nrmse_std": np.nan, "rmse": np.nan}) == []
    assert metrics.undefined({"nrmse_std": 0.5, "rmse": 1.0}) == []


def sequences(rng, labels):
    """Return predictions, truth and the lengths of some sequences of labels of three classes, or of two bits."""
    lengths = rng.integers(1, 6, rng.integers(1, 9))
    rows = int(lengths.sum())
    if labels:
        truth = rng.integers(0, 3, rows)
        predicted = rng.normal(size=(rows, 3)) + 1.5 * np.eye(3)[truth]
    else:
        truth = rng.integers(0, 2, (rows, 2)).astype(float)
        predicted = rng.normal(size=(rows, 2)) + 2 * truth - 1
    return predicted, truth, lengths.tolist()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("labels", [True, False])
def test_scores_of_sequences_are_those_of_loops_over_sequences(labels, seed):
    predicted, truth, lengths = sequences(np.random.default_rng(seed), labels)
    shares, whole, wrong_bits, place = [], [], [], 0
    for length in lengths:
        right = 0
        wrong_bits.append(0)
        for row in range(place, place + length):
            if labels:
                right += int(max(range(3), key=lambda label: predicted[row, label])) == truth[row]
            else:
                wrong = [(predicted[row, o] > 0) != (truth[row, o] == 1) for o in range(2)]
                right += not any(wrong)
                wrong_bits[-1] += sum(wrong)
        shares.append(right / length)
        whole.append(right == length)
        place += length
    names = ["token_accuracy", "exact_match"] + ([] if labels else ["bit_errors"])
    found = metrics.evaluate(names, predicted, truth, np.cumsum(lengths) - 1)
    assert np.isclose(found["token_accuracy"], sum(shares) / len(shares))
    assert np.isclose(found["exact_match"], sum(whole) / len(whole))
    if not labels:
        assert np.isclose(found["bit_errors"], sum(wrong_bits) / len(wrong_bits))


@pytest.mark.parametrize("seed", range(6))
def test_legal_symbols_must_be_the_most_active_at_every_step_of_a_sequence(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 5, 9)
    truth = np.eye(4)[rng.integers(0, 4, lengths.sum())]
    truth[::3, 1] = 1.0
    predicted = truth + rng.choice([-0.7, 0.0, 0.4, 0.6], truth.shape, p=[0.02, 0.8, 0.1, 0.08])
    right, place = [], 0
    for length in lengths:
        rows = range(place, place + length)
        pairs = [(row, a, b) for row in rows for a in range(4) for b in range(4)]
        right.append(all(predicted[r, a] > predicted[r, b] for r, a, b in pairs if truth[r, a] > truth[r, b]))
        place += length
    ends = np.cumsum(lengths) - 1
    found = metrics.evaluate(("legal_match", "all_legal"), predicted, truth, ends)
    assert np.isclose(found["legal_match"], np.mean(right)) and found["all_legal"] == float(all(right))
    perfect = metrics.evaluate(("legal_match", "all_legal"), truth - 5.0, truth, ends)
    assert perfect == {"legal_match": 1.0, "all_legal": 1.0}
    tied = metrics.evaluate(("legal_match", "all_legal"), 0.0 * truth, truth, ends)
    assert tied == {"legal_match": 0.0, "all_legal": 0.0}


def test_without_ends_every_row_is_a_sequence():
    predicted, truth, _ = sequences(np.random.default_rng(7), True)
    assert metrics.token_accuracy(predicted, truth) == metrics.accuracy(predicted, truth)
    assert metrics.exact_match(predicted, truth) == metrics.accuracy(predicted, truth)


def test_token_accuracy_counts_every_sequence_alike_and_accuracy_every_step():
    predicted = np.eye(2)[[0, 1, 1, 1]]
    truth, ends = np.array([0, 0, 0, 0]), np.array([0, 3])
    assert metrics.evaluate(("token_accuracy", "accuracy"), predicted, truth, ends) == {
        "token_accuracy": 0.5,
        "accuracy": 0.25,
    }


def test_memory_capacity_is_the_sum_of_squared_correlations():
    by_hand = sum(np.corrcoef(P[:, o], T[:, o])[0, 1] ** 2 for o in range(2))
    assert np.isclose(metrics.memory_capacity(P, T), by_hand)
    assert np.isclose(metrics.memory_capacity(3 * T - 1, T), 2)
    assert metrics.memory_capacity(np.full((5, 1), 0.1), np.arange(5.0)[:, None]) == 0
    assert np.isnan(metrics.memory_capacity(np.arange(5.0)[:, None], np.full((5, 1), 0.1)))


def slow_edits(one, two):
    """Return the edit distance by its definition, with recursion over the last labels."""
    if not one or not two:
        return len(one) + len(two)
    return min(
        slow_edits(one[:-1], two) + 1,
        slow_edits(one, two[:-1]) + 1,
        slow_edits(one[:-1], two[:-1]) + (one[-1] != two[-1]),
    )


def test_edit_distance_against_its_definition():
    rng = np.random.default_rng(0)
    pairs = [[rng.integers(1, 4, rng.integers(0, 6)) for _ in range(2)] for _ in range(40)]
    found = [label_metrics.edits(*pair) for pair in pairs]
    assert found == [slow_edits(one.tolist(), two.tolist()) for one, two in pairs]
    decoded, truth = zip(*pairs)
    values = label_metrics.evaluate_sequences(label_metrics.SEQUENCE_METRICS, decoded, truth)
    assert values["edit_distance"] == np.mean(found)
    assert values["label_error_rate"] == pytest.approx(sum(found) / sum(map(len, truth)))
    assert values["exact_match"] == np.mean([found == 0 for found in found])
    with pytest.raises(UnknownName):
        label_metrics.evaluate_sequences(["edits"], decoded, truth)
