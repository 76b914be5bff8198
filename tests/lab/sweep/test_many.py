"""Many runs side by side: the same bytes as one after the other, failures, refusals, interruptions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sweeping import alive
from tiny import HERE, WALK, WAVE, raw

from evorrn.base.errors import EvorrnError
from evorrn.lab.compare import Choice, compare
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.sweep.many import run_all
from evorrn.lab.sweep.workers import THREAD_VARIABLES


def specs(count=4, **strategy):
    return [resolve({**raw("15gen", **strategy), "seed": seed}) for seed in range(count)]


def genomes(specs, root):
    return [(root / spec.folder / "genome.npz").read_bytes() for spec in specs]


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory):
    root = tmp_path_factory.mktemp("one_by_one")
    return root, run_all(specs(), root)


def test_side_by_side_gives_what_one_by_one_gives_and_a_failure_stops_no_other(one_by_one, tmp_path):
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    seen = []
    *ended, failed = run_all(
        [*specs(), resolve(raw("15gen", breaks_at=3))], tmp_path, jobs=2, hooks=Hooks(watch=seen.append)
    )
    assert [run.test for run in ended] == [run.test for run in one_by_one[1]]
    assert [run.work for run in ended] == [run.work for run in one_by_one[1]]
    assert genomes(specs(), tmp_path) == genomes(specs(), one_by_one[0])
    assert (failed.status, failed.error, failed.work) == ("failed", "RuntimeError: the stride broke", None)
    assert {name: os.environ.get(name) for name in THREAD_VARIABLES} == before
    assert {standing.spec.seed for standing in seen if standing.progress is None} == {0, 1, 2, 3}
    assert all(standing.total == 5 and 0 <= standing.done <= 5 for standing in seen)
    assert any(standing.progress is not None for standing in seen)
    assert max(len(standing.running) for standing in seen) == 2
    assert all(len({spec.id for spec, _ in standing.running}) == len(standing.running) for standing in seen)
    left = [standing.seconds_left for standing in seen if standing.seconds_left is not None]
    assert left and all(seconds >= 0 for seconds in left)


def test_complete_runs_are_used_again_without_any_worker(one_by_one, monkeypatch):
    monkeypatch.setattr("evorrn.lab.sweep.many.Leader", None)
    root, ended = one_by_one
    assert [run.test for run in run_all(specs(), root, jobs=4)] == [run.test for run in ended]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_is_refused_ends_all_with_its_reason(jobs, tmp_path):
    mixed = [*specs(1), resolve(raw("15gen", refuses=True))]
    with pytest.raises(EvorrnError, match=r"strategy\.refuses: expected false"):
        run_all(mixed, tmp_path, jobs=jobs)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.thorough), signal.SIGTERM])
def test_interrupted_runs_leave_checkpoints_and_go_on(number, one_by_one, tmp_path):
    # Slow enough to be interrupted; in all else the runs are those of `one_by_one`.
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        f"sys.path[:0] = {[str(Path(__file__).parent), str(Path(HERE).parent)]!r}\n"
        "from test_many import specs\n"
        "from evorrn.lab.runs.hooks import Hooks\n"
        "from evorrn.lab.sweep.many import run_all\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        f"        run_all(specs(4, pause=0.1), Path({str(tmp_path)!r}), jobs=2, hooks=Hooks(\n"
        "                watch=lambda s: print(s.progress.step if s.progress else 0, flush=True),\n"
        "                note=lambda text: print('note', text, flush=True)))\n"
        "    except KeyboardInterrupt:\n"
        "        sys.exit(130)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip().isdigit() and int(line) >= 2:
                break
        # Ctrl-C reaches the whole group, a batch scheduler's signal the parent alone.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        rest = process.stdout.read()
        assert process.wait(timeout=200) == 130
    assert "note stopping after this step, with a checkpoint" in rest
    slow = specs(4, pause=0.1)
    states = [RunFolder(tmp_path / spec.folder).state() for spec in slow]
    assert "interrupted" in states and "running" not in states
    seen, kept = [], (tmp_path / slow[0].folder / "checkpoint.npz").exists()
    ended = run_all(slow[:1], tmp_path, hooks=Hooks(watch=seen.append))
    # A fresh run, also one that was interrupted while it compiled, would begin with step 1.
    assert (seen[1].progress.step > 1) == kept or states[0] == "complete"
    assert ended[0].test == one_by_one[1][0].test


@pytest.mark.thorough
def test_a_run_whose_worker_dies_is_begun_again_from_its_checkpoint(one_by_one, tmp_path):
    killed, warnings = [], []

    def kill(shown):
        if not killed and shown.progress is not None and shown.progress.step >= 2:
            status = RunFolder(tmp_path / shown.spec.folder).status()
            killed.append(status["pid"])
            os.kill(status["pid"], signal.SIGKILL)

    slow = specs(4, pause=0.05)
    ended = run_all(slow, tmp_path, jobs=2, hooks=Hooks(watch=kill, warn=warnings.append))
    assert killed and any("ended by SIGKILL; it is begun again" in warning for warning in warnings)
    assert [run.test for run in ended] == [run.test for run in one_by_one[1]]
    assert not any(map(alive, killed))


@pytest.mark.thorough
def test_a_real_comparison_is_the_same_with_any_number_of_workers(tmp_path, monkeypatch):
    """Four ways of training on the sunspot record, through the engine, with budgets of a moment."""
    given = {"task": {"name": "sunspots"}, "budget": "6M", "network": {"hidden": 4}}
    two = compare(given, root=tmp_path / "two", jobs=2, choice=Choice(seeds=2))
    assert Path(two.report).stat().st_size > 50_000
    monkeypatch.setattr("evorrn.lab.compare.write_report", lambda *_: None)  # plots take most of a second
    one = compare(given, root=tmp_path / "one", choice=Choice(seeds=2))
    assert [row.values for row in one.rows] == [row.values for row in two.rows]
    assert [row.work for row in one.rows] == [row.work for row in two.rows]
    assert {row.strategy for row in one.rows} == {"ga", "esn", "bptt", "random"}
    assert {row.network["hidden"] for row in one.rows} == {4}
    assert [b.name for b in one.baselines] == [
        "mean",
        "persistence",
        "linear autoregression",
        "linear autoregression, AIC",
    ]
    assert all(np.isfinite(row.values).all() and row.work >= 6e6 for row in one.rows)
    again = compare(given, root=tmp_path / "two", jobs=2, choice=Choice(seeds=2))
    assert json.dumps(again.as_dict()["rows"]) == json.dumps(two.as_dict()["rows"])


def test_a_users_own_strategy_and_task_can_be_compared(tmp_path):
    given = {"task": {"name": WAVE}, "budget": "300k", WALK: {"size": 0.3}}
    found = compare(given, root=tmp_path, choice=Choice(strategies=[WALK], seeds=2))
    assert {row.strategy for row in found.rows} == {"walk", "random"}
    assert next(row for row in found.rows if row.strategy == "walk").settings["size"] == 0.3
