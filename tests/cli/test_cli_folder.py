"""Sequences of classes from a folder: a subfolder for each class, a table for each sequence."""

import json

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import DataError
from evorrn.base.files import content
from evorrn.testing import check_task

QUICK = ("--strategy", "random", "--hidden", "2", "--budget", "1gen", "--set", "strategy.count=2")


def save(folder, classes=("up", "down"), size=6):
    """Write ragged sequences of two columns; the first one rises or falls by its class."""
    rng = np.random.default_rng(0)
    for slope, name in zip((1, -1, 0), classes):
        (folder / name).mkdir(parents=True)
        for number in range(size):
            steps = 5 + number % 3
            rows = [f"{slope * step + rng.normal():.3f},{number}" for step in range(steps)]
            (folder / name / f"{number}.csv").write_text("\n".join(["x,y", *rows]))
    return folder


def test_subfolders_are_classes_and_files_are_sequences(tmp_path):
    task = evorrn.task("sequence-classes", path=str(save(tmp_path / "my", ("up", "down", "flat"))))
    check_task(task)
    assert task.classes == ["down", "flat", "up"] and task.input_names == ("x", "y")
    splits = task.data(0)
    assert [batch.size for batch in splits] == [12, 3, 3]
    assert set(splits.train.lengths) == {5, 6, 7}
    first = task.table.rows[0]
    assert first[2:] == ["down/0.csv", "down"]


def test_what_is_wrong_in_a_file_is_told_with_the_file(tmp_path):
    folder = save(tmp_path / "my")
    (folder / "up" / "3.csv").write_text("x,y\n1,2\nmuch,3\n")
    with pytest.raises(DataError, match=r"3\.csv, line 3, column 'x'"):
        evorrn.task("sequence-classes", path=str(folder)).data(0)
    (folder / "up" / "3.csv").write_text("x,z\n1,2\n")
    with pytest.raises(DataError, match=r"3\.csv: expected the columns x, y"):
        evorrn.task("sequence-classes", path=str(folder)).data(0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="a subfolder for each class"):
        evorrn.task("sequence-classes", path=str(tmp_path / "empty")).data(0)
    with pytest.raises(DataError, match="expected no column 'x'"):
        evorrn.task("sequence-classes", path=str(save(tmp_path / "b")), label="x").data(0)


def test_a_folder_is_run_by_its_name_and_another_content_is_another_run(console, tmp_path):
    folder = save(tmp_path / "my")
    said = console.type("run", "my", *QUICK, "--json")
    assert said.code == 0, said.err
    first = json.loads(said.out)["id"]
    assert json.loads(console.type("run", "my", *QUICK, "--json").out)["id"] == first
    before = content(folder)
    (folder / "up" / "0.csv").write_text("x,y\n1,2\n2,3\n3,3\n")
    assert content(folder) != before
    assert json.loads(console.type("run", "my", *QUICK, "--json").out)["id"] != first
    (tmp_path / "none").mkdir()
    said = console.type("run", "none", *QUICK)
    assert said.code == 2
