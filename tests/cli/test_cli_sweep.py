"""``evorrn sweep``: what it prints, its exit codes, and a job array that works."""

import io
import json
import os
import re
import subprocess
import sys

import pytest
from tiny import WALK, WAVE

from evorrn.cli.sweep_progress import watching_sweep
from evorrn.lab.runs.run import Run
from evorrn.lab.sweep.tally import Tally

FILE = f"""
name = "walks"
seeds = 2
[base]
budget = "5gen"
task.name = "{WAVE}"
strategy.name = "{WALK}"
[axes]
"strategy.size" = [0.2, 0.4]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "walks.toml"
    path.write_text(FILE)
    return path


def test_check_says_what_there_is_and_what_is_left(console, file, tmp_path):
    said = console.type("sweep", "check", file)
    assert said.code == 0 and "walks: 2 cells x 2 seeds = 4 runs" in said.out
    assert "strategy.size: 0.2, 0.4" in said.out and "done so far: nothing" in said.out
    assert list(tmp_path.iterdir()) == [file]
    console.type("sweep", "work", file, "--quiet")
    content = json.loads(console.type("sweep", "check", file, "--json").out)
    assert content["states"] == {"complete": 4} and content["seconds_left"] == 0
    file.write_text(FILE.replace("seeds = 2", "seeds = 3"))
    said = console.type("sweep", "check", file)
    assert (
        "done so far: 4 complete" in said.out
        and "left: about 0 seconds of training by one process" in said.out
    )


def test_work_does_all_and_then_nothing(console, file):
    said = console.type("sweep", "work", file)
    assert said.code == 0 and "4 of 4 runs complete (4 now)" in said.out and "evorrn results" in said.out
    assert "best on" in said.out and "validation nrmse_std" in said.out
    assert "4 of 4 runs complete (0 now)" in console.type("sweep", "work", file).out
    content = json.loads(console.type("sweep", "work", file, "--json").out)
    assert content["before"] == content["total"] == 4 and len(content["best"]) == 1
    quiet = console.type("sweep", "work", file, "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_run_starts_processes_and_shows_failures_with_their_traceback(console, file, tmp_path):
    file.write_text(FILE + '"strategy.breaks_at" = [-1, 3]\n')
    said = console.type("sweep", "run", file, "--jobs", 2)
    assert said.code == 1 and "4 of 8 runs complete (4 now)" in said.out
    assert said.err.count("evorrn: failed: strategy.size=") == 4
    assert said.err.count("Traceback (most recent call last)") == 1  # the others are the same
    saved = re.findall(r"saved in (.+/status\.json)", said.err)
    assert len(saved) == 4 and all(json.loads((tmp_path / path).read_text())["traceback"] for path in saved)
    assert "4 runs failed; again with: evorrn sweep retry" in said.err
    again = console.type("sweep", "run", file, "--jobs", 2)
    assert again.code == 1 and "(0 now)" in again.out and "4 runs failed, 4 of them before" in again.err
    retried = console.type("sweep", "retry", file, "--jobs", 1, "--fail-fast", "--json")
    assert retried.code == 1 and "a run failed (--fail-fast)" in retried.err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("check", "none.toml"), "cannot read none.toml"),
        (("run", "none.toml"), "cannot read none.toml"),
        (("check", "bad.toml"), "\n  axes.strategy.sze: "),
        (("run", "bad.toml"), "\n  seeds: expected int, got 'two'"),
        (("work", "bad.toml"), "evorrn: 2 problems"),
        (("run", "walks.toml", "--jobs", "0"), "--jobs"),
        (
            ("run", "walks.toml", "--dask", "tcp://127.0.0.1:9"),
            "no Dask scheduler answers at tcp://127.0.0.1:9",
        ),
        (("submit", "walks.toml"), "submit: expected the scheduler, --slurm"),
        (("submit", "walks.toml", "--slurm", "--sbatch", "time"), "expected an option of sbatch"),
        (("run", "large.toml"), "1,001,000 runs (1,001,000 cells x 1 seeds) are more than a million; --yes"),
    ],
)
def test_wrong_input_is_refused_and_nothing_is_written(console, file, tmp_path, monkeypatch, words, wanted):
    pytest.importorskip("distributed")
    monkeypatch.setattr("evorrn.lab.sweep.cluster.REACH_SECONDS", 0.3)
    bad = FILE.replace("strategy.size", "strategy.sze").replace("seeds = 2", 'seeds = "two"')
    (tmp_path / "bad.toml").write_text(bad)
    axes = '"strategy.size" = { range = [0.001, 1, 0.001] }\n"network.hidden" = { range = [1, 1001, 1] }\n'
    (tmp_path / "large.toml").write_text(
        FILE.replace('"strategy.size" = [0.2, 0.4]', axes).replace("= 2", "= 1")
    )
    said = console.type("sweep", *words)
    assert said.code == 2 and wanted in said.err and said.out == "" and "Traceback" not in said.err
    assert {path.name for path in tmp_path.iterdir()} == {"walks.toml", "bad.toml", "large.toml"}


def test_the_script_of_a_job_array_is_shown_written_and_works(console, file, tmp_path, monkeypatch):
    said = console.type("sweep", "submit", file, "--slurm", "--workers", 3, "--sbatch=--time=01:00:00")
    script = tmp_path / "runs/sweeps/walks/submit.sh"
    assert said.code == 0 and said.out == script.read_text() + "\n" and str(script.name) in said.err
    assert "#SBATCH --array=1-3\n" in said.out and "#SBATCH --time=01:00:00\n" in said.out
    # In place of Slurm: srun runs what it is given, sbatch runs the script.
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, line in (
        ("srun", 'exec "$@"'),
        ("sbatch", 'bash "$1" >/dev/null 2>&1 && echo Submitted batch job 7'),
    ):
        (tools / name).write_text(f"#!/bin/bash\n{line}\n")
        (tools / name).chmod(0o755)
    assert console.type("sweep", "submit", file, "--slurm", "--go").code == 2  # no sbatch yet
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    said = console.type("sweep", "submit", file, "--slurm", "--go")
    assert said.code == 0 and "Submitted batch job 7" in said.err
    assert "4 of 4 runs complete (0 now)" in console.type("sweep", "work", file).out
    file.write_text(FILE.replace("5gen", "6gen"))
    said = console.type("sweep", "submit", file, "--slurm")
    assert said.code == 2 and "differs in base.budget" in said.err and not said.out


@pytest.mark.parametrize("name", ["a b#c", 'it\'s 5% "of" it', "p%j", "plain"])
def test_slurm_reads_the_path_of_its_output_as_it_is(console, file, tmp_path, name):
    root = tmp_path / name
    said = console.type("sweep", "submit", file, "--slurm", "--runs", root)
    assert said.code == 0, said.err
    line = next(line for line in said.out.splitlines() if "--output" in line)
    given = as_sbatch_reads(line.removeprefix("#SBATCH"))
    assert given == f"--output={root}/sweeps/walks/slurm-%A_%a.out".replace(
        str(root), str(root).replace("%", "%%")
    )


def as_sbatch_reads(line):
    """Return the first argument of a line by Slurm's rules: quotes group, a backslash takes the next character as it is."""
    found, quote, characters = "", "", iter(line.lstrip())
    for character in characters:
        if character == "\\":
            found += next(characters)
        elif quote:
            quote, found = ("", found) if character == quote else (quote, found + character)
        elif character in "\"'":
            quote = character
        elif character == "#" or character.isspace():
            break
        else:
            found += character
    assert not quote
    return found


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom evorrn.cli import main\n"
        "try: main(['sweep', 'run', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('numba', 'scipy', 'optuna', 'distributed') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.stderr.strip() == "[]" and "--fail-fast" in done.stdout


def test_a_picture_leaves_room_for_the_echo_of_ctrl_c(tmp_path, monkeypatch):
    """A terminal writes ^C behind the last line; if it was full, that would begin another one below the picture."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    tally = Tally(10, under_way=2)
    best = Run("f", "complete", 0, {"task.name": "a-task"}, ("valid.nrmse_std",), (0.5,))
    tally.compare(best, ", ".join(f"strategy.setting{number}=0.25" for number in range(9)))
    with watching_sweep(tmp_path, quiet=False, debug=False) as tell:
        tell.watch(tally)
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    lines = {line.rstrip() for line in re.split(r"[\r\n]", drawn) if line.startswith("best validation")}
    assert [(len(line), line[-1]) for line in lines] == [(56, "…")]
