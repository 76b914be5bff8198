"""Specs: what is filled in, what is refused, and what the hash depends on."""

import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import HERE, WALK, WAVE, raw

from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.typed import override, read, typed


def series(path, seed=0, rows=200):
    values = np.sin(np.arange(rows) / 5) + 0.1 * np.random.default_rng(seed).standard_normal(rows)
    path.write_text("load\n" + "\n".join(f"{value:.6f}" for value in values) + "\n")
    return path


def test_every_default_is_filled_in():
    content = resolve(raw()).content
    assert content["task"] == {"name": WAVE, "version": 1, "noise": 0.1, "horizon": 1}
    assert content["strategy"]["limit"] is None and content["strategy"]["pause"] == 0.0
    assert content["network"]["direct"] is False and content["network"]["cell_options"] == {
        "activation": "tanh"
    }
    assert content["seed"] == 0 and content["budget"] == "40gen"


def test_task_advice_goes_before_the_strategys_own_and_behind_the_users():
    spec = resolve(raw())
    assert spec.strategy.size == 0.25 and spec.network.hidden == (3,) and spec.network.dtype == np.float64
    said = resolve({**raw(size=2.0), "network": {"hidden": [4, 2], "dtype": "float32"}})
    assert said.strategy.size == 2.0 and said.network.hidden == (4, 2) and said.network.dtype == np.float32
    assert said.network.cell.name == "elman"


def test_options_of_an_advised_cell_do_not_go_to_another_cell():
    advised = {"task": {"name": "narma"}, "strategy": {"name": "esn"}}
    assert "leak" in resolve(advised).content["network"]["cell_options"]
    other = resolve({**advised, "network": {"cell": "elman"}})
    assert other.content["network"]["cell_options"] == {"activation": "tanh"} and other.network.direct


LATER = """
from dataclasses import dataclass
from evorrn import RandomSearch, setting

@dataclass(frozen=True)
class Before(RandomSearch):
    name = "search"

@dataclass(frozen=True)
class After(RandomSearch):
    name = "search"
    bold: bool = setting(True, "added later", absent=False)
"""


def test_a_setting_added_later_keeps_the_ids_of_earlier_runs_and_what_they_mean(tmp_path):
    """One file in two versions stands for two versions of evorrn."""
    file = tmp_path / "search.py"
    file.write_text(LATER)

    def made(table, **more):
        return resolve({"task": {"name": WAVE}, "strategy": table, **more})

    before, after = f"{file}:Before", f"{file}:After"
    earlier = made({"name": before}).content
    text = json.dumps(earlier).replace(":Before", ":After")
    read_again = made(json.loads(text)["strategy"], task=earlier["task"])
    assert read_again.strategy.bold is False and json.dumps(read_again.content) == text
    stored = made({"name": after})
    assert stored.strategy.bold is True and stored.content["strategy"]["bold"] is True
    assert made({"name": after, "bold": False}).content["strategy"] == read_again.content["strategy"]


def test_a_strategys_version_is_stored_from_the_second_on(tmp_path):
    file = tmp_path / "search.py"
    file.write_text(LATER.replace('name = "search"', 'name = "search"\n    version = 2'))
    spec = resolve({"task": {"name": WAVE}, "strategy": {"name": f"{file}:Before"}})
    assert spec.content["strategy"]["version"] == 2
    assert resolve(spec.content).id == spec.id
    older = {**spec.content, "strategy": {**spec.content["strategy"], "version": 1}}
    assert resolve(older).id == spec.id
    assert "version" not in resolve(raw()).content["strategy"]


def test_the_id_is_the_hash_of_the_canonical_content_by_hand():
    spec = resolve({"task": {"name": "mackey-glass"}, "budget": "3M"})
    text = json.dumps(spec.content, sort_keys=True, separators=(",", ":"))
    assert spec.id == hashlib.sha256(text.encode()).hexdigest()[:16]
    assert spec.folder.parts == ("mackey-glass", f"ga-{spec.network.cell.name}", spec.id)


def test_what_is_typed_and_what_is_filled_in_have_one_id():
    spec = resolve({"task": {"name": "mackey-glass"}})
    said = {
        "seed": 0,
        "budget": "5000M",
        "task": {"name": "mackey-glass"},
        "network": {"hidden": [spec.network.hidden[0]]},
        "strategy": {"name": "ga", "population": spec.strategy.population},
    }
    assert resolve(said).id == spec.id
    assert resolve({**said, "seed": 1}).id != spec.id
    assert resolve({**said, "budget": "3G"}).id != spec.id


