"""Basins, capacity, the trace of a recall, and their pictures."""

import warnings

import numpy as np
import pytest

from evorrn.associative import BAM, Hopfield, basins, capacity, pair_basins
from evorrn.base.errors import EvorrnError, ShapeError, UnknownName


def stored(units, count, seed=0):
    patterns = np.random.default_rng(seed).choice([-1.0, 1.0], (count, units))
    return Hopfield(units).store(patterns), patterns


def test_basins_tell_how_wrong_a_cue_may_be():
    memory, patterns = stored(100, 5)
    found = basins(memory, patterns, wrong=(0.0, 0.2, 0.5, 1.0), trials=4, seed=3)
    assert found.overlap[0] == found.recovered[0] == 1.0
    assert found.recovered[1] > 0.9 and found.recovered[2] < 0.3
    # All units wrong is the opposite of the pattern, which is stored as well.
    assert found.overlap[3] == -1.0 and found.recovered[3] == 0.0
    again = basins(memory, patterns, wrong=(0.0, 0.2, 0.5, 1.0), trials=4, seed=3)
    assert (again.overlap == found.overlap).all()


@pytest.mark.parametrize("units, share", [(10, 0.3), (7, 0.5), (1, 1.0), (5, 0.0)])
def test_cues_have_the_share_of_wrong_units_each_at_places_of_its_own(units, share):
    from evorrn.associative.curves import with_wrong_units

    patterns = np.random.default_rng(0).choice([-1.0, 1.0], (40, units))
    cues = with_wrong_units(patterns, share, np.random.default_rng(1))
    assert ((cues != patterns).sum(axis=1) == round(share * units)).all() and (np.abs(cues) == 1).all()
    if 0 < share < 1:
        assert len(np.unique(cues != patterns, axis=0)) > 5


def test_the_capacity_curve_of_400_units_is_near_one_to_its_bend_and_falls_beyond():
    """Theory has an overlap of 0.967 at a load of 0.138 of many units, and none beyond (Amit and others 1985).

    A recall that ends after a few sweeps has not left the pattern yet: 0.7 to 0.85 at a load of 0.2 after five.
    """
    found = capacity(400, loads=(0.05, 0.10, 0.138, 0.20), trials=2)
    assert found.overlap[0] > 0.999 and found.overlap[1] > 0.98
    assert 0.9 < found.overlap[2] < 0.995 and 0.4 < found.overlap[3] < 0.75
    memory = Hopfield(400)
    patterns = np.random.default_rng(1).choice([-1.0, 1.0], (80, 400))
    with pytest.warns(UserWarning, match="80 patterns"):
        memory.store(patterns)
    early = memory.recall(patterns, sweeps=5).states
    assert 0.65 < (early * patterns).mean() < 0.9
    better = capacity(100, loads=(0.3,), rule="pseudo-inverse", wrong=0.05, trials=2)
    assert better.overlap[0] > 0.99


@pytest.mark.parametrize(
    ("load", "wanted", "within"), [(0.05, 1.0, 0.0), (0.10, 1.0, 0.0), (0.138, 1.0, 0.01), (0.20, 0.73, 0.06)]
)
def test_medians_over_patterns_after_seven_sweeps_are_the_usual_capacity_curve(load, wanted, within):
    """1.00 up to a load of 0.138 and 0.73 at 0.20, of 400 units: recall has not settled, and half of the patterns lie below."""
    found = []
    for seed in range(6):
        patterns = np.random.default_rng(seed).choice([-1.0, 1.0], (round(load * 400), 400))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            states = Hopfield(400).store(patterns).recall(patterns, sweeps=7).states
        found.append((states * patterns).mean(axis=1))
    assert abs(np.median(np.concatenate(found)) - wanted) <= within


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_recall_survives_the_loss_of_a_tenth_and_a_fifth_of_the_weights(share):
    memory, patterns = stored(200, 10, seed=2)
    genes, rng = memory.pack(), np.random.default_rng(5)
    genes[rng.permutation(memory.size)[: round(share * memory.size)]] = 0.0
    found = basins(memory.unpack(genes), patterns, wrong=(0.1,), trials=3)
    assert found.overlap[0] > 0.99


