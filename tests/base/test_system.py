"""What the package does where there is no Unix system, as far as a Unix system can show it."""

import concurrent.futures
import os

import pytest

from evorrn.base import files, system
from evorrn.lab.runs import claim
from evorrn.lab.sweep.many import local_workers


@pytest.fixture
def elsewhere(monkeypatch):
    """No Unix system: neither are processes signalled, nor folders opened."""
    monkeypatch.setattr(system, "UNIX", False)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("a process is signalled"))
    opened = os.open

    def files_alone(path, *arguments, **named):
        assert not os.path.isdir(path), "a folder is opened"
        return opened(path, *arguments, **named)

    monkeypatch.setattr(os, "open", files_alone)


def test_files_are_written_without_opening_their_folder(elsewhere, tmp_path):
    with files.delayed_sync():
        files.write_atomic(tmp_path / "one.txt", "text")
    files.write_atomic(tmp_path / "two.txt", "more")
    assert (tmp_path / "one.txt").read_text() == "text" and (tmp_path / "two.txt").read_text() == "more"


def test_no_process_is_asked_for_and_a_claim_ends_by_its_age(elsewhere, tmp_path):
    assert claim.process_started(os.getpid()) == "unknown"
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "owner.json").write_text("{}")
    owner = {"host": claim.socket.gethostname(), "pid": 1, "started": "unknown"}
    now = (tmp_path / "claim" / "owner.json").stat().st_mtime
    assert not claim.abandoned(tmp_path, owner, now + 1)
    assert claim.abandoned(tmp_path, owner, now + claim.LEASE + 1)


def test_calls_for_worker_processes_are_done_in_this_one(elsewhere):
    with local_workers(2) as executor:
        assert isinstance(executor, concurrent.futures.Executor)
        assert executor.submit(os.getpid).result() == os.getpid()
