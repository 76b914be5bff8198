"""Anomalies by prediction error: marks, the threshold of validation, precision and recall."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, DataError
from evorrn.data.metrics import METRICS, nrmse_std
from evorrn.testing import check_task
from evorrn.training.assessment import SequenceAssessment
from evorrn_tasks.anomalies import APART, LONGEST, found_by, generated
from evorrn_tasks.common.draws import generator


@pytest.mark.parametrize("seed", range(3))
def test_alarms_are_counted_as_by_looking_at_each_anomaly_and_each_alarm(seed):
    rng = np.random.default_rng(seed)
    marked = np.repeat(rng.random(12) < 0.4, rng.integers(1, 6, 12))
    alarms, after = rng.random(len(marked)) < 0.3, int(rng.integers(0, 4))
    events, raised, start = [], [], None
    for step, mark in enumerate([*marked, False]):
        if mark and start is None:
            start = step
        if not mark and start is not None:
            events.append(range(start, step + after))
            start = None
    for step in np.flatnonzero(alarms):
        if raised and step - raised[-1][-1] <= after + 1:
            raised[-1].append(step)
        else:
            raised.append([step])
    right = [each for each in raised if any(step in event for step in each for event in events)]
    seen = [event for event in events if any(step < len(alarms) and alarms[step] for step in event)]
    found = found_by(alarms, marked, after)
    assert found["recall"] == pytest.approx(len(seen) / len(events))
    # An alarm also touches an anomaly that lies in one of its gaps.
    assert found["precision"] >= len(right) / len(raised) - 1e-12
    assert after or found["precision"] == pytest.approx(len(right) / len(raised))
    assert found_by(np.zeros(9, bool), np.arange(9) == 3, 1) == {"precision": 0, "recall": 0, "f1": 0}


def test_precision_and_recall_of_entries_are_the_definitions():
    logits, truth = np.array([[1.0], [2], [-1], [3], [-2]]), np.array([[1.0], [0], [1], [1], [0]])
    assert METRICS["precision"](logits, truth) == pytest.approx(2 / 3)
    assert METRICS["recall"](logits, truth) == pytest.approx(2 / 3)
    assert METRICS["f1"](logits, truth) == pytest.approx(2 / 3)
    assert METRICS["precision"](-np.ones((3, 1)), np.ones((3, 1))) == 0
    assert METRICS["f1"](-np.ones((3, 1)), np.ones((3, 1))) == 0
    assert np.isnan(METRICS["recall"](np.ones((3, 1)), np.zeros((3, 1))))


@pytest.mark.parametrize("seed", [0, 5])
def test_the_generated_anomalies_are_in_test_alone_and_change_what_they_mark(seed):
    task = evorrn.task("anomalies", noise=0.0)
    series, marked = generated(task, generator(seed))
    edges = np.flatnonzero(np.diff(marked.astype(int), prepend=0, append=0))
    starts, ends = edges[::2], edges[1::2]
    assert len(starts) == task.anomalies and starts[0] >= 0.7 * task.steps and ends[-1] < task.steps
    assert np.diff(starts).min() >= APART and (ends - starts).max() <= LONGEST
    assert (ends - starts)[::4].tolist() == [1] * 5  # spikes
    for start, end in zip(starts[1::4], ends[1::4]):  # flat
        assert np.ptp(series[start:end]) == 0
    assert task.data(seed).train.scored[:, task.washout :].any() and not task.data(seed).test.scored.all()


def test_the_threshold_is_that_of_validation_and_a_perfect_prediction_of_the_usual_finds_all(tmp_path):
    task = evorrn.task("anomalies", alarms=0.1, after=0)
    splits = task.data(0)
    marked = ~splits.test.scored[0, task.washout :]
    errors = np.linspace(0, 1, splits.valid.steps - task.washout)
    valid = np.array(splits.valid.targets, dtype=float)
    valid[0, task.washout :, 0] += errors
    test = np.array(splits.test.targets, dtype=float)
    test[0, task.washout :, 0] += np.where(marked, 0.95, 0.89)  # 0.9 is the threshold
    outputs = {"train": splits.train.targets, "valid": valid, "test": test}
    assert task.judged(splits, outputs)["test"] == {"precision": 1, "recall": 1, "f1": 1}
    outputs["test"] = test * np.nan
    assert np.isnan(task.judged(splits, outputs)["test"]["f1"])


def save(path, marks, values=None):
    values = np.sin(0.3 * np.arange(len(marks))) if values is None else values
    rows = "\n".join(f"{value:.5f},{mark}" for value, mark in zip(values, marks))
    path.write_text(f"load,odd\n{rows}\n")
    return evorrn.task("anomalies", path=str(path), target="load", mark="odd", shares=(0.5, 0.2, 0.3))


def test_marked_rows_of_a_users_table_are_not_scored_and_test_is_judged_by_them(tmp_path):
    marks = np.zeros(400, dtype=int)
    marks[[100, 101, 220, 330, 331]] = 1
    values = np.sin(0.3 * np.arange(400))
    values[marks == 1] += 3
    task = save(tmp_path / "a.csv", marks, values)
    check_task(task)
    splits = task.data(0)
    assert [int((~batch.scored[:, task.washout :]).sum()) for batch in splits][1:] == [1, 2]
    found = task.baselines(splits)["linear autoregression"]
    assert found["recall"] == 1.0
    net = evorrn.Network.for_task(task, cell="elman", hidden=2)
    result = evorrn.RandomSearch(count=4).fit(net, task, seed=0, budget="1gen")
    assert set(result.metrics["test"]) == set(task.metrics)
    assert set(result.metrics["valid"]) == {"nrmse_std"}


def test_the_values_of_baselines_are_those_of_the_assessment():
    task = evorrn.task("anomalies", steps=1000, anomalies=4)
    splits = task.data(1)
    values = SequenceAssessment(splits, task).baselines("nrmse_std")
    scored, scaling = splits.test.scored, splits.scaling
    known = scaling.restore_targets(splits.test.inputs)[scored]
    wanted = nrmse_std(known, scaling.restore_targets(splits.test.targets)[scored])
    assert values["persistence"] == pytest.approx(wanted)


def test_what_does_not_fit_is_said(tmp_path):
    with pytest.raises(ConfigError, match="anomalies: expected at most 1 in the test part"):
        evorrn.task("anomalies", steps=400, anomalies=20)
    with pytest.raises(DataError, match="at least one marked row in the test part"):
        save(tmp_path / "a.csv", np.zeros(300, dtype=int)).data(0)
    with pytest.raises(DataError, match=r"line 12, column 'odd': expected 0 or 1, got 2"):
        save(tmp_path / "b.csv", np.where(np.arange(300) == 10, 2, 0)).data(0)
