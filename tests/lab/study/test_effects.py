"""Effects of the axes of a sweep: those that were put in come out, each apart from the others."""

import json

import numpy as np
import pytest
from made_sweep import write_list, write_run

from evorrn.lab.study import effects
from evorrn.lab.study.sentences import sweep as sentences
from evorrn.lab.study.standings import findings
from evorrn.lab.study.study import make_study
from evorrn.lab.sweep.results import read_results

POINT = {"task.name": "narma", "strategy.name": "ga", "network.cell": "elman", "network.hidden": 8}


def test_effects_are_those_that_were_put_in(study):
    found = {effect.axis: effect for effect in effects.effects(study)}
    assert next(iter(found)) == "strategy.name" and len(found) == 3
    assert found["network.cell"].size == pytest.approx(1 / 0.8, rel=0.03)
    assert found["network.hidden"].size == pytest.approx(1.25, rel=0.03)
    assert found["strategy.name"].size == pytest.approx(1.3, rel=0.03)
    assert found["network.cell"].blocks == 2 * 3 * 2 * 10 - 2  # two lack a partner: one damaged, one missing
    assert np.median(found["network.cell"].ratios[0]) == pytest.approx(2 / 1.8, rel=0.02)


def test_an_effect_is_not_mixed_with_that_of_other_axes(tmp_path):
    axes = {"strategy.name": ["ga", "esn"], "network.cell": ["elman", "lstm"]}
    points = {
        ("ga", "elman"): 1.0,
        ("ga", "lstm"): 0.5,
        ("esn", "elman"): 0.1,
    }  # esn has no lstm, and is far better
    lines = [
        write_run(tmp_path, {**POINT, "strategy.name": name, "network.cell": cell}, seed, error)
        for (name, cell), error in points.items()
        for seed in range(3)
    ]
    found = {e.axis: e for e in effects.effects(make_study(read_results(write_list(tmp_path, lines, axes))))}
    assert found["network.cell"].size == pytest.approx(2.0) and found["network.cell"].blocks == 3
    assert found["strategy.name"].size == pytest.approx(10.0)


def test_a_setting_that_some_contenders_do_not_have_is_an_axis_of_the_others_alone(tmp_path):
    axes = {"task.name": ["narma"], "strategy.name": ["ga", "esn"], "strategy.population": [16, 64]}
    lines = []
    for seed in range(4):
        for population in (16, 64):
            point = {**POINT, "strategy.name": "ga", "strategy.population": population}
            lines.append(write_run(tmp_path, point, seed, 10.0 / population))
        lines.append(write_run(tmp_path, {**POINT, "strategy.name": "esn"}, seed, 0.1))
    study = make_study(read_results(write_list(tmp_path, lines, axes)))
    found = {effect.axis: effect for effect in effects.effects(study)}
    assert found["strategy.population"].labels == ["16", "64"]
    assert found["strategy.population"].size == pytest.approx(4.0)
    assert (
        sentences.title(study)
        == "12 runs: 2 values of strategy.name and 2 values of strategy.population, 4 seeds"
    )
    assert all(
        "–" not in (*cut.x_labels, *cut.y_labels) for cut in effects.slices(study, list(found.values()))
    )
    alone = {"task.name": ["narma"], "strategy.name": ["ga", "esn"], "strategy.population": [16]}
    one = [line for line in lines if json.loads(line)["axes"].get("strategy.population") != 64]
    (tmp_path / "sweeps" / "made-up" / "runs.jsonl").unlink()
    study = make_study(read_results(write_list(tmp_path, one, alone)))
    assert [effect.axis for effect in effects.effects(study)] == ["strategy.name"]
    assert sentences.title(study) == "8 runs: 2 values of strategy.name, 4 seeds"


def test_a_search_over_ranges_has_no_groups_and_falls_back_to_the_best_on_the_task(tmp_path):
    points = np.exp(np.random.default_rng(0).uniform(-6, 0, (30, 2)))
    names = ("strategy.rate", "strategy.decay")
    lines = [
        write_run(tmp_path, {**POINT, **dict(zip(names, point.tolist()))}, 0, float(0.1 + point[0]))
        for point in points
    ]
    study = make_study(read_results(write_list(tmp_path, lines, {name: [0.1, 0.2] for name in names})))
    effect, nothing = effects.effects(study)
    assert (effect.axis, nothing.axis) == names and nothing.size < effect.size
    assert effect.scattered and effect.blocks == 0 and effect.size > 3
    (cut,) = effects.slices(study, [effect, nothing])
    assert cut.scattered and len(cut.errors) == 30
    assert study.compared == () and len(study.contenders) == 1
    assert "only configurations of one way" in sentences.answer(study, findings(study), [], [])


def test_slices_and_pooled_configurations_are_medians_over_the_rest(study):
    found = effects.slices(study, effects.effects(study))
    cut = next(cut for cut in found if {cut.x, cut.y} == {"strategy.name", "network.cell"})
    assert len(found) == 3 and cut.x == "strategy.name"
    assert cut.table().shape == (2, 3) and cut.table()[1, 2] == cut.table().min()
    points = effects.pooled(study)
    assert len(points) == 12 and points[-1][0] == {
        "strategy.name": "bptt",
        "network.cell": "lstm",
        "network.hidden": "16",
    }
    assert points[-1][1] == pytest.approx(1.0, rel=0.02)
