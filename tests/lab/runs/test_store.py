"""Run folders: claims, states, two generations of checkpoints, and finding a run by its id."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from evorrn.base.errors import EvorrnError, RunError
from evorrn.lab.runs import claim
from evorrn.lab.runs.claim import LEASE, Claim, ClaimLost, RunBusy
from evorrn.lab.runs.store import RunFolder, all_runs, find_comparison, find_run, runs_root


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "wave" / "walk-elman" / "0123456789abcdef")


@pytest.fixture
def stranger():
    """A living process of another owner."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def claim_of(run, **owner):
    folder = run.path / "claim"
    folder.mkdir(parents=True)
    (folder / "owner.json").write_text(json.dumps({"token": "theirs", "since": time.time(), **owner}))


def aged(path, seconds):
    """Let the file system say that a file was written some seconds ago."""
    os.utime(path, (time.time() - seconds,) * 2)


def started(pid):
    return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[19]


def test_a_claim_is_held_by_one_and_gone_afterwards(run):
    with run.claimed():
        owner = json.loads((run.path / "claim" / "owner.json").read_text())
        assert owner["pid"] == os.getpid() and owner["host"] == socket.gethostname()
        with pytest.raises(RunBusy, match=rf"process {os.getpid()} on"), run.claimed():
            pass
        assert (run.path / "claim").is_dir()
    assert list(run.path.iterdir()) == []


def test_a_claim_is_given_back_when_the_block_fails(run):
    with pytest.raises(ZeroDivisionError), run.claimed():
        _ = 1 / 0
    with run.claimed():
        pass


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_a_living_process_of_this_host_keeps_its_claim(run, stranger):
    claim_of(run, host=socket.gethostname(), pid=stranger.pid, started=started(stranger.pid))
    with pytest.raises(RunBusy), run.claimed():
        pass


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_a_pid_that_is_used_again_does_not_keep_a_claim(run, stranger):
    claim_of(run, host=socket.gethostname(), pid=stranger.pid, started="1")
    with run.claimed():
        pass


def test_the_claim_of_a_dead_process_is_taken_over(run, stranger):
    claim_of(run, host=socket.gethostname(), pid=stranger.pid, started="1")
    stranger.kill()
    stranger.wait()
    with run.claimed():
        assert json.loads((run.path / "claim" / "owner.json").read_text())["pid"] == os.getpid()
    assert list(run.path.iterdir()) == []


@pytest.mark.parametrize(("age", "taken"), [(LEASE - 60, False), (LEASE + 60, True)])
def test_another_hosts_claim_ends_with_its_lease(run, age, taken):
    claim_of(run, host="elsewhere", pid=1, since=time.time() - age)
    aged(run.path / "claim" / "owner.json", age)
    if taken:
        with run.claimed():
            pass
    else:
        with pytest.raises(RunBusy, match="process 1 on elsewhere"), run.claimed():
            pass


def test_a_heartbeat_keeps_another_hosts_claim(run):
    claim_of(run, host="elsewhere", pid=1, since=time.time() - 2 * LEASE)
    status = {"status": "running", "host": "elsewhere", "pid": 1, "heartbeat": time.time() - 60}
    (run.path / "status.json").write_text(json.dumps(status))
    aged(run.path / "claim" / "owner.json", 2 * LEASE)
    aged(run.path / "status.json", 60)
    with pytest.raises(RunBusy), run.claimed():
        pass


def test_of_two_that_take_over_one_claim_only_one_gets_it(run, monkeypatch):
    """The other takes over while the first has judged the claim but not yet acted."""
    claim_of(run, host="elsewhere", pid=1, since=0.0)
    aged(run.path / "claim" / "owner.json", 2 * LEASE)
    other = RunFolder(run.path)
    judge, entered = claim.abandoned, []

    def judge_slowly(*arguments):
        verdict = judge(*arguments)
        if not entered:
            context = other.claimed()
            entered.append(context)
            context.__enter__()
        return verdict

    monkeypatch.setattr(claim, "abandoned", judge_slowly)
    with pytest.raises(RunBusy), run.claimed():
        pass
    assert json.loads((run.path / "claim" / "owner.json").read_text())["token"] != "theirs"
    entered[0].__exit__(None, None, None)
    assert list(run.path.iterdir()) == []


