"""Published experiments: files checked, verdicts by hand, runs that go on, and every shipped file resolved."""

import json
import math

import numpy as np
import pytest

import evorrn
from evorrn.automata import extract_dfa, tomita_dfa
from evorrn.base.errors import EvorrnError, Unfinished
from evorrn.lab.report.reproduction import summary
from evorrn.lab.report.terminal import lines
from evorrn.lab.reproduce import reproduce
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.run import Run
from evorrn.lab.study.reproduction import judge, verdict
from evorrn.lab.sweep.experiment import (
    Case,
    Experiment,
    ExperimentTable,
    ProblemTable,
    RowTable,
    experiments,
    find_experiment,
    read_experiment,
)

SMALL = """
title = "Small"
source = "nobody 1999"
seeds = 4
quick_seeds = 2
notes = ["A note."]

[[problems]]
name = "short two-sequence"
conditions = "Short."
budget = { learned = 1.0, evaluations = 2000 }
task = { name = "two-sequence", shortest = 3, longest = 5, train = 8, valid = 4, test = 4 }
network = { cell = "elman", hidden = 2, cell_options = { activation = "tanh" } }

[[problems.rows]]
method = "guessing"
published = 1e6
of = "nobody"
quick = true
strategy = { name = "random", count = 16, width = 3.0 }

[[problems.rows]]
method = "hopeless"
published = 1.0
budget = { learned = 1.0, evaluations = 16 }
network = { hidden = 1, initial = { "readout.W" = "zeros" } }
strategy = { name = "random", count = 16 }
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_every_experiment_that_is_shipped_resolves():
    known = experiments()
    assert set(known) >= {"pole-balancing", "parity", "two-sequence", "sines"}
    for name in known:
        experiment = find_experiment(name)
        assert experiment.table.title and experiment.table.source
        assert any(case.row.quick for case in experiment.cases)
        for case in experiment.cases:
            assert case.row.published is None or case.row.of, f"{name}, {case}: a figure without a source"
            if case.quantity is None:
                (spec,) = case.specs(1)
                assert not spec.budget.empty


@pytest.mark.parametrize(
    ("low", "high", "published", "higher", "wanted"),
    [
        (80, 120, 130, False, "better"),
        (80, 120, 120, False, "reproduced"),
        (80, 120, 100, False, "reproduced"),
        (80, 120, 79, False, "not reproduced"),
        (0.8, 0.9, 0.7, True, "better"),
        (0.8, 0.9, 0.85, True, "reproduced"),
        (0.8, 0.9, 0.95, True, "not reproduced"),
        (math.nan, math.nan, 99, False, "not reproduced"),  # one seed: the figure itself, 100
        (100, math.inf, 5000, False, "reproduced"),  # an interval that knows no end
        (80, 120, None, False, "no figure"),
    ],
)
def test_verdicts_compare_the_interval_with_the_figure(low, high, published, higher, wanted):
    mean = 0.85 if higher else 100
    assert verdict(mean, low, high, published, higher) == wanted


def test_runs_that_never_solve_it_count_with_what_they_spent():
    case = Case(ProblemTable(name="p"), RowTable(method="m", published=100.0, of="x"), {})
    experiment = Experiment("e", ExperimentTable(title="t", source="s"), (case,))
    runs = [
        Run("f", "complete", evaluations=cost, stopped_by=how)
        for cost, how in ((40, "learned"), (60, "learned"), (500, "evaluations"), (80, "learned"))
    ]
    found = judge(case, runs, experiment, strategy={"name": "x"}, network={})
    assert found.solved == 3
    assert found.mean == pytest.approx((40 + 60 + 500 + 80) / 3)
    assert found.median == 60  # half of all runs had solved it by then
    assert found.spread == pytest.approx(np.std([40, 60, 80], ddof=1))
    assert found.low <= found.mean <= found.high
    never = judge(case, runs[2:3] * 3, experiment, strategy={"name": "x"}, network={})
    assert never.solved == 0 and math.isinf(never.mean) and never.verdict == "not reproduced"


def test_a_crashed_run_is_no_success():
    case = Case(ProblemTable(name="p"), RowTable(method="m", published=100.0, of="x"), {})
    experiment = Experiment("e", ExperimentTable(title="t", source="s"), (case,))
    runs = [Run("f", "failed", error="why"), Run("g", "complete", evaluations=10, stopped_by="learned")]
    found = judge(case, runs, experiment, strategy={"name": "x"}, network={})
    assert found.solved == 1 and found.mean == 20 and found.values == (math.inf, 10)


def test_an_experiment_runs_goes_on_and_is_judged(small, tmp_path, capsys):
    experiment = read_experiment(small)
    first = reproduce(experiment, root=tmp_path / "runs", seeds=3)
    guessing, hopeless = first.findings
    assert guessing.verdict == "better" and guessing.solved == 3
    assert hopeless.verdict == "not reproduced" and hopeless.solved == 0
    kept = json.loads((tmp_path / "runs/reproductions/small/reproduction.json").read_text())
    assert kept["findings"][1]["mean"] is None  # never: no number
    page = (tmp_path / "runs/reproductions/small/report.html").read_text()
    assert "not reproduced" in page and "nobody 1999" in page and "A note." in page
    again = reproduce(experiment, root=tmp_path / "runs", seeds=3, hooks=Hooks(watch=lambda standing: None))
    assert repr(again.findings) == repr(first.findings)  # NaN is NaN
    text = "\n".join(lines(summary(first)))
    assert "never" in text and "3 of 3" in text


AUTOMATA = """
title = "Ones alone"
source = "nobody 1999"
seeds = 3
automata = true

