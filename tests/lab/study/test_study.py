"""What a sweep's runs show: who is compared, what is chosen, which leads hold, what axes do."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from made_sweep import AXES, LEVELS, write_list, write_run, write_sweep
from scipy import stats
from tiny import WAVE, Wave

from evorrn.base.errors import RunError
from evorrn.base.trust import trusting
from evorrn.lab.report import sweep_records as records
from evorrn.lab.study.sentences import sweep as sentences
from evorrn.lab.study.standings import (
    findings,
    improvements,
    leads,
    leads_across,
    overall,
    rank_comparison,
    standings,
)
from evorrn.lab.study.study import make_study, multiples, ordered, values_of
from evorrn.lab.sweep.results import read_results

POINT = {"task.name": "narma", "strategy.name": "ga", "network.cell": "elman", "network.hidden": 8}


def many_tasks(root, seeds=3, tasks=8):
    levels = {f"task{number}": 0.1 * (number + 1) for number in range(tasks)}
    axes = {**AXES, "task.name": list(levels), "network.cell": ["elman"], "network.hidden": [8]}
    folder = write_sweep(root, axes=axes, seeds=seeds, levels=levels, trouble=False, history=False)
    return make_study(read_results(folder))


def small(root, errors, axes=None, **more):
    """Return the study of configurations of one strategy with the errors given, by the size of the network."""
    lines = []
    for size, by_seed in errors.items():
        for seed, error in enumerate(by_seed):
            given = error if isinstance(error, dict) else {"value": error}
            lines.append(write_run(root, {**POINT, "network.hidden": size}, seed, **{**more, **given}))
    return make_study(read_results(write_list(root, lines, axes or {"network.hidden": list(errors)})))


def test_axes_of_tasks_are_tasks_strategies_are_compared_and_the_rest_is_tuned(study):
    assert study.tasks == ["mackey-glass", "narma"] and study.contenders == ["ga", "esn", "bptt"]
    assert study.compared == ("strategy.name",) and study.tuned == ("network.cell", "network.hidden")
    assert study.metrics == dict.fromkeys(LEVELS, "nrmse_std")
    assert len(study.configurations) == 24 and study.axes["network.hidden"] == ["8", "16"]


def test_without_a_strategy_axis_cells_are_compared_and_a_budget_always(tmp_path):
    axes = {"network.hidden": [8, 16], "network.cell": ["elman", "lstm"], "budget": ["5G", "20G"]}
    lines = [
        write_run(tmp_path, {**POINT, **dict(zip(axes, point))}, 0, 0.5)
        for point in itertools.product(*axes.values())
    ]
    study = make_study(read_results(write_list(tmp_path, lines, axes)))
    assert study.compared == ("network.cell", "budget") and study.tuned == ("network.hidden",)
    assert study.contenders == ["elman, 5G", "elman, 20G", "lstm, 5G", "lstm, 20G"]
    assert study.tasks == ["narma"]


def test_validation_chooses_and_test_has_no_say(tmp_path):
    axes = {"strategy.name": ["ga", "esn"], "network.hidden": [8, 16]}
    reached = {("ga", 8): (0.2, 0.9), ("ga", 16): (0.8, 0.3), ("esn", 8): (0.5, 0.5), ("esn", 16): (0.4, 0.6)}
    lines = [
        write_run(tmp_path, {**POINT, "strategy.name": name, "network.hidden": size}, seed, test, valid=valid)
        for (name, size), (test, valid) in reached.items()
        for seed in range(3)
    ]
    study = make_study(read_results(write_list(tmp_path, lines, axes)))
    chosen = {name: study.chosen("narma", name) for name in ("ga", "esn")}
    assert chosen["ga"].values["network.hidden"] == "16" and chosen["ga"].errors.tolist() == [0.8] * 3
    assert chosen["esn"].values["network.hidden"] == "8"
    assert [standing.contender for standing in standings(study, "narma")] == ["esn", "ga"]
    assert study.scale("narma") == 0.5


def test_a_configuration_with_fewer_runs_is_not_chosen_for_its_luck(tmp_path):
    axes = {"network.cell": ["elman", "lstm"], "network.hidden": [8, 16]}
    lines = [write_run(tmp_path, POINT, seed, 0.5) for seed in range(3)]
    lines += [write_run(tmp_path, {**POINT, "network.hidden": 16}, 0, 0.1)]
    lines += [write_run(tmp_path, {**POINT, "network.cell": "lstm"}, seed, 0.6) for seed in range(3)]
    study = make_study(read_results(write_list(tmp_path, lines, axes)))
    assert study.chosen("narma", "elman").errors.tolist() == [0.5] * 3
    assert study.chosen("narma", "lstm").errors.tolist() == [0.6] * 3


def test_failed_and_diverged_runs_are_the_worst_and_others_do_not_count(tmp_path):
    failed = {"value": 0.0, "status": "failed"}
    study = small(
        tmp_path, {8: [0.3, float("nan"), failed], 16: [0.4, 0.5, {"value": 0, "status": "interrupted"}]}
    )
    eight, sixteen = study.configurations
    assert eight.errors.tolist() == [0.3, math.inf, math.inf] and sixteen.errors.tolist() == [0.4, 0.5]
    found = {standing.contender: standing for standing in standings(study, "narma")}
    assert found["hidden 8"].row.failed == 2 and found["hidden 8"].row.median == math.inf
    assert "Runs that failed or gave no finite value, ranked worst everywhere: 2." in sentences.cautions(
        study, findings(study)
    )


def test_nothing_complete_is_nothing_to_report(tmp_path):
    with pytest.raises(RunError, match="at least one complete run"):
        small(tmp_path, {8: [{"value": 0, "status": "failed"}]})


def test_shares_and_returns_become_errors_and_come_back(tmp_path):
    study = small(tmp_path, {8: [0.9, 0.8], 16: [0.7, 0.6]}, metric="accuracy")
    assert study.configurations[0].errors == pytest.approx([0.1, 0.2])
    assert values_of(study.configurations[0].errors, "accuracy") == pytest.approx([0.9, 0.8])
    assert [s.contender for s in standings(study, "narma")] == ["hidden 8", "hidden 16"]
    study = small(tmp_path / "b", {8: [-150.0], 16: [-300.0]}, metric="return")
    assert study.configurations[1].errors.tolist() == [300.0]
    assert study.relative("narma", np.array([300.0]))[0] == 2.0


def test_multiples_of_a_reference():
    assert multiples(np.array([1.0, 2.0, np.inf]), 2.0).tolist() == [0.5, 1.0, np.inf]
    assert multiples(np.array([-500.0, -250.0]), -500.0).tolist() == [
        1.0,
        1.5,
    ]  # half of the return is missing
    assert multiples(np.array([0.0, 0.1]), 0.0).tolist() == [1.0, np.inf]


def test_numbers_of_an_axis_ascend_and_names_stay():
    assert ordered(["16", "8", "128", "8"]) == ["8", "16", "128"]
    assert ordered(["lstm", "elman", "lstm"]) == ["lstm", "elman"]


def test_leads_are_wilcoxons_test_seed_by_seed_with_holms_correction(study):
    found = leads(study, "narma")
    assert [(lead.a, lead.b) for lead in found] == [("bptt", "esn"), ("bptt", "ga"), ("esn", "ga")]
    errors = {name: study.chosen("narma", name).errors for name in study.contenders}
    raw = [stats.wilcoxon(errors[lead.a], errors[lead.b], method="exact").pvalue for lead in found]
    assert [lead.uncorrected for lead in found] == pytest.approx(raw)
    order = np.argsort(raw)
    adjusted = np.maximum.accumulate(np.sort(raw) * np.array([3, 2, 1]))
    assert [found[place].p for place in order] == pytest.approx(adjusted.tolist())
    assert all(lead.pairs == 10 and lead.holds == (lead.p <= 0.05) for lead in found)
    assert found[1].holds and found[1].ahead == 10


def test_only_seeds_that_both_have_are_paired(study):
    found = {(lead.a, lead.b): lead for lead in leads(study, "mackey-glass")}
    # Of the configurations that are best there, bptt's lacks seed 0, esn's cannot be read and ga's has failed.
    assert {name: len(study.chosen("mackey-glass", name).trials) for name in study.contenders} == {
        "ga": 10, "esn": 9, "bptt": 9,
    }  # fmt: skip
    assert all(lead.pairs == 9 for lead in found.values())


def test_across_tasks_contenders_are_ranked_by_errors_relative_to_the_best(study):
    across = overall(study)
    assert [entry.contender for entry in across] == ["bptt", "esn", "ga"]
    assert [entry.rank for entry in across] == [1, 2, 3]
    parts = [
        study.chosen(task, "esn").errors / np.median(study.chosen(task, "bptt").errors)
        for task in study.tasks
    ]
    assert across[1].middle.value == pytest.approx(stats.trim_mean(np.concatenate(parts), 0.25))
    assert across[1].middle.low < across[1].middle.value < across[1].middle.high
    names, table = improvements(study)
    assert names == ["bptt", "esn", "ga"] and table[0][0] is None
    assert table[0][2].value == pytest.approx(1 - table[2][0].value) and table[0][2].value > 0.95


def test_eight_tasks_make_friedmans_test_and_seven_do_not(tmp_path):
    study = many_tasks(tmp_path / "a")
    found = rank_comparison(study)
    medians = [
        [np.median(study.chosen(task, name).errors) for task in study.tasks] for name in study.contenders
    ]
    expected = stats.friedmanchisquare(*medians)
    assert found.tasks == 8 and found.p == pytest.approx(expected.pvalue)
    across = leads_across(study)
    assert [lead.pairs for lead in across] == [8, 8, 8] and across[1].task == ""
    by_name = dict(zip(study.contenders, np.array(medians)))
    ratio = {name: values / np.min(medians, axis=0) for name, values in by_name.items()}
    raw = stats.wilcoxon(ratio[across[1].a], ratio[across[1].b], method="exact").pvalue
    assert across[1].uncorrected == pytest.approx(raw)
    fewer = many_tasks(tmp_path / "b", tasks=7)
    assert rank_comparison(fewer) is None and leads_across(fewer) == []
    assert "at least 8 tasks" in sentences.ranks_text(fewer, None)


def test_too_few_seeds_are_said_and_leads_are_not_claimed(tmp_path):
    study = many_tasks(tmp_path, seeds=4, tasks=2)
    found = findings(study)
    (said,) = sentences.cautions(study, found)
    assert "With 4 seeds no p-value can be below 0.375 after Holm's correction for 3 pairs" in said
    assert "At least 7 seeds are needed." in said
    assert not any(lead.holds for there in found.values() for lead in there.leads)
    answer = sentences.answer(study, found, overall(study), [])
    assert "so few seeds cannot show that its lead is more than chance" in answer and "holds" not in answer


def test_answer_and_cautions_of_a_sweep_with_trouble(study):
    found, across = findings(study), overall(study)
    answer = sentences.answer(study, found, across, [])
    assert answer.startswith("Across 2 tasks bptt is best")
    assert "On narma bptt is best with nrmse_std 0.3" in answer and "(cell lstm, hidden 16)" in answer
    said = " ".join(sentences.cautions(study, found))
    assert "not finished: 1 of 240 runs are still to come" in said
    assert "cannot be read, left out: 1" in said
    assert sentences.state(study) == "237 complete, 1 failed, 1 missing, 1 damaged"


def test_contenders_with_the_same_median_are_level(tmp_path):
    study = small(tmp_path, {8: [0.3, 0.5], 16: [0.4, 0.4], 32: [0.6, 0.6]})
    answer = sentences.answer(study, findings(study), [], [])
    assert answer == "On narma hidden 16 and hidden 8 are level at the top with nrmse_std 0.400."


def test_pruned_runs_are_told_apart_from_those_to_come(tmp_path):
    pruned = {"value": 0, "status": "interrupted", "stopped": "pruned"}
    study = small(tmp_path, {8: [0.3, pruned], 16: [0.4, 0.5]})
    said = " ".join(sentences.cautions(study, findings(study)))
    assert "the search pruned, left out of all statistics: 1" in said and "not finished" not in said


def test_different_numbers_of_tries_are_said(tmp_path):
    axes = {"strategy.name": ["ga", "esn"], "network.hidden": [8, 16]}
    points = [("ga", 8), ("ga", 16), ("esn", 8)]
    lines = [
        write_run(tmp_path, {**POINT, "strategy.name": name, "network.hidden": size}, seed, 0.5)
        for name, size in points
        for seed in range(10)
    ]
    study = make_study(read_results(write_list(tmp_path, lines, axes)))
    said = " ".join(sentences.cautions(study, findings(study)))
    assert "different numbers of configurations: esn (1) and ga (2)" in said or "ga (2) and esn (1)" in said


def test_targets_are_reached_by_the_shares_that_name_them(study):
    curves = records.curves(study, "narma")
    targets = records.targets(study, curves["work"])
    assert targets == sorted(targets, reverse=True) and len(targets) == 3
    final = np.array([curve.loss[-1] for runs in curves["work"].values() for curve in runs])
    assert [np.mean(final <= target) for target in targets] == pytest.approx([0.75, 0.5, 0.25], abs=0.05)
    rows = records.reached(study, "narma", curves, targets[1])
    assert rows[0].contender == "bptt" and sum(row.reached for row in rows) == np.sum(final <= targets[1])
    assert [row.work for row in rows] == sorted(row.work for row in rows)
    assert rows[0].steps == pytest.approx(rows[0].work / 250) and rows[0].seconds == pytest.approx(
        rows[0].work / 2e9
    )


def test_a_failed_run_never_reaches_a_target(tmp_path):
    failed = {"value": 0.0, "status": "failed"}
    study = small(tmp_path, {8: [0.3, 0.3, failed]})
    (name,) = study.contenders
    curves = records.curves(study, "narma")
    (row,) = records.reached(study, "narma", curves, float(curves["work"][name][0].loss[-1]))
    assert (row.reached, row.runs) == (2, 3) and row.work == pytest.approx(
        7.5e9
    )  # three budgets for two successes


def test_failures_are_told_by_reason_with_a_traceback(study):
    found = records.failures(study)
    assert {(failure.status, failure.count) for failure in found} == {("failed", 1), ("damaged", 1)}
    assert next(f for f in found if f.status == "failed").traceback == "Traceback: <here>"


def test_environments_are_counted(study):
    found = dict(records.environments(study))
    runs = sum(len(study.chosen(task, name).trials) for task in study.tasks for name in study.contenders)
    assert found["python"] == [("3.11.2", runs)] and sum(count for _, count in found["host"]) == runs
    assert {name for name, _ in found["host"]} == {"node0", "node1"}


def test_a_budget_that_ends_at_a_loss_sets_the_target(tmp_path):
    lines = [write_run(tmp_path, POINT, seed, 0.3) for seed in range(2)]
    for line in lines:
        path = tmp_path / json.loads(line)["folder"] / "spec.toml"
        path.write_text(
            path.read_text().replace('budget = "5G"\n', "") + "\n[budget]\nloss = 0.1\nwork = 5\n"
        )
    study = make_study(read_results(write_list(tmp_path, lines, {"network.hidden": [8]})))
    assert records.targets(study, {}) == [0.1]


def test_trivial_baselines_stand_beside_the_contenders_on_the_same_data(tmp_path):
    axes = {"strategy.name": ["random", "ga"]}
    lines = []
    for name, error in (("random", 9.0), ("ga", 0.001)):
        for seed in range(2):
            spec = {**POINT, "task.name": WAVE, "strategy.name": name}
            line = json.loads(write_run(tmp_path, spec, seed, error))
            lines.append(json.dumps(line))
    study = make_study(read_results(write_list(tmp_path, lines, axes)))
    (task,) = study.tasks
    with trusting(True, print):  # the specs written above record no file of code
        (persistence,) = records.baselines(study, task)
    by_hand = []
    for seed in range(2):
        test = Wave().data(seed).test
        by_hand.append(np.sqrt(np.mean((test.inputs - test.targets) ** 2)) / np.std(test.targets))
    assert persistence.value == pytest.approx(np.median(by_hand), rel=1e-5)
    said = " ".join(sentences.cautions(study, findings(study, {task: [persistence]})))
    assert "trivial baseline persistence" in said and "at least as good as random (9.00)." in said


def test_contenders_that_see_what_they_are_to_predict_are_named(tmp_path):
    study = many_tasks(tmp_path, seeds=1, tasks=1)
    (task,) = study.tasks
    assert not any("later inputs" in text for text in sentences.cautions(study, findings(study)))
    name = study.contenders[0]
    for trial in study.trials(task, name):
        path = study.runs.root / trial.row.folder / "result.json"
        path.write_text(
            json.dumps({**json.loads(path.read_text()), "horizon": None, "network": {}, "sees_targets": True})
        )
    said = [text for text in sentences.cautions(study, findings(study)) if "later inputs" in text]
    assert (
        len(said) == 1 and said[0].startswith(f"On {task} bidirectional") and f"of {name} are not" in said[0]
    )


def test_a_task_that_cannot_be_made_again_has_no_baselines(tmp_path):
    study = many_tasks(tmp_path, seeds=1, tasks=1)
    assert records.baselines(study, study.tasks[0]) == []


def test_another_metric_ranks_a_task_on_which_the_first_is_undefined(tmp_path):
    """A constant target on test: the normalised error is NaN in every run, and the root mean squared error is not."""
    errors = {size: [{"value": math.nan, "valid": 0.1 * size, "rmse": size}] * 2 for size in (4, 8)}
    errors[8][0] = {"value": math.nan, "valid": math.nan, "rmse": math.nan}  # this one diverged
    study = small(tmp_path, errors)
    (task,) = study.tasks
    assert study.metrics == {task: "rmse"} and study.undefined == {task: "nrmse_std"}
    assert [cell.errors.tolist() for cell in study.configurations] == [[4, 4], [math.inf, 8]]
    said = sentences.cautions(study, findings(study))
    assert (
        f"On {task} nrmse_std is undefined on test, because the targets of an output do not vary: rmse ranks instead."
        in said
    )


def test_the_first_metric_ranks_as_soon_as_it_is_defined_in_one_run(tmp_path):
    study = small(tmp_path, {4: [{"value": math.nan, "rmse": math.nan}, 0.5]})
    assert list(study.metrics.values()) == ["nrmse_std"] and not study.undefined