def test_the_state_of_a_run_whose_process_is_gone_is_interrupted(run, stranger):
    assert run.state() == "empty"
    with run.claimed() as held:
        held.set_status("running", step=3)
        assert run.state() == "running" and run.status()["step"] == 3
    assert run.state() == "interrupted"  # whoever it was has let go of it
    claim_of(run, host="elsewhere", pid=1, since=time.time())
    status = {**run.status(), "pid": stranger.pid, "started": "1"}
    (run.path / "status.json").write_text(json.dumps(status))
    assert run.state() == "interrupted"
    (run.path / "status.json").write_text('{"status": "complete"}')
    assert run.state() == "complete"
    (run.path / "status.json").write_text('{"status": "comp')
    assert run.state() == "empty"


def test_the_checkpoint_before_the_last_serves_when_the_last_is_torn(run):
    assert run.load_checkpoint() is None
    with run.claimed() as held:
        for number in (1, 2, 3):
            held.save_checkpoint({"number": number, "array": np.arange(number)})
    assert run.load_checkpoint()["number"] == 3
    path = run.path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-30])
    assert run.load_checkpoint()["number"] == 2
    path.unlink()
    assert run.load_checkpoint()["number"] == 2
    (run.path / "checkpoint-previous.npz").write_bytes(b"junk")
    assert run.load_checkpoint() is None


def test_a_checkpoint_that_cannot_be_written_costs_none_of_those_before(run, monkeypatch):

    def full(path, tree, through):
        raise OSError(28, "No space left on device")

    with run.claimed() as held:
        for number in (1, 2):
            held.save_checkpoint({"number": number})
        monkeypatch.setattr(claim, "save_tree", full)
        with pytest.raises(OSError, match="No space"):
            held.save_checkpoint({"number": 3})
    assert run.load_checkpoint()["number"] == 2
    (run.path / "checkpoint.npz").unlink()
    assert run.load_checkpoint()["number"] == 1


def test_a_folder_that_cannot_be_made_is_said_to_be(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EvorrnError, match=r"cannot write to .*file"),
        RunFolder(tmp_path / "file" / "run").claimed(),
    ):
        pass


def test_runs_are_found_by_folder_id_and_its_beginning(tmp_path):
    for name in ("aaaa000000000000", "aabb000000000000"):
        folder = tmp_path / "wave" / "walk-elman" / name
        folder.mkdir(parents=True)
        (folder / "spec.toml").write_text("")
    assert [run.id for run in all_runs(tmp_path)] == ["aaaa000000000000", "aabb000000000000"]
    assert find_run("aaaa", tmp_path).id == "aaaa000000000000"
    assert find_run(tmp_path / "wave" / "walk-elman" / "aabb000000000000", tmp_path).id == "aabb000000000000"
    with pytest.raises(RunError, match="several runs begin so: aaaa000000000000, aabb000000000000"):
        find_run("aa", tmp_path)
    with pytest.raises(RunError, match=r"no run 'aaab000000000000' in .*did you mean 'aa"):
        find_run("aaab000000000000", tmp_path)
    with pytest.raises(RunError, match=r"no run '' in .*there are 0"):
        find_run("", tmp_path / "none")
    with pytest.raises(RunError, match=r"no spec\.toml"):
        find_run(tmp_path, tmp_path)
    with pytest.raises(RunError, match="no comparison 'aa'"):
        find_comparison("aa", tmp_path)


def test_where_runs_lie(tmp_path, monkeypatch):
    monkeypatch.delenv("EVORRN_RUNS", raising=False)
    assert runs_root().name == "runs"
    monkeypatch.setenv("EVORRN_RUNS", str(tmp_path))
    assert runs_root() == tmp_path
    assert runs_root(tmp_path / "given") == tmp_path / "given"