[[problems]]
name = "ones alone"
budget = { learned = 1.0, evaluations = 2000 }
task = { name = "tomita", language = 1, strings = "every", longest = 5, valid = 20, test = 20 }
network = { cell = "elman", hidden = 1 }

[[problems.rows]]
method = "guessing"
strategy = { name = "random", count = 64, width = 10.0 }

[[problems.rows]]
method = "one guess"
budget = { learned = 1.0, evaluations = 1 }
strategy = { name = "random", count = 1, width = 0.001 }
"""


def test_networks_whose_automaton_is_that_of_the_task_are_counted(tmp_path):
    path = tmp_path / "ones.toml"
    path.write_text(AUTOMATA)
    made = reproduce(read_experiment(path), root=tmp_path / "runs")
    guessing, one_guess = made.findings
    assert guessing.solved == 3 and one_guess.automata == 0
    by_hand = 0
    for folder in (tmp_path / "runs").glob("tomita/random-elman/*"):
        result = evorrn.load(folder)
        found = extract_dfa(result.network, result.genome)
        by_hand += found.dfa.equivalent(tomita_dfa(1), empty=False)
    assert guessing.automata == by_hand > 0
    text = "\n".join(lines(summary(made)))
    assert "automaton" in text and f"{by_hand} of 3" in text and "0 of 3" in text


def test_automata_take_a_task_that_has_one(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(SMALL.replace("seeds = 4", "seeds = 4\nautomata = true", 1))
    with pytest.raises(EvorrnError, match="expected one with an automaton of its own, such as tomita"):
        reproduce(read_experiment(path), root=tmp_path / "runs")


QUANTITY = """
measure = "memory-capacity"
seeds = 2

[[problems]]
[[problems.rows]]
method = "in range"
published = 3.2
published_to = 3.5
quantity = { units = 4, radius = 0.8, delays = 30, steps = 2000 }

