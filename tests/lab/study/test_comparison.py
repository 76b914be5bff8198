"""The data of a comparison and its words: ranking, failures, JSON, and what is claimed."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from comparisons import made_up
from scipy import stats

from evorrn.base.errors import RunError
from evorrn.base.text import figure
from evorrn.lab.report.comparison import summary
from evorrn.lab.report.terminal import lines, show
from evorrn.lab.study.comparison import Comparison
from evorrn.lab.study.ranking import make_baselines, make_differences, make_row, rank, ranked
from evorrn.lab.study.sentences import common
from evorrn.lab.study.sentences import comparison as sentences


def row(name, values, metric="nrmse_std", **more):
    return make_row(
        name,
        metric,
        values,
        network=more.pop("network", {"cell": "elman", "hidden": 8, "genes": 97}),
        costs=[{"work": 1e9, "steps": 1e6, "seconds": 1.0}],
        settings={},
        runs=[f"run{i}" for i in range(len(values))],
        **more,
    )


def comparison(rows, metric="nrmse_std", baselines=(), **more):
    rows = rank(rows, metric)
    seeds = tuple(range(len(rows[0].values)))
    return Comparison(
        task={"name": "made-up", "seed_changes": "data"},
        budget="1G",
        metric=metric,
        seeds=seeds,
        rows=tuple(rows),
        baselines=tuple(make_baselines({name: [value] * len(seeds) for name, value in baselines}, metric)),
        differences=tuple(make_differences(rows, metric)),
        **more,
    )


def test_a_failed_run_ranks_worst_and_is_counted():
    for metric, worst in (("nrmse_std", math.inf), ("accuracy", -math.inf)):
        for lost in (math.nan, math.inf, -math.inf):
            one = row("ga", [0.2, lost, 0.4], metric)
            assert one.values[1] == worst
            assert one.failed == 1
            assert one.median in (0.2, 0.4)
            assert one.median == np.median(one.values)


def test_rows_are_ranked_by_the_metrics_own_direction():
    rows = [row("a", [0.5] * 3), row("b", [0.2] * 3), row("c", [math.nan] * 3)]
    assert [r.strategy for r in rank(rows, "nrmse_std")] == ["b", "a", "c"]
    rows = [row(r.strategy, r.values, "accuracy") for r in rows]
    assert [r.strategy for r in rank(rows, "accuracy")] == ["a", "b", "c"]


def test_baselines_stand_in_the_ranking_where_they_belong():
    found = comparison([row("a", [0.5] * 3), row("b", [0.2] * 3)], baselines=[("mean", 1.0), ("linear", 0.3)])
    assert [
        getattr(e, "strategy", None) or e.name for e in ranked(found.rows, found.baselines, found.metric)
    ] == ["b", "linear", "a", "mean"]


def test_differences_are_scipys_wilcoxon_after_holm():
    rng = np.random.default_rng(0)
    values = {name: rng.normal(centre, 0.1, 10) for name, centre in (("a", 0.3), ("b", 0.35), ("c", 0.9))}
    found = comparison([row(name, v) for name, v in values.items()]).differences
    raw = {
        (x, y): stats.wilcoxon(values[x], values[y], method="exact").pvalue
        for x, y in (("a", "b"), ("a", "c"), ("b", "c"))
    }
    for pair in found:
        assert pair.uncorrected == pytest.approx(raw[tuple(sorted((pair.a, pair.b)))])
        assert pair.ahead == int((values[pair.a] < values[pair.b]).sum())
    corrected = sorted(raw.values())
    corrected = np.maximum.accumulate([corrected[0] * 3, corrected[1] * 2, corrected[2]])
    assert sorted(pair.p for pair in found) == pytest.approx(sorted(corrected))
    assert {(pair.a, pair.b) for pair in found if pair.holds} == {("a", "c"), ("b", "c")}


def test_a_difference_names_who_is_ahead_seed_by_seed_even_against_the_medians():
    # a has the better median, but loses to b in nine of ten seeds
    b = np.array([0.10, 0.11, 0.12, 0.13, 0.50, 0.51, 0.52, 0.53, 0.54, 0.55])
    a = b + 0.01
    a[5] = 0.14
    found = comparison([row("a", a), row("b", b)])
    assert found.best.strategy == "a"
    (pair,) = found.differences
    assert (pair.a, pair.b, pair.ahead) == ("b", "a", 9)


def test_higher_is_better_turns_the_test_round():
    found = comparison([row("a", [0.9] * 8, "accuracy"), row("b", [0.5] * 8, "accuracy")], "accuracy")
    (pair,) = found.differences
    assert (pair.a, pair.b, pair.ahead, pair.holds) == ("a", "b", 8, True)


def test_json_has_the_promised_names_and_no_number_that_json_has_not():
    content = made_up().as_dict()
    text = json.dumps(content, allow_nan=False)
    assert {"task", "budget", "metric", "rows", "baselines", "differences", "report"} <= set(content)
    promised = [
        "strategy",
        "network",
        "values",
        "median",
        "low",
        "high",
        "work",
        "steps",
        "seconds",
        "failed",
    ]
    assert set(promised) <= set(content["rows"][0])
    assert {"cell", "hidden", "genes"} <= set(content["rows"][0]["network"])
    assert {"name", "value"} <= set(content["baselines"][0])
    assert {"a", "b", "p", "holds"} <= set(content["differences"][0])
    failed = next(r for r in json.loads(text)["rows"] if r["strategy"] == "ga")
    assert failed["values"][0] is None


@pytest.mark.parametrize("seeds", [1, 3, 10])
@pytest.mark.parametrize("metric", ["nrmse_std", "accuracy"])
def test_json_and_back(seeds, metric):
    before = made_up(seeds, metric=metric)
    after = Comparison.from_dict(json.loads(json.dumps(before.as_dict(), allow_nan=False)))
    np.testing.assert_equal(vars(after)["rows"][0].low, before.rows[0].low)
    assert after.as_dict() == before.as_dict()
    assert sentences.cautions(after) == sentences.cautions(before)


@pytest.mark.parametrize(
    "spoil", [lambda c: c.pop("rows"), lambda c: c["rows"][0].pop("values"), lambda c: c.update(x=1)]
)
def test_what_is_no_comparison_is_refused(spoil):
    content = made_up().as_dict()
    spoil(content)
    with pytest.raises(RunError, match="comparison"):
        Comparison.from_dict(content)


def test_the_answer_names_the_best_what_it_beats_and_whether_that_holds():
    text = sentences.answer(made_up())
    assert text.startswith("Best: esn, nrmse_std 0.322")
    assert (
        "it beats linear autoregression (0.380), the best trivial baseline, by 15 % in 10 of 10 seeds" in text
    )
    assert "Its lead over bptt, ga and random holds under Holm's correction." in text


def test_the_answer_does_not_claim_what_does_not_hold():
    rng = np.random.default_rng(3)
    same = {name: rng.normal(0.5, 0.1, 10) for name in ("a", "b", "c")}
    text = sentences.answer(comparison([row(name, v) for name, v in same.items()]))
    assert "holds under" not in text
    assert "does not hold." in text


def test_ways_that_are_equal_to_the_best_are_named_and_no_lead_is_claimed():
    rows = [row(name, [value]) for name, value in (("a", 0.5), ("b", 0.5), ("c", 0.8))]
    text = sentences.answer(comparison(rows))
    assert text.startswith("Best: a (equal to b), nrmse_std 0.500 on test")
    assert "lead is more than chance" in text
    assert "lead" not in sentences.answer(comparison(rows[:2]))
    assert "lead is more than chance" in sentences.answer(comparison(rows[1:]))


def test_losing_to_a_trivial_baseline_is_said():
    found = comparison([row("a", [0.5] * 10), row("b", [0.8] * 10)], baselines=[("persistence", 0.4)])
    assert "it does not beat the trivial baseline persistence (0.400)" in sentences.answer(found)
    assert (
        "The trivial baseline persistence (0.400) is at least as good as a (0.500) and b (0.800)."
        in sentences.cautions(found)
    )


def test_too_few_seeds_are_said_with_how_many_it_takes():
    found = made_up(5, failed=0)
    (caution,) = [text for text in sentences.cautions(found) if "no p-value can be below" in text]
    assert "With 5 seeds" in caution and "0.375 after Holm's correction for 6 pairs" in caution
    assert "At least 8 seeds are needed" in caution
    assert "cannot show" in sentences.answer(found)
    assert not any(pair.holds for pair in found.differences)
    assert any("covers less than 95 %" in text and "93.8 %" in text for text in sentences.notes(found))


def test_not_beating_random_networks_is_said():
    rng = np.random.default_rng(5)
    found = comparison([row("ga", rng.normal(0.5, 0.1, 10)), row("random", rng.normal(0.5, 0.1, 10))])
    assert "Not shown to be better than the best of as many random networks: ga." in sentences.cautions(found)


def test_failures_are_told_apart():
    found = comparison([row("a", [math.nan, math.nan, 0.1], errors=1), row("b", [0.2] * 3)])
    assert any("1 with an error and 1 without a finite value" in text for text in sentences.cautions(found))
    found = comparison([row("a", [math.nan, math.nan, 0.1]), row("b", [0.2] * 3)])
    assert any("(2 without a finite value)" in text for text in sentences.cautions(found))


def test_bidirectional_networks_that_see_their_targets_are_named():
    found = comparison([row("esn", [0.1] * 3), row("ga", [0.2] * 3)])
    assert not any("later inputs" in text for text in sentences.cautions(found))
    sighted = dataclasses.replace(found.rows[0], sees_targets=True)
    named = sentences.cautions(dataclasses.replace(found, rows=(sighted, found.rows[1])))
    assert [text[:21] for text in named if "the scores of esn are not" in text] == [
        "Bidirectional networks"[:21]
    ]


def test_when_everything_failed_nothing_is_claimed():
    found = comparison([row("a", [math.nan] * 3), row("b", [math.nan] * 3)], baselines=[("mean", 1.0)])
    assert "No way of training" in sentences.answer(found)
    assert lines(summary(found))


def test_free_runs_that_were_right_to_their_end_are_told():
    """Every seed at the largest value has an interval of no width, which is no certainty."""
    rows = [row("esn", [6.5, 6.8, 6.8], "valid_time"), row("ga", [0.1, 0.2, math.nan], "valid_time")]
    limited = sentences.cautions(comparison(rows, "valid_time", largest=6.8))
    assert any(
        "valid_time cannot be more than 6.80 here" in text and "; esn reached it" in text for text in limited
    )
    for largest in (9.0, None):
        free = sentences.cautions(comparison(rows, "valid_time", largest=largest))
        assert not any("cannot be more" in text for text in free)


def test_a_budget_that_was_missed_is_noted_and_warned_of_where_it_matters():
    found = comparison([row("a", [0.1] * 3)])
    assert not any("of the budget" in text for text in [*sentences.notes(found), *sentences.cautions(found)])
    over = Comparison(**{**vars(found), "budget": "900M"})
    assert any("used by a (111 %)" in text for text in sentences.cautions(over))
    little = Comparison(**{**vars(found), "budget": "960M"})
    assert not any("More than the budget" in text for text in sentences.cautions(little))
    under = Comparison(**{**vars(found), "budget": "2G"})
    assert any("a used 50 % of the budget: it had nothing left" in text for text in sentences.notes(under))
    far = Comparison(**{**vars(found), "budget": "500M"})
    assert any(
        "used by a (200 %)" in text and "not at equal cost" in text for text in sentences.cautions(far)
    )
    assert not any(
        "of the budget" in text for text in sentences.notes(Comparison(**{**vars(found), "budget": "60s"}))
    )


def test_unequal_time_at_equal_work_is_said():
    found = comparison([row("a", [0.1] * 3), row("b", [0.2] * 3)])
    assert not any("equal time" in text for text in sentences.cautions(found))
    slow = dataclasses.replace(found.rows[1], seconds=5 * found.rows[1].seconds)
    said = sentences.cautions(dataclasses.replace(found, rows=(found.rows[0], slow)))
    assert any("Equal work is not equal time: 1G takes" in text and "in b" in text for text in said)
    by_time = dataclasses.replace(found, rows=(found.rows[0], slow), budget="60s")
    assert not any("equal time" in text for text in sentences.cautions(by_time))


@pytest.mark.parametrize(
    ("median", "text"), [(0.36, "-10 %"), (0.4, "+0 %"), (0.6, "+50 %"), (40.0, "× 1e+02"), (math.nan, "–")]
)
def test_the_share_of_a_baselines_error(median, text):
    found = comparison([row("a", [median] * 3)], baselines=[("linear", 0.4)])
    assert sentences.against(found.rows[0], found.baselines[0], found) == text


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ({"name": "narma", "order": 10}, "narma"),
        ({"name": "csv", "path": "/data/load.csv", "outputs": ["load"]}, "load.csv, target load"),
        ({"name": "csv", "path": "load.csv", "outputs": ["a", "b"]}, "load.csv, targets a and b"),
        ({"name": "npz", "path": "/data/my.npz", "outputs": ["output1", "output2"]}, "my.npz"),
        ({"name": "csv", "path": "/data/load.csv"}, "load.csv"),
        ({"name": "wind", "path": "/data/wind.dat"}, "wind"),
    ],
)
def test_a_data_file_is_called_by_its_name_and_target(task, text):
    assert common.subject(task) == text


def test_the_seeds_role_is_said():
    assert any("fixed record" in text for text in sentences.notes(made_up()))
    assert any(
        "Every seed draws new data" in text for text in sentences.notes(comparison([row("a", [0.1] * 3)]))
    )


def test_plain_lines_align_and_hold_every_entry():
    found = made_up()
    shown = lines(summary(found))
    head = next(place for place, line in enumerate(shown) if "median" in line)
    body = shown[head + 1 : head + 8]
    assert [line.strip().split("  ")[0] for line in body] == [
        "esn",
        "bptt",
        "linear autoregression",
        "ga",
        "persistence",
        "random",
        "mean",
    ]
    ends = {
        line.index(number) + len(number)
        for line, number in zip(body, ["0.322", "0.360", "0.380", "0.426", "0.610", "0.922", "1.02"])
    }
    assert len(ends) == 1


def test_the_terminal_table_fits_and_names_everything():
    from rich.console import Console

    console = Console(width=100, force_terminal=True, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    show(summary(made_up()), console)
    text = console.export_text()
    for word in ("esn", "linear autoregression", "[0.312, 0.332]", "Best: esn", "does not hold", "report:"):
        assert word in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.36, "0.360"),
        (123.4, "123"),
        (0.0, "0.00"),
        (math.nan, "–"),
        (math.inf, "failed"),
        (12345.6, "1.23e+04"),
    ],
)
def test_figures(value, text):
    assert figure(value) == text


def test_a_cell_from_a_file_is_shown_by_its_name():
    from evorrn.lab.study.sentences.comparison import hidden

    assert hidden({"cell": "/somewhere/mine.py:minimal", "hidden": [16, 8]}) == "minimal 16+8"
    assert hidden({"cell": "lstm", "hidden": 32}) == "lstm 32"
