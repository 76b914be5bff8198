"""Faults while a run is under way, and damage to its folder: they cost that run, and as little of it as can be."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from executing import lasting, stopping_after
from tiny import HERE, raw

from evorrn.base.errors import RunError
from evorrn.lab.catalogue import run_page
from evorrn.lab.runs import recorder
from evorrn.lab.runs.claim import LEASE
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.reader import Reader
from evorrn.lab.runs.source import trained
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.sweep.many import run_all


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return execute(resolve(raw()), tmp_path_factory.mktemp("undisturbed"))


def test_a_worker_stopped_past_its_lease_changes_nothing_when_it_wakes_up(undisturbed, tmp_path):
    """It holds the claim of another host; while it is stopped, this process takes over and completes the run."""
    code = (
        "import socket, sys; socket.gethostname = lambda: 'elsewhere'\n"
        "from evorrn.lab.runs import recorder; recorder.CHECKPOINT_SECONDS = 0.0\n"
        "from pathlib import Path; from evorrn.lab.runs.execute import execute\n"
        "from evorrn.lab.runs.hooks import Hooks; from evorrn.lab.runs.spec import resolve\n"
        f"sys.path.insert(0, {str(Path(HERE).parent)!r}); from tiny import raw\n"
        "hooks = Hooks(lambda progress: print(progress.step, flush=True), lambda text: print(text, flush=True))\n"
        f"run = execute(resolve(raw()), Path({str(tmp_path)!r}), hooks=hooks)\n"
        "print(run.status, run.reused)\n"
    )
    folder = tmp_path / resolve(raw()).folder
    given = [sys.executable, "-c", code]
    with subprocess.Popen(
        given, stdout=subprocess.PIPE, text=True, env={**os.environ, "STRIDE_SECONDS": "0.03"}
    ) as late:
        assert late.stdout is not None
        for line in late.stdout:
            if line.strip().isdigit() and int(line) >= 6:
                late.send_signal(signal.SIGSTOP)
                break
        os.waitid(os.P_PID, late.pid, os.WSTOPPED)
        for path in (folder / "claim" / "owner.json", folder / "status.json"):
            os.utime(path, (time.time() - 2 * LEASE,) * 2)
        assert execute(resolve(raw()), tmp_path).status == "complete"
        before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
        late.send_signal(signal.SIGCONT)
        said = late.stdout.read()
        assert late.wait(60) == 0
    assert "took the run over" in said and said.splitlines()[-1] == "complete True"
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert lasting(folder) == lasting(undisturbed.path)


@pytest.mark.parametrize("step", [2, 5])
def test_a_run_whose_folder_is_removed_while_it_trains_fails_and_leaves_nothing(tmp_path, monkeypatch, step):
    """Noticed at the next checkpoint, and at the end at the latest."""
    monkeypatch.setattr(recorder, "CHECKPOINT_SECONDS", 0.0 if step == 2 else 60.0)
    spec, steps = resolve(raw("5gen")), []

    def remove(progress):
        steps.append(progress.step)
        if progress.step == step:
            shutil.rmtree(tmp_path / spec.folder)

    ended = execute(spec, tmp_path, hooks=Hooks(watch=remove))
    assert ended.status == "failed" and "the run folder was removed" in ended.error and steps[-1] == step
    assert not (tmp_path / spec.folder).exists()
    assert execute(spec, tmp_path).status == "complete"


@pytest.mark.parametrize("again", ["the run", "a sweep"])
def test_a_claim_left_in_a_complete_run_is_removed(again, tmp_path):
    """A process may die between the last file of a run and the release of its claim."""
    spec = resolve(raw("3gen"))
    folder = execute(spec, tmp_path).path
    gone = {"token": "theirs", "host": socket.gethostname(), "pid": 2**22 + 1, "started": "1"}
    for owner in (json.dumps(gone), "not written to its e"):
        (folder / "claim").mkdir()
        (folder / "claim" / "owner.json").write_text(owner)
        if again == "a sweep":
            assert run_all([spec], tmp_path)[0].status == "complete"
        else:
            assert execute(spec, tmp_path).reused
        assert not list(folder.glob("*claim*"))


@pytest.mark.parametrize("both", [False, True])
def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(undisturbed, tmp_path, monkeypatch, both):
    """The compression byte of the newest is flipped; where the one before is damaged too, the run starts anew."""
    monkeypatch.setattr(recorder, "CHECKPOINT_SECONDS", 0.0)
    folder = execute(resolve(raw()), tmp_path, hooks=Hooks(watch=stopping_after(9))).path
    for name in ("checkpoint.npz", "checkpoint-previous.npz")[: 1 + both]:
        content = bytearray((folder / name).read_bytes())
        content[8] ^= 1
        content[content.rindex(b"PK\x01\x02") + 10] ^= 1
        (folder / name).write_bytes(content)
    seen, warnings, notes = [], [], []
    hooks = Hooks(lambda progress: seen.append(progress.step), warnings.append, notes.append)
    assert execute(resolve(raw()), tmp_path, hooks=hooks).status == "complete"
    assert seen[0] == 1 if both else 1 < seen[0] <= 9
    assert "the checkpoint is damaged" in warnings[0]
    assert any("starts from its beginning" in warning for warning in warnings) == both
    assert lasting(folder) == lasting(undisturbed.path)


@pytest.mark.parametrize("change", [("seed = 0", "seed = 7"), ("size = 0.25", "size = 0.5"), None])
def test_a_spec_edited_by_hand_in_a_complete_run_is_noticed_and_mended(change, tmp_path):
    """A seed or a setting changed, or the file removed: the listing says so, the run's own command writes it again."""
    spec, warnings = resolve(raw("3gen")), []
    path = execute(spec, tmp_path).path / "spec.toml"
    before = path.read_text()
    if change is None:
        path.unlink()
    else:
        assert before.count(change[0]) == 1
        path.write_text(before.replace(*change))
    row = Reader(tmp_path).run(spec.folder.as_posix())
    assert row.status == "damaged" and "spec.toml" in row.error
    if change is not None:
        assert "was changed after the run" in str(run_page(RunFolder(path.parent)).tables)
        with pytest.raises(RunError, match="was changed after the run"):
            trained(RunFolder(path.parent))
    assert execute(spec, tmp_path, hooks=Hooks(warn=warnings.append)).reused
    assert "was changed after the run" in warnings[0] and path.read_text() == before
    assert Reader(tmp_path).run(spec.folder.as_posix()).status == "complete"