[[problems.rows]]
method = "beside it"
published = 2.5
published_to = 3.0
quantity = { units = 4, radius = 0.8, delays = 30, steps = 2000 }
"""


def test_a_quantity_is_computed_without_training_and_compared_with_a_published_range(tmp_path):
    """A cycle of 4 linear units of radius 0.8 has the capacity 3 + 0.8 ** 8 = 3.168."""
    path = tmp_path / "cycle.toml"
    path.write_text(QUANTITY.replace("3.2", "3.16"))
    made = reproduce(read_experiment(path), root=tmp_path / "runs")
    assert [finding.verdict for finding in made.findings] == ["reproduced", "not reproduced"]
    assert made.findings[0].mean == pytest.approx(3 + 0.8**8, abs=0.05) and made.findings[0].seeds == 2
    text = "\n".join(lines(summary(made)))
    assert "3.16 to 3.5" in text and "linear memory capacity" in text
    assert "not reproduced" in (tmp_path / "runs/reproductions/cycle/report.html").read_text()


def test_findings_that_cannot_be_written_are_said(tmp_path):
    """A file in the way of their folder, as a full disk would be."""
    path = tmp_path / "cycle.toml"
    path.write_text(QUANTITY)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/reproductions").write_text("in the way")
    with pytest.raises(Unfinished, match=r"cannot write to .*reproductions.cycle: .*; the runs are kept"):
        reproduce(read_experiment(path), root=tmp_path / "runs")


def test_mistakes_in_rows_of_a_quantity_are_told_at_once(tmp_path):
    path = tmp_path / "cycle.toml"
    path.write_text(QUANTITY.replace("delays = 30", "delays = 0, leak = 1").replace("3.5", "3.1"))
    with pytest.raises(EvorrnError) as caught:
        read_experiment(path)
    text = str(caught.value)
    assert "problems.0.rows.0.quantity.leak" in text and "problems.0.rows.1.quantity.delays" in text
    assert "problems.0.rows.0.published_to: expected at least published, 3.2, got 3.1" in text
    path.write_text(QUANTITY.replace('measure = "memory-capacity"', ""))
    with pytest.raises(EvorrnError, match="quantity: expected a measure that is a quantity"):
        read_experiment(path)


def test_quick_runs_the_quick_rows_in_few_seeds(small, tmp_path):
    made = reproduce(read_experiment(small), root=tmp_path, quick=True)
    assert [finding.method for finding in made.findings] == ["guessing"]
    assert made.findings[0].seeds == 2 and made.quick


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(SMALL.replace("quick_seeds = 2", "quick_seeds = 0\nmesure = 'mse'").replace("1e6", "-3"))
    with pytest.raises(EvorrnError) as caught:
        read_experiment(path)
    text = str(caught.value)
    assert "mesure" in text and "did you mean 'measure'" in text
    assert "quick_seeds" in text and "published" in text
    path.write_text("= 3")
    with pytest.raises(EvorrnError, match="expected TOML"):
        read_experiment(path)
    with pytest.raises(EvorrnError, match="did you mean 'parity'"):
        find_experiment("party")
    with pytest.raises(EvorrnError, match="cannot read"):
        find_experiment(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("problems = 'x'", "problems: expected a list of tables, got 'x'"),
        ("problems = 3", "problems: expected a list of tables, got 3"),
        ("problems = ['x']", "problems.0: expected a table, got 'x'"),
        ("[[problems]]\nrows = ['a']", "problems.0.rows.0: expected a table, got 'a'"),
        ("[[problems]]\nnetwork = 'x'\n[[problems.rows]]", "problems.0.network: expected a table, got 'x'"),
        (
            "[[problems]]\n[[problems.rows]]\nnetwork = 2",
            "problems.0.rows.0.network: expected a table, got 2",
        ),
        (
            "[[problems]]\n[[problems.rows]]\npublished = true",
            "published: expected int or float or none, got True",
        ),
        ("seeds = true", "seeds: expected int, got True"),
        ("notes = 5", "notes: expected list of str, got 5"),
        ("title = 'nothing'", "problems: expected at least one with a row"),
    ],
)
def test_what_is_no_table_is_told(tmp_path, text, sentence):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(EvorrnError) as caught:
        read_experiment(path)
    assert sentence in str(caught.value)


def test_what_the_measure_cannot_judge_is_refused(small, tmp_path):
    small.write_text("measure = 'return'\n" + SMALL)
    with pytest.raises(EvorrnError, match="short two-sequence, guessing: measure: unknown metric 'return'"):
        reproduce(read_experiment(small), root=tmp_path / "runs")
    small.write_text(SMALL.replace("{ learned = 1.0, evaluations = 16 }", "{ evaluations = 16 }"))
    with pytest.raises(EvorrnError, match=r"hopeless: budget\.learned: expected a share"):
        reproduce(read_experiment(small), root=tmp_path / "runs")
    small.write_text(SMALL.replace("quick = true", "quick = false"))
    with pytest.raises(EvorrnError, match="no row is quick"):
        reproduce(read_experiment(small), root=tmp_path / "runs", quick=True)
    assert not (tmp_path / "runs").exists()


def test_mistakes_in_specs_are_told_before_anything_runs(small, tmp_path):
    small.write_text(
        SMALL.replace('name = "random", count = 16, width', 'name = "random", cuont = 16, width')
    )
    with pytest.raises(EvorrnError, match=r"short two-sequence, guessing: strategy\.cuont"):
        reproduce(read_experiment(small), root=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_the_record_that_is_kept_is_of_the_experiment_as_it_stands():
    path = experiments()["pole-balancing"].with_suffix(".json")
    kept = json.loads(path.read_text())
    cases = {(case.problem.name, case.row.method): case for case in find_experiment("pole-balancing").cases}
    rows = [(found["problem"], found["method"]) for found in kept["findings"]]
    assert rows == [row for row in cases if row in set(rows)]  # in order; rows that were not run are missing
    assert {row for row, case in cases.items() if case.row.method == "CoSyNE"} <= set(rows)
    for found, row in zip(kept["findings"], rows):
        case = cases[row]
        given = case.raw["strategy"]
        assert found["published"] == case.row.published
        assert found["network"]["hidden"] == case.raw["network"]["hidden"]
        assert {name: found["strategy"][name] for name in given} == given
        solved = [value for value in found["values"] if value is not None]
        assert len(found["values"]) == found["seeds"] == 50 and len(solved) == found["solved"]
        if found["solved"] == 50:
            assert found["mean"] == pytest.approx(np.mean(solved), abs=0.01)
        assert found["verdict"] == verdict(
            *(math.inf if found[name] is None else found[name] for name in ("mean", "low", "high")),
            found["published"],
        )
