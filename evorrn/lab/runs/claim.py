"""Claims: who works on a run, and writing that is possible only while the claim is held.

A claim is the folder ``claim`` of a run folder. It names its holder and has a folder of the holder's own, called by a
random token. Every file of a run is written there first and then renamed to its place. Another process takes a claim
over by renaming the folder ``claim``. The process that held it, however late it wakes up, then has no place to write
in: its next write fails and changes nothing.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from evorrn.base import system
from evorrn.base.errors import EvorrnError, Unfinished
from evorrn.base.files import readable_json, save_tree, sync_files, write_atomic

LEASE = 900.0
"""Seconds without a sign of life after which a claim held on another host counts as given up."""
CHECKPOINT, PREVIOUS = "checkpoint.npz", "checkpoint-previous.npz"


class RunBusy(EvorrnError):
    """A run that another process is working on."""


class ClaimLost(RunBusy, Unfinished):
    """A run that another process took over, or whose folder was removed, while this process worked on it."""


class Claim:
    """The claim of this process on a run folder.

    Parameters
    ----------
    folder : Path
        The run folder; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.token = folder, uuid.uuid4().hex
        self.path = folder / "claim"

    @property
    def own(self) -> Path:
        """The folder that exists at this path while the claim is held."""
        return self.path / self.token

    def take(self, force: bool = False) -> None:
        """Put the claim in place, complete from its first moment.

        With `force`, a claim of another host is taken over as well when its times are in the future or long past, even
        if the file system saw a sign of life: the clock of that host is wrong, or there is no such process.

        Raises
        ------
        RunBusy
            When a living process holds it.
        OSError
            When the folder cannot be written.
        """
        prepared = self.folder / f".claim-{self.token}"
        (prepared / self.token).mkdir(parents=True)
        try:
            written = prepared / "owner.json"
            written.write_text(json.dumps({"token": self.token, **myself(), "since": time.time()}))
            if not _rename(prepared, self.path):
                self._take_over(prepared, written.stat().st_mtime, force)
        except BaseException:
            shutil.rmtree(prepared, ignore_errors=True)
            raise

    def release(self) -> None:
        """Remove the claim, with those of earlier processes, if this process still holds it."""
        if self.own.is_dir():
            for leftover in self.folder.glob("claim*"):
                shutil.rmtree(leftover, ignore_errors=True)

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file of the run folder.

        Raises
        ------
        ClaimLost
            When the claim is no longer held; the folder is left as it is.
        OSError
            When the file cannot be written.
        """
        try:
            write_atomic(self.folder / name, content, through=self.own)
        except FileNotFoundError:
            raise self._lost() from None

    def set_status(self, status: str, **more: Any) -> None:
        """Write ``status.json`` with who writes it and when: the run's heartbeat."""
        content = {"status": status, **myself(), "heartbeat": time.time(), **more}
        self.write("status.json", json.dumps(content, indent=1) + "\n")

    def save_checkpoint(self, tree: dict[str, Any]) -> None:
        """Write a checkpoint and keep the one before it; a write that fails leaves both as they were."""
        if not (self.folder / CHECKPOINT).exists():
            self._save(tree, self.folder / CHECKPOINT)
            return
        fresh, before = self.own / "next.npz", self.own / "previous.npz"
        self._save(tree, fresh)
        sync_files()
        try:
            before.unlink(missing_ok=True)
            try:
                os.link(self.folder / CHECKPOINT, before)
            except FileNotFoundError:
                raise
            except OSError:  # a file system without hard links
                shutil.copyfile(self.folder / CHECKPOINT, before)
            os.replace(before, self.folder / PREVIOUS)
            os.replace(fresh, self.folder / CHECKPOINT)
        except FileNotFoundError:
            raise self._lost() from None

    def clear(self) -> None:
        """Remove what earlier executions of the run left; a link is removed and not followed."""
        for entry in self.folder.iterdir():
            if entry.is_symlink() or not entry.is_dir():
                entry.unlink(missing_ok=True)
            elif not entry.name.startswith("claim"):
                shutil.rmtree(entry)

    def _save(self, tree: dict[str, Any], path: Path) -> None:
        try:
            save_tree(path, tree, through=self.own)
        except FileNotFoundError:
            raise self._lost() from None

    def _take_over(self, prepared: Path, now: float, force: bool) -> None:
        """Replace the claim of a process that is gone."""
        held = owner_of(self.folder)
        if held and not abandoned(self.folder, held, now) and not (force and _wrong_clock(self.folder, held)):
            _correct_times(self.folder, now)
            raise RunBusy(self._busy(held))
        # A folder cannot be renamed onto a filled one, so of several takers only one gets through.
        moved = _rename(self.path, self.folder / f"claim-{held.get('token')}")
        if not moved or not _rename(prepared, self.path):
            raise RunBusy(self._busy(owner_of(self.folder)))

    def _busy(self, owner: dict[str, Any]) -> str:
        who = f"process {owner.get('pid')} on {owner.get('host')}" if owner else "another process"
        return f"{self.folder}: {who} is working on this run; wait for it, or stop it first"

    def _lost(self) -> ClaimLost:
        if not self.folder.is_dir():
            return ClaimLost(f"{self.folder}: the run folder was removed while the run was under way")
        owner = owner_of(self.folder)
        who = f"process {owner.get('pid')} on {owner.get('host')}" if owner else "another process"
        return ClaimLost(f"{self.folder}: {who} took the run over while this process had stopped or was late")


