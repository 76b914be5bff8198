"""Labels that are characters are drawn as text, line by line, with what is wrong marked; other labels as before."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from evorrn.base.files import npz_bytes
from evorrn.lab.report.characters import COLUMNS, draw_characters, places, signs_of
from evorrn.lab.report.outputs import draw_outputs, outputs_height
from evorrn.lab.runs.outputs import Predictions, read_outputs
from evorrn.lab.study.sentences.comparison import hidden

NAMES = ("space", "a", "\\n", "ß", "unknown")
NAN = np.nan


def drawn(truth, predicted, names=NAMES):
    axes = Figure().subplots()
    draw_characters(axes, np.array(truth, float), np.array(predicted, float), signs_of(names), "net")
    lines = {}
    for text in axes.texts:
        column, line = text.get_position()
        lines.setdefault(line, {})[column] = (text.get_text(), text.get_bbox_patch() is not None)
    return axes, lines


def written(line):
    return "".join(line[column][0] if column in line else " " for column in range(max(line) + 1))


def test_truth_and_prediction_stand_below_each_other_and_what_is_wrong_is_marked():
    _, lines = drawn([1, 0, 3, 2, 4], [1, 1, 3, 0, 2])
    assert written(lines[0]) == "a ß↵�" and written(lines[1]) == "aaß␣↵"
    assert [lines[1][k][1] for k in range(5)] == [False, True, False, True, True]
    assert not any(marked for _, marked in lines[0].values())


def test_answers_of_different_lengths_are_apart_and_missing_characters_are_shown():
    _, lines = drawn([1, 3, NAN, 1, NAN, NAN], [1, NAN, NAN, 1, 3, NAN])
    assert written(lines[0]) == "aß a" and written(lines[1]) == "a␣ aß"
    assert [k for k, (_, marked) in lines[1].items() if marked] == [1, 4]


@pytest.mark.parametrize("count", [1, COLUMNS, COLUMNS + 1, 3 * COLUMNS])
def test_long_text_is_broken_into_lines_of_one_width(count):
    found = places(np.ones(count), np.ones(count))
    assert found == [divmod(place, COLUMNS) for place in range(count)]


def test_no_answer_that_fits_into_a_line_is_broken():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 15, 40)
    truth = np.concatenate([np.append(np.ones(n), NAN) for n in lengths])
    found, first = places(truth, truth), 0
    for n in lengths:
        rows = {row for row, _ in found[first : first + n]}
        assert len(rows) == 1
        first += n + 1
    shown = [place for place, value in zip(found, truth) if np.isfinite(value)]
    assert len(set(shown)) == len(shown) and max(column for _, column in shown) < COLUMNS


@pytest.mark.parametrize("names", [("output1", "output2"), ("rise", "fall"), (), ("start", "stop")])
def test_labels_that_are_no_characters_keep_their_curve(names):
    assert signs_of(names) is None
    shown = Predictions(np.array([[0, 1]]), np.zeros((1, 2, 2)), np.ones((1, 2), bool), classes=names)
    axes = Figure().subplots()
    draw_outputs(axes, shown, "net")
    assert axes.lines and not axes.texts and outputs_height(shown) == 2.9


def test_a_run_folder_knows_the_names_of_its_labels(tmp_path):
    truth = np.array([[1, 0, 3]])
    arrays = {"truth": truth, "predicted": np.eye(5)[truth], "scored": np.ones((1, 3), bool)}
    (tmp_path / "predictions.npz").write_bytes(npz_bytes(arrays))
    assert read_outputs(tmp_path).classes == ()
    (tmp_path / "result.json").write_text(json.dumps({"output_names": list(NAMES)}))
    shown = read_outputs(tmp_path)
    assert shown.classes == NAMES
    axes = Figure().subplots()
    draw_outputs(axes, shown, "net")
    assert [text.get_text() for text in axes.texts[::2]] == ["a", " ", "ß"]
    assert outputs_height(shown) < 1.5


def test_the_network_of_a_row_is_said_with_its_wiring():
    assert hidden({"cell": "gru", "hidden": 48, "embedding": 32, "direct": False}) == "gru 48, embedding 32"
    assert hidden(
        {"cell": ["gru", "lstm"], "hidden": [3, 4], "bidirectional": True, "readout": "last", "reads": "all"}
    ) == ("bidirectional gru+lstm 3+4, readout last, reads all")
    assert hidden({"cell": "elman", "hidden": 3, "context": "every"}) == "elman 3, context every"
    assert hidden({"cell": "gru", "hidden": [6, 6], "kind": "encoder-decoder"}) == "gru 6+6, encoder-decoder"
    assert hidden({"cell": "elman", "hidden": 3}) == "elman 3"