def test_a_process_that_wakes_up_after_its_claim_was_taken_over_cannot_write(run):
    """Its files, its checkpoint and its state are refused, and what the other has written stays."""
    late, other = Claim(run.path), Claim(run.path)
    late.take()
    late.save_checkpoint({"number": 1})
    late.write("history.jsonl", "one line\n")
    owner = run.path / "claim" / "owner.json"
    owner.write_text(json.dumps({**json.loads(owner.read_text()), "host": "elsewhere"}))
    aged(owner, 2 * LEASE)
    other.take()
    other.save_checkpoint({"number": 2})
    other.write("history.jsonl", "two lines\n" * 2)
    other.set_status("complete")

    def content():
        return {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}

    for released in (False, True):
        if released:
            other.release()
        before = content()
        for attempt in (
            lambda: late.write("history.jsonl", "one line\n"),
            lambda: late.set_status("running"),
            lambda: late.save_checkpoint({"number": 1}),
        ):
            with pytest.raises(ClaimLost, match="took the run over"):
                attempt()
        late.release()
        assert content() == before
    assert run.load_checkpoint()["number"] == 2 and run.state() == "complete"
    assert not list(run.path.glob("*claim*"))


def test_nothing_is_written_for_a_run_folder_that_was_removed(run):
    held = Claim(run.path)
    held.take()
    shutil.rmtree(run.path)
    for attempt in (lambda: held.set_status("running"), lambda: held.save_checkpoint({"number": 1})):
        with pytest.raises(ClaimLost, match="was removed while the run was under way"):
            attempt()
    held.release()
    assert not run.path.exists()


YEAR = 365 * 24 * 3600.0


@pytest.mark.parametrize("wrong", [YEAR, -YEAR, 2 * LEASE, -2 * LEASE])
def test_a_claim_of_a_host_whose_clock_is_wrong_holds_while_it_is_renewed_and_no_longer(run, wrong):
    """Its times are a year ahead or behind; the file system's times tell whether somebody is there."""
    claim_of(run, host="elsewhere", pid=1, since=time.time() + wrong)
    status = {"status": "running", "host": "elsewhere", "pid": 1, "heartbeat": time.time() + wrong}
    (run.path / "status.json").write_text(json.dumps(status))
    aged(run.path / "claim" / "owner.json", 3 * LEASE)
    with pytest.raises(RunBusy, match="process 1 on elsewhere"), run.claimed():
        pass
    assert run.state() == "running"
    aged(run.path / "status.json", LEASE + 60)  # nobody renews it any more
    assert run.state() == "interrupted"
    with run.claimed():
        pass
    assert not list(run.path.glob("*claim*"))


@pytest.mark.parametrize("wrong", [YEAR, -YEAR])
def test_force_takes_over_the_claim_of_a_host_whose_clock_is_wrong(run, wrong):
    claim_of(run, host="elsewhere", pid=1, since=time.time() + wrong)
    with run.claimed(force=True):
        pass
    assert list(run.path.iterdir()) == []


def test_force_takes_no_run_from_a_process_that_is_alive(run):
    claim_of(run, host="elsewhere", pid=1, since=time.time())
    with pytest.raises(RunBusy), run.claimed(force=True):
        pass


def test_a_claim_whose_files_have_times_in_the_future_is_given_the_lease_from_now_on(run):
    """A file system that takes times from hosts: nobody can tell how old the claim is, so one lease is waited for."""
    claim_of(run, host="elsewhere", pid=1, since=time.time() + YEAR)
    owner = run.path / "claim" / "owner.json"
    (run.path / "status.json").write_text(json.dumps({"status": "running", "host": "elsewhere", "pid": 1}))
    for path in (owner, run.path / "status.json"):
        aged(path, -YEAR)
    assert run.state() == "interrupted"  # so that a sweep tries, and the times are corrected
    with pytest.raises(RunBusy), run.claimed():
        pass
    assert abs(owner.stat().st_mtime - time.time()) < LEASE and run.state() == "running"
    for path in (owner, run.path / "status.json"):
        aged(path, LEASE + 60)
    with run.claimed():
        pass


def test_clearing_a_run_removes_links_and_follows_none(run, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("kept")
    with run.claimed() as held:
        (run.path / "plots").symlink_to(elsewhere)
        (run.path / "nowhere").symlink_to(tmp_path / "missing")
        (run.path / "history.jsonl").symlink_to(elsewhere / "mine.txt")
        held.clear()
        assert [path.name for path in run.path.iterdir()] == ["claim"]
    assert (elsewhere / "mine.txt").read_text() == "kept"
