"""Stored machine code: whatever is damaged is thrown away and made anew, and nothing damaged is ever executed."""

import errno
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from evorrn.kernels import store

CODE = """
import numpy as np
from evorrn import cached

@cached
def total(values, factor):
    result = values[0] * 0
    for value in values:
        result += value * factor
    return result

print(total(np.arange(5.0), 2.0), total(np.arange(5, dtype=np.float32), 3), total(np.arange(5), 4))
print(sum(total.stats.cache_hits.values()), sum(total.stats.cache_misses.values()))
"""
WORK = """
import hashlib
import numpy as np
import evorrn

rng = np.random.default_rng(5)
network = evorrn.Network(2, 2, cell="gru", hidden=5, dtype="float64")
batch = evorrn.Batch(rng.standard_normal((9, 11, 2)), rng.standard_normal((9, 11, 2)))
genome = network.init(seed=1)
loss, gradient = network.loss_and_gradient(genome, batch)
parts = network.fitness(genome[None], batch), gradient, network.predict(genome, batch.inputs[:1])
print(loss.hex(), hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


def run(code, folder, script):
    script.write_text(code)
    given = {**os.environ, "EVORRN_CACHE": str(folder), "NUMBA_CACHE_DIR": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=given, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def stored(folder, ends=("nbi", "nbc")):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix[1:] in ends)


def flip(path, rng):
    content = bytearray(path.read_bytes())
    for place in rng.integers(len(content), size=3):
        content[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def replace_by_folder(path, rng):
    path.unlink()
    path.mkdir()


DAMAGE = {
    "empty": lambda path, rng: path.write_bytes(b""),
    "cut": lambda path, rng: path.write_bytes(path.read_bytes()[: rng.integers(path.stat().st_size)]),
    "flipped": flip,
    "junk": lambda path, rng: path.write_bytes(rng.bytes(500)),
    "another file": lambda path, rng: path.write_bytes(
        b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01x\x94."
    ),
    "missing": lambda path, rng: path.unlink(),
    "a folder": replace_by_folder,
}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_machine_code_is_compiled_again_and_stored(tmp_path, kind):
    """Each kind of damage to every file: the right numbers, and the next process finds whole files."""
    rng, script, cache = np.random.default_rng(len(kind)), tmp_path / "script.py", tmp_path / "cache"
    first, counts = run(CODE, cache, script)
    assert first == "20.0 30.0 40" and counts == "0 3" and len(stored(cache)) == 4
    assert run(CODE, cache, script) == [first, "3 0"]
    for path in stored(cache):
        DAMAGE[kind](path, rng)
    assert run(CODE, cache, script) == [first, "0 3"]
    if kind != "a folder":
        assert run(CODE, cache, script) == [first, "3 0"]


def test_processes_that_store_different_signatures_at_once_keep_to_their_own(tmp_path):
    """The index of one is lost at worst; the name of a data file follows from its signature."""
    script, cache = tmp_path / "script.py", tmp_path / "cache"
    run(CODE, cache, script)
    names = [path.name for path in stored(cache, ("nbc",))]
    for path in stored(cache, ("nbi",)):
        path.unlink()
    lines = CODE.splitlines()
    run("\n".join([*lines[:-2], "total(np.arange(5), 4)", ""]), cache, script)
    assert len(set(names)) == 3 and [path.name for path in stored(cache, ("nbc",))] == names


@pytest.mark.thorough
def test_a_storm_of_damage_leaves_the_bytes_of_all_programs_as_they_are(tmp_path):
    """Random files of the cache, the sources of programs and the index of plug-ins among them."""
    rng, script, cache = np.random.default_rng(0), tmp_path / "script.py", tmp_path / "cache"
    wanted = run(WORK, cache, script)
    for _ in range(6):
        files = stored(cache, ("nbi", "nbc", "py", "json"))
        for path in rng.choice(np.array(files, object), size=len(files) // 3, replace=False):
            DAMAGE[rng.choice(list(DAMAGE))](path, rng)
        assert run(WORK, cache, script) == wanted
        for path in [path for path in cache.rglob("*") if path.is_dir() and path.suffix]:
            shutil.rmtree(path)


@pytest.mark.thorough
def test_processes_that_begin_together_compile_once(tmp_path):
    (tmp_path / "code.py").write_text(CODE)
    given = {**os.environ, "EVORRN_CACHE": str(tmp_path / "cache"), "NUMBA_CACHE_DIR": ""}
    command = [sys.executable, str(tmp_path / "code.py")]
    started = [subprocess.Popen(command, env=given, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    lines = [process.communicate(timeout=200)[0].splitlines() for process in started]
    assert len({values for values, _ in lines}) == 1
    assert np.sum([np.array(counts.split(), int) for _, counts in lines], axis=0).tolist() == [2 * 3, 3]


HOLD = """
import fcntl, hashlib, os, sys
place = int.from_bytes(hashlib.sha256(b"a name").digest()[:7], "big")
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
try:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    print("held", flush=True)
    sys.stdin.read()
except BlockingIOError:
    print("refused")
"""


@pytest.fixture
def hold(tmp_path, monkeypatch):
    """A function that begins a process which locks a name, and returns the process with what it says."""
    monkeypatch.setenv("EVORRN_CACHE", str(tmp_path))
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}

    def begin():
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / store.LOCKS)], **piped)
        return process, process.stdout.readline().strip()

    return begin


@pytest.mark.skipif(store.fcntl is None, reason="locks are those of Unix")
def test_a_lock_is_held_and_released_by_a_process_that_is_killed(hold, monkeypatch):
    with store.locked("a name"), store.locked("another name"):
        assert hold()[1] == "refused"
    process, said = hold()
    assert said == "held"
    with store.locked("another name"):
        pass
    monkeypatch.setattr(store, "PATIENCE", 0.05)
    with store.locked("a name"):  # it gives up waiting, and goes on without the lock
        pass
    monkeypatch.setattr(store, "PATIENCE", 100.0)
    process.kill()
    with store.locked("a name"):
        assert hold()[1] == "refused"
    with pytest.raises(ZeroDivisionError), store.locked("a name"):
        raise ZeroDivisionError
    process, said = hold()
    assert said == "held"
    process.kill()


def test_functions_compile_where_there_are_no_locks(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EVORRN_CACHE", str(tmp_path / "file" / "folder"))
    with store.locked("a name"):
        pass
    if store.fcntl is not None:

        def refuse(*_):
            raise OSError(errno.ENOLCK, "no locks available")

        monkeypatch.setenv("EVORRN_CACHE", str(tmp_path))
        monkeypatch.setattr(store.fcntl, "lockf", refuse)
        with store.locked("a name"):
            pass
