"""``evorrn diagnose``: figures and pictures of what the network of a run does."""

import json

import numpy as np
import pytest
from tiny import WALK, WAVE

from evorrn.base.files import read_arrays
from evorrn.data.batch import Batch
from evorrn.lab.study.diagnosis import excerpt, inputs_of

PICTURES = [
    "activity",
    "eigenvalues",
    "exponents",
    "gradient",
    "memory",
    "spectra",
    "trajectories",
    "unrolled",
]


def made(console, *words):
    said = console.type("run", *words, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)["folder"]


@pytest.mark.usefixtures("pictures")
def test_figures_and_pictures_are_written_beside_the_run(console, tmp_path):
    folder = made(console, WAVE, "--strategy", WALK, "--budget", "30gen")
    said = console.type("diagnose", folder, "--steps", 2000)
    assert said.code == 0, said.err
    assert "largest Lyapunov exponent" in said.out and "linear memory capacity" in said.out
    place = tmp_path / folder / "diagnostics"
    assert sorted(path.stem for path in place.glob("*.png")) == PICTURES
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in place.glob("*.png"))
    kept = json.loads((place / "diagnosis.json").read_text())
    assert kept["gradient_by_lag"]["median"][0] > 0 and kept["notes"] == []
    assert len(kept["lyapunov_exponents"]) >= 1 and kept["closed_lyapunov_exponents"] is not None
    spectra = kept["power_spectra"]
    assert 0 <= spectra["distance"] <= 1 and len(spectra["frequencies"]) == len(spectra["predicted"])
    activity = read_arrays(place / "activity.npz")
    assert set(activity) == {"layer0.h", "y"}
    again = console.type("diagnose", folder, "--steps", 2000, "--json")
    assert json.loads(again.out) == kept


@pytest.mark.thorough
def test_a_classifier_and_a_network_in_an_environment_are_diagnosed_too(console, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "my.npz", inputs=rng.standard_normal((30, 6, 2)), targets=rng.integers(0, 3, 30))
    words = ("--strategy", "random", "--cell", "gru", "--hidden", 3, "--budget", "2gen")
    classifier, actor = made(console, "my.npz", *words), made(console, "t-maze", *words)
    said = console.type("diagnose", classifier, "--steps", 500, "--json")
    assert said.code == 0 and json.loads(said.out)["gradient_by_lag"]["median"][5] > 0
    said = console.type("diagnose", actor, "--steps", 1000, "--json")
    kept = json.loads(said.out)
    assert said.code == 0 and "gradient_by_lag" not in kept and kept["memory_capacity"]["total"] >= -0.1
    assert not (tmp_path / actor / "diagnostics" / "gradient.png").exists()


def test_a_run_that_is_not_there_or_not_complete_is_refused(console, tmp_path):
    said = console.type("diagnose", "abc")
    assert said.code == 2 and "no run 'abc'" in said.err
    folder = made(console, WAVE, "--strategy", WALK, "--budget", "3gen")
    status = tmp_path / folder / "status.json"
    status.write_text(status.read_text().replace('"complete"', '"failed"'))
    said = console.type("diagnose", folder)
    assert said.code == 2 and "expected a complete run, this one is failed" in said.err


@pytest.mark.parametrize(
    "sequences,steps,wanted", [(1, 2000, (5, 400)), (50, 30, (32, 30)), (3, 700, (3, 700))]
)
def test_an_excerpt_cuts_long_sequences_and_leaves_out_many(sequences, steps, wanted):
    x = np.random.default_rng(0).normal(size=(sequences, steps, 1))
    found = excerpt(Batch(x, x))
    assert found.inputs.shape[:2] == wanted
    np.testing.assert_array_equal(found.inputs[0], x[0, : wanted[1]])


def test_sequences_of_different_lengths_are_joined_for_what_needs_no_targets():
    x = np.random.default_rng(0).normal(size=(4, 9, 2))
    lengths = np.array([9, 4, 7, 5])
    x[np.arange(9)[None] >= lengths[:, None]] = np.nan
    joined = inputs_of(Batch(x, np.zeros((4, 9, 1)), lengths=lengths))
    assert joined.shape == (4, 6, 2) and np.isfinite(joined).all()
    np.testing.assert_array_equal(joined.reshape(-1, 2)[:13], np.concatenate([x[0], x[1, :4]]))


@pytest.mark.usefixtures("pictures")
def test_estimates_of_the_gradient_are_compared_along_the_training_of_a_run(console, tmp_path):
    folder = made(console, WAVE, "--strategy", "bptt", "--cell", "leaky", "--hidden", 3, "--budget", "6gen")
    said = console.type("diagnose", folder, "--estimates", 9)
    assert said.code == 0, said.err
    assert "cosine between each estimate and the exact gradient" in said.out and "without crbp" in said.err
    place = tmp_path / folder / "diagnostics"
    assert (place / "estimates.png").read_bytes().startswith(b"\x89PNG")
    kept = json.loads((place / "estimates.json").read_text())
    assert kept["steps"] == [0, 1, 2, 5]  # the run ended after six
    np.testing.assert_allclose(kept["cosines"]["rtrl"], 1, atol=1e-4)
    assert {"snap", "e-prop", "rflo", "kf-rtrl", "uoro"} < set(kept["cosines"])
    again = console.type("diagnose", folder, "--estimates", 9, "--json")
    assert json.loads(again.out) == kept


def test_estimates_need_a_run_that_improves_one_network(console):
    folder = made(console, WAVE, "--strategy", WALK, "--budget", "3gen")
    said = console.type("diagnose", folder, "--estimates", 3)
    assert said.code == 2 and "expected a strategy that improves one network by gradients" in said.err
