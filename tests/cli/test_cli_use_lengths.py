"""``evorrn predict`` on archives whose sequences differ in length or are linked."""

import io
import json
import zipfile

import numpy as np
import pytest

import evorrn

QUICK = ("--strategy", "random", "--budget", "1gen", "--quiet", "--json")


def trained(console, *words):
    said = console.type("run", *words, *QUICK)
    assert said.code == 0, said.err
    return json.loads(said.out)["folder"]


def predicted(console, folder, name):
    said = console.type("predict", folder, name, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)["rows"]


@pytest.mark.parametrize(
    "way", ["network.bidirectional=true", "network.readout=mean", "network.readout=last"]
)
def test_sequences_end_where_the_archive_says(console, tmp_path, way):
    """What stands after the end of a sequence changes nothing, and has no row."""
    rng = np.random.default_rng(7)
    lengths, pooled = rng.integers(1, 10, 9), "readout" in way
    inputs = rng.standard_normal((9, 9, 2))
    targets = rng.standard_normal((9, 2) if pooled else (9, 9, 2))
    np.savez(tmp_path / "a.npz", inputs=inputs, targets=targets, lengths=lengths)
    folder = trained(console, "a.npz", "--cell", "gru", "--hidden", "3", "--set", way)
    rows = predicted(console, folder, "a.npz")
    assert len(rows) == (9 if pooled else lengths.sum())
    result = evorrn.load(folder)
    alone = [result.predict(x[:length]).reshape(-1, 2) for x, length in zip(inputs, lengths)]
    found = [[row["output1"], row["output2"]] for row in rows]
    assert np.allclose(found, np.concatenate(alone), atol=1e-6)
    inputs[np.arange(9) >= lengths[:, None]] = 100.0
    np.savez(tmp_path / "b.npz", inputs=inputs, lengths=lengths)
    assert predicted(console, folder, "b.npz") == rows
    for wrong, sentence in ((lengths[:4], "lengths of shape"), (lengths + 9, "lengths from 1 to 9")):
        np.savez(tmp_path / "c.npz", inputs=inputs, lengths=wrong)
        said = console.type("predict", folder, "c.npz")
        assert said.code == 2 and sentence in said.err


def test_links_of_an_archive_are_followed(console, tmp_path):
    rng = np.random.default_rng(8)
    inputs, links = rng.standard_normal((5, 3, 2)), np.tile([[-1, -1], [-1, -1], [0, 1]], (5, 1, 1))
    np.savez(tmp_path / "a.npz", inputs=inputs, targets=rng.standard_normal((5, 3, 1)), links=links)
    folder = trained(console, "a.npz", "--cell", "recursive", "--hidden", "3")
    rows = predicted(console, folder, "a.npz")
    wanted = evorrn.load(folder).predict(inputs, links=links)
    assert np.allclose([row["output1"] for row in rows], wanted.ravel())
    said = console.type("forecast", folder, "--steps", 3)
    assert (
        said.code == 2 and "forecast: cell recursive sees linked steps, of which none is the last" in said.err
    )


@pytest.mark.parametrize("way", ["network.bidirectional=true", "network.readout=last"])
def test_a_network_that_sees_whole_sequences_says_at_once_that_it_cannot_forecast(console, tmp_path, way):
    rng = np.random.default_rng(9)
    inputs, pooled = rng.standard_normal((9, 6, 2)), "readout" in way
    np.savez(tmp_path / "a.npz", inputs=inputs, targets=rng.standard_normal((9, 1) if pooled else (9, 6, 1)))
    folder = trained(console, "a.npz", "--cell", "gru", "--hidden", "2", "--set", way)
    said = console.type("forecast", folder, "--steps", 3)
    assert (
        said.code == 2 and "forecast: this network sees a whole sequence before its first output" in said.err
    )


def test_a_forecast_from_sequences_of_different_lengths_is_refused(console, tmp_path):
    wave = np.sin(np.arange(120) / 3).reshape(1, 120, 1)
    np.savez(tmp_path / "a.npz", inputs=wave[:, :-1], targets=wave[:, 1:])
    folder = trained(console, "a.npz", "--cell", "gru", "--hidden", "2")
    known = np.repeat(wave[:, :30], 2, axis=0)
    np.savez(tmp_path / "b.npz", inputs=known, lengths=[30, 20])
    said = console.type("forecast", folder, "--warmup", "b.npz", "--steps", "3")
    assert said.code == 2 and "differ in length" in said.err
    np.savez(tmp_path / "b.npz", inputs=known, lengths=[30, 30])
    assert console.type("forecast", folder, "--warmup", "b.npz", "--steps", "3").code == 0


def test_an_archive_that_promises_more_rows_than_it_holds_is_refused(console, tmp_path):
    wave = np.sin(np.arange(120) / 3).reshape(1, 120, 1)
    np.savez(tmp_path / "a.npz", inputs=wave[:, :-1], targets=wave[:, 1:])
    folder = trained(console, "a.npz", "--cell", "gru", "--hidden", "2")
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f8", "fortran_order": False, "shape": (1, 10**12, 1)}
    )
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("inputs.npy", head.getvalue() + bytes(80))
    said = console.type("predict", folder, "b.npz")
    assert said.code == 2 and "more than the file holds" in said.err
