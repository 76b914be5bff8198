"""The task text: next characters, what is unknown, and what a program that compresses needs."""

import lzma
import math

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, DataError
from evorrn.data.characters import Characters
from evorrn.data.metrics import METRICS
from evorrn.data.text_file import is_running_text
from evorrn.lab.runs.spec import resolve
from evorrn.training.assessment import SequenceAssessment

PROSE = "It was late; the lamp, as ever, was lit. Nobody came.\n"


def made(tmp_path, text, **settings):
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8", newline="")
    return evorrn.task("text", path=str(path), **settings)


def scored(batch, task):
    return task.alphabet.text(batch.targets[batch.scored])


@pytest.mark.parametrize(("length", "context"), [(100, 20), (7, 0), (1, 3), (10_000, 5)])
def test_the_splits_are_the_text_in_its_order_and_every_target_is_the_next_character(
    tmp_path, length, context
):
    text = PROSE * 20
    task = made(tmp_path, text, length=length, context=context, rare=0)
    splits = task.data(0)
    assert "".join(scored(batch, task) for batch in splits) == text[context + 1 :]
    for batch in splits:
        shown = batch.inputs
        assert batch.symbols and shown.max() < task.inputs
        for row, steps in enumerate(batch.lengths):
            assert np.array_equal(shown[row, 1:steps], batch.targets[row, : steps - 1])
            assert not batch.scored[row, :context].any() and batch.scored[row, context:steps].all()


def test_characters_that_training_has_not_or_once_are_one_unknown_symbol_and_this_is_said(tmp_path):
    text = "abcé" + "ab c" * 100 + "xyz"
    task = made(tmp_path, text, context=0)
    assert task.alphabet.known == (" ", "a", "b", "c")
    assert task.output_names == ("space", "a", "b", "c", "unknown")
    assert task.data(0).test.targets.max() == 4
    assert "4 characters at most 1 times" in task.data_notes[1] and "'é'" in task.data_notes[1]
    assert made(tmp_path, text, rare=0, context=0).alphabet.known == (" ", "a", "b", "c", "é")


def test_names_of_characters_lead_back_to_them():
    characters = Characters.of(" \n\t\\'a,é\u00a0\u2014")
    assert all(name.isprintable() and name != " " for name in characters.names)
    assert Characters.named(characters.names) == characters
    assert Characters.named(("class1", "class2")) is None and Characters.named(()) is None
    assert Characters.named(("a", "b")) is None


def test_bits_per_symbol_of_a_fair_coin_is_one():
    logits, labels = np.zeros((6, 2)), np.array([0, 1, 1, 0, 1, 0])
    assert METRICS["bits_per_symbol"](logits, labels) == pytest.approx(1)
    sure = np.log([[0.5, 0.25, 0.25]])
    assert METRICS["bits_per_symbol"](sure, np.array([1])) == pytest.approx(2)


def test_lzma_counts_what_test_adds_to_the_compressed_rest():
    task = evorrn.task("text", characters=8000, rare=0, context=0)
    splits = task.data(0)
    text = task.text[1:]
    start = len(text) - int(splits.test.scored.sum())
    sizes = [
        len(lzma.compress(part.encode(), preset=9 | lzma.PRESET_EXTREME, check=lzma.CHECK_NONE))
        for part in (text[:start], text)
    ]
    found = SequenceAssessment(splits, task).baselines("bits_per_symbol")
    assert found["lzma"] == pytest.approx(8 * (sizes[1] - sizes[0]) / (len(text) - start), abs=0.1)
    assert 1.5 < found["lzma"] < found["character frequencies"] < math.log2(task.outputs)
    assert set(SequenceAssessment(splits, task).baselines("accuracy")) == {"character frequencies"}


def test_the_ngram_stands_beside_and_is_better_than_frequencies():
    task = evorrn.task("text", characters=8000)
    assessment = SequenceAssessment(task.data(0), task)
    (ngram,) = assessment.comparators("bits_per_symbol", ()).values()
    assert ngram < assessment.baselines("bits_per_symbol")["character frequencies"] - 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("short", "expected at least 61 characters, got 5"), ("a" * 500, "expected at least two characters")],
)
def test_texts_that_are_too_short_or_have_one_character_are_refused(tmp_path, text, sentence):
    with pytest.raises(DataError, match=sentence):
        made(tmp_path, text).data(0)
    with pytest.raises(DataError, match="binary"):
        made(tmp_path, "\x00\x01" * 100).data(0)


@pytest.mark.parametrize(
    ("text", "running"),
    [
        (PROSE, True),
        ("In 1984, 3 men; 2 boats.\nChapter\nIt was.\n", True),
        ("In May, 20, they came.\nThen 3, 4, 5 more, and they sang, 7 songs.\nWe saw it, 9.\n", True),
        ('day,load,note\n1,4,it rained all day\n2,5,"warm, dry, and no wind"\n3,6,snow fell\n', False),
        ("load\n1\n2\n", False),
        ("a;b\nx;1,5\ny;2,5\n", False),
        ("date,load\n2020-01-01,4\n2020-01-02,5\n", False),
        ("1 2 3\n4 5 6\n", False),
        ("", False),
        ("\n\n", False),
        ("\x00\x01\x02", False),
        ("# a table\nname\tsize\nx\t3\ny\t\nz\t4\n", False),
    ],
)
def test_tables_are_told_from_running_text_by_cells_that_are_numbers(tmp_path, text, running):
    (tmp_path / "a.txt").write_text(text)
    assert is_running_text(tmp_path / "a.txt") == running
    assert not is_running_text(tmp_path / "none.txt") and not is_running_text(tmp_path)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.thorough)])
def test_characters_as_numbers_are_to_a_network_without_an_embedding_what_vectors_with_a_one_are(dtype):
    task = evorrn.task("text", characters=900, length=30, context=3)
    train, valid, test = task.data(0)
    network = evorrn.Network.for_task(task, cell="elman", hidden=3, embedding=0, dtype=dtype)
    splits = [(each, each.with_inputs(np.eye(task.inputs)[each.inputs])) for each in (train, valid, test)]
    numbers, vectors = (
        evorrn.BPTT(batch_size=4).fit(network, evorrn.Splits(*each), seed=0, budget="2gen")
        for each in zip(*splits)
    )
    assert numbers.genome.tobytes() == vectors.genome.tobytes() and numbers.metrics == vectors.metrics
    assert numbers.meter.work == vectors.meter.work


def test_comparators_see_the_same_in_characters_as_numbers_and_as_vectors():
    task = evorrn.task("text", characters=900, length=30, context=3)
    splits = task.data(0)
    vectors = evorrn.Splits(*(each.with_inputs(np.eye(task.inputs)[each.inputs]) for each in splits))
    for (name, first), (other, second) in zip(
        task.comparators(splits, ()).items(), task.comparators(vectors, ()).items()
    ):
        assert name == other and np.array_equal(first, second)


def test_an_embedding_is_the_form_and_strategies_of_one_time_step_and_reservoirs_go_without():
    task = {"name": "text", "characters": 400, "length": 20, "context": 5}

    def network(name, **given):
        return resolve({"task": task, "strategy": {"name": name}, "network": given}).network

    assert [network(name).embedding for name in ("bptt", "ga", "esn", "rtrl", "ekf")] == [32, 8, 0, 0, 0]
    assert evorrn.Network.for_task(evorrn.task("text"), cell="gru", hidden=4).embedding == 32
    assert network("bptt", embedding=0).size > 0 and network("esn").direct
    with pytest.raises(ConfigError, match="make it without embedding=4"):
        network("rtrl", embedding=4).step_structure  # noqa: B018
