"""``evorrn automaton``: the automaton of a run, printed, written and drawn."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import WALK, WAVE

import evorrn
from evorrn.automata import DFA, tomita_dfa

GUESSING = ("--strategy", "random", "--set", "strategy.count=64", "--set", "strategy.width=10.0")
SIZES = ("hidden=1", "cell=elman"), ("strings=every", "longest=6", "valid=20", "test=20")


def guessed(console, language, budget, *more):
    """Return the folder of a run whose network of one unit was guessed."""
    settings = [f"network.{each}" for each in SIZES[0]] + [
        f"task.{each}" for each in (*SIZES[1], *more, f"language={language}")
    ]
    words = [part for each in settings for part in ("--set", each)]
    said = console.type("run", "tomita", *GUESSING, *words, "--budget", budget, "--json")
    assert said.code == 0, said.err
    return Path(json.loads(said.out)["folder"])


@pytest.fixture
def run(console):
    """A network that accepts ones alone."""
    return guessed(console, 1, "20gen")


@pytest.mark.usefixtures("pictures")
def test_the_automaton_is_printed_written_and_drawn(console, run):
    said = console.type("automaton", run.name[:8])
    assert said.code == 0, said.err
    assert (
        "2 states" in said.out and "It is equivalent to the automaton of the task, of 2 states." in said.out
    )
    assert (run / "plots" / "automaton.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads((run / "automaton.json").read_text())
    assert written["equivalent"] is True and written["counterexample"] is None and written["fidelity"] == 1.0
    assert DFA(**written["automaton"]).equivalent(tomita_dfa(1), empty=False)
    assert written["accuracy"]["test"] == {"network": 1.0, "automaton": 1.0}
    again = console.type("automaton", run, "--json", "--longest", 5)
    assert json.loads(again.out)["states"] == 2
    assert json.loads(again.out)["strings"] != written["strings"]


def test_an_automaton_of_another_language_comes_with_the_shortest_counterexample(console):
    folder = guessed(console, 4, "1gen")
    said = console.type("automaton", folder, "--json")
    found = json.loads(said.out)
    assert said.code == 0 and found["equivalent"] is False
    other = DFA(**found["automaton"])
    string = found["counterexample"]
    assert other.accepts([string])[0] != ("000" not in string)
    result = evorrn.load(folder)
    errs = (result.predict(np.eye(2)[[int(symbol) for symbol in string]])[-1, 0] > 0) != ("000" not in string)
    assert found["network_errs"] is bool(errs)
    said = console.type("automaton", folder)
    where = f"they differ on {string}, where the network itself is {'wrong' if errs else 'right'}."
    assert f"It is not equivalent to the automaton of the task, of 4 states: {where}" in said.out


@pytest.mark.parametrize("marks", [(), ("begin",), ("end",), ("begin", "end")])
def test_accuracies_are_those_of_the_scored_answers_wherever_they_come(console, marks):
    """Where automaton and network agree on all strings, they give equally many right answers."""
    folder = guessed(console, 1, "20gen", *(f"{mark}=true" for mark in marks))
    found = json.loads(console.type("automaton", folder, "--json").out)
    assert found["answers_empty"] is bool(marks)
    if found["fidelity"] == 1.0:
        for split in ("train", "valid"):
            assert found["accuracy"][split]["network"] == found["accuracy"][split]["automaton"]
    result = json.loads((folder / "result.json").read_text())
    assert found["accuracy"]["test"]["network"] == result["metrics"]["test"]["binary_accuracy"]


def test_a_task_without_an_automaton_of_its_own_is_read_by_its_inputs(console):
    words = ("run", "parity", "--strategy", "random", "--budget", "2gen", "--json")
    sizes = ("shortest=5", "longest=9", "train=20", "valid=10", "test=10")
    said = console.type(*words, *(part for size in sizes for part in ("--set", f"task.{size}")))
    found = json.loads(console.type("automaton", json.loads(said.out)["folder"], "--json").out)
    assert found["automaton"]["symbols"] == ["0", "1"] and found["equivalent"] is None
    assert 0 <= found["accuracy"]["test"]["network"] <= 1


@pytest.mark.parametrize("both", [False, True])
def test_symbols_given_as_whole_numbers_are_read_and_networks_of_both_directions_refused(console, both):
    sizes = ("train=6", "valid=3", "test=3", "steps=9", "states=2")
    words = (
        "run",
        "hidden-states",
        "--strategy",
        "random",
        "--cell",
        "elman",
        "--hidden",
        2,
        "--budget",
        "1gen",
    )
    settings = (*(f"task.{size}" for size in sizes), f"network.bidirectional={str(both).lower()}")
    said = console.type(*words, "--json", *(part for each in settings for part in ("--set", each)))
    assert said.code == 0, said.err
    said = console.type("automaton", json.loads(said.out)["folder"])
    if both:
        assert said.code == 2 and "expected a network with one time step" in said.err
    else:
        assert said.code == 0 and "hidden-states" in said.out, said.err


def test_queries_without_their_package_are_refused_with_the_extra_that_installs_it(console, run, monkeypatch):
    for name in ("aalpy", "aalpy.base", "aalpy.learning_algs"):
        monkeypatch.setitem(sys.modules, name, None)
    said = console.type("automaton", run, "--method", "lstar")
    assert said.code == 2 and said.out == "" and "pip install 'evorrn[automata]'" in said.err
    assert not (run / "automaton.json").exists()


def test_wrong_words(console, tmp_path, run):
    said = console.type("run", WAVE, "--strategy", WALK, "--budget", "2gen", "--json")
    wave = json.loads(said.out)["folder"]
    acting = ("run", "t-maze", "--strategy", "random", "--cell", "elman", "--hidden", 2)
    actor = json.loads(console.type(*acting, "--budget", "1gen", "--json").out)["folder"]
    for words, wanted in (
        (("automaton", "ffff"), "no run 'ffff'"),
        (("automaton", tmp_path), "no spec.toml"),
        (("automaton", wave), "expected sequences of symbols, at most 16 different inputs"),
        (("automaton", actor), "expected a run on sequences of symbols"),
        (("automaton", run, "--method", "kmeans"), "unknown method 'kmeans'"),
        (("automaton", run, "--longest", 40), "longest: expected at most 1,000,000 strings"),
    ):
        said = console.type(*words)
        assert said.code == 2 and wanted in said.err and "Traceback" not in said.err, (words, said.err)
        assert said.out == ""
    (run / "status.json").write_text('{"status": "failed"}')
    said = console.type("automaton", run)
    assert said.code == 2 and "expected a complete run, this one is failed" in said.err
