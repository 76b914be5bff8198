"""The folder of a sweep, ``RUNS/sweeps/<name>``: its file, the list of its runs, and who works on it."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import tomllib
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evorrn.base.errors import ConfigError, RunError
from evorrn.base.files import write_atomic
from evorrn.lab.runs.claim import myself, process_started
from evorrn.lab.runs.run import Run
from evorrn.lab.runs.store import writing
from evorrn.lab.sweep.results import RUN_LIST, differing
from evorrn.lab.sweep.sweep_file import Sweep

FILE, CLAIMS = "sweep.toml", "claims"


class SweepFolder:
    """The folder of one sweep, below the folder of all runs."""

    def __init__(self, root: Path, sweep: Sweep) -> None:
        self.root = root.resolve()
        self.path = self.root / "sweeps" / sweep.name
        self.sweep = sweep

    def check(self) -> None:
        """Raise ConfigError when the folder holds another sweep of that name."""
        try:
            text = (self.path / FILE).read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.path / FILE}: cannot be read ({error})") from None
        try:
            held = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            held = {}
        changed = differing(held, tomllib.loads(self.sweep.text))
        if changed:
            raise ConfigError(
                f"name: {self.path} holds another sweep, which differs in {', '.join(changed)}; give this one "
                "another name (runs that both have are not run twice)"
            )

    def adopt(self) -> None:
        """Write the sweep's file into the folder.

        Raises
        ------
        ConfigError
            When another sweep is there.
        EvorrnError
            When the folder cannot be written.
        """
        self.check()
        with writing(f"to {self.path}"):
            (self.path / CLAIMS).mkdir(parents=True, exist_ok=True)
            write_atomic(self.path / FILE, self.sweep.text)

    def write_list(self, lines: Iterable[str]) -> None:
        """Write ``runs.jsonl``, line by line."""
        with (
            writing(f"to {self.path}"),
            tempfile.NamedTemporaryFile(
                "w", dir=self.path, prefix=f".{RUN_LIST}.", suffix=".tmp", delete=False, encoding="utf-8"
            ) as stream,
        ):
            try:
                stream.writelines(lines)
                stream.flush()
                os.fsync(stream.fileno())
                os.chmod(stream.name, 0o644)
                os.replace(stream.name, self.path / RUN_LIST)
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise

    def listed_runs(self) -> list[Run]:
        """Return the runs that ``runs.jsonl`` lists.

        Raises
        ------
        RunError
            When there is no such list.
        """
        try:
            lines = (self.path / RUN_LIST).read_text(encoding="utf-8").splitlines()
            return [Run.from_line(line) for line in lines]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self.path / RUN_LIST}: expected a list of runs, but it cannot be read ({error})"
            ) from None

    @contextmanager
    def session(self) -> Iterator[Path]:
        """Keep a file in ``claims`` that names this process; the runs stop when the file is removed."""
        claim = self.path / CLAIMS / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.json"
        with writing(f"to {self.path}"):
            for other in (self.path / CLAIMS).glob("*.json"):
                if _gone(other):
                    other.unlink(missing_ok=True)
            write_atomic(claim, json.dumps(myself()) + "\n")
        try:
            yield claim
        finally:
            with suppress(OSError):
                claim.unlink(missing_ok=True)


def _gone(claim: Path) -> bool:
    """Return whether the process of a claim has left this host."""
    try:
        owner = json.loads(claim.read_text())
        return owner["host"] == socket.gethostname() and owner["started"] != process_started(owner["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
