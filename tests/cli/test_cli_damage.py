"""Damaged run folders in reports and listings: the run is named as damaged, and the rest is reported."""

import json

import numpy as np
import pytest
from tiny import WALK, WAVE


def cut(path):
    path.write_bytes(path.read_bytes()[:200])


def latin(path):
    path.write_bytes(b'{"work": 1, "n\xe4me": 2}\n' * 3)


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[8] ^= 1
    content[content.rindex(b"PK\x01\x02") + 10] ^= 1
    path.write_bytes(content)


def other(path):
    path.write_text('{"meter": 3, "times": [], "metrics": {"test": 5}}\n' * 2)


DAMAGE = [
    ("predictions.npz", cut),
    ("predictions.npz", flip),
    ("history.jsonl", latin),
    ("history.jsonl", other),
    ("timing.jsonl", latin),
    ("genome.npz", empty),
    ("result.json", cut),
    ("result.json", other),
    ("status.json", latin),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A comparison of four runs, and what its report says where nothing is damaged."""
    from evorrn.lab.compare import Choice, compare

    root = tmp_path_factory.mktemp("made")
    compare({"task": {"name": WAVE}, "budget": "200k"}, root=root, choice=Choice([WALK], seeds=2))
    return root


@pytest.mark.parametrize(("name", "damage"), DAMAGE, ids=lambda value: getattr(value, "__name__", value))
def test_a_damaged_run_is_named_in_the_report_and_the_rest_is_reported(console, made, name, damage):
    report = next(made.glob("comparisons/*")).name
    path = sorted(made.glob(f"wave/walk-elman/*/{name}"))[0]
    before, others = path.read_bytes(), [p.parent.name for p in made.glob("wave/*/*/spec.toml")]
    try:
        damage(path)
        said = console.type("report", report, "--runs", made)
        page = (made / "comparisons" / report / "report.html").read_text()
        listed = console.type("results", "--runs", made, "--json")
    finally:
        path.write_bytes(before)
    assert said.code == 0, said.err
    assert "The files of 1 run are damaged" in said.err and path.parent.name in said.err
    assert page.count("damaged: ") == 1 and all(one in page for one in others)
    assert listed.code == 0
    if name in ("result.json", "status.json"):
        rows = json.loads(listed.out)
        rows = rows if isinstance(rows, list) else rows["runs"]
        assert sorted(row["status"] for row in rows) == ["complete"] * 3 + ["damaged"]


def test_a_report_of_whole_runs_names_no_damage(console, made):
    said = console.type("report", next(made.glob("comparisons/*")).name, "--runs", made)
    assert said.code == 0 and "damaged" not in said.err


@pytest.mark.parametrize(("name", "damage"), [("history.jsonl", latin), ("result.json", cut)])
def test_the_page_of_a_sweep_lists_a_damaged_run(console, tmp_path, name, damage):
    (tmp_path / "walks.toml").write_text(
        f'name = "walks"\nseeds = 2\n[base]\nbudget = "3gen"\n[base.task]\nname = "{WAVE}"\n[base.strategy]\n'
        f'name = "{WALK}"\n[axes]\n"strategy.size" = [0.2, 0.4]\n'
    )
    assert console.type("sweep", "run", "walks.toml", "--jobs", 1).code == 0
    path = sorted(tmp_path.glob(f"runs/wave/*/*/{name}"))[0]
    damage(path)
    said = console.type("report", "walks.toml")
    assert said.code == 0, said.err
    page = (tmp_path / "runs" / "sweeps" / "walks" / "report.html").read_text()
    assert "damaged" in page and path.parent.name in page
    assert console.type("results", "walks.toml").code == 0


def test_histories_are_read_up_to_an_incomplete_last_line(tmp_path):
    from evorrn.base.errors import RunError
    from evorrn.training.history import load_history, save_history

    rng = np.random.default_rng(0)
    history = {"work": np.arange(5), "train_loss": rng.random(5), "valid_loss": np.full(5, np.inf)}
    save_history(tmp_path, history, rng.random(5))
    assert all(np.array_equal(load_history(tmp_path)[0][name], column) for name, column in history.items())
    path = tmp_path / "history.jsonl"
    whole = path.read_text()
    path.write_text(whole[:-20])
    assert load_history(tmp_path)[0]["work"].tolist() == [0, 1, 2, 3]
    for text in (whole.replace('"work": 2', '"work": "a"'), whole[30:], "[1]\n" + whole, "{}\n" + whole):
        path.write_text(text)
        with pytest.raises(RunError, match=r"history\.jsonl"):
            load_history(tmp_path)
