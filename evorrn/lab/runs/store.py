"""Run folders: where runs lie, what state they are in, their checkpoints, and who works on them.

The folders are the only truth. They can be copied, they survive a crash at any moment, and any number
of processes on any number of hosts may share them: whoever works on a run holds its claim.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from evorrn.base.errors import EvorrnError, RunError, nearest
from evorrn.base.files import load_tree, save_tree, sync_files, write_atomic
from evorrn.lab.runs.run import INTERRUPTED, RUNNING

LEASE = 900.0
"""Seconds without a heartbeat after which a claim held on another host counts as given up."""

CHECKPOINT, PREVIOUS = "checkpoint.npz", "checkpoint-previous.npz"


class RunBusy(EvorrnError):
    """A run that another process is working on."""


def runs_root(given: Path | None = None) -> Path:
    """Return the folder of all runs: the one given, else ``$EVORRN_RUNS``, else ``./runs``."""
    return Path(given if given is not None else os.environ.get("EVORRN_RUNS") or "runs")


@contextmanager
def writing(place: str | Path) -> Iterator[None]:
    """Raise EvorrnError naming the place that cannot be written when the block raises OSError."""
    try:
        yield
    except OSError as error:
        raise EvorrnError(f"cannot write {place}: {error.strerror or error}") from None


class RunFolder:
    """One run on disk, ``RUNS/<task>/<strategy>-<cell>/<id>``; the folder need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        """The hash of the run's resolved spec."""
        return self.path.resolve().name

    def status(self) -> dict[str, Any]:
        """Return ``status.json``; empty when there is none or it cannot be read."""
        return readable_json(self.path / "status.json")

    def environment(self) -> dict[str, Any]:
        """Return ``env.json``; empty when there is none or it cannot be read."""
        return readable_json(self.path / "env.json")

    def set_status(self, status: str, **more: Any) -> None:
        """Write ``status.json`` with who writes it and when: the run's heartbeat."""
        content = {"status": status, **myself(), "heartbeat": time.time(), **more}
        write_atomic(self.path / "status.json", json.dumps(content, indent=1) + "\n")

    def state(self) -> str:
        """Return the state of the run, ``interrupted`` where its process has ended or no longer claims it."""
        status = self.status()
        if status.get("status") == RUNNING and (
            not (self.path / "claim").exists() or self._abandoned(status)
        ):
            return INTERRUPTED
        return str(status.get("status", "empty"))

    def save_checkpoint(self, tree: dict[str, Any]) -> None:
        """Write a checkpoint and keep the one before it; a write that fails leaves both as they were."""
        if not (self.path / CHECKPOINT).exists():
            save_tree(self.path / CHECKPOINT, tree)
            return
        fresh = self.path / ".checkpoint-next.npz"
        save_tree(fresh, tree)
        sync_files()
        os.replace(self.path / CHECKPOINT, self.path / PREVIOUS)
        os.replace(fresh, self.path / CHECKPOINT)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the newest checkpoint that can be read, or None when there is none."""
        for name in (CHECKPOINT, PREVIOUS):
            with suppress(RunError):
                tree = load_tree(self.path / name)
                if isinstance(tree, dict):
                    return tree
        return None

    def clear(self) -> None:
        """Remove what earlier executions of the run left, all but the claim."""
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.name.startswith("claim"):
                shutil.rmtree(entry)
            elif entry.is_file():
                entry.unlink()

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the run for this process, so that no other works on it.

        Raises
        ------
        RunBusy
            When a living process holds it.
        EvorrnError
            When the folder cannot be written.
        """
        claim = self.path / "claim"
        with writing(f"to {self.path}"):
            token = self._claim(claim)
        try:
            yield
        finally:
            owner = readable_json(claim / "owner.json")
            if owner.get("token") == token:
                for leftover in self.path.glob("claim*"):
                    shutil.rmtree(leftover, ignore_errors=True)

    def _claim(self, claim: Path) -> str:
        """Put a claim in place, full from its first moment, and return its token."""
        token = uuid.uuid4().hex
        prepared = self.path / f".claim-{token}"
        prepared.mkdir(parents=True)
        try:
            owner = {"token": token, **myself(), "since": time.time()}
            (prepared / "owner.json").write_text(
                json.dumps(owner)
            )  # no other process sees it before the renaming
            if not _rename(prepared, claim):
                held = readable_json(claim / "owner.json")
                if not self._abandoned({**held, "heartbeat": self._heartbeat(held)}):
                    raise RunBusy(self._busy(held))
                # A folder cannot be renamed onto a filled one, so of several takers only one gets through.
                if not _rename(claim, self.path / f"claim-{held.get('token')}") or not _rename(
                    prepared, claim
                ):
                    raise RunBusy(self._busy(readable_json(claim / "owner.json")))
        except BaseException:
            shutil.rmtree(prepared, ignore_errors=True)
            raise
        return token

    def _heartbeat(self, owner: dict[str, Any]) -> float:
        """Return the last sign of life of a claim's owner."""
        status = self.status()
        same = (status.get("host"), status.get("pid")) == (owner.get("host"), owner.get("pid"))
        return max(_seconds(owner.get("since")), _seconds(status.get("heartbeat")) if same else 0.0)

    def _abandoned(self, owner: dict[str, Any]) -> bool:
        if owner.get("host") == socket.gethostname():
            return owner.get("started") != process_started(owner.get("pid"))
        return time.time() - _seconds(owner.get("heartbeat")) > LEASE

    def _busy(self, owner: dict[str, Any]) -> str:
        who = f"process {owner.get('pid')} on {owner.get('host')}" if owner else "another process"
        return f"{self.path}: {who} is working on this run; wait for it, or stop it first"


