"""What a comparison says of its task: settings of any name, beside names, notes and outputs."""

from dataclasses import dataclass
from pathlib import Path

from evorrn.base.settings import setting
from evorrn.data.task import Task
from evorrn.lab.compare import _task
from evorrn.lab.planning import Asked
from evorrn.lab.report.page import settings_text
from evorrn.lab.study.sentences.common import subject


@dataclass(frozen=True)
class Song(Task):
    """A task of a user whose settings have names that a comparison uses."""

    name = "song"
    notes: int = setting(7, "notes of the melody")
    outputs: int = setting(3, "instruments")
    settings: str = setting("loud", "how it is played")
    fold: int = setting(2, "times the sheet is folded")
    pitch: float = setting(440.0, "hertz")


@dataclass(frozen=True)
class Told(Song):
    """The same with something to know about its data."""

    data_notes = ("the last bar is missing",)


def test_settings_that_are_called_notes_or_outputs_have_a_table_of_their_own():
    said = _task(Song(), Asked())
    assert said["settings"] == {"outputs": 3, "notes": 7, "settings": "loud"}
    assert "notes" not in said and "outputs" not in said
    assert (said["name"], said["fold"], said["pitch"]) == ("song", 2, 440.0)
    assert _task(Told(), Asked())["notes"] == ["the last bar is missing"]
    assert _task(Told(), Asked())["settings"]["notes"] == 7
    assert subject(said) == "song" and "notes = 7" in settings_text(said)


def test_a_task_without_such_names_is_said_as_before_and_the_fold_of_a_backtest_is_left_out(tmp_path):
    import evorrn

    path = Path(tmp_path) / "a.csv"
    path.write_text("load\n" + "\n".join(str(k % 9) for k in range(120)))
    task = evorrn.task("csv", path=str(path), target="load", folds=3, fold=2)
    said = _task(task, Asked(folds=3))
    assert "settings" not in said and "fold" not in said and said["folds"] == 3
    assert said["outputs"] == ["load+1"] or said["outputs"] == ["load"]
    assert said["notes"]
