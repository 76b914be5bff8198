"""The differences of two runs."""

from made_sweep import run_folder, write_run

from evorrn.lab import diff
from evorrn.lab.runs.store import RunFolder

POINT = {"task.name": "narma", "strategy.name": "ga", "network.cell": "elman", "network.hidden": 8}


def folder_of(root, seed=0, axes=POINT):
    return root / run_folder(axes, seed)[1]


def test_diff_tells_spec_environment_and_outcome_apart(tmp_path):
    write_run(tmp_path, POINT, 0, 0.5)
    write_run(tmp_path, {**POINT, "network.hidden": 16}, 1, 0.25)
    a = RunFolder(folder_of(tmp_path))
    b = RunFolder(folder_of(tmp_path, 1, {**POINT, "network.hidden": 16}))
    found = diff.difference(a, b)
    assert found.spec == {"seed": (0, 1), "network.hidden": (8, 16)}
    assert found.environment == {"host": ("node0", "node1")}
    assert found.outcome["test.nrmse_std"] == (0.5, 0.25) and "work" not in found.outcome
    same = diff.difference(a, a)
    assert same.spec == same.environment == same.outcome == {}
    assert diff.page(same).text == "no difference in spec, environment and outcome"
    (b.path / "result.json").unlink()
    damaged = diff.difference(a, b)
    assert damaged.outcome["status"] == ("complete", "damaged")
    assert damaged.spec == found.spec  # it is not the spec that is damaged
    (b.path / "spec.toml").write_text("torn = [")
    assert diff.difference(a, b).spec is None
    assert diff.page(diff.difference(a, b)).text == "the specs cannot be compared"
