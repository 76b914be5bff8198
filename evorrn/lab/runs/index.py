"""The index of run folders: the rows that were read, kept in a local SQLite file.

The folders alone are the truth; the index can be deleted at any time and is never beside the runs, since
SQLite is not safe on shared file systems. Of every run it looks at one file, the one that is written last:
``result.json`` of a complete run, ``status.json`` of one that failed or was interrupted. While its time
stands, the row is trusted; nothing evorrn does to a run leaves it as it was, and an edit in place changes
it as well. Everything else is read every time: runs under way, damaged folders, and files that
changed in the seconds before they were read, where a coarse clock could hide a second change.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from evorrn.base.files import cache_folder
from evorrn.lab.runs.hooks import ignore
from evorrn.lab.runs.reader import Reader
from evorrn.lab.runs.run import COMPLETE, FAILED, INTERRUPTED, Run

LAYOUT = 2
"""Raised when the tables change: an index of another layout is made again."""
LAST_WRITTEN = {COMPLETE: "result.json", FAILED: "status.json", INTERRUPTED: "status.json"}
SETTLED = 2.0
"""Seconds after which a file's time is trusted to tell a further change."""
BATCH = 2000
"""Rows that are kept together, so that a first reading that is interrupted is not lost."""
NOT_RUNS = ("comparisons", "sweeps")
DEPTH = 3
RUN_NAME = re.compile(r"[0-9a-f]{16}")

TABLES = """
CREATE TABLE IF NOT EXISTS shared (key INTEGER PRIMARY KEY, text TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS runs (
    root TEXT, folder TEXT, written INTEGER, seed, ending INTEGER, settings INTEGER, names INTEGER,
    metrics BLOB, work REAL, steps REAL, seconds REAL, evaluations REAL, diverged, PRIMARY KEY (root, folder)
) WITHOUT ROWID;
"""


def read_runs(
    root: Path, folders: Sequence[str] | None = None, tell: Callable[[int, int], None] = ignore
) -> list[Run]:
    """Return the rows of run folders, from the index where it still holds.

    Folders are relative to the folder of runs, `root`, in the order wanted; by default all there are, sorted. `tell`
    is called with how many of the folders that must be read again are done, and how many there are.
    """
    wanted = sorted(_walk(str(root))) if folders is None else list(folders)
    home, above = str(root.resolve()), f"{root}/"
    with closing(_open()) as connection:
        rows, gone = {}, []
        there = set(wanted)
        for row, written in _known(connection, home, None if folders is None else wanted):
            if row.folder not in there:
                gone.append(row.folder)
            elif _written(f"{above}{row.folder}/{LAST_WRITTEN[row.status]}") == written:
                rows[row.folder] = row
        stale, reader = [name for name in wanted if name not in rows], Reader(root)
        for start in range(0, len(stale), BATCH):
            now, fresh = time.time(), []
            for name in stale[start : start + BATCH]:
                # Looked at before it is read: a change between the two is noticed the next time.
                times = {mark: _written(f"{above}{name}/{mark}") for mark in set(LAST_WRITTEN.values())}
                row = rows[name] = reader.run(name)
                written = times.get(LAST_WRITTEN.get(row.status, ""), 0)
                if 0 < written < (now - SETTLED) * 1e9:
                    fresh.append((row, written))
            _store(connection, home, fresh)
            tell(min(start + BATCH, len(stale)), len(stale))
        _forget(connection, home, gone)
    return [rows[name] for name in wanted]


def index_path() -> Path:
    """Return the path of the index, in the cache folder."""
    return cache_folder() / f"runs-{LAYOUT}.sqlite"


def _walk(folder: str, prefix: str = "", depth: int = 1) -> Iterator[str]:
    """Yield every run folder below a folder, relative to it."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        name = entry.name
        if name[0] == "." or (depth == 1 and name in NOT_RUNS) or not entry.is_dir():
            continue
        if RUN_NAME.fullmatch(name) or os.path.exists(f"{entry.path}/spec.toml"):
            yield prefix + name
        elif depth < DEPTH:
            yield from _walk(entry.path, f"{prefix}{name}/", depth + 1)


def _written(path: str) -> int:
    """Return when a file was written last, in nanoseconds; 0 where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return 0
    return max(found.st_mtime_ns, found.st_ctime_ns)  # a copy may keep the first of the two


