"""Networks of text: samples, probabilities and repetitions, against sums over all texts and steps by hand."""

import itertools
import math

import numpy as np
import pytest

import evorrn
from evorrn import Model, Network, TextModel
from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.training.text import repetition

NAMES = ("\\n", "a", "b", "unknown")


def model(seed=0, scale=2.0, cell="elman"):
    net = Network(4, 4, cell=cell, hidden=3, loss="cross-entropy", dtype="float64")
    genome = scale * np.random.default_rng(seed).standard_normal(net.size)
    return TextModel(Model(genome, net, input_names=NAMES, output_names=NAMES))


@pytest.mark.parametrize(
    ("seed", "cell", "prompt"),
    [(0, "elman", ""), (1, "gru", "ab"), pytest.param(2, "lstm", "\n", marks=pytest.mark.thorough)],
)
def test_probabilities_of_all_texts_of_a_length_add_up_to_one(seed, cell, prompt):
    text = model(seed, cell=cell)
    every = ["".join(letters) for letters in itertools.product("\nab?", repeat=3)]
    assert sum(2 ** text.log2_probability(each, prompt) for each in every) == pytest.approx(1, abs=1e-6)


def test_a_text_is_as_probable_as_its_parts_one_after_the_other():
    text = model(3)
    whole = text.log2_probability("abba", "b")
    parts = text.log2_probability("ab", "b") + text.log2_probability("ba", "bab")
    assert whole == pytest.approx(parts)


def test_samples_have_the_frequencies_of_the_probabilities():
    text = model(4, scale=1.0)
    draws = [text.sample(1, "a", seed=seed) for seed in range(600)]
    wanted = np.array([2 ** text.log2_probability(each, "a") for each in "\nab"])
    share = np.array([draws.count(each) for each in "\nab"]) / len(draws)
    assert np.abs(share - wanted / wanted.sum()).max() < 4 * math.sqrt(0.25 / len(draws))


def test_a_low_temperature_is_greedy_and_greedy_takes_the_most_probable_character():
    text = model(5)
    greedy = text.sample(30, "ab", temperature=0)
    assert text.sample(30, "ab", temperature=1e-9, seed=7) == greedy
    for place, taken in enumerate(greedy):
        others = {each: text.log2_probability(each, "ab" + greedy[:place]) for each in "\nab"}
        assert max(others, key=others.get) == taken
    assert text.sample(50, seed=1) == text.sample(50, seed=1) != text.sample(50, seed=2)


def test_greedy_text_ends_in_a_circle_and_the_period_is_found():
    ended = [repetition(model(seed).sample(200, temperature=0)) for seed in range(5)]
    assert all(ended), ended
    assert repetition("a" * 11) == "" and repetition("a" * 12) == "a"
    assert repetition("xyz the end of the end of the end of") == "the end of "[-1:] + "the end of"
    assert repetition("no circle in here at all") == "" and repetition("") == ""


def test_what_cannot_be_asked_is_said():
    with pytest.raises(ConfigError, match="temperature: expected a number of at least 0, got -1") as error:
        model().sample(0, temperature=-1)
    assert len(error.value.problems) == 2
    for length in (2.5, 10**13):
        with pytest.raises(ConfigError, match="length: expected"):
            model().sample(length)
    with pytest.raises(ConfigError, match="at least one character"):
        model().log2_probability("")
    net = Network(1, 1, hidden=2)
    with pytest.raises(EvorrnError, match="trained on running text"):
        TextModel(Model(net.init(seed=0), net))
    broken = model()
    broken.model.genome[:] = np.nan
    with pytest.raises(EvorrnError, match="not finite"):
        broken.sample(3)
    assert model().unknown("caba!") == ["c", "!"]


def test_a_result_of_the_task_writes_and_its_file_too(tmp_path):
    task = evorrn.task("text", characters=600)
    net = Network.for_task(task, cell="elman", hidden=2)
    result = evorrn.RandomSearch(count=2).fit(net, task, seed=0, budget="1gen")
    result.save_model(tmp_path / "a.model")
    again = evorrn.load_model(tmp_path / "a.model")
    assert TextModel(result).sample(20) == TextModel(again).sample(20)


def test_a_bidirectional_network_of_running_text_is_said_to_see_what_it_predicts():
    task = evorrn.task("text", characters=300)
    for both in (True, False):
        network = evorrn.Network.for_task(task, cell="elman", hidden=2, bidirectional=both)
        notes = evorrn.RandomSearch(count=2).fit(network, task, budget="1gen").notes
        assert any("sees the later inputs" in note for note in notes) == both


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("counterpoint", {"train": 2, "valid": 1, "test": 2}),
        ("bouncing-balls", {"train": 2, "valid": 1, "test": 1}),
        ("counting", {}),
        ("long-lag", {"lag": 3}),
        ("embedded-reber", {"train": 4, "valid": 2, "test": 2}),
    ],
)
def test_bidirectional_networks_of_every_task_whose_targets_tell_later_inputs_are_said_to_see_them(
    name, settings, tmp_path
):
    task = evorrn.task(name, **settings)
    network = evorrn.Network.for_task(task, cell="elman", hidden=2, bidirectional=True)
    result = evorrn.RandomSearch(count=2).fit(network, task, budget="1gen")
    assert any("sees the later inputs" in note for note in result.notes)
    result.save(tmp_path)
    assert evorrn.load(tmp_path).notes == result.notes


def test_own_symbols_that_are_the_next_inputs_are_noticed_and_the_class_of_a_hidden_state_is_not():
    shown = np.random.default_rng(0).integers(0, 3, (4, 9))
    network = evorrn.Network(3, 3, cell="elman", hidden=2, loss="cross-entropy", bidirectional=True)
    for targets, sees in ((shown[:, 1:], True), (shown[:, :-1], False)):
        found = evorrn.RandomSearch(count=2).fit(network, evorrn.Batch(shown[:, :-1], targets), budget="1gen")
        assert found.sees_targets == sees
    task = evorrn.task("hidden-states", train=4, valid=2, test=2)
    network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    assert network.bidirectional
    assert not evorrn.RandomSearch(count=2).fit(network, task, budget="1gen").sees_targets
