"""Sweep files: what axes mean, and that every mistake is told at once with its path and the nearest name."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, qmc
from sweeping import sweep
from tiny import WALK, WAVE

from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.lab.runs.run import Run
from evorrn.lab.runs.spec import resolve
from evorrn.lab.sweep.plan import make_plan
from evorrn.lab.sweep.sampling import cells, spec_of
from evorrn.lab.sweep.sweep_file import check_sweep, read_sweep


def made(axes, **more):
    """Return a checked sweep of the genetic algorithm on sunspots with these axes."""
    base = {"task": {"name": "sunspots"}, "budget": "1M", **more.pop("base", {})}
    return check_sweep({"axes": axes, "base": base, **more}, "made", Path("/"))


def values(axes, **more):
    """Return the cells of such a sweep, each as the tuple of its values."""
    return [tuple(cell.values()) for cell in cells(made(axes, **more))]


def problems(axes, **more):
    """Return what is wrong with such a sweep."""
    with pytest.raises(ConfigError) as refused:
        make_plan(made(axes, **more))
    return refused.value.problems


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ([3, 5], [3, 5]),
        ({"range": [1, 7, 2]}, [1, 3, 5, 7]),
        ({"range": [1, 8, 2]}, [1, 3, 5, 7]),
        ({"range": [0, 1, 0.25]}, [0, 0.25, 0.5, 0.75, 1]),
        ({"range": [0.1, 0.7, 0.1]}, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
        ({"log2": [16, 64]}, [16, 32, 64]),
        ({"log2": [16, 100]}, [16, 32, 64]),
        ({"log10": [0.001, 1]}, [0.001, 0.01, 0.1, 1.0]),
    ],
)
def test_lists_and_ranges_are_what_they_say(written, wanted):
    found = [value for (value,) in values({"strategy.mutation_size": written})]
    assert found == wanted and len(found) == len(set(found))
    assert all(isinstance(value, int) for value in found if all(isinstance(w, int) for w in wanted))


def test_a_grid_is_the_product_and_zipped_settings_move_together():
    axes = {
        "task.name, task.horizon": [["sunspots", 1], ["mackey-glass", 6]],
        "network.hidden": [[4, 4], [8]],
        "strategy": [{"name": "ga", "population": 8}, {"name": "bptt"}],
    }
    found = list(cells(made(axes, base={"task": {}})))
    assert len(found) == 8
    assert [axis.describe() for axis in made(axes, base={"task": {}}).axes] == [
        "task.name=sunspots, task.horizon=1; task.name=mackey-glass, task.horizon=6",
        "[4, 4], [8]",
        "strategy.name=ga, strategy.population=8; strategy.name=bptt",
    ]
    assert {(cell["task.name"], cell["task.horizon"]) for cell in found} == {
        ("sunspots", 1),
        ("mackey-glass", 6),
    }
    assert found[0] == {
        "task.name": "sunspots",
        "task.horizon": 1,
        "network.hidden": [4, 4],
        "strategy.name": "ga",
        "strategy.population": 8,
    }
    assert "strategy.population" not in found[1]
    assert resolve(
        spec_of(made(axes, base={"task": {}, "network": {"cell": "gru"}}), found[0])
    ).network.hidden == (4, 4)


def test_the_base_may_have_quoted_names_with_dots_as_axes_have():
    content = {"axes": {"network.hidden": [4]}, "base": {"task": {"horizon": 6}, "task.name": "sunspots"}}
    sweep = check_sweep(content, "made", Path("/"))
    assert sweep.base == {"task": {"horizon": 6, "name": "sunspots"}}
    assert content["base"]["task"] == {"horizon": 6}


def test_unquoted_dots_mean_the_same():
    assert values({"network": {"cell": ["elman", "gru"]}, "strategy": {"elite": {"range": [1, 2, 1]}}}) == [
        ("elman", 1),
        ("elman", 2),
        ("gru", 1),
        ("gru", 2),
    ]


def test_exclusions_leave_out_cells_with_all_their_values():
    axes = {"strategy.name": ["ga", "esn", "bptt"], "network.cell": ["elman", "lstm", "gru"]}
    found = values(
        axes, exclude=[{"strategy.name": "esn", "network.cell": ["lstm", "gru"]}, {"network.cell": "gru"}]
    )
    everything = set(itertools.product(*axes.values()))
    assert set(found) == everything - {("esn", "lstm")} - {(name, "gru") for name in axes["strategy.name"]}


def test_drawn_values_have_the_distribution_that_was_asked_for():
    axes = {
        "strategy.mutation_size": {"loguniform": [0.01, 10.0]},
        "strategy.mutation_rate": {"uniform": [0, 0.5]},
    }
    found = np.array(values(axes, search={"sampler": "random", "runs": 400}))
    assert kstest(np.log10(found[:, 0]), "uniform", args=(-2, 3)).pvalue > 0.01
    assert kstest(found[:, 1], "uniform", args=(0, 0.5)).pvalue > 0.01
    fewer = values(axes, search={"sampler": "random", "runs": 40})
    assert fewer == [tuple(row) for row in found[:40]]  # a longer sweep begins with the shorter one
    assert values(axes, search={"sampler": "random", "runs": 40, "seed": 1}) != fewer


def test_sobol_is_scipys_sequence():
    axes = {
        "strategy.mutation_size": {"uniform": [1.0, 3.0]},
        "strategy.mutation_rate": {"uniform": [0, 0.5]},
    }
    found = np.array(values(axes, search={"sampler": "sobol", "runs": 64, "seed": 5}))
    wanted = qmc.Sobol(2, scramble=True, seed=5).random(64)
    np.testing.assert_allclose(found, [1, 0] + wanted * [2, 0.5], rtol=1e-12)
    assert qmc.discrepancy((found - [1, 0]) / [2, 0.5]) < 0.001


def test_drawn_values_are_whole_where_the_setting_is():
    axes = {
        "network.hidden": {"loguniform": [4, 64]},
        "strategy.population": {"uniform": [4, 64]},
        "strategy.mutation_size": {"uniform": [0.1, 1]},
    }
    for hidden, population, size in values(axes, search={"sampler": "sobol", "runs": 16}):
        assert isinstance(hidden, int) and isinstance(population, int) and isinstance(size, float)


def test_a_sampler_says_when_there_are_no_more_cells():
    found = problems({"network.cell": ["elman", "gru"]}, search={"sampler": "random", "runs": 3})
    assert found == [
        "search.runs: expected no more cells than the axes and exclusions allow, got 3 and found 2"
    ]


def test_runs_are_paired_by_seed_and_are_those_that_the_spec_names():
    plan = make_plan(sweep(seeds=3))
    runs = list(plan)
    assert (plan.cells, plan.runs, len(runs)) == (4, 12, 12) and len({run.id for run in runs}) == 12
    assert [run.seed for run in runs] == [0, 1, 2] * 4
    for run in runs:
        raw = {"budget": "10gen", "task": {"name": WAVE}, "seed": run.seed}
        strategy = {"name": WALK, "size": run.axes["strategy.size"], "pause": 0.0}
        spec = resolve({**raw, "strategy": strategy, "network": {"hidden": run.axes["network.hidden"]}})
        assert (run.id, run.folder) == (spec.id, spec.folder.as_posix())
        assert Run.from_line(run.line()) == run
    assert json.loads(runs[0].line())["axes"] == {"strategy.size": 0.2, "network.hidden": 3, "seed": 0}


def test_runs_of_one_program_stand_together():
    axes = {"network.hidden": [4, 8], "network.cell": ["elman", "gru"], "strategy.name": ["ga", "bptt"]}
    plan = make_plan(made(axes, seeds=2))
    order = [(run.axes["network.cell"], run.axes["strategy.name"]) for run in plan]
    assert len(plan.programs) == 4 and len([1 for _ in itertools.groupby(order)]) == 4


def test_cells_that_are_the_same_run_once():
    plan = make_plan(made({"network.hidden": [8, [8], 9]}, seeds=2))
    assert (plan.cells, plan.repeated, plan.runs) == (2, 1, 4)


@pytest.mark.parametrize(
    ("axes", "wanted"),
    [
        ({"network.hiden": [1]}, "axes.network.hiden: 'network.hiden' names no setting of any task or strategy here; did you mean 'network.hidden'?"),
        ({"netwrk.cell": ["gru"]}, "did you mean 'network.cell'?"),
        ({"population": [1]}, "did you mean 'strategy.population'?"),
        ({"strategy.spectral_radius": [1]}, "names no setting of any task or strategy here"),
        ({"network.hidden": []}, "axes.network.hidden: expected at least one value, got none"),
        ({"network.hidden": 3}, "axes.network.hidden: expected a list or a table such as { log2 = [16, 64] }, got 3"),
        ({"network.hidden": [8, 8]}, "axes.network.hidden: 8 is there twice"),
        ({"network.hidden": {"rang": [1, 2, 1]}}, "unknown form 'rang'; did you mean 'range'?"),
        ({"network.hidden": {"range": [1, 2]}}, "range: expected three numbers, [first, last, step], got [1, 2]"),
        ({"network.hidden": {"range": [1, 2, 0]}}, "a step above 0"),
        ({"network.hidden": {"range": [0, 1, 1e-7]}}, "has more than 1,000,000 values"),
        ({"network.hidden": {"log2": [0, 8]}}, "log2: expected numbers above 0, got [0, 8]"),
        ({"network.hidden": {"log2": [8, 4]}}, "log2: expected a last value above the first"),
        ({"network.hidden": {"uniform": [4, 8]}}, "a range without steps has endlessly many values, and the sampler is a grid"),
        ({"network.hidden": {"log2": ["a", 8]}}, "log2: expected two numbers, [first, last]"),
        ({"seed": [0, 1]}, "axes.seed: seeds are no axis; give seeds = 10 beside the axes"),
        ({"network.cell, network.hidden": [["gru"]]}, "expected lists of 2 values, one for each setting, got ['gru']"),
        ({"network.cell, network.cell": [["gru", "gru"]]}, "names a setting twice"),
        ({"network.cell": ["gru"], "network.cell, network.hidden": [["gru", 3]]}, "network.cell is varied by the axis network.cell already"),
        ({"strategy": [{"name": "ga"}], "strategy.name": ["ga"]}, "strategy.name is varied by the axis strategy already"),
        ({"strategy": ["ga"]}, "axes.strategy: expected tables such as { name = ... }, got 'ga'"),
        ({"strategy.name": ["ga", "essn"]}, "axes.strategy.name: unknown strategy 'essn'; did you mean 'esn'?"),
        ({}, "axes: expected at least one axis, got none"),
    ],
)  # fmt: skip
def test_a_mistaken_axis_is_told_with_its_path(axes, wanted):
    assert any(wanted in problem for problem in problems(axes)), problems(axes)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"seeds": "ten"}, "seeds: expected int, got 'ten'"),
        ({"seeds": 0}, "seeds: expected a value >= 1, got 0"),
        ({"sedes": 3}, "sedes: unknown setting 'sedes'; did you mean 'seeds'?"),
        ({"name": "../up"}, "name: expected letters, digits"),
        ({"name": 3}, "name: expected str or none, got 3"),
        ({"base": {"seed": 3}}, "base.seed: a sweep runs many seeds; give seeds, their number"),
        ({"base": []}, "base: expected a table, got []"),
        ({"search": {"sampler": "sobl", "runs": 4}}, "search.sampler: unknown value 'sobl'; did you mean 'sobol'?"),
        ({"search": {"sampler": "sobol"}}, "search.runs: expected how many runs sobol is to make, got nothing"),
        ({"search": {"sampler": "sobol", "runs": 5}, "seeds": 2}, "search.runs: expected a multiple of the 2 seeds"),
        ({"search": {"runs": 5}}, "search.runs: a grid has as many runs as its axes say; leave it out"),
        ({"search": {"sampler": "sobol", "runs": 4, "prune": True}}, "search.prune: has a meaning only for tpe and cmaes"),
        ({"search": {"sampler": "cmaes", "runs": 4}}, "search.sampler: cmaes needs at least two axes; use tpe"),
        ({"exclude": [{"network.cel": "gru"}]}, "exclude[0].network.cel: unknown axis 'network.cel'; did you mean 'network.cell'?"),
        ({"exclude": [{"network.cell": "gur"}]}, "exclude[0].network.cell: 'gur' is no value of that axis; did you mean 'gru'?"),
        ({"exclude": [{}]}, "exclude[0]: expected settings and their values, got none"),
        ({"exclude": {"network.cell": "gru"}}, "exclude: expected a list of tables, written [[exclude]]"),
        ({"exclude": [{"network.cell": ["gru", "elman"]}]}, "exclude: expected some cells to be left, got none"),
    ],
)  # fmt: skip
def test_the_rest_of_the_file_is_checked_too(more, wanted):
    table = {"axes": {"network.cell": ["gru", "elman"]}, "base": {"task": {"name": "sunspots"}}, **more}
    with pytest.raises(ConfigError) as refused:
        make_plan(check_sweep(table, "made", Path("/")))
    assert any(wanted in problem for problem in refused.value.problems), refused.value.problems


def test_every_mistake_of_a_file_is_told_at_once():
    with pytest.raises(ConfigError) as refused:
        check_sweep(
            {
                "seeds": -1,
                "axes": {"network.hidden": [], "netwrk.cell": [1], "strategy.name": ["gaa"]},
                "search": {"sampler": "sobol"},
                "exclude": [{"a": 1}, {"network.hidden": 3}],
                "base": {"network": {"cel": "gru"}},
                "name": "a/b",
                "bse": {},
            },
            "made",
            Path("/"),
        )
    paths = [problem.split(":")[0] for problem in refused.value.problems]
    wanted = {"seeds", "bse", "axes.network.hidden", "axes.netwrk.cell", "axes.strategy.name"}
    assert set(paths) >= wanted | {"name", "base.network.cel", "exclude[0].a"}
    assert "exclude[1].network.hidden" not in paths  # its axis has a mistake of its own
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("junk", [3, {"a": 1}, [3, "a"], "all"])
def test_exclusions_that_are_no_tables_are_told_once(junk):
    with pytest.raises(ConfigError) as refused:
        made({"network.hidden": [1]}, exclude=junk)
    assert refused.value.problems and all(p.startswith("exclude") for p in refused.value.problems)


def test_every_refused_cell_is_told_before_anything_runs():
    axes = {"strategy.name": ["ga", "esn"], "strategy.population": [64, 1], "network.hidden": [0, 8]}
    found = problems(axes)
    assert any(
        p.startswith("network.hidden: expected a whole number of at least 1, got 0")
        and p.endswith(
            "[4 of 8 cells: strategy.name=ga or esn, strategy.population=64 or 1, network.hidden=0]"
        )
        for p in found
    )
    assert any(
        p.startswith("strategy.population: unknown setting 'population'")
        and p.endswith(
            "[4 of 8 cells: strategy.name=esn, strategy.population=64 or 1, network.hidden=0 or 8]"
        )
        for p in found
    )
    assert len(found) == 3
    everywhere = problems({"network.hidden": [4, 8]}, base={"budget": "soon"})
    assert len(everywhere) == 1 and everywhere[0].endswith("[all cells]")


def test_more_than_a_million_runs_must_be_meant():
    axes = {"strategy.mutation_size": {"range": [0.001, 1, 0.001]}, "network.hidden": {"range": [1, 1001, 1]}}
    assert problems(axes)[0].startswith(
        "axes: 1,001,000 runs (1,001,000 cells x 1 seeds) are more than a million; --yes"
    )


def test_a_file_says_what_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        read_sweep(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("axes = [")
    with pytest.raises(ConfigError, match="expected TOML"):
        read_sweep(tmp_path / "bad.toml")
    (tmp_path / "good.toml").write_text('[base.task]\nname = "sunspots"\n[axes]\nnetwork.hidden = [4]\n')
    read = read_sweep(tmp_path / "good.toml")
    assert (read.name, read.seeds, read.home) == ("good", 1, tmp_path)


def test_a_sweep_is_called_like_its_file_unless_it_says_so(tmp_path):
    file = tmp_path / "my sweep.toml"
    file.write_text('axes."network.hidden" = [3]\nbase.task.name = "sunspots"\n')
    with pytest.raises(
        ConfigError, match=r"^name: .* got 'my sweep' from the name of the file; give the sweep a name$"
    ):
        read_sweep(file)
    file.write_text('name = "mine"\n' + file.read_text())
    assert read_sweep(file).name == "mine"


def test_paths_start_from_the_file(tmp_path):
    (tmp_path / "mine.py").write_text(Path(WAVE.split(":")[0]).read_text())
    axes = {"strategy.size": [0.1, 0.2]}
    base = {"task": {"name": "mine.py:Wave"}, "strategy": {"name": "mine.py:Walk"}, "budget": "2gen"}
    runs = list(make_plan(check_sweep({"axes": axes, "base": base}, "made", tmp_path)))
    assert runs[0].folder.startswith("wave/walk-elman/")


tables = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["axes", "base", "seeds", "search", "exclude", "name"])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(keys, tables, max_size=4))
def test_any_junk_is_refused_in_words(table):
    try:
        make_plan(check_sweep({"axes": {"network.hidden": [4]}, **table}, "junk", Path("/")))
    except EvorrnError as refused:
        assert str(refused)
