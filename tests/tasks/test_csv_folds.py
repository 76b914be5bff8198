"""Folds of a table: where they lie, and that none of them knows anything of its future."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, DataError


def write(path, values):
    """Write a table with gaps, of dates, a load, a column that helps and one that turns to text."""
    lines = ["date,help,odd,load"]
    for row, (a, b, c) in enumerate(values.tolist()):
        cells = [f"{number:.4f}" for number in (a, b, c)]
        if row % 17 == 5:
            cells[2] = ""
        lines.append(f"{np.datetime64('2020-01-01') + row},{','.join(cells)}")
    path.write_text("\n".join(lines) + "\n")
    return lines


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(7)
    target = tmp_path / "my.csv"
    write(target, np.cumsum(rng.normal(size=(400, 3)), axis=0))
    return target


def make(path, **settings):
    return evorrn.task("csv", path=str(path), fill="linear", **settings)


@pytest.mark.parametrize(("folds", "size"), [(2, 60), (3, 60), (4, 50), (5, 40), (10, 20)])
@pytest.mark.parametrize("horizon", [1, 6])
def test_test_blocks_follow_each_other_to_the_end_and_training_grows(path, folds, size, horizon):
    first = np.datetime64("2020-01-01")
    ends = []
    for fold in range(1, folds + 1):
        task = make(path, folds=folds, fold=fold, horizon=horizon, calendar="weekday")
        splits = task.data(0)
        days = ((splits.dates[0][-size:] - first) / np.timedelta64(1, "D")).astype(int)
        ends.append(days.tolist())
        assert splits.valid.scored.sum() > 50  # 60 rows, without those that were filled
        rows = len(splits.train.lengths) and int(splits.train.scored.sum())
        assert rows <= days[0] - 60
    assert [day for block in ends for day in block] == list(range(400 - folds * size, 400))


@pytest.mark.parametrize("fold", [1, 2, 3, 4])
def test_no_fold_changes_when_its_future_does(path, fold):
    settings = {"folds": 4, "fold": fold, "calendar": "hour,weekday", "horizon": 2}
    before = make(path, **settings)
    lines = path.read_text().splitlines()
    end = 1 + 400 - 50 * (4 - fold)
    for place in range(end, len(lines)):
        date = lines[place].split(",")[0]
        lines[place] = (
            f"{date},1e9,broken,-1e9"  # the scale, the columns and the gaps of later rows are others
        )
    (path.parent / "other.csv").write_text("\n".join(lines) + "\n")
    after = make(path.parent / "other.csv", **settings)
    assert before.input_names == after.input_names
    for mine, theirs in zip(before.data(0), after.data(0)):
        for name in ("inputs", "targets", "mask", "lengths"):
            assert np.array_equal(getattr(mine, name), getattr(theirs, name))
    for name in ("input_mean", "input_deviation", "target_mean", "target_deviation"):
        assert np.array_equal(getattr(before.data(0).scaling, name), getattr(after.data(0).scaling, name))
    found, again = (task.baselines(task.data(0)) for task in (before, after))
    assert all(np.array_equal(found[name], again[name]) for name in found)


def test_one_fold_is_the_split_of_before(path):
    before, one = make(path), make(path, folds=1, fold=1)
    assert before.stored_values() == one.stored_values() and "fold" not in one.stored_values()
    last = make(path, folds=2, fold=2)  # of the same size
    for mine, theirs in zip(before.data(0), last.data(0)):
        assert np.array_equal(mine.targets[mine.scored], theirs.targets[theirs.scored])


def test_folds_that_cannot_be_are_refused(path, tmp_path):
    with pytest.raises(ConfigError, match="fold: expected at most 3, the number of folds, got 4"):
        make(path, folds=3, fold=4)
    with pytest.raises(ConfigError, match="folds: expected a share of training in the first fold"):
        make(path, folds=5, shares=(0.3, 0.5, 0.2))
    write(tmp_path / "short.csv", np.random.default_rng(0).normal(size=(22, 3)))
    with pytest.raises(DataError, match=r"a horizon of 1 in fold 1 of 5, got 22"):
        make(tmp_path / "short.csv", folds=5).data(0)
