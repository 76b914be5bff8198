"""Run folders: where runs lie, what state they are in, their checkpoints, and who works on them.

The folders are the only truth. They can be copied, they survive a crash at any moment, and any number
of processes on any number of hosts may share them: whoever works on a run holds its claim.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from evorrn.base.errors import EvorrnError, RunError, Unfinished, nearest
from evorrn.base.files import load_tree, readable_json
from evorrn.lab.runs.claim import CHECKPOINT, PREVIOUS, Claim, looks_abandoned
from evorrn.lab.runs.hooks import ignore
from evorrn.lab.runs.run import INTERRUPTED, RUNNING

SPEC_CHANGED = "spec.toml was changed after the run; the same run command writes it again"


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


@contextmanager
def writing_findings(folder: Path) -> Iterator[None]:
    """Raise Unfinished naming the folder that cannot be written when the block, which tells of runs, raises OSError."""
    try:
        yield
    except OSError as error:
        raise Unfinished(f"cannot write to {folder}: {error.strerror or error}; the runs are kept") from None


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

    def state(self) -> str:
        """Return the state of the run, ``interrupted`` where its process has ended or no longer claims it."""
        status = self.status()
        claimed = (self.path / "claim").exists()
        if status.get("status") == RUNNING and (not claimed or looks_abandoned(self.path, status)):
            return INTERRUPTED
        return str(status.get("status", "empty"))

    def changed_spec(self) -> str:
        """Return a sentence where ``spec.toml`` is no longer the one that the run was completed with; else empty."""
        recorded = self.status().get("spec_sha256")
        try:
            text = (self.path / "spec.toml").read_text(encoding="utf-8")
        except (OSError, ValueError):
            text = ""
        return "" if recorded in (None, spec_digest(text)) else SPEC_CHANGED

    def load_checkpoint(self, warn: Callable[[str], None] = ignore) -> dict[str, Any] | None:
        """Return the newest checkpoint that can be read, or None when there is none.

        `warn` is called with a sentence for each checkpoint that is damaged.
        """
        for name in (CHECKPOINT, PREVIOUS):
            if not os.path.lexists(self.path / name):
                continue
            try:
                tree = load_tree(self.path / name)
                if isinstance(tree, dict):
                    return tree
                warn(f"{self.path / name}: is no checkpoint, and is left out")
            except RunError as error:
                warn(f"the checkpoint is damaged, and is left out: {error}")
        return None

    @contextmanager
    def claimed(self, force: bool = False) -> Iterator[Claim]:
        """Hold the run for this process, so that no other works on it; for `force` see `Claim.take`.

        Raises
        ------
        RunBusy
            When a living process holds it.
        EvorrnError
            When the folder cannot be written.
        """
        claim = Claim(self.path)
        with writing(f"to {self.path}"):
            claim.take(force)
        try:
            yield claim
        finally:
            claim.release()

    def record(self, status: str, files: Mapping[str, str] | None = None, **more: Any) -> None:
        """Write a state, and further files, from outside of an execution; not while another process holds the run."""
        with suppress(EvorrnError, OSError), self.claimed() as claim:
            for name, content in (files or {}).items():
                claim.write(name, content)
            claim.set_status(status, **more)

    def remove_old_claim(self) -> None:
        """Remove the claim that a process which has ended left in a complete run."""
        if (self.path / "claim").exists():
            with suppress(EvorrnError), self.claimed():
                pass


def spec_digest(text: str) -> str:
    """Return what ``status.json`` of a complete run keeps of the text of its ``spec.toml``."""
    return hashlib.sha256(text.encode()).hexdigest()


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
    if str(reference) and os.path.isdir(path):  # false also for a name that no file can have
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
