"""Running text at the command line: a file that ends in .txt, and evorrn sample."""

import json

import numpy as np
import pytest

import evorrn

PROSE = "It was late; the lamp, as ever, was lit. Nobody came.\n"
QUICK = ("--strategy", "random", "--hidden", "2", "--budget", "1gen", "--set", "strategy.count=2")


def test_a_text_file_is_read_as_running_text_and_a_table_as_a_table(console, tmp_path):
    (tmp_path / "my.txt").write_text(PROSE * 20)
    said = console.type("run", "my.txt", *QUICK)
    assert said.code == 0 and "my.txt: running text of 1080 characters" in said.err, said.err
    assert "random on my.txt:" in said.out
    said = console.type("run", "my.txt", *QUICK, "--target", "load")
    assert said.code == 2 and "running text" not in said.err  # a target is asked of a table
    rows = "\n".join(f"{k},{k % 7}" for k in range(80))
    (tmp_path / "table.txt").write_text(f"a,b\n{rows}\n")
    said = console.type("run", "table.txt", *QUICK)
    assert said.code == 0 and "running text" not in said.err
    said = console.type("run", "my.txt", *QUICK, "--set", "task.lenght=3")
    assert said.code == 2 and "did you mean 'length'" in said.err


def test_sample_writes_and_tells_probabilities(console, tmp_path):
    (tmp_path / "my.txt").write_text(PROSE * 20)
    folder = json.loads(console.type("run", "my.txt", *QUICK, "--json").out)["folder"]
    said = console.type("sample", folder, "--length", 40, "--prompt", "It ", "--seed", 3)
    assert said.code == 0 and said.out.startswith("It ") and len(said.out) == len("It ") + 40 + 1
    said = console.type("sample", folder, "--temperature", 0, "--length", 300, "--json")
    assert json.loads(said.out)["repeats"] and len(json.loads(said.out)["text"]) == 300
    said = console.type("sample", folder, "--temperature", 0, "--length", 300)
    assert "leads into a circle" in said.err
    said = console.type("sample", folder, "--probability", "It was é", "--json")
    found = json.loads(said.out)
    assert found["bits"] > 0 and found["bits"] / 8 == found["bits_per_symbol"] and "'é'" in said.err
    said = console.type("sample", folder, "--length", 0)
    assert said.code == 2 and "length: expected a whole number of at least 1" in said.err


def test_predict_tells_the_next_character_of_a_text(console, tmp_path):
    (tmp_path / "my.txt").write_text(PROSE * 20)
    run = json.loads(console.type("run", "my.txt", *QUICK, "--json").out)
    assert run["network"]["embedding"] == 8 and "readout" not in run["network"]
    (tmp_path / "new.txt").write_bytes("It was\r\né".encode())
    said = console.type("predict", run["folder"], "new.txt", "--json")
    assert said.code == 0 and "new.txt: running text of 8 characters" in said.err and "'é'" in said.err
    rows = json.loads(said.out)["rows"]
    assert [row["character"] for row in rows] == ["I", "t", "space", "w", "a", "s", "\\n", "unknown"]
    model = evorrn.TextModel(evorrn.load(tmp_path / run["folder"]))
    logits = np.asarray(model.model.predict("It was\n"), np.float64)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for row, one, following in zip(rows, chances, model.characters.numbers("t was\né")):
        assert row["next"] == model.characters.names[one.argmax()]
        np.testing.assert_allclose((row["probability"], row["bits"]), (one.max(), -np.log2(one[following])))
    assert rows[-1]["bits"] is None
    said = console.type("predict", run["folder"], "new.txt", "--out", "found.csv")
    assert said.code == 0 and (tmp_path / "found.csv").read_text().startswith(
        "step,character,next,probability,bits\n"
    )
    assert (tmp_path / "found.png").is_file()


def test_predict_refuses_what_is_no_text_to_a_network_of_text(console, tmp_path):
    (tmp_path / "my.txt").write_text(PROSE * 20)
    folder = json.loads(console.type("run", "my.txt", *QUICK, "--json").out)["folder"]
    for content, words in ((b"", "at least one character"), (b"a\x00b", "binary data")):
        (tmp_path / "new.txt").write_bytes(content)
        said = console.type("predict", folder, "new.txt")
        assert said.code == 2 and words in said.err and said.out == ""
    said = console.type("predict", folder, "my.txt", "--columns", "a", "--level", "0.5", "--decimal", ",")
    assert said.code == 2 and all(
        f"--{name}: expected none" in said.err for name in ("columns", "level", "decimal")
    )
    assert console.type("predict", folder, "none.txt").code == 2
    said = console.type("forecast", folder, "--steps", "5")
    assert said.code == 2 and "evorrn sample lets it write" in said.err


def test_bits_of_a_long_text_do_not_depend_on_how_it_is_divided(console, tmp_path, monkeypatch):
    (tmp_path / "my.txt").write_text(PROSE * 20)
    folder = json.loads(console.type("run", "my.txt", *QUICK, "--json").out)["folder"]
    model, whole = evorrn.TextModel(evorrn.load(tmp_path / folder)), []
    for size in (5, 54, 10_000):
        monkeypatch.setattr("evorrn.training.text.CHARACTERS", size)
        whole.append(model.next_characters(PROSE * 2))
    for other in whole[1:]:
        np.testing.assert_allclose(other.bits, whole[0].bits, rtol=1e-5)
        assert (other.chosen == whole[0].chosen).all()