@pytest.mark.parametrize("order", ["asynchronous", "fixed", "synchronous"])
@pytest.mark.parametrize("units, count", [(40, 4), (9, 5), (1, 1)])
def test_a_trace_has_the_states_of_the_recall_and_their_energies(order, units, count):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        memory, _ = stored(units, count, seed=units)
    cue = np.random.default_rng(7).choice([-1.0, 1.0], units)
    trace = memory.trace(cue, order=order, seed=4)
    found = memory.recall(cue, order=order, seed=4)
    assert (trace.states[0] == cue).all()
    if found.converged[0]:
        assert (trace.states[-1] == found.states[0]).all()
    np.testing.assert_allclose(trace.energies, [memory.energy(state)[0] for state in trace.states])
    changes = (np.diff(trace.states, axis=0) != 0).sum(axis=1)
    if order != "synchronous":
        assert (changes == 1).all() and (np.diff(trace.energies) < 1e-12).all()


def test_a_synchronous_trace_ends_where_a_cycle_of_two_closes():
    memory = Hopfield(2)
    memory.weights = [[0.0, -1.0], [-1.0, 0.0]]
    trace = memory.trace([1.0, 1.0], order="synchronous")
    assert trace.states.tolist() == [[1, 1], [-1, -1], [1, 1]]


def test_pictures_are_drawn_and_written(tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    memory, patterns = stored(30, 3)
    figure = memory.plot(-patterns, patterns, shape=(3, 10), path=str(tmp_path / "recall.png"))
    assert (tmp_path / "recall.png").stat().st_size > 5000
    assert len(figure.axes) == 10 and figure.axes[-1].get_ylabel() == "energy"
    assert len(figure.axes[-1].lines) == 3
    axes = basins(memory, patterns, wrong=(0.0, 0.5), trials=1).plot()
    assert [len(line.get_xdata()) for line in axes.lines] == [2, 2]
    assert capacity(30, loads=(0.05,), trials=1).plot(axes) is axes


@pytest.mark.parametrize(
    "act, kind, message",
    [
        (
            lambda m, p: basins(m, p, wrong=(0.2, 1.2)),
            EvorrnError,
            "wrong: expected shares from 0 to 1, got 1.2",
        ),
        (lambda m, p: basins(m, p, wrong=()), EvorrnError, "wrong: expected numbers"),
        (lambda m, p: basins(m, p[:0]), ShapeError, "patterns: expected at least one pattern, got none"),
        (lambda m, p: m.trace(p[:0]), ShapeError, "cue: expected at least one pattern, got none"),
        (lambda m, p: m.plot(p[:0]), ShapeError, "cues: expected at least one pattern, got none"),
        (lambda m, p: basins(m, p, trials=0), EvorrnError, "trials: expected a whole number"),
        (lambda m, p: basins(m, p[:, 1:]), ShapeError, "patterns: expected shape"),
        (lambda m, p: basins(m, p, wrong="a"), ShapeError, "wrong: expected an array of numbers, got str"),
        (lambda m, p: basins(BAM(12, 3), p), EvorrnError, "memory: expected a Hopfield network, got BAM"),
        (lambda m, p: pair_basins(m, p, p), EvorrnError, "memory: expected a BAM, got Hopfield"),
        (lambda m, p: m.trace(p[0], sweeps="a"), EvorrnError, "sweeps: expected a whole number"),
        (lambda m, p: m.fitness(m.pack(), p[:0], p[:0]), ShapeError, "patterns: expected at least one"),
        (lambda m, p: capacity(10, wrong=2.0), EvorrnError, "wrong: expected shares from 0 to 1, got 2"),
        (lambda m, p: capacity(10, wrong=np.nan), EvorrnError, "wrong: expected numbers"),
        (lambda m, p: capacity(10, loads=(1e12,)), EvorrnError, "expected fewer, as 10,000,000,000,000 take"),
        (lambda m, p: capacity(0), EvorrnError, "units"),
        (lambda m, p: capacity(10, loads=(-0.1,)), EvorrnError, "loads: expected numbers"),
        (lambda m, p: capacity(10, rule="heb"), UnknownName, "did you mean 'hebb'"),
        (lambda m, p: m.plot(p, p[:1]), ShapeError, "patterns: expected one for each of 3 cues"),
        (lambda m, p: m.plot(p, shape=(4, 4)), EvorrnError, "shape: expected rows times columns to be 12"),
        (lambda m, p: m.trace(p[0], order="x"), UnknownName, "unknown order"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(act, kind, message):
    pytest.importorskip("matplotlib").use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        memory, patterns = stored(12, 3)
    with pytest.raises(kind, match=message):
        act(memory, patterns)
