"""``evorrn run``: what it prints, where it writes, how it ends."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import WALK, WAVE

import evorrn

WALKING = ("run", WAVE, "--strategy", WALK)


def test_a_run_says_its_scores_its_cost_and_its_folder(console, tmp_path):
    said = console.type(*WALKING, "--budget", "5gen")
    folder = next((tmp_path / "runs").glob("wave/walk-elman/*"))
    score = json.loads((folder / "result.json").read_text())["metrics"]["test"]["nrmse_std"]
    assert said.code == 0 and f"nrmse_std {score:.4g}" in said.out and "stopped by generations" in said.out
    assert "elman, 3 units, 19 genes" in said.out and str(folder.relative_to(tmp_path)) in said.out
    assert said.err.splitlines()[1].startswith("stride 1, loss ")
    again = console.type(*WALKING, "--budget", "5gen")
    assert again.code == 0 and "complete already (--force runs it again)" in again.out and again.err == ""
    forced = console.type(*WALKING, "--budget", "5gen", "--force")
    assert forced.code == 0 and "already" not in forced.out and "stride 1," in forced.err


def test_json_is_all_that_stands_on_stdout(console, tmp_path):
    said = console.type(*WALKING, "--budget", "5gen", "--seed", 3, "--hidden", "4", "--json")
    content = json.loads(said.out)
    assert content["status"] == "complete" and content["seed"] == 3 and content["budget"] == "5gen"
    assert content["network"] == {"cell": "elman", "hidden": [4], "genes": 29} and not content["reused"]
    assert set(content["metrics"]) == {"train", "valid", "test"} and content["meter"]["evaluations"] == 10
    assert evorrn.load(tmp_path / content["folder"]).metrics == content["metrics"]


def test_numbers_that_are_not_finite_are_null_in_json(console):
    said = console.type(*WALKING, "--budget", "2gen", "--set", "strategy.explodes=true", "--json")
    content = json.loads(said.out, parse_constant=pytest.fail)
    assert said.code == 0 and content["diverged"] and content["metrics"]["test"]["nrmse_std"] is None
    told = console.type(*WALKING, "--budget", "2gen", "--set", "strategy.explodes=true")
    assert told.code == 0 and "diverged on test" in told.out


def test_a_run_in_which_every_network_diverged_has_no_scores(console):
    settings = ["--set", "strategy.forgetting=0.05", "--set", "strategy.reservoirs=1", "--hidden", "30"]
    said = console.type("run", "narma", "--strategy", "rls", *settings, "--json")
    content = json.loads(said.out, parse_constant=pytest.fail)
    assert said.code == 0 and content["diverged"]
    assert all(value is None for scores in content["metrics"].values() for value in scores.values())
    assert "nothing was learned" in content["notes"][0]
    np.savez("u.npz", inputs=np.zeros((1, 5, 1)))
    used = console.type("predict", content["folder"], "u.npz")
    assert (
        used.code == 0
        and "nothing was learned: these are outputs of a network that is not trained" in used.err
    )


WORTHLESS = """
from dataclasses import dataclass
import numba
import numpy as np
from evorrn.data.environment import Environment

@numba.njit
def reset(state, rng):
    state[0] = 1.0

@numba.njit
def observe(state, observation):
    observation[0] = state[0]

@numba.njit
def step(state, action):
    return np.nan, False

@dataclass(frozen=True)
class Worthless(Environment):
    name = "worthless"
    observations = actions = states = 1
    time_limit = 5
    reset, observe, step = staticmethod(reset), staticmethod(observe), staticmethod(step)
