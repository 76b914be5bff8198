"""Safetensors files against the library's own loader for NumPy, both ways, and wrong files refused in words."""

import json
import sys

import numpy as np
import pytest
from chains import CHAINS

import evorrn
from evorrn.base.errors import ConfigError, DataError, EvorrnError, ShapeError
from evorrn.network.network import Network

pytest.importorskip("safetensors")
from safetensors import safe_open
from safetensors.numpy import load_file, save_file


def draw(rng, cell, **settings):
    drawn = {
        "cell": cell,
        "hidden": tuple(int(size) for size in rng.integers(1, 9, rng.integers(1, 4))),
        "dtype": str(rng.choice(["float32", "float64"])),
        "direct": bool(rng.integers(2)),
        "biases": bool(rng.integers(3)),
        "feedback": bool(rng.integers(2)),
        "reads": str(rng.choice(["last", "all"])),
    }
    return Network(int(rng.integers(1, 5)), int(rng.integers(1, 4)), **{**drawn, **settings})


@pytest.mark.parametrize("cell", CHAINS)
@pytest.mark.parametrize("seed", range(2))
def test_the_librarys_loader_reads_the_blocks_and_they_come_back_as_the_same_genome(cell, seed, tmp_path):
    network = draw(np.random.default_rng([seed, *cell.encode()]), cell)
    genome, path = network.init(seed=seed), tmp_path / "deep" / "genome.safetensors"
    network.to_safetensors(genome, path)
    found = load_file(path)
    assert sorted(found) == sorted(network.blocks)
    for name, block in network.unpack(genome).items():
        np.testing.assert_array_equal(found[name], block)
        assert found[name].dtype == network.dtype
    again = network.from_safetensors(path)
    assert again.tobytes() == genome.tobytes() and again.dtype == network.dtype
    with safe_open(path, framework="numpy") as file:
        stored = Network.from_settings(json.loads(file.metadata()["evorrn"]))
    assert stored.settings() == network.settings()
    network.to_safetensors(genome, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_file_of_another_library_is_read_by_names_and_shapes(dtype, tmp_path):
    network = Network(2, 1, cell="gru", hidden=3)
    genome = network.init(seed=0).astype(dtype)
    blocks = {name: block.copy() for name, block in network.unpack(genome).items()}
    save_file(blocks, tmp_path / "genome.safetensors", {"made by": "somebody"})
    again = network.from_safetensors(tmp_path / "genome.safetensors")
    np.testing.assert_array_equal(again, genome.astype(np.float32))
    assert again.dtype == np.float32


def test_dtype_loss_and_initialisation_may_differ(tmp_path):
    network = Network(2, 1, cell="lstm", hidden=3, loss="binary-cross-entropy")
    network.to_safetensors(network.init(seed=0), tmp_path / "a")
    other = Network(2, 1, cell="lstm", hidden=3, dtype="float64", initial={"b_f": "zeros"})
    assert other.from_safetensors(tmp_path / "a").dtype == np.float64


def test_the_genome_of_another_network_is_refused_with_every_setting_that_differs(tmp_path):
    made = {"hidden": (3, 3), "cell": "leaky", "cell_options": {"leak": 0.5}}
    network = Network(2, 1, **made, direct=True)
    network.to_safetensors(network.init(seed=0), tmp_path / "a")
    wrong = [
        ({"cell_options": {"leak": 0.4}}, ["network.cell_options"]),
        (
            {"reads": "all", "direct": False},
            ["network.direct", 'network.reads: expected "all", got "the default"'],
        ),
        ({"cell": "elman", "cell_options": None}, ["network.cell: expected", "network.cell_options"]),
    ]
    for changes, words in wrong:
        other = Network(2, 1, **{**made, "direct": True, **changes})
        with pytest.raises(ConfigError) as caught:
            other.from_safetensors(tmp_path / "a")
        assert len(caught.value.problems) == len(words)
        assert all(word in str(caught.value) for word in words)


@evorrn.cell(state={"h": "H"}, parameters={"W": "H I"})
def own(p, x, h):
    """A cell of the test's own."""
    return p.W @ x + h


def test_a_cell_of_the_users_own_is_known_by_its_name_wherever_its_file_lies(tmp_path):
    network = Network(1, 1, cell=own, hidden=2)
    network.to_safetensors(network.init(seed=0), tmp_path / "a")
    blocks, other = load_file(tmp_path / "a"), {**network.settings(), "cell": "/elsewhere/mine.py:own"}
    save_file(blocks, tmp_path / "b", {"evorrn": json.dumps(other)})
    assert network.from_safetensors(tmp_path / "b").tobytes() == network.init(seed=0).tobytes()
    save_file(blocks, tmp_path / "c", {"evorrn": json.dumps({**other, "cell": "/elsewhere/mine.py:its"})})
    with pytest.raises(ConfigError, match=r'network.cell: expected "own", got "its"'):
        network.from_safetensors(tmp_path / "c")


def test_one_error_names_all_blocks_that_are_wrong(tmp_path):
    network = Network(2, 1, cell="elman", hidden=3)
    blocks = {name: block.copy() for name, block in network.unpack(network.init(seed=0)).items()}
    blocks["layer0.W_z"] = blocks.pop("layer0.W_x")
    blocks["layer0.W_h"] = np.zeros((2, 2), np.float32)
    blocks["layer0.b"] = np.zeros(3, np.int64)
    save_file(blocks, tmp_path / "a")
    with pytest.raises(ShapeError) as caught:
        network.from_safetensors(tmp_path / "a")
    for words in (
        "unknown block 'layer0.W_z'; did you mean 'layer0.W_x'",
        "'layer0.W_x' of shape (3, 2) is missing",
        "'layer0.W_h': expected shape (3, 3), got (2, 2)",
        "'layer0.b': expected floats, got int64",
    ):
        assert words in str(caught.value)


def test_a_type_that_numpy_has_not_is_refused_whether_or_not_a_library_has_added_it(tmp_path):
    header = json.dumps({"layer0.b": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}).encode()
    path = tmp_path / "a"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(6))
    with pytest.raises(
        (DataError, ShapeError), match=r"expected a safetensors file|expected floats, got bfloat16"
    ):
        Network(2, 1, cell="elman", hidden=3).from_safetensors(path)


def test_files_that_are_damaged_missing_or_of_another_kind_are_refused(tmp_path):
    network = Network(2, 1, cell="elman", hidden=3)
    path = tmp_path / "a"
    network.to_safetensors(network.init(seed=0), path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    cut = [whole[: rng.integers(0, len(whole))] for _ in range(20)]
    for content in (*cut, b"", b"\x80\x04.", b"\xff" * 100):
        path.write_bytes(content)
        with pytest.raises(DataError, match="expected a safetensors file"):
            network.from_safetensors(path)
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError):
            network.from_safetensors(missing)
    blocks = {name: block.copy() for name, block in network.unpack(network.init(seed=0)).items()}
    for words in ("{", "[1, 2]", "null"):
        save_file(blocks, path, {"evorrn": words})
        with pytest.raises(DataError, match="settings of its network"):
            network.from_safetensors(path)


def test_a_missing_library_and_a_place_that_cannot_be_written_are_said(tmp_path, monkeypatch):
    network = Network(1, 1, hidden=2)
    (tmp_path / "file").write_text("")
    with pytest.raises(EvorrnError, match="cannot write"):
        network.to_safetensors(network.init(seed=0), tmp_path / "file" / "a")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(EvorrnError, match=r"pip install 'evorrn\[safetensors\]'"):
        network.to_safetensors(network.init(seed=0), tmp_path / "a")
