"""Settings that stored specs leave out: rows, conditions and differences have their values."""

import dataclasses
import tomllib

import pytest
from tiny import raw

from evorrn.lab.diff import difference
from evorrn.lab.query import select
from evorrn.lab.runs import index
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.left_out import completed, left_out
from evorrn.lab.runs.run import Run, flatten
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.sweep.results import read_results, results
from evorrn.strategies.find import strategies

TASK = {"name": "sunspots"}


def spec_of(**tables):
    return resolve({"budget": "2gen", "task": TASK, **tables})


def stored(spec):
    return flatten(tomllib.loads(spec.toml()))


@pytest.mark.parametrize("name", ["ga", "bptt", "esn", "cma-es", "rtrl", "ekf", "snes"])
def test_a_spec_with_what_it_leaves_out_has_every_setting(name):
    kind = strategies()[name]
    spec = spec_of(strategy={"name": name, **kind.from_stored({})}, network={"hidden": 4})
    full = {**stored(spec), **left_out(stored(spec))}
    values = flatten({"task": spec.task.values(), "strategy": spec.strategy.values()})
    values |= {f"network.{name}": getattr(spec.network, name) for name in ("biases", "reads", "context")}
    plain = {setting: list(value) if isinstance(value, tuple) else value for setting, value in values.items()}
    assert {setting: full.get(setting, "nothing") for setting in plain} == plain
    assert left_out(full) == {}


def test_the_strategies_of_a_strategy_are_completed_too():
    then = {"name": "then", "first": {"name": "cma-es", "active": False}, "second": {"name": "bptt"}}
    spec = spec_of(strategy=then, network={"hidden": 4})
    found = left_out(stored(spec))
    assert found["strategy.first.active"] is False and found["strategy.second.carry"] is False
    assert "strategy.second.rate" not in found and "strategy.first" not in found


def test_a_table_in_place_of_a_setting_and_code_of_a_user_are_left_alone(tmp_path):
    spec = spec_of(strategy={"name": "bptt", "rates": {"readout": 0.5}}, network={"hidden": 4})
    assert "strategy.rates" not in left_out(stored(spec)) and "strategy.window" in left_out(stored(spec))
    own = {**stored(spec), "strategy.name": f"{tmp_path}/mine.py:Mine", "task.name": "gone:Task"}
    assert {name.partition(".")[0] for name in left_out(own)} == {"network"}
    assert left_out({**own, "network.kind": "encoder-decoder"}) == {}
    one = Run("a", settings=stored(spec))
    both = completed([one, one._replace(folder="b"), Run("c")])
    assert both[0].settings is both[1].settings and both[2].settings == {}


def test_conditions_and_frames_know_what_specs_leave_out(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "index_path", lambda: tmp_path / "cache" / "runs.sqlite")
    root = tmp_path / "runs"
    usual, other = (
        resolve({**raw("2gen"), "network": {"hidden": 3, "learn_start": on}}) for on in (False, True)
    )
    for spec in (usual, other):
        execute(spec, root)
    runs = read_results(root)
    assert "network.bidirectional" not in runs.columns()
    runs = runs.completed()

    def found(condition):
        return {line[0] for line in select(runs, where=[condition], columns=["id"]).lines}

    assert found("network.learn_start=false") == {usual.id} and found("network.learn_start=true") == {
        other.id
    }
    assert found("network.bidirectional=false") == {usual.id, other.id}
    frame = results(root)
    column = (
        frame["network.learn_start"]
        if hasattr(frame, "columns")
        else [row["network.learn_start"] for row in frame]
    )
    assert sorted(column) == [False, True]
    told = difference(RunFolder(root / usual.folder), RunFolder(root / other.folder))
    assert dataclasses.asdict(told)["spec"] == {"network.learn_start": (False, True)}