def test_sample_of_another_task_is_refused(console):
    run = console.type("run", "adding", *QUICK, "--set", "task.length=3", "--json")
    said = console.type("sample", json.loads(run.out)["folder"])
    assert said.code == 2 and "trained on running text" in said.err


def test_the_line_of_a_wired_network_says_how_it_is_wired_and_its_picture_has_characters(console, tmp_path):
    (tmp_path / "my.txt").write_text(PROSE * 12)
    said = console.type("run", "my.txt", *QUICK)
    assert "network elman, 2 units, embedding 8, " in said.out
    wired = (
        "--set",
        "network.bidirectional=true",
        "--set",
        "task.train=20",
        "--set",
        "task.valid=3",
        "--set",
        "task.test=3",
    )
    said = console.type("run", "row-digits", *QUICK, *wired)
    assert "network bidirectional gru, 2 units, readout last, " in said.out


def test_sample_of_an_encoder_decoder_answers_a_question(console):
    small = [
        f"--set=network.{part}.{name}" for part in ("encoder", "decoder") for name in ("cell=gru", "hidden=2")
    ]
    counts = ("--set", "task.train=9", "--set", "task.valid=3", "--set", "task.test=3")
    way = ("--strategy", "random", "--budget", "1gen", "--set", "strategy.count=2")
    said = console.type("run", "addition", *way, *small, *counts, "--json")
    assert said.code == 0, said.err
    folder = json.loads(said.out)["folder"]
    said = console.type("sample", folder, "--prompt", "7+21", "--length", 5)
    assert said.code == 0 and len(said.out.strip()) <= 5 and set(said.out.strip()) <= set("0123456789")
    again = console.type("sample", folder, "--prompt", "7+21", "--length", 5, "--json")
    assert json.loads(again.out) == {"prompt": "7+21", "text": said.out.strip()}
    for command in ("diagnose", "predict", "forecast"):
        said = console.type(command, folder, *(["my.txt"] if command == "predict" else []))
        assert said.code == 2 and "encoder" in said.err
    for wrong, sentence in (
        (("--prompt", "7*2"), "got '*'"),
        (("--prompt", ""), "at least one symbol"),
        (("--probability", "9"), "running text"),
    ):
        said = console.type("sample", folder, *wrong)
        assert said.code == 2 and sentence in said.err


def test_predict_reads_symbols_from_a_file_and_gives_one_row_where_a_sequence_is_read_once(console, tmp_path):
    (tmp_path / "my.txt").write_text(PROSE * 12)
    folder = json.loads(console.type("run", "my.txt", *QUICK, "--json").out)["folder"]
    np.savez(tmp_path / "ids.npz", inputs=np.array([[1, 2, 3], [3, 2, 1]]))
    found = console.type("predict", folder, "ids.npz", "--json")
    assert found.code == 0 and len(json.loads(found.out)["rows"]) == 6, found.err
    np.savez(tmp_path / "bad.npz", inputs=np.array([[1, 2, 999]]))
    said = console.type("predict", folder, "bad.npz")
    assert said.code == 2 and "expected symbols from 0 to" in said.err
    counts = ("--set", "task.train=20", "--set", "task.valid=3", "--set", "task.test=3")
    folder = json.loads(console.type("run", "row-digits", *QUICK, *counts, "--json").out)["folder"]
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "pictures.npz", inputs=rng.random((4, 8, 8)))
    rows = json.loads(console.type("predict", folder, "pictures.npz", "--json").out)["rows"]
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4] and all(0 <= row["label"] < 10 for row in rows)


COMPARED = (
    "--strategies",
    "random",
    "--seeds",
    1,
    "--hidden",
    2,
    "--budget",
    "100k",
    "--set",
    "random.count=2",
)
BOTH = ("--set", "network.bidirectional=true")


def test_comparisons_and_runs_say_that_a_bidirectional_network_sees_the_text_that_it_predicts(
    console, tmp_path
):
    (tmp_path / "my.txt").write_text(PROSE * 20)
    assert "a bidirectional network sees the later inputs" in console.type("run", "my.txt", *QUICK, *BOTH).out
    said = console.type("run", "my.txt", *QUICK, *BOTH, "--json")
    assert any("sees the later inputs" in text for text in json.loads(said.out)["notes"])
    said = console.type("compare", "my.txt", *COMPARED, *BOTH)
    assert said.code == 0, said.err
    assert "Bidirectional networks see the later inputs" in said.out
    page = said.out.split("report: ")[1].strip()
    assert "Bidirectional networks see the later inputs" in (tmp_path / page).read_text()


@pytest.mark.thorough
def test_sweeps_say_so_too_and_comparisons_of_other_networks_do_not(console, tmp_path):
    (tmp_path / "my.txt").write_text(PROSE * 20)
    said = console.type("compare", "my.txt", *COMPARED)
    assert said.code == 0 and "see the later inputs" not in said.out
    (tmp_path / "s.toml").write_text(
        'seeds = 1\n[base]\nbudget = "1gen"\ntask = {name = "text", path = "my.txt"}\nnetwork = {cell = "elman", hidden = 2}\n'
        'strategy = {name = "random", count = 2}\n[axes]\n"network.bidirectional" = [true, false]\n'
    )
    assert console.type("sweep", "run", "s.toml").code == 0
    said = console.type("report", "s.toml")
    assert "the scores of bidirectional true are not those of a forecast" in " ".join(said.out.split()), said
