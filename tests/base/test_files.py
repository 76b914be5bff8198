"""Files of plain data: what is saved is loaded unchanged, equal trees give equal bytes, and writing is atomic."""

import io
import json
import math
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evorrn.base.blas import one_thread
from evorrn.base.errors import RunError
from evorrn.base.files import (
    delayed_sync,
    load_tree,
    npz_bytes,
    save_tree,
    sync_files,
    tree_bytes,
    write_atomic,
)
from evorrn.training.history import load_history, save_history

TREE = {
    "numbers": [1, 2.5, -math.inf, True, None, 2**127],
    "text": "Bäck\n",
    "pair": (np.arange(3), "x"),
    "nested": {"": {}, "empty": [], "array": np.eye(2, dtype=np.float32)},
    "labels": np.array([[1, 2]], dtype=np.int16),
    "none": np.zeros((0, 4)),
    "scalar": np.float64(0.1),
}


def same(one, two):
    if isinstance(one, np.ndarray):
        return (
            isinstance(two, np.ndarray)
            and one.dtype == two.dtype
            and np.array_equal(one, two, equal_nan=True)
        )
    if isinstance(one, dict):
        return (
            isinstance(two, dict) and list(one) == list(two) and all(same(one[key], two[key]) for key in one)
        )
    if isinstance(one, list | tuple):
        return type(one) is type(two) and len(one) == len(two) and all(map(same, one, two))
    return one == two or (one != one and two != two)


def test_a_saved_tree_is_loaded_unchanged(tmp_path):
    save_tree(tmp_path / "deep" / "tree.npz", TREE)
    assert same(TREE, load_tree(tmp_path / "deep" / "tree.npz"))


def test_the_state_of_a_generator_is_loaded_unchanged(tmp_path):
    rng = np.random.default_rng(0)
    rng.random(3)
    save_tree(tmp_path / "rng.npz", rng.bit_generator.state)
    other = np.random.default_rng(1)
    other.bit_generator.state = load_tree(tmp_path / "rng.npz")
    assert other.random() == rng.random()


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.floats(width=32), max_size=4).map(np.array),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(trees)
def test_any_saved_tree_is_loaded_unchanged(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("trees") / "tree.npz"
    save_tree(path, tree)
    assert same(tree, load_tree(path))
    assert path.read_bytes() == tree_bytes(tree) == tree_bytes(tree)


@pytest.mark.parametrize("junk", [object(), {1, 2}, {"deep": [lambda: 0]}, np.array([object()])])
def test_data_that_are_not_plain_raise_an_error_and_write_nothing(tmp_path, junk):
    with pytest.raises((TypeError, ValueError)):
        save_tree(tmp_path / "tree.npz", junk)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(24).reshape(4, 6)[::2, ::3],
        np.float32(3),
        np.zeros((0, 5)),
        np.array("é"),
        np.array([True, False]),
        np.arange(3, dtype=">i4"),
    ],
)
def test_an_array_is_written_as_numpy_writes_it(array):
    ours, theirs = io.BytesIO(npz_bytes({"a": array})), io.BytesIO()
    np.savez(theirs, a=np.ascontiguousarray(array).reshape(np.shape(array)))
    one, two = (zipfile.ZipFile(file).read("a.npy") for file in (ours, theirs))
    assert one == two


def test_an_array_of_objects_raises_an_error():
    with pytest.raises(TypeError, match="numbers or text, got object"):
        npz_bytes({"a": np.array([{}])})


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_a_clear_error(tmp_path, share):
    content = tree_bytes(TREE)
    path = tmp_path / "tree.npz"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(RunError, match=r"tree\.npz: expected a file written by evorrn"):
        load_tree(path)


