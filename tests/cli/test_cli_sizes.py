"""Sizes that no machine can hold, and numbers and names that no file should have: told at once, with exit code 2."""

import io
import zipfile

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, DataError, EvorrnError
from evorrn.base.memory import excess, installed
from evorrn.lab.runs.spec import resolve


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--set", "network.hidden=1000000000000"), "network.hidden: a genome of 1e+24 genes takes"),
        (("--set", "network.hidden=[8, 100000000]"), "genes takes"),
        (("--set", "strategy.population=1000000000000"), "1000000000000 genomes of"),
        (("--set", "task.horizon=99999999"), "horizon: expected at most the training steps"),
        (("--set", "task.train=1000000000000"), "mackey-glass: its data take"),
        (("--set", "task.washout=1000000000000"), "mackey-glass: its data take"),
        (("--set", f"seed={'1' * 5000}"), "seed: expected a whole number"),
        (("--set", f"seed={2**128}"), "seed: expected a whole number below 2**128"),
    ],
)
def test_sizes_that_cannot_fit_are_told_before_anything_runs(console, tmp_path, words, sentence):
    said = console.type("run", "mackey-glass", "--strategy", "ga", *words)
    assert said.code == 2 and sentence in said.err and "Traceback" not in said.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[task]\nname = "csv"\npath = "a\\u0000b"\n', "task.path: expected a path, got 'a\\x00b'"),
        ('[task]\nname = "a\\u0000b.csv"\n', "task.path: expected a path"),
        ('task = "mackey-glass"\n[network]\ncell = "a\\u0000b.py:c"\n', "expected a path"),
        (f"seed = {'7' * 5000}\n", "expected TOML: Exceeds the limit"),
        ("a = " + "{ a = " * 2000 + "1" + " }" * 2000, "expected TOML"),
        ("[" + ".".join("a" * 2000) + "]\nb = 1\n", "unknown entry"),
    ],
)
def test_a_spec_that_no_one_can_mean_is_wrong_input(console, tmp_path, text, sentence):
    """A null character in a path, a number of thousands of digits, tables two thousand deep."""
    (tmp_path / "spec.toml").write_text(text)
    said = console.type("run", "spec.toml")
    assert said.code == 2 and sentence in said.err and "Traceback" not in said.err


def test_an_archive_whose_header_promises_more_than_it_holds(console, tmp_path):
    """A header of 10**12 rows over a few bytes: memory for them is never asked for."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 1)}
    )
    with zipfile.ZipFile(tmp_path / "big.npz", "w") as archive:
        archive.writestr("inputs.npy", header.getvalue() + b"\0" * 80)
    said = console.type("run", "big.npz")
    assert (
        said.code == 2 and "inputs is said to have shape (1000000000000, 1), which is more than" in said.err
    )
    with pytest.raises(DataError, match="more than the file holds"):
        _ = evorrn.task("npz", path=str(tmp_path / "big.npz")).inputs


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("adding", {"length": 10**12}),
        ("adding", {"test": 10**12}),
        ("copy", {"delay": 10**12}),
        ("narma", {"valid": 10**12}),
        ("sines", {"washout": 10**12}),
        ("parity", {"longest": 10**12}),
        ("two-sequence", {"train": 10**12}),
        ("cart-pole", {"test": 10**12}),
        ("bandit", {"valid": 10**12}),
        ("t-maze", {"train": 10**12}),
    ],
)
def test_a_task_says_how_much_memory_its_data_would_take(name, settings):
    with pytest.raises(ConfigError, match=r"take (at least )?.* GiB of memory, and this machine has"):
        evorrn.task(name, **settings)


def test_numbers_of_a_task_are_those_in_its_arrays():
    """The estimate is at most a tenth too large, so nothing that fits is refused."""
    for name in ("adding", "copy", "narma", "sines", "parity", "mackey-glass"):
        task = evorrn.task(name)
        made = sum(b.inputs.size + b.targets.size for b in task.data(0))
        assert 0.5 * made <= task.numbers_in_data <= 1.1 * made, name


def test_a_population_that_cannot_fit_is_refused_in_python_too():
    network = evorrn.Network(1, 1, hidden=4)
    batch = evorrn.Batch(np.zeros((1, 3, 1)), np.zeros((1, 3, 1)))
    for strategy in (evorrn.GeneticAlgorithm(population=10**13), evorrn.CMAES(population=10**13)):
        with pytest.raises(ConfigError, match=r"10000000000000 genomes of 29 genes take .* GiB of memory"):
            strategy.fit(network, batch, budget="1gen")
    with pytest.raises(ConfigError, match="genomes of"):
        resolve({"task": {"name": "sines"}, "strategy": {"name": "sep-cma-es", "population": 10**13}})


def test_memory_is_counted_in_bytes():
    assert excess(installed() // 8) == "" and "GiB" in excess(installed() // 8 + 1)
    assert excess(installed(), 1) == "" and excess(installed() + 1, 1)


def test_a_seed_larger_than_any_that_is_drawn_is_refused():
    for seed in (2**128, 10**5000):
        with pytest.raises(EvorrnError, match=r"seed: expected a whole number below 2\*\*128"):
            evorrn.Network(1, 1, hidden=2).init(seed=seed)
    evorrn.Network(1, 1, hidden=2).init(seed=2**128 - 1)