def _open() -> sqlite3.Connection:
    """Return the index; a new one where it is damaged, one in memory where it cannot be written."""
    path = index_path()
    with suppress(OSError, sqlite3.OperationalError):  # no folder to write to, or locked for long
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            connection = sqlite3.connect(path, timeout=30)
            try:
                connection.executescript(TABLES)
                connection.execute("SELECT max(key) FROM shared").fetchone()
                return connection
            except sqlite3.OperationalError:
                connection.close()
                raise
            except sqlite3.DatabaseError:
                connection.close()
                path.unlink(missing_ok=True)
    memory = sqlite3.connect(":memory:")
    memory.executescript(TABLES)
    return memory


def _known(connection: sqlite3.Connection, home: str, folders: Sequence[str] | None) -> list[tuple[Run, int]]:
    """Return the rows in the index; none, with the index emptied, where they are not valid."""
    try:
        return list(_stored(connection, home, folders))
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, struct.error):
        with suppress(sqlite3.DatabaseError):
            connection.executescript(f"DROP TABLE runs; DROP TABLE shared; {TABLES}")
        return []


def _stored(
    connection: sqlite3.Connection, home: str, folders: Sequence[str] | None
) -> Iterator[tuple[Run, int]]:
    """Yield the rows that the index holds, all of a root or those of some folders."""
    columns = (
        "folder, written, seed, ending, settings, names, metrics, work, steps, seconds, evaluations, diverged"
    )
    query = f"SELECT {columns} FROM runs WHERE root = ?"
    if folders is None:
        found = connection.execute(query, (home,)).fetchall()
    else:
        found = []
        for start in range(0, len(folders), 500):
            part = folders[start : start + 500]
            marks = ",".join("?" * len(part))
            found += connection.execute(f"{query} AND folder IN ({marks})", (home, *part)).fetchall()
    shared = {key: _shared(text) for key, text in connection.execute("SELECT key, text FROM shared")}
    numbers = {key: struct.Struct(f"<{len(content)}d") for key, content in shared.items()}
    for folder, written, seed, ending, settings, names, metrics, work, steps, seconds, *rest in found:
        status, stopped_by, error = shared[ending]
        values, costs = numbers[names].unpack(metrics), (work, steps, seconds)
        told = shared[settings], shared[names], values, *costs, stopped_by, error, rest[0]
        yield Run(folder, status, int(seed), *told, diverged=bool(rest[1])), written


def _shared(text: str) -> Any:
    content = json.loads(text)
    return tuple(content) if isinstance(content, list) else content


def _store(connection: sqlite3.Connection, home: str, fresh: Sequence[tuple[Run, int]]) -> None:
    """Store rows; an index that cannot be written costs only time later."""
    keys: dict[Any, int] = {}

    def key(content: Any) -> int:
        mark = content if isinstance(content, tuple) else id(content)  # rows have their settings in common
        if mark not in keys:
            text = json.dumps(content, default=str)
            connection.execute("INSERT OR IGNORE INTO shared (text) VALUES (?)", (text,))
            (keys[mark],) = connection.execute("SELECT key FROM shared WHERE text = ?", (text,)).fetchone()
        return keys[mark]

    def stored(row: Run, written: int) -> tuple[Any, ...]:
        metrics = struct.pack(f"<{len(row.metric_values)}d", *row.metric_values)
        seed = row.seed if row.seed is not None and row.seed < 2**63 else str(row.seed)  # where integers end
        shared = key((row.status, row.stopped_by, row.error)), key(row.settings), key(row.metric_names)
        costs = row.work, row.steps, row.seconds, row.evaluations
        return home, row.folder, written, seed, *shared, metrics, *costs, row.diverged

    with suppress(sqlite3.DatabaseError), connection:
        rows = [stored(row, written) for row, written in fresh]
        connection.executemany(f"INSERT OR REPLACE INTO runs VALUES ({','.join('?' * 13)})", rows)


def _forget(connection: sqlite3.Connection, home: str, gone: Sequence[str]) -> None:
    if gone:
        with suppress(sqlite3.DatabaseError), connection:
            query = "DELETE FROM runs WHERE root = ? AND folder = ?"
            connection.executemany(query, [(home, name) for name in gone])