def owner_of(folder: Path) -> dict[str, Any]:
    """Return who holds the claim on a run folder; empty where that cannot be read."""
    return readable_json(folder / "claim" / "owner.json")


def abandoned(folder: Path, owner: dict[str, Any], now: float) -> bool:
    """Return whether the process that holds a run is gone.

    A process of this host is looked up, on a Unix system. Another one must have written within the `LEASE`. That is seen by the times
    that the file system gave its files, not by the times in them, since the clock of that host may be wrong. `now` is
    the time of a file written just before, or of this host's clock.
    """
    if system.UNIX and owner.get("host") == socket.gethostname():
        return owner.get("started") != process_started(owner.get("pid"))
    return all(now - seen > LEASE for _, seen in _signs(folder, owner))


def looks_abandoned(folder: Path, owner: dict[str, Any]) -> bool:
    """Return whether a claim is worth an attempt: `abandoned`, or its times are in the far future."""
    times = [seen for _, seen in _signs(folder, owner)]
    future = owner.get("host") != socket.gethostname() and all(seen - time.time() > LEASE for seen in times)
    return future or abandoned(folder, owner, time.time())


def _signs(folder: Path, owner: dict[str, Any]) -> list[tuple[Path, float]]:
    """Return the files that the holder of a run has written, each with the time that the file system gave it."""
    paths = [folder / "claim" / "owner.json"]
    status = readable_json(folder / "status.json")
    if (status.get("host"), status.get("pid")) == (owner.get("host"), owner.get("pid")):
        paths.append(folder / "status.json")
    found = []
    for path in paths:
        with suppress(OSError):
            found.append((path, path.stat().st_mtime))
    return found


def _wrong_clock(folder: Path, owner: dict[str, Any]) -> bool:
    """Return whether the newest time that another host's process has written is not within the lease of now."""
    if owner.get("host") == socket.gethostname():
        return False
    status = readable_json(folder / "status.json")
    same = (status.get("host"), status.get("pid")) == (owner.get("host"), owner.get("pid"))
    newest = max(_seconds(owner.get("since")), _seconds(status.get("heartbeat")) if same else 0.0)
    return abs(time.time() - newest) > LEASE


def _correct_times(folder: Path, now: float) -> None:
    """Set times in the far future to now, so that the lease of a claim that no process renews ends."""
    for path, seen in _signs(folder, owner_of(folder)):
        if seen - now > LEASE:
            with suppress(OSError):
                os.utime(path)


def _seconds(value: Any) -> float:
    """Return a time from a file; 0 where it is not a valid number."""
    return float(value) if isinstance(value, int | float) and abs(value) < 1e15 else 0.0


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


def myself() -> dict[str, Any]:
    """Return who this process is: host, pid, and when it was started."""
    return dict(_who(os.getpid()))


@functools.cache
def _who(pid: int) -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": pid, "started": process_started(pid)}


def process_started(pid: Any) -> str | None:
    """Return when a process of this host was started, None when there is none; tells reused process ids apart.

    Where a system has no such question, it is unknown, and claims end by their age.
    """
    if not system.UNIX:  # there a signal of 0 would interrupt the process
        return "unknown"
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, TypeError, ValueError, OverflowError):
        return None
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]  # a zombie
    except (OSError, IndexError):
        return "unknown"
