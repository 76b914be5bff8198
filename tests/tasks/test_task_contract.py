"""Every registered task keeps the contract, at its defaults and at other sizes."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.data.find import task_kinds
from evorrn.data.metrics import METRICS
from evorrn.data.task import Recommended, Task
from evorrn.strategies.find import make_strategy
from evorrn.testing import check_task

SLOW = (
    *("counterpoint", "phonemes", "lorenz", "lorenz-96", "roessler", "henon", "kuramoto-sivashinsky"),
    *("hidden-states", "quantifiers", "addition", "number-words"),
)
"""Tasks whose data or baselines take seconds at the default sizes."""
MUSIC = "midi"  # has tests of its own, since its files need mido
SEQUENCES = [name for name, kind in task_kinds().items() if issubclass(kind, Task) and name != MUSIC]
DEFAULTS = [pytest.param(name, marks=pytest.mark.thorough if name in SLOW else ()) for name in SEQUENCES]
SYNTHETIC = ("mackey-glass", "narma", "sines", "adding", "copy")
SMALL = [
    ("sunspots", {"horizon": 5, "washout": 0}),
    ("sunspots", {"train_until": 1900, "valid_until": 1950}),
    ("mackey-glass", {"train": 50, "valid": 20, "test": 30, "windows": 3, "washout": 7, "horizon": 1}),
    ("mackey-glass", {"tau": 30.05, "train": 60, "valid": 10, "test": 10, "windows": 1, "washout": 0}),
    ("mackey-glass", {"train": 84, "valid": 5, "test": 5, "windows": 10, "horizon": 84}),
    ("narma", {"order": 20, "train": 100, "valid": 30, "test": 40, "windows": 7, "washout": 3}),
    ("narma", {"order": 30, "train": 100, "valid": 30, "test": 40, "windows": 1}),
    ("sines", {"waves": 2, "washout": 1, "train": 20, "valid": 10, "test": 40}),
    ("sines", {"waves": 5, "train": 200, "valid": 50, "test": 100}),
    ("sines", {"waves": 8, "train": 200, "valid": 50, "test": 100}),
    ("lorenz", {"continuations": 0, "horizon": 7, "train": 60, "valid": 20, "test": 30, "washout": 3}),
    ("lorenz", {"observed": 1, "continuations": 2, "ahead": 9, "train": 60, "windows": 3}),
    ("lorenz-96", {"forcing": 10.0, "continuations": 2, "ahead": 5, "observed": 7, "train": 90, "valid": 3}),
    ("roessler", {"step": 0.05, "washout": 1, "train": 90, "continuations": 1, "ahead": 20}),
    ("henon", {"continuations": 3, "ahead": 4, "train": 50, "valid": 9, "washout": 2}),
    ("channel-equalisation", {"snr": 12.0, "train": 60, "valid": 20, "test": 30, "windows": 2}),
    (
        "mackey-glass",
        {"horizon": 1, "continuations": 3, "squash": True, "washout": 20, "train": 90, "valid": 100},
    ),
    ("adding", {"length": 2, "train": 5, "valid": 3, "test": 4}),
    ("adding", {"length": 20, "definition": "1997", "train": 50, "valid": 20, "test": 30}),
    ("copy", {"delay": 1, "copied": 1, "symbols": 2, "train": 10, "valid": 9, "test": 11}),
    ("counting", {"language": "anb2n", "longest": 2, "valid_longest": 2, "test_longest": 2, "train": 3}),
    ("counting", {"language": "anbmcnm", "longest": 6, "valid_longest": 8, "test_longest": 9}),
    ("cycle-navigation", {"places": 2, "longest": 3, "test_longest": 5, "train": 20, "valid": 9, "test": 8}),
    (
        "modular-arithmetic",
        {"modulus": 10, "longest": 9, "test_longest": 10, "train": 100, "valid": 9, "test": 8},
    ),
    ("bracketed-arithmetic", {"products": True, "test_longest": 200, "train": 60, "valid": 9, "test": 8}),
    ("dyck", {"kinds": 1, "longest": 2, "test_longest": 3, "train": 9, "valid": 4, "test": 5}),
    ("dyck", {"kinds": 4, "test_shortest": 1, "test_longest": 60, "train": 9, "valid": 4, "test": 5}),
    ("palindromes", {"letters": 20, "centre": False, "shortest": 2}),
    ("bit-copy", {"bits": 1, "longest": 2, "test_longest": 4, "train": 9, "valid": 4, "test": 5}),
    ("repeat-copy", {"bits": 1, "repeats": 2, "test_repeats": 5, "train": 9, "valid": 4, "test": 5}),
    ("associative-recall", {"bits": 2, "vectors": 1, "longest": 3, "test_longest": 4, "train": 9}),
    ("graph-walk", {"bits": 1, "labels": 1, "nodes": 1, "test_nodes": 2, "train": 9, "valid": 4, "test": 5}),
    ("waveform", {"waves": 4, "continued": 100}),
    ("waveform", {"waves": 1, "steps": 10, "shortest": 2, "longest": 2}),
    ("spike-intervals", {"base": 1, "choices": 3, "longest": 2, "test_longest": 3, "train": 9}),
    ("spike-generation", {"base": 1, "choices": 1, "shortest": 1, "longest": 1, "test_longest": 3}),
    ("latching", {"shortest": 3, "longest": 70, "informative": 3, "train": 9, "valid": 5, "test": 7}),
    ("flip-flop", {"channels": 1, "rate": 1.0, "shortest": 1, "longest": 1, "test_longest": 4}),
    ("delayed-recall", {"delays": 1, "steps": 3, "train": 1, "valid": 1, "test": 2}),
    ("phonemes", {"phonemes": 1, "longest": 3, "features": 1, "train": 5, "valid": 3, "test": 4}),
    ("phonemes", {"language": 3, "noise": 0.0, "train": 5, "valid": 3, "test": 4}),
    ("list-operations", {"depth": 1, "arguments": 2, "operators": 1, "train": 9, "valid": 4, "test": 5}),
    (
        "propositional-logic",
        {"variables": 1, "longest": 0, "test_longest": 1, "train": 9, "valid": 4, "test": 5},
    ),
    ("relation-joins", {"terms": 12, "elements": 3}),
    ("quantifiers", {"train": 9, "valid": 4, "test": 5}),
    ("sentiment-grammar", {"longest": 1, "test_longest": 9, "train": 9, "valid": 4, "test": 5}),
    ("grid-digits", {"rows": 5, "columns": 3, "noise": 0.5, "corner": "bottom-left", "train": 9, "test": 5}),
    ("grid-digits", {"pictures": "handwritten", "train": 9, "valid": 3, "test": 5}),
    ("row-digits", {"symbols": 1000, "train": 30, "valid": 3, "test": 5}),
    ("addition", {"digits": 3, "backwards": False, "train": 9, "valid": 3, "test": 5}),
    ("captions", {"pairs": 0.3, "noise": 0.0, "train": 9, "valid": 3, "test": 5}),
    ("number-words", {"largest": 99, "train": 9, "valid": 3, "test": 5}),
    ("dates", {"first": 2000, "last": 2000, "train": 9, "valid": 3, "test": 5}),
    ("hidden-states", {"states": 3, "symbols": 6, "steps": 7, "train": 5, "valid": 2, "test": 4}),
    ("row-digits", {"pictures": "drawn", "columns": 3, "noise": 0.5, "train": 9, "test": 5}),
    ("text", {"characters": 400, "length": 9, "context": 0, "rare": 0}),
    ("counterpoint", {"scale": 10, "phrase": 2, "phrases": 1, "train": 9, "valid": 4, "test": 5}),
    ("bouncing-balls", {"size": 4, "balls": 1, "frames": 2, "context": 0, "train": 5, "valid": 3, "test": 4}),
    ("anomalies", {"steps": 400, "anomalies": 1, "washout": 0, "noise": 0.0}),
    ("hidden-states", {"steps": 20, "train": 20, "valid": 5, "test": 9}),
    ("embedded-reber", {"train": 3, "valid": 2, "test": 4, "tested": "all"}),
    ("reverse-string", {"symbols": 4, "shortest": 3, "longest": 3, "test_shortest": 3, "test_longest": 3}),
]


@pytest.fixture
def paths(tmp_path):
    t = np.arange(200)
    load = np.sin(0.3 * t) + 0.01 * t
    rows = [f"{a},{b:.6f},{c:.6f}" for a, b, c in zip(t, np.cos(t), load)]
    (tmp_path / "a.csv").write_text("time,temp,load\n" + "\n".join(rows) + "\n")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", inputs=rng.normal(size=(12, 9, 3)), targets=rng.integers(0, 2, (12, 9)))
    steps = [f"{np.sin(n + t):.4f},{n},{'ab'[n % 2]}" for n in range(12) for t in range(5 + n % 3)]
    (tmp_path / "b.csv").write_text("x,sequence,label\n" + "\n".join(steps) + "\n")
    (tmp_path / "c.txt").write_text("(1 (0 not) (2 good))\n(0 (2 good))\n(2 (0 bad) (1 film))\n" * 5)
    files = {"csv": "a.csv", "brackets": "c.txt", "npz": "a.npz", "sequence-classes": "b.csv"}
    return {name: {"path": str(tmp_path / file)} for name, file in files.items()}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_keep_the_contract(name, paths):
    check_task(evorrn.task(name, **paths.get(name, {})))


@pytest.mark.parametrize(
    ("name", "settings"),
    [pytest.param(*case, marks=pytest.mark.thorough if case[0] == "phonemes" else ()) for case in SMALL],
)
def test_other_sizes_keep_the_contract(name, settings):
    check_task(evorrn.task(name, **settings), seed=2**40 + 3)


def test_all_the_promised_tasks_are_there():
    names = {"sunspots", "mackey-glass", "narma", "sines", "adding", "copy", "csv", "npz"}
    assert names <= set(evorrn.tasks())


@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("seed", [-1, 1.5, "0", None, True])
def test_a_seed_is_a_whole_number_from_0_on(name, seed, paths):
    task = evorrn.task(name, **paths.get(name, {}))
    with pytest.raises(ConfigError, match="seed: expected a whole number of at least 0"):
        task.data(seed)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_numpy_seed_is_the_same_seed(name, paths):
    task = evorrn.task(name, **paths.get(name, {}))
    plain, numpy_made = task.data(3), task.data(np.int64(3))
    assert np.array_equal(plain.train.inputs, numpy_made.train.inputs)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_training_validation_and_test_are_different_draws(name):
    splits = evorrn.task(name).data(0)
    first = [batch.inputs[0, :10] for batch in splits]
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])


@pytest.mark.parametrize("name", SEQUENCES)
def test_advice_makes_real_networks_and_strategies(name, paths):
    task = evorrn.task(name, **paths.get(name, {}))
    for strategy in ("ga", "esn", "bptt", "random"):
        advice = task.recommended(strategy)
        assert isinstance(advice, Recommended)
        make_strategy(strategy, advice.strategy)
        net = evorrn.Network.for_task(task, **advice.network)
        assert (net.inputs, net.outputs) == (task.inputs, task.outputs)
        if strategy == "esn" and "states" in task.provides:
            assert net.direct != net.wired and net.dtype == np.float64
    assert task.recommended("ga").network == task.recommended("random").network


@pytest.mark.parametrize("name", SEQUENCES)
def test_references_say_where_they_are_from(name, paths):
    for reference in evorrn.task(name, **paths.get(name, {})).references:
        assert reference.metric in METRICS and reference.conditions and reference.source


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("sunspots", {"horizon": 0}, "task.horizon: expected a value >= 1"),
        ("sunspots", {"horizon": 500}, "task.train_until: expected at least"),
        ("sunspots", {"valid_until": 1800}, "task.valid_until: expected a year from 1830 to 2007"),
        ("sunspots", {"valid_until": 2008}, "task.valid_until: expected a year from 1830 to 2007"),
        ("mackey-glass", {"tau": 2}, "task.tau: expected a value >= 5"),
        ("mackey-glass", {"train": 10, "windows": 11}, "task.windows: expected at most one per training"),
        ("mackey-glass", {"horizn": 3}, "did you mean 'horizon'"),
        ("narma", {"order": 11}, "task.order: unknown value '11'"),
        ("narma", {"train": 0}, "task.train: expected a value >= 2"),
        ("sines", {"waves": 9}, "task.waves: expected a value <= 8"),
        ("sines", {"washout": 0}, "task.washout: expected a value >= 1"),
        ("adding", {"definition": "1998"}, "did you mean '1997'"),
        ("adding", {"definition": "1997", "length": 19}, "task.length: expected at least 20"),
        ("adding", {"length": 1}, "task.length: expected a value >= 2"),
        ("copy", {"symbols": 1}, "task.symbols: expected a value >= 2"),
        ("copy", {"delay": 1.5}, "task.delay: expected int, got 1.5"),
        ("csv", {}, "task.path: expected the path of a file"),
        ("npz", {}, "task.path: expected the path of a file"),
        ("csv", {"path": "x", "shares": [0.5, 0.5, 0.5]}, "task.shares: expected three shares"),
        ("npz", {"path": "x", "shares": [1.0, 0.0, 0.0]}, "task.shares: expected three shares"),
        ("csv", {"path": "x", "shares": [0.5, 0.5]}, "task.shares: expected list of float"),
    ],
)
def test_settings_out_of_range_are_refused(name, settings, sentence):
    with pytest.raises(ConfigError) as error:
        evorrn.task(name, **settings)
    assert sentence in str(error.value)


def test_all_mistakes_are_reported_at_once():
    with pytest.raises(ConfigError) as error:
        evorrn.task("mackey-glass", tau="long", horizon=0, trian=4)
    assert len(error.value.problems) == 3
