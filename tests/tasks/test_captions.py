"""Captions: what a picture shows is read from its pixels by templates and said by a grammar of its own; baselines by hand."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.lab.runs.spec import resolve
from evorrn.training.assessment import SequenceAssessment
from evorrn_tasks.captions import SCENES, Thing, picture

SMALL = {"train": 40, "valid": 6, "test": 9}
TEMPLATES = {
    "square": [1] * 9,
    "ring": [1, 1, 1, 1, 0, 1, 1, 1, 1],
    "cross": [0, 1, 0, 1, 1, 1, 0, 1, 0],
    "bar": [0, 0, 0, 1, 1, 1, 0, 0, 0],
}


def read(pixels):
    """Return what a picture (9, 9, 3) without noise shows, by comparing each cell with each shape."""
    found = []
    for row in range(3):
        for column in range(3):
            for name, colour in enumerate(("red", "green", "blue")):
                cell = pixels[3 * row : 3 * row + 3, 3 * column : 3 * column + 3, name].ravel()
                for shape, template in TEMPLATES.items():
                    if cell.tolist() == template:
                        found.append((row, f"a {colour} {shape}"))
    if len(found) == 1:
        return found[0][1]
    (first, one), (second, two) = found
    return one + (" above " if first < second else " left of ") + two


def captions_of(task, batch):
    return [" ".join(task.output_names[number] for number in row) for row in batch.rows]


@pytest.mark.parametrize(("pairs", "seed"), [(0.8, 0), (1.0, 5), (0.5, 2)])
def test_captions_say_what_a_search_with_templates_finds_and_scenes_are_not_shared(pairs, seed):
    task = evorrn.task("captions", noise=0.0, pairs=pairs, **SMALL)
    seen = []
    for batch in task.data(seed):
        assert batch.vectors and batch.inputs.shape[1] == task.inputs == 243
        pictures = batch.inputs.reshape(-1, 9, 9, 3)
        assert captions_of(task, batch) == [read(each) for each in pictures]
        seen += [each.tobytes() for each in pictures]
    assert len(seen) == len(set(seen)) == 55
    lengths = np.concatenate([batch.target_lengths for batch in task.data(seed)])
    assert abs((lengths > 3).mean() - pairs) < 0.25


def test_noise_is_of_the_standard_deviation_and_only_one_thing_is_said_of_one_shape():
    task = evorrn.task("captions", noise=0.3, pairs=0.0, **{**SMALL, "train": 30})
    train = task.data(0).train
    assert set(train.target_lengths) == {3}
    left = train.inputs - np.round(np.clip(train.inputs, 0, 1))
    assert 0.15 < left.std() < 0.3
    clean = evorrn.task("captions", noise=0.0, pairs=0.0, **{**SMALL, "train": 30}).data(0).train
    assert abs((train.inputs - clean.inputs).std() - 0.3) < 0.01


def test_all_scenes_are_different_pictures_and_are_counted():
    things = [
        Thing(cell, colour, shape)
        for cell in range(9)
        for colour in ("red", "green", "blue")
        for shape in TEMPLATES
    ]
    scenes = [(one,) for one in things] + [
        (one, two) for one in things for two in things if one.cell < two.cell
    ]
    assert len(scenes) == SCENES == len({picture(scene).tobytes() for scene in scenes})


def test_the_baselines_are_those_of_a_search_by_hand():
    task = evorrn.task("captions", **SMALL)
    splits = task.data(3)
    found = task.baselines(splits)
    for shown, said in zip(splits.test.inputs, found["nearest picture"]):
        gaps = [np.linalg.norm(shown - each) for each in splits.train.inputs]
        assert said.tolist() == splits.train.rows[int(np.argmin(gaps))].tolist()
    known = [row.tolist() for row in splits.train.rows]
    assert known.count(found["most common caption"][0].tolist()) == max(map(known.count, known))
    scores = SequenceAssessment(splits, task).baselines("token_accuracy")
    assert 0 < scores["most common words"] < 1 and set(scores) == set(found)


def test_evolution_and_gradients_train_an_m_rnn_that_sees_the_picture():
    for strategy in ("ga", "bptt"):
        spec = resolve({"task": {"name": "captions", **SMALL}, "strategy": {"name": strategy}})
        assert (
            spec.network.decoder.cell_name == "m-rnn" and spec.network.encoder.hidden == (64,)
        ) or strategy == "ga"
        result = spec.strategy.fit(spec.network, spec.task, seed=0, budget="1gen")
        assert np.isfinite(list(result.metrics["test"].values())).all()
        said = result.decode(spec.task.data(0).test.inputs[:2], steps=5)
        assert len(said) == 2 and all(set(each.split()) <= set(spec.task.output_names) for each in said)


@pytest.mark.thorough
def test_an_m_rnn_learns_to_say_what_one_shape_is():
    task = evorrn.task("captions", pairs=0.0, train=40, valid=6, test=8)
    network = evorrn.Network.for_task(task, **task.recommended("bptt").network)
    result = evorrn.BPTT(batch_size=10, rate=0.005).fit(network, task, seed=0, budget="60gen")
    assert (
        result.metrics["train"]["exact_match"]
        > 0.9
        > SequenceAssessment(task.data(0), task).baselines("exact_match")["most common caption"]
    )


def test_more_pictures_than_half_of_the_scenes_are_refused():
    with pytest.raises(ConfigError, match="expected at most 54, half of the different scenes, got 55"):
        evorrn.task("captions", pairs=0.0, train=40, valid=6, test=9)
