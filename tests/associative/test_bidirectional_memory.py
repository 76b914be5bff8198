"""Basins, traces, weights as a genome and pictures of bidirectional memories."""

import warnings

import numpy as np
import pytest

import evorrn
from evorrn.associative import BAM, pair_basins
from evorrn.base.errors import EvorrnError, ShapeError, UnknownName


def stored(n, m, count, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.choice([-1.0, 1.0], (count, n)), rng.choice([-1.0, 1.0], (count, m))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return BAM(n, m).store(x, y), x, y


@pytest.mark.parametrize("drive", ["x", "y", "both"])
def test_basins_tell_how_wrong_the_cue_of_either_layer_may_be(drive):
    memory, x, y = stored(90, 70, 4)
    found = pair_basins(memory, x, y, wrong=(0.0, 0.2, 0.5, 1.0), drive=drive, trials=4, seed=3)
    assert found.overlap[0] == found.recovered[0] == 1.0
    assert found.recovered[1] > 0.9 and found.recovered[2] < 0.3
    # All units wrong is the opposite of the pair, which is stored as well.
    assert found.overlap[3] == -1.0 and drive in found.label
    again = pair_basins(memory, x, y, wrong=(0.0, 0.2, 0.5, 1.0), drive=drive, trials=4, seed=3)
    assert (again.overlap == found.overlap).all()


@pytest.mark.parametrize("seed", range(12))
def test_a_trace_ends_where_the_recall_does_and_its_energy_falls_with_every_change(seed):
    rng = np.random.default_rng(seed)
    n, m, count = (int(k) for k in rng.integers(1, [12, 9, 6]))
    memory, _, _ = stored(n, m, count, seed)
    if seed % 3 == 0:
        memory.weights = rng.normal(size=(n, m))
    x, y = rng.choice([-1.0, 1.0], n), rng.choice([-1.0, 1.0], m)
    for cues in ({"x": x}, {"y": y}, {"x": x, "y": y}):
        trace, found = memory.trace(**cues), memory.recall(**cues)
        assert (trace.x[-1] == found.x[0]).all() and (trace.y[-1] == found.y[0]).all()
        for name, cue in cues.items():
            assert (getattr(trace, name)[0] == cue).all()
        energies = [-(a @ memory.weights @ b) for a, b in zip(trace.x, trace.y)]
        np.testing.assert_allclose(trace.energies, energies, atol=1e-12)
        assert (np.diff(trace.energies) < 1e-9).all()
        changed = (np.diff(trace.x, axis=0) != 0).any(axis=1) ^ (np.diff(trace.y, axis=0) != 0).any(axis=1)
        assert changed.all()  # one layer at a time


def test_evolution_finds_weights_from_the_genome_of_a_memory():
    memory, x, y = stored(12, 9, 3)
    genome = memory.pack()
    assert genome.shape == (memory.size,) == (108,)
    np.testing.assert_array_equal(BAM(12, 9).unpack(genome).weights, memory.weights)
    x_cues, y_cues = x * np.where(np.arange(12) < 2, -1, 1), y * np.where(np.arange(9) < 1, -1, 1)
    found = memory.fitness([genome, -genome], x, y, x_cues=x_cues, y_cues=y_cues)
    each = [memory.fitness([genome], x, y, **cues)[0] for cues in ({"x_cues": x_cues}, {"y_cues": y_cues})]
    np.testing.assert_allclose(found[0], np.mean(each))
    recalled = memory.recall(x=x_cues)
    both = np.hstack([recalled.x * x, recalled.y * y])
    np.testing.assert_allclose(each[0], both.mean())
    search = evorrn.SNES().search(0.1 * np.random.default_rng(0).normal(size=108), seed=0)
    start = memory.fitness([search.ask()[0]], x, y, x_cues=x_cues, y_cues=y_cues)[0]
    for _ in range(30):
        genomes = search.ask()
        search.tell(genomes, memory.fitness(genomes, x, y, x_cues=x_cues, y_cues=y_cues))
    assert search.best.fitness > start


def test_pairs_are_drawn_with_their_cues_and_energies(tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    memory, x, y = stored(30, 12, 3)
    figure = memory.plot(y=-y, pairs=(x, y), shapes=((3, 10), None), path=str(tmp_path / "pairs.png"))
    assert (tmp_path / "pairs.png").stat().st_size > 5000
    assert len(figure.axes) == 5 * 3 + 1 and len(figure.axes[-1].lines) == 3
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels == ["pattern x", "pattern y", "cue y", "recalled x", "recalled y", "energy"]
    assert len(memory.plot(x=np.tile(x, (4, 1)), y=np.tile(y, (4, 1))).axes) == 4 * 8 + 1
    axes = pair_basins(memory, x, y, wrong=(0.0, 0.5), trials=1).plot()
    assert [len(line.get_xdata()) for line in axes.lines] == [2, 2]


@pytest.mark.parametrize(
    "act, kind, message",
    [
        (lambda m, x, y: pair_basins(m, x, y, drive="z"), UnknownName, "unknown layer 'z'"),
        (
            lambda m, x, y: pair_basins(m, x, y, wrong=(1.5,)),
            EvorrnError,
            "wrong: expected shares from 0 to 1, got 1.5",
        ),
        (
            lambda m, x, y: pair_basins(m, x, y[:1]),
            ShapeError,
            "y: expected one pattern for each of 2 of x, got 1",
        ),
        (lambda m, x, y: pair_basins(m, x, y, trials=0), EvorrnError, "trials: expected a whole number"),
        (lambda m, x, y: m.plot(x=x[:0]), ShapeError, "cues: expected at least one pattern, got none"),
        (lambda m, x, y: m.trace(y=y[:0]), ShapeError, "cues: expected at least one pattern, got none"),
        (
            lambda m, x, y: pair_basins(m, x[:0], y[:0]),
            ShapeError,
            "x: expected at least one pattern, got none",
        ),
        (lambda m, x, y: m.plot(), EvorrnError, "a start of x, of y, or of both"),
        (
            lambda m, x, y: m.plot(x=x, pairs=(x[:1], y[:1])),
            ShapeError,
            "pairs: expected one for each of 2 cues, got 1",
        ),
        (
            lambda m, x, y: m.plot(x=x, shapes=(None, (2, 2))),
            EvorrnError,
            "rows times columns of y to be 5, got 2 x 2",
        ),
        (
            lambda m, x, y: m.recall(x=x, sweeps=0),
            EvorrnError,
            "sweeps: expected a whole number of at least 1",
        ),
        (lambda m, x, y: m.unpack(np.ones(29)), ShapeError, "genome: expected shape"),
        (lambda m, x, y: m.fitness(m.pack(), x, y), EvorrnError, "fitness: expected cues of x, of y"),
        (
            lambda m, x, y: m.fitness(m.pack(), x, y, x_cues=x[:1]),
            ShapeError,
            "cues: expected one for each of 2 pairs",
        ),
        (lambda m, x, y: setattr(m, "weights", np.ones((5, 6))), ShapeError, "weights: expected shape"),
        (
            lambda m, x, y: setattr(m, "weights", np.ones((5, 5))),
            ShapeError,
            r"weights: expected shape \(6, 5\)",
        ),
        (
            lambda m, x, y: setattr(m, "weights", np.full((6, 5), np.nan)),
            ShapeError,
            "weights: expected finite",
        ),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(act, kind, message):
    pytest.importorskip("matplotlib").use("Agg")
    memory, x, y = stored(6, 5, 2)
    with pytest.raises(kind, match=message):
        act(memory, x, y)
