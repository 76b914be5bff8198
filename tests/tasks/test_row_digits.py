"""Digits by rows and as grids: the pictures against scikit-learn's copy, rows as symbols, and the weights of Keras' example."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.training.assessment import SequenceAssessment
from evorrn_tasks.common.digits import drawing


def test_the_handwritten_digits_are_those_of_scikit_learn_each_in_one_split_at_most():
    known = pytest.importorskip("sklearn.datasets").load_digits()
    label = {picture.tobytes(): int(digit) for picture, digit in zip(known.images, known.target)}
    assert len(label) == 1797
    seen = []
    for batch in evorrn.task("row-digits").data(5):
        pictures = [16 * picture for picture in batch.inputs]
        seen += [picture.tobytes() for picture in pictures]
        assert [label[each.tobytes()] for each in pictures] == batch.targets[:, -1].tolist()
        assert batch.scored[:, -1].all() and batch.scored.sum() == batch.size
    assert len(seen) == len(set(seen)) == 1797


def test_a_row_as_a_symbol_is_the_binary_number_of_its_dark_pixels():
    pixels = evorrn.task("row-digits", train=40, valid=3, test=5).data(2)
    symbols = evorrn.task("row-digits", train=40, valid=3, test=5, symbols=300).data(2)
    for grey, numbers in zip(pixels, symbols):
        for picture, row in zip(grey.inputs, numbers.inputs):
            assert [int("".join("01"[int(p > 0.5)] for p in line), 2) for line in picture] == row.tolist()
        assert np.array_equal(grey.targets, numbers.targets)


@pytest.mark.parametrize(("name", "columns"), [("row-digits", 7), ("grid-digits", 7), ("row-digits", 3)])
def test_drawn_digits_show_their_segments_and_are_the_same_by_rows_and_as_a_grid(name, columns):
    settings = {"rows": 9, "columns": columns, "noise": 0.0, "train": 30, "valid": 2, "test": 4}
    batch = evorrn.task(name, **settings, pictures="drawn").data(1).train
    pictures = batch.inputs.reshape(30, 9, columns)
    same = evorrn.task("grid-digits", **settings).data(1).train.inputs.reshape(30, 9, columns)
    assert np.array_equal(pictures, same)
    for picture, digit in zip(pictures, batch.targets[:, -1]):
        shape = drawing(int(digit))
        places = [
            np.array_equal(picture[top : top + 5, left : left + 3], shape)
            for top in range(5)
            for left in range(columns - 2)
        ]
        assert any(places) and picture.sum() == shape.sum()


def test_a_grid_of_handwriting_has_the_pixels_of_its_rows():
    counts = {"train": 20, "valid": 3, "test": 4}
    grid = evorrn.task("grid-digits", pictures="handwritten", **counts).data(4)
    rows = evorrn.task("row-digits", **counts).data(4)
    for first, second in zip(grid, rows):
        assert np.array_equal(first.inputs.reshape(-1, 8, 8), second.inputs)
        assert np.array_equal(first.targets[:, -1], second.targets[:, -1])
    assert "pictures" not in evorrn.task("grid-digits").stored_values()


def test_the_nearest_picture_is_that_of_a_search_over_all():
    task = evorrn.task("row-digits", train=50, valid=2, test=30)
    splits = task.data(0)
    said = task.baselines(splits)["nearest picture"]
    for row in (0, 3, 7):
        for asked, logits in zip(splits.test.inputs, said):
            gaps = [np.abs(asked - each)[: row + 1].ravel() for each in splits.train.inputs]
            best = min(range(50), key=lambda k: float(gaps[k] @ gaps[k]))
            assert logits[row].argmax() == splits.train.targets[best, -1]
    found = SequenceAssessment(splits, task).baselines("accuracy")
    assert found["nearest picture"] > 0.6 > found["class frequencies"]


def test_the_network_of_keras_example_has_its_number_of_weights():
    task = evorrn.task("row-digits", symbols=1000)
    network = evorrn.Network.for_task(task, cell="lstm", hidden=128)
    assert network.size == 164_106 and network.blocks["embedding.W"] == (1000, 64)
    outputs = network.predict(network.init(seed=0), task.data(0).test.inputs[:3])
    assert outputs.shape == (3, 10)


def test_gradients_learn_to_read_digits_by_rows_and_other_ways_run():
    task = evorrn.task("row-digits", train=300, valid=100, test=100)
    network = evorrn.Network.for_task(task, cell="gru", hidden=16)
    read = evorrn.BPTT(batch_size=20, rate=0.01).fit(network, task, seed=0, budget="12gen")
    assert read.metrics["test"]["accuracy"] > 0.7
    symbols = evorrn.task("row-digits", symbols=256, train=60, valid=10, test=10)
    for name, strategy in (
        ("ga", evorrn.GeneticAlgorithm(population=4)),
        ("esn", evorrn.EchoState(alphas=(1e-2,))),
    ):
        chosen = {**symbols.recommended(name).network, "hidden": 4}
        small = evorrn.Network.for_task(symbols, **chosen)
        assert np.isfinite(strategy.fit(small, symbols, seed=0, budget="1gen").metrics["test"]["accuracy"])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"train": 2000}, "expected at most 1797 handwritten digits together, got 2797"),
        ({"symbols": 255}, "symbols: expected at least 256, the different rows of 8 pixels, or 0, got 255"),
        ({"pictures": "drawn", "columns": 11, "symbols": 5000}, "columns: expected at most 10 where a row is a symbol"),
        ({"pictures": "photographed"}, "pictures: "),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused_in_words(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        evorrn.task("row-digits", **settings)