def all_runs(root: Path) -> list[RunFolder]:
    """Return every run below a runs folder, in order of their paths."""
    return [RunFolder(path.parent) for path in sorted(root.glob("*/*/*/spec.toml"))]


def find_run(reference: str | Path, root: Path) -> RunFolder:
    """Return a run from its folder, or from its id or the beginning of it.

    Raises
    ------
    RunError
        When there is no such run, or several ids begin so.
    """
    known = {run.id: run.path for run in all_runs(root)}
    return RunFolder(_find("run", reference, "spec.toml", known, root))


def find_comparison(reference: str | Path, root: Path) -> Path:
    """Return the folder of a comparison, as `find_run` does for a run."""
    known = {path.parent.name: path.parent for path in root.glob("comparisons/*/comparison.json")}
    return _find("comparison", reference, "comparison.json", known, root)


def _find(kind: str, reference: str | Path, mark: str, known: dict[str, Path], root: Path) -> Path:
    path = Path(reference)
    if str(reference) and path.is_dir():
        if not (path / mark).is_file():
            raise RunError(f"{path}: expected the folder of a {kind}, but it has no {mark}")
        return path
    matches = [name for name in known if name.startswith(str(reference))] if str(reference) else []
    if len(matches) > 1:
        raise RunError(f"{reference}: several {kind}s begin so: {', '.join(matches)}")
    if not matches:
        guess = nearest(reference, known)
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise RunError(f"no {kind} {str(reference)!r} in {root}{hint} (there are {len(known)})")
    return known[matches[0]]


def _rename(source: Path, target: Path) -> bool:
    """Rename a folder; return False when the target is filled or the source is gone."""
    try:
        os.rename(source, target)
    except FileNotFoundError:
        return False
    except OSError:
        if target.exists():
            return False
        raise
    return True


def _seconds(value: Any) -> float:
    """Return a time from a file; 0 where it is not a valid number."""
    return float(value) if isinstance(value, int | float) and abs(value) < 1e15 else 0.0


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; empty where there is no file.

    Raises
    ------
    RunError
        When the file cannot be read or is not a JSON object.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path.name} cannot be read ({error})") from None
    if not isinstance(content, dict):
        raise RunError(f"{path.name} is no JSON object")
    return content


def readable_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; empty where there is none that can be read."""
    try:
        return read_json(path)
    except RunError:
        return {}


def myself() -> dict[str, Any]:
    """Return who this process is: host, pid, and when it was started."""
    return dict(_who(os.getpid()))


@functools.cache
def _who(pid: int) -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": pid, "started": process_started(pid)}


def process_started(pid: Any) -> str | None:
    """Return when a process of this host was started, None when there is none; tells reused process ids apart."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, TypeError, ValueError):
        return None
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]  # a zombie
    except (OSError, IndexError):
        return "unknown"