@pytest.mark.parametrize("name", ["ga", "esn", "bptt", "random"])
def test_toml_gives_the_same_spec_again(name, tmp_path):
    spec = resolve(
        {"task": {"name": "sunspots"}, "strategy": {"name": name}, "budget": {"work": 5, "loss": 0.1}}
    )
    path = tmp_path / "spec.toml"
    path.write_text(spec.toml())
    again = resolve(read(path))
    assert again.id == spec.id and again.toml() == spec.toml() and again.content == spec.content


def test_none_survives_toml_where_the_advice_differs():
    spec = resolve(raw(limit="none"))
    assert spec.strategy.limit is None and tomllib.loads(spec.toml())["strategy"]["limit"] == "none"


def test_all_mistakes_come_at_once_with_their_path_and_the_nearest_name():
    wrong = {
        "sede": 3,
        "seed": -1,
        "budget": "0G",
        "task": {"name": "mackey-glass", "horizont": 6},
        "network": {"hidden": 0, "sell": "lstm"},
        "strategy": {"name": "ga", "population": 1, "elites": 3},
    }
    with pytest.raises(ConfigError) as caught:
        resolve(wrong)
    said = "\n".join(caught.value.problems)
    for path in ("sede", "seed", "budget.work", "task.horizont", "network.hidden", "network.sell",
                 "strategy.population", "strategy.elites"):  # fmt: skip
        assert any(problem.startswith(f"{path}:") for problem in caught.value.problems), (path, said)
    for name in ("'seed'", "'horizon'", "'cell'", "'elite'"):
        assert f"did you mean {name}" in said


def test_mistakes_in_the_network_show_even_where_task_and_strategy_are_unknown():
    with pytest.raises(ConfigError) as caught:
        resolve({"task": {"name": "narm"}, "strategy": {"name": "gaa"}, "network": {"cell": "lstmm"}})
    said = str(caught.value)
    assert "'narma'" in said and "'ga'" in said and "'lstm'" in said


def test_a_data_file_is_known_by_its_content_not_by_its_path(tmp_path):
    first, second = series(tmp_path / "a.csv"), tmp_path / "b.csv"
    second.write_bytes(first.read_bytes())
    one = resolve({"task": {"name": "a.csv", "target": "load"}}, tmp_path)
    assert one.task.name == "csv" and one.content["task"]["path"] == str(first)
    assert one.content["files"] == {"task.path": hashlib.sha256(first.read_bytes()).hexdigest()}
    assert resolve({"task": {"name": str(second), "target": "load"}}).id == one.id
    series(second, seed=1)
    assert resolve({"task": {"name": str(second), "target": "load"}}).id != one.id


def test_a_resolved_spec_refuses_a_file_that_has_changed(tmp_path):
    path = series(tmp_path / "a.csv")
    spec = resolve({"task": {"name": str(path), "target": "load"}})
    assert resolve(tomllib.loads(spec.toml())).id == spec.id
    series(path, seed=1)
    with pytest.raises(ConfigError, match=r"task\.path.*not the file"):
        resolve(tomllib.loads(spec.toml()))


def test_a_users_file_is_in_the_hash(tmp_path):
    copy = tmp_path / "mine.py"
    copy.write_text(Path(HERE).read_text())
    same = resolve({**raw(), "task": {"name": "mine.py:Wave"}}, tmp_path)
    assert same.id == resolve(raw()).id and same.content["task"]["name"] == f"{copy}:Wave"
    copy.write_text(Path(HERE).read_text() + "\n# another file\n")
    assert resolve({**raw(), "task": {"name": "mine.py:Wave"}}, tmp_path).id != same.id


def test_another_version_of_the_task_is_refused():
    with pytest.raises(ConfigError, match=r"task\.version.*version 7 of wave, this is version 1"):
        resolve({**raw(), "task": {"name": WAVE, "version": 7}})


def test_assignments_are_toml_or_text():
    made = override(
        {"task": {"name": "narma"}},
        [
            "strategy.name=ga",
            "strategy.elite = 3",
            "network.hidden=[4, 2]",
            "a.b.c=true",
            "seed=1",
            "task.x=1e-3",
        ],
    )
    assert made == {
        "task": {"name": "narma", "x": 0.001},
        "strategy": {"name": "ga", "elite": 3},
        "network": {"hidden": [4, 2]},
        "a": {"b": {"c": True}},
        "seed": 1,
    }
    with pytest.raises(ConfigError) as caught:
        override({"seed": 1}, ["seed.x=2", "junk", "=3", "a..b=1"])
    assert len(caught.value.problems) == 4