"""


def test_rewards_that_are_not_finite_are_told_as_such(console, tmp_path):
    (tmp_path / "own.py").write_text(WORTHLESS)
    said = console.type(
        "run", "own.py:Worthless", "--strategy", "random", "--hidden", "2", "--budget", "2gen"
    )
    assert (
        said.code == 1
        and "environment worthless: expected a finite reward, got nan at time step 1" in said.err
    )


def test_quiet_says_nothing(console):
    said = console.type(*WALKING, "--budget", "2gen", "--quiet")
    assert (said.code, said.out, said.err) == (0, "", "")


def test_runs_land_where_they_are_told_to(console, tmp_path, monkeypatch):
    console.type(*WALKING, "--budget", "2gen", "--runs", "here", "--quiet")
    assert list((tmp_path / "here").glob("wave/*/*/result.json"))
    monkeypatch.setenv("EVORRN_RUNS", str(tmp_path / "there"))
    console.type(*WALKING, "--budget", "2gen", "--quiet")
    assert list((tmp_path / "there").glob("wave/*/*/result.json"))


def test_a_spec_file_runs_and_so_does_the_spec_of_a_run(console, tmp_path):
    (tmp_path / "mine.toml").write_text(
        f'seed = 2\nbudget = "4gen"\n[task]\nname = "{WAVE}"\nnoise = 0.2\n[strategy]\nname = "{WALK}"\n'
    )
    first = json.loads(console.type("run", "mine.toml", "--json").out)
    assert first["seed"] == 2
    again = json.loads(console.type("run", first["folder"], "--json").out)
    assert again["id"] == first["id"] and again["reused"]
    other = json.loads(console.type("run", "mine.toml", "--set", "task.noise=0.3", "--seed", 1, "--json").out)
    assert other["seed"] == 1 and other["id"] != first["id"]


def test_a_csv_file_is_a_task(console, tmp_path):
    rows = np.sin(np.arange(300) / 4)
    (tmp_path / "my.csv").write_text(
        "load,temp\n" + "".join(f"{a:.5f},{b:.5f}\n" for a, b in zip(rows, rows[::-1]))
    )
    words = ("run", "my.csv", "--target", "load", "--inputs", "temp", "--horizon", "2")
    said = console.type(
        *words, "--strategy", "random", "--cell", "elman", "--hidden", "3", "--budget", "2gen", "--json"
    )
    assert said.code == 0, said.err
    content = json.loads(said.out)
    assert content["task"] == "csv"
    assert (
        content["network"]["genes"] == 3 * (2 + 3 + 1) + 3 + 1 + 2
    )  # the advised network sees its inputs directly
    spec = (tmp_path / content["folder"] / "spec.toml").read_text()
    assert f'path = "{tmp_path}/my.csv"' in spec and "horizon = 2" in spec and '"task.path" = ' in spec


def test_a_failure_is_one_line_and_the_traceback_on_demand(console):
    words = (*WALKING, "--budget", "9gen", "--set", "strategy.breaks_at=3")
    said = console.type(*words)
    assert said.code == 1 and said.out == ""
    assert (
        "evorrn: the run failed: RuntimeError: the stride broke" in said.err and "Traceback" not in said.err
    )
    assert "status.json" in said.err
    debugged = console.type(*words, "--debug")
    assert debugged.code == 1 and "Traceback" in debugged.err
    content = json.loads(console.type(*words, "--json").out)
    assert content["status"] == "failed" and content["error"] == "RuntimeError: the stride broke"


def test_a_failure_that_could_not_be_written_points_to_no_file(console, tmp_path, monkeypatch):
    from evorrn.lab.runs import claim

    write = claim.write_atomic

    def full(path, content, through):
        if path.name == "status.json" and '"failed"' in content:
            raise OSError(28, "No space left on device", str(path))
        write(path, content, through)

    monkeypatch.setattr(claim, "write_atomic", full)
    said = console.type(*WALKING, "--budget", "9gen", "--set", "strategy.breaks_at=3")
    assert said.code == 1 and "the stride broke" in said.err
    assert "the traceback is shown with --debug" in said.err and "status.json" not in said.err


def test_continue_makes_a_new_run_with_more_budget(console):
    first = json.loads(console.type(*WALKING, "--budget", "5gen", "--json").out)
    said = console.type("run", "--continue", first["id"], "--budget", "9gen", "--json")
    second = json.loads(said.out)
    assert said.code == 0 and second["id"] != first["id"] and second["meter"]["evaluations"] == 18
    whole = json.loads(console.type(*WALKING, "--budget", "9gen", "--json").out)
    assert whole["metrics"] == second["metrics"]
    assert console.type("run", "--continue", first["id"]).code == 2
    assert console.type("run", "--continue", first["id"], "--budget", "5gen").code == 2
    said = console.type("run", "--continue", first["id"], "--budget", "9gen", "--cell", "lstm", "--seed", "0")
    assert said.code == 2 and "got --cell, --seed" in said.err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("run",), "expected a task, a data file or a spec file"),
        (("run", "mackey-glas"), "did you mean 'mackey-glass'"),
        (("run", WAVE, "--strategy", "gaa"), "did you mean 'ga'"),
        (("run", WAVE, "--cell", "lstmm"), "did you mean 'lstm'"),
        (("run", WAVE, "--hidden", "0"), "network.hidden: expected a whole number of at least 1, got 0"),
        (("run", WAVE, "--hidden", "many"), "network.hidden"),
        (("run", WAVE, "--budget", "0"), "budget.work: expected a whole number of at least 1"),
        (("run", WAVE, "--budget", "-5G"), "budget: expected something like 20G"),
        (("run", WAVE, "--budget", "soon"), "budget: expected something like 20G"),
        (
            ("run", WAVE, "--set", "strategy.population=1"),
            "strategy.population: expected a value >= 2, got 1",
        ),
        (("run", WAVE, "--set", "strategy.populaton=9"), "did you mean 'population'"),
        (("run", WAVE, "--set", "population=64"), "did you mean 'strategy.population'"),
        (("run", WAVE, "--set", "ga.population=64"), "did you mean 'strategy.population'"),
        (("run", WAVE, "--set", "populaton=64"), "did you mean 'strategy.population'"),
        (("run", WAVE, "--set", "noise=0.2"), "did you mean 'task.noise'"),
        (("run", WAVE, "--set", "dtype=float64"), "did you mean 'network.dtype'"),
        (("run", WAVE, "--set", "sed=4"), "did you mean 'seed'"),
        (("run", WAVE, "--set", "nonsense"), "--set: expected NAME=VALUE"),
        (("run", WAVE, "--target", "x"), "task.target: unknown setting 'target'"),
        (("run", "none.toml"), "cannot read none.toml"),
        (("run", "none.csv"), "none.csv"),
        (("run", "none.npz"), "none.npz"),
        (("run", WAVE, "--bogus"), "No such option"),
        (("run", WAVE, "--seed", "one"), "--seed"),
        (("run", WAVE, "--seed", "-1"), "seed: expected a whole number of at least 0"),
        (("run", "--continue", "ffff", "--budget", "1G"), "no run 'ffff'"),
        (("run", f"{WAVE}x"), "Wave"),
        (("run", "none.py:Wave"), "cannot read"),
        ((*WALKING, "--set", "strategy.refuses=true"), "strategy.refuses: expected false"),
        (("nonsense",), "No such command 'nonsense'"),
    ],
)
def test_wrong_input_is_refused_and_nothing_is_written(console, tmp_path, words, wanted):
    said = console.type(*words)
    assert said.code == 2 and wanted in said.err and said.out == "" and "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    ["", "load\n", "load\n1\n2\n3\n", "load\n" + "1\n2\nx\n" * 99, "a,b\n1\n", bytes(range(256)) * 9],
)
def test_unusable_tables_are_refused(console, tmp_path, content):
    path = tmp_path / "my.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = console.type("run", "my.csv", "--target", "load", "--budget", "2gen")
    assert said.code == 2 and "my.csv" in said.err and [*tmp_path.iterdir()] == [path]


def test_a_spec_file_tells_all_its_mistakes_at_once(console, tmp_path):
    (tmp_path / "bad.toml").write_text(
        'seed = "x"\nbudget = "5X"\n[task]\nname = "narma"\noder = 1\n[network]\nhidden = 0\n'
        '[strategy]\nname = "ga"\npopulation = 1\n'
    )
    said = console.type("run", "bad.toml")
    assert said.code == 2 and "evorrn: 5 problems" in said.err
    for path in ("seed", "budget", "task.oder", "network.hidden", "strategy.population"):
        assert f"\n  {path}: " in said.err


def test_an_unexpected_error_is_one_line_with_a_hint(console, monkeypatch):
    from evorrn.lab.runs import spec

    monkeypatch.setattr(spec, "resolve", lambda *_: 1 / 0)
    said = console.type(*WALKING)
    assert (
        said.code == 1
        and said.err == "evorrn: unexpected ZeroDivisionError: division by zero (--debug shows where)\n"
    )
    assert "Traceback" in console.type("--debug", *WALKING).err


def on_a_terminal(folder: Path, script: str) -> tuple[str, int]:
    """Run Python on a terminal of its own; type Ctrl-C as soon as it shows stride 4. Return text and exit code."""
    terminal, side = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "150", "LINES": "20"}
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=folder, stdin=side, stdout=side, stderr=side, env=environment,
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(side)
        text, typed = b"", False
        while True:
            try:
                part = os.read(terminal, 4096)
            except OSError:  # the other side is closed
                break
            text += part
            if not part:
                break
            if b"stride 4" in text and not typed:
                typed = True
                process.send_signal(signal.SIGINT)
        os.close(terminal)
    return text.decode(errors="replace"), process.returncode


@pytest.mark.thorough
def test_on_a_terminal_a_line_lives_and_ctrl_c_keeps_a_checkpoint(tmp_path):
    script = (
        "from evorrn.cli import main, progress; progress.LIVE_SECONDS = 0.0\n"
        f"main(['run', {WAVE!r}, '--strategy', {WALK!r}, '--budget', '100gen', '--set', 'strategy.pause=0.02'])"
    )
    text, code = on_a_terminal(tmp_path, script)
    assert code == 130 and "walk on wave: compiling" in text and "of 100gen" in text and "left" in text
    assert "stopping after this step" in text and "the same command goes on" in text
    assert "\x1b[?25h" in text[-400:]  # the cursor is shown again
    folder = next((tmp_path / "runs").glob("wave/walk-elman/*"))
    assert json.loads((folder / "status.json").read_text())["status"] == "interrupted"


def test_bad_vector_registers_are_wrong_input(tmp_path):
    environment = {**os.environ, "EVORRN_VECTOR": "100,3"}
    command = [sys.executable, "-m", "evorrn", "run", "narma", "--runs", str(tmp_path / "runs")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "got '100,3'" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_run_says_why_a_spectrum_is_undefined_and_counts_outputs_that_are_many(console):
    short = ["task.continuations=2", "task.ahead=3", "task.valid=3", "task.train=50"]
    settings = [word for value in short for word in ("--set", value)]
    said = console.type("run", "lorenz-96", "--strategy", "random", "--budget", "2gen", *settings)
    assert said.code == 0, said.err
    assert "spectral_distance is undefined on test" in said.out
    assert "or no sequence has four scored steps" in said.out
    assert "are taken over all 40 outputs together" in said.out
