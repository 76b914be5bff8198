"""Trained networks on symbols in .npz files, which they see one-hot."""

import json

import numpy as np

import evorrn

RNG = np.random.default_rng(0)
RUN = ("--strategy", "bptt", "--budget", "1gen", "--hidden", 3, "--json")


def trained(console, tmp_path, *options, **arrays):
    """Return the folder of a run on an archive of arrays, and its result."""
    np.savez(tmp_path / "known.npz", **arrays)
    said = console.type("run", "known.npz", *RUN, *options)
    assert said.code == 0, said.err
    folder = json.loads(said.out)["folder"]
    return folder, evorrn.load(tmp_path / folder)


def predicted(console, tmp_path, folder, **arrays):
    """Return the rows that a network predicts for an archive of arrays."""
    np.savez(tmp_path / "new.npz", **arrays)
    said = console.type("predict", folder, "new.npz", "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)["rows"]


def test_trees_are_predicted_with_their_links_and_symbols_one_hot(console, tmp_path):
    words, links = RNG.integers(0, 3, (12, 3)), np.full((12, 3, 2), -1)
    links[:, 2] = [0, 1]
    cell = ("--cell", "tree-lstm")
    folder, result = trained(console, tmp_path, *cell, inputs=words, targets=words, links=links)
    rows = predicted(console, tmp_path, folder, inputs=words, links=links)
    wanted = result.network.predict(result.genome, words, links=links)
    found = [[row[f"logit{k}"] for k in range(3)] for row in rows]
    np.testing.assert_allclose(found, wanted.reshape(-1, 3), rtol=1e-5)
    for arrays, sentence in (
        ({"inputs": words}, "links: cell tree-lstm sees 2 predecessors of each step"),
        ({"inputs": words + 1, "links": links}, "expected symbols from 0 to 2, got 1 to 3"),
        ({"inputs": words, "links": links + 3}, "a link goes to an earlier step"),
    ):
        np.savez(tmp_path / "new.npz", **arrays)
        said = console.type("predict", folder, "new.npz")
        assert said.code == 2 and sentence in said.err, said.err


def test_symbols_of_sequences_are_told_from_one_row_a_step(console, tmp_path):
    words = RNG.integers(0, 3, (12, 4))
    folder, result = trained(console, tmp_path, inputs=words, targets=words, lengths=np.full(12, 4))
    wanted = result.network.predict(result.genome, words).reshape(-1, 3)
    for arrays in ({"inputs": words}, {"inputs": np.eye(3)[words]}):
        found = [
            [row[f"logit{k}"] for k in range(3)] for row in predicted(console, tmp_path, folder, **arrays)
        ]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    steps = np.eye(3, dtype=int)[words[0]]  # one sequence (T, I), as ever
    assert len(predicted(console, tmp_path, folder, inputs=steps)) == 4
    rows = predicted(console, tmp_path, folder, inputs=words[:, :3], lengths=np.full(12, 3))
    assert len(rows) == 36
    assert len(predicted(console, tmp_path, folder, inputs=words[0])) == 4
