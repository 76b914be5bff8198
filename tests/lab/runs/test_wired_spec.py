"""Specs of networks of several passes, and the form that a task states."""

import numpy as np
import pytest

from evorrn.base.errors import ConfigError
from evorrn.lab.runs.spec import resolve


def test_a_bidirectional_reservoir_has_no_direct_connection_unless_asked_for():
    spec = {"task": {"name": "parity"}, "strategy": {"name": "esn"}, "network": {"bidirectional": True}}
    made = resolve(spec)
    assert made.network.bidirectional and not made.network.direct
    assert resolve({**made.content, "budget": "2gen"}).network.settings() == made.network.settings()


def test_layers_of_different_cells_are_joined_in_the_folder_of_a_run():
    spec = {"task": {"name": "parity"}, "network": {"cell": ["gru", "elman"], "hidden": [3, 4]}}
    made = resolve(spec)
    assert made.folder.parts[1].endswith("-gru+elman")
    assert made.content["network"]["cell"] == ["gru", "elman"]
    assert "bidirectional" not in made.content["network"]


FORMED = """
from dataclasses import dataclass
import numpy as np
import evorrn

@dataclass(frozen=True)
class Formed(evorrn.Task):
    "Which symbol came first."
    name = "formed"
    inputs, outputs = 6, 6
    loss = "cross-entropy"
    metrics = ("accuracy",)
    network_form = FORM

    def data(self, seed):
        x = np.random.default_rng(seed).integers(0, 6, (12, 5))
        x[:, 0] = np.arange(12) % 6
        batch = evorrn.Batch(x, x[:, 0])
        return evorrn.Splits(batch, batch, batch)

    def baselines(self, splits):
        return {"zero": np.zeros((12, 5, 6))}

    def recommended(self, strategy):
        return evorrn.Recommended({"cell": "elman", "hidden": 3, **ADVICE.get(strategy, {})})
"""


def formed(folder, name, form, advice=None):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(FORMED.replace("FORM\n", f"{form!r}\n") + f"\nADVICE = {advice or {}!r}\n")
    return {"name": f"{path}:Formed"}


def test_the_form_that_a_task_states_is_that_of_its_runs_and_the_users_setting_wins(tmp_path):
    task = formed(tmp_path, "wanted", {"embedding": 4, "readout": "last"})
    spec = resolve({"task": task, "budget": "2gen"})
    assert (spec.network.embedding, spec.network.readout) == (4, "last")
    assert spec.content["network"]["embedding"] == 4 and spec.content["network"]["readout"] == "last"
    own = resolve({"task": task, "network": {"embedding": 0, "readout": "mean"}})
    assert (own.network.embedding, own.network.readout) == (0, "mean")
    assert resolve(spec.content).network.settings() == spec.network.settings()


def test_a_form_changes_neither_the_ids_of_runs_without_it_nor_what_their_stored_specs_mean(tmp_path):
    task = formed(tmp_path, "same", {})
    before = resolve({"task": task})
    task = formed(tmp_path, "same", {"embedding": 4, "readout": "last"}, {"bptt": {"reads": "all"}})
    stored = {name: value for name, value in before.content.items() if name != "files"}
    again = resolve(stored)
    assert again.network.settings() == before.network.settings()
    plain = {"embedding": 0, "readout": "every"}
    chosen = resolve({"task": task, "network": plain})
    assert {**chosen.content, "files": 0} == {**before.content, "files": 0}
    gradients = resolve({"task": task, "network": {**plain, "reads": "last"}, "strategy": {"name": "bptt"}})
    assert "reads" not in gradients.content["network"]
    assert resolve(gradients.content).network.reads == "last"  # and not what is recommended


def test_what_a_task_recommends_for_a_strategy_goes_before_its_form_and_fits_it(tmp_path):
    task = formed(tmp_path, "advised", {"embedding": 4}, {"esn": {"embedding": 0}, "bptt": {"direct": True}})
    reservoir = resolve({"task": task, "strategy": {"name": "esn"}}).network
    assert reservoir.embedding == 0 and reservoir.direct
    trained = resolve({"task": task, "strategy": {"name": "bptt"}}).network
    assert trained.embedding == 4 and not trained.direct


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"embeding": 4}, "network_form.embeding: unknown setting of the form 'embeding'; did you mean 'embedding'"),
        ({"cell": "gru"}, "network_form.cell: unknown setting of the form"),
        ({"embedding": -1}, "network.embedding: expected a whole number of at least 1, or 0 for none, got -1 (the task"),
        ({"readout": "lst"}, "unknown readout 'lst'; did you mean 'last'"),
        (7, "network_form: expected names with their values, got 7"),
    ],
)  # fmt: skip
def test_a_wrong_form_is_said_once_and_whose_it_is(tmp_path, form, sentence):
    with pytest.raises(ConfigError) as error:
        resolve({"task": formed(tmp_path, "wrong", form)})
    (problem,) = error.value.problems
    assert sentence in problem and "formed" in problem


@pytest.mark.thorough
def test_every_strategy_trains_a_network_of_the_form_of_its_task(tmp_path):
    task = formed(tmp_path, "trained", {"embedding": 4, "readout": "last"})
    for name in ("ga", "esn", "bptt", "random"):
        spec = resolve({"task": task, "strategy": {"name": name}})
        result = spec.strategy.fit(spec.network, spec.task, seed=0, budget="1gen")
        assert result.network.embedding == 4 and np.isfinite(result.metrics["test"]["accuracy"])