def test_options_replace_what_a_spec_file_says(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(
        'seed = 4\n[task]\nname = "narma"\n[network]\ncell = "leaky"\nhidden = 8\ncell_options = {leak = 0.5}\n'
        '[strategy]\nname = "ga"\npopulation = 8\n'
    )
    told, base = typed(str(path), seed=5, hidden="6,7", assignments=["strategy.elite=1"])
    assert base == tmp_path and told["seed"] == 5 and told["network"]["hidden"] == [6, 7]
    assert told["strategy"] == {"name": "ga", "population": 8, "elite": 1}
    other, _ = typed(str(path), strategy="random", cell="lstm")
    assert other["strategy"] == {"name": "random"} and other["network"] == {"cell": "lstm", "hidden": 8}


def test_unreadable_spec_files_are_said_to_be(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("seed = [1,")
    with pytest.raises(ConfigError, match=r"bad\.toml: expected TOML"):
        read(tmp_path / "bad.toml")
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)))
    with pytest.raises(ConfigError):
        read(tmp_path / "binary.toml")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(WALK),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
TABLES = {
    "seed": JUNK,
    "budget": JUNK,
    "parent": JUNK,
    "task": JUNK
    | st.fixed_dictionaries({"name": JUNK | st.just(WAVE)}, optional={"noise": JUNK, "version": JUNK}),
    "network": JUNK
    | st.fixed_dictionaries(
        {},
        optional={
            "cell": JUNK,
            "hidden": JUNK,
            "cell_options": JUNK,
            "dtype": JUNK,
            "initial": JUNK,
            "direct": JUNK,
        },
    ),
    "strategy": JUNK
    | st.fixed_dictionaries({"name": JUNK | st.just(WALK)}, optional={"size": JUNK, "limit": JUNK}),
    "files": JUNK,
}


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries({}, optional=TABLES))
def test_junk_is_refused_with_an_error_of_ours_or_resolved(junk):
    try:
        spec = resolve(junk)
    except EvorrnError:
        return
    assert resolve(tomllib.loads(spec.toml())).id == spec.id


def test_biases_that_a_task_advises_against_can_be_had_and_stay():
    raw = {"task": {"name": "cart-pole"}, "strategy": {"name": "random"}}
    assert resolve(raw).content["network"]["biases"] is False
    wanted = resolve({**raw, "network": {"biases": True}})
    assert wanted.network.biases
    assert resolve(wanted.content).content == wanted.content
    assert resolve({**raw, "network": {"biases": False}}).id == resolve(raw).id != wanted.id
    assert "biases" not in resolve({"task": {"name": WAVE}}).content["network"]  # ids of older runs hold


def test_what_is_wrong_is_named_once(tmp_path):
    (tmp_path / "own.py").write_text("class Bare:\n    pass\n")
    for section, other in (("task", "strategy"), ("strategy", "task")):
        usual = {"task": {"name": "mackey-glass"}, "strategy": {"name": "ga"}}
        raw = {**usual, section: {"name": f"{tmp_path / 'own.py'}:Bare"}, "budget": "1gen"}
        with pytest.raises(ConfigError) as error:
            resolve(raw)
        assert str(error.value).count(f"{section}: ") == 1 and f"{other}: " not in str(error.value)


def test_a_typed_budget_needs_a_limit_of_cost_and_a_stored_one_is_read_as_it_was():
    raw = {"budget": {"learned": 1.0}, "task": {"name": "sunspots"}, "strategy": {"name": "ga"}}
    with pytest.raises(
        ConfigError, match=r"^budget: ga has no end of its own, and may never reach learned = 1;"
    ):
        resolve(raw)
    stored = resolve({**raw, "budget": {"learned": 1.0, "generations": 5}}).content
    assert resolve({**stored, "budget": raw["budget"]}).budget.values() == {"learned": 1.0}
    ending = {**raw, "strategy": {"name": "bptt", "patience": 3, "restarts": 0}}
    assert resolve(ending).budget.values() == {"learned": 1.0}


def test_a_typed_budget_needs_a_unit_and_a_stored_one_is_read_as_it_was(tmp_path):
    """Runs of earlier versions may have a number of multiply-adds without a unit in their spec."""
    raw = {"budget": "1234567", "task": {"name": "sunspots"}, "strategy": {"name": "ga"}}
    with pytest.raises(ConfigError, match=r"budget: expected a number with its unit.*1234.567k"):
        resolve(raw)
    with pytest.raises(ConfigError, match="budget: expected a number with its unit"):
        resolve({**raw, "budget": 1234567})
    spec = resolve({**raw, "budget": "1234.567k"})
    assert spec.budget.work == 1234567
    assert resolve(tomllib.loads(spec.toml())).id == spec.id