def test_missing_and_foreign_files_are_clear_errors(tmp_path):
    for content in (b"", b"text", npz_bytes({"genome": np.zeros(3)}), b"\x93NUMPY"):
        (tmp_path / "other.npz").write_bytes(content)
        with pytest.raises(RunError):
            load_tree(tmp_path / "other.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("missing.npz", "array.npy"):
        with pytest.raises(RunError):
            load_tree(tmp_path / name)


def test_nothing_pickled_is_read(tmp_path):
    np.savez(tmp_path / "evil.npz", tree=np.array([print], dtype=object))
    with pytest.raises(RunError):
        load_tree(tmp_path / "evil.npz")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_atomic(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_files_can_be_read_by_others(tmp_path):
    write_atomic(tmp_path / "file", b"bytes")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_history_is_one_object_a_line(tmp_path):
    history = {
        "work": np.arange(3),
        'a "name", so': np.array([0.1, math.nan, math.inf]),
        "over": np.array([True, False, True]),
    }
    save_history(tmp_path, history, np.array([1e-9, 2.0, 1e300]))
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    rows = [{name: column[row].item() for name, column in history.items()} for row in range(3)]
    assert lines == [json.dumps(row) for row in rows]
    found, seconds = load_history(tmp_path)
    assert all(np.array_equal(found[name], history[name], equal_nan=name != "over") for name in history)
    assert seconds.tolist() == [1e-9, 2.0, 1e300]
    save_history(tmp_path, {"work": np.zeros(0), "loss": np.zeros(0)}, np.zeros(0))
    assert (tmp_path / "history.jsonl").read_text() == ""


def test_delayed_sync_syncs_files_together(tmp_path, monkeypatch):
    synced = []
    real = os.fsync

    def fsync(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with delayed_sync():
        for name in "ab":
            write_atomic(tmp_path / "folder" / name, name)
        removed = tmp_path / "folder" / "c"
        write_atomic(removed, "c")
        removed.unlink()
        assert synced == []
        sync_files()
        folder = str(tmp_path / "folder")
        assert sorted(synced) == [folder, f"{folder}/a", f"{folder}/b"]
        write_atomic(tmp_path / "folder" / "a", "new")
        assert len(synced) == 3
    assert sorted(synced[3:]) == [folder, f"{folder}/a"]
    write_atomic(tmp_path / "d", "d")
    assert len(synced) == 7 and (tmp_path / "folder" / "a").read_text() == "new"


def test_blas_is_limited_until_the_last_block_ends():
    from threadpoolctl import threadpool_info

    def threads():
        return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}

    before = threads()
    first, second = one_thread(), one_thread()
    first.__enter__()
    second.__enter__()
    assert threads() == {1}
    first.__exit__(None, None, None)  # as from another thread: not in the order of nesting
    assert threads() == {1}
    second.__exit__(None, None, None)
    assert threads() == before


def spoilt(content, rng):
    """Return bytes as a bad disk gives them: some flipped, cut short, of another file or none."""
    content = bytearray(content)
    kind = rng.integers(5)
    if kind < 3:
        for place in rng.integers(len(content), size=1 + rng.integers(3) ** 2):
            content[place] ^= 1 << int(rng.integers(8))
    elif kind == 3:
        del content[rng.integers(len(content)) :]
    else:
        start = rng.integers(len(content))
        content[start : start + 100] = bytes(rng.integers(256, size=100, dtype=np.uint8))
    return bytes(content)


@pytest.mark.parametrize("trials", [400, pytest.param(3000, marks=pytest.mark.thorough)])
def test_a_damaged_file_is_either_read_whole_or_refused(tmp_path, trials):
    """Flipped bits and cut files never end in another error than a RunError, nor in other data."""
    rng, path, read = np.random.default_rng(trials), tmp_path / "tree.npz", 0
    tree = {"step": 7, "genome": np.arange(60.0), "names": ["a", None], "deep": {"x": np.ones((3, 4), "f4")}}
    content = tree_bytes(tree)
    for _ in range(trials):
        path.write_bytes(spoilt(content, rng))
        try:
            found = load_tree(path)
        except RunError as error:
            assert str(path) in str(error)
        else:
            assert same(tree, found)
            read += 1
    assert read < trials / 2
