"""Whatever decides what is trained on looks at training rows alone, in every task made of a file."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import EvorrnError
from evorrn_tasks import sunspots


def trained_on(task):
    """Return the bytes of the training split, and all that is decided of its columns."""
    splits = task.data(0)
    names = ("input_names", "output_names", "inputs", "outputs", "horizon", "loss", "metrics")
    chosen = [getattr(task, name) for name in names]
    train = [array.tobytes() for array in (splits.train.inputs, splits.train.targets, splits.train.scored)]
    scaling = [value.tobytes() for value in vars(splits.scaling).values()]
    return chosen, train, scaling


def column(rng, rows):
    """Return a column of a table drawn at random: one that rises, is constant, holds truth values, and others."""
    kind = rng.integers(8)
    noise = rng.normal(size=rows).round(2)
    if kind == 0:
        return list(range(rows))
    if kind == 1:
        return np.cumsum(np.abs(noise) + 0.01).round(4).tolist()
    if kind == 2:
        return [7.5] * rows
    if kind == 3:
        return (noise > 0).tolist()
    if kind == 4:
        return ["" if rng.random() < 0.1 else value for value in noise.tolist()]
    if kind == 5:
        return ["x", "y"] * (rows // 2) + ["x"] * (rows % 2)
    return noise.tolist()


@pytest.mark.parametrize("seed", range(25))
def test_later_rows_of_a_table_change_nothing_in_training(tmp_path, seed):
    rng = np.random.default_rng(seed)
    rows, count = int(rng.integers(40, 120)), int(rng.integers(2, 6))
    shares = [(0.7, 0.15, 0.15), (0.5, 0.3, 0.2), (0.8, 0.1, 0.1)][seed % 3]
    held = sum(max(2, int(rows * share + 1e-9)) for share in shares[1:])
    columns = [column(rng, rows) for _ in range(count)] + [rng.normal(size=rows).round(2).tolist()]
    settings = {
        "shares": shares,
        "horizon": int(rng.integers(1, 4)),
        "fill": ("linear", "previous")[seed % 2],
    }

    def task(table):
        path = tmp_path / "table.csv"
        names = ",".join(f"name{place}" for place in range(len(table)))
        path.write_text(names + "\n" + "\n".join(",".join(map(str, row)) for row in zip(*table)) + "\n")
        return evorrn.task("csv", path=str(path), **settings)

    for each in columns:  # a gap before the first value cannot be filled
        each[0] = each[0] if each[0] != "" else 0.5
    before = trained_on(task(columns))
    for _ in range(4):
        other = [list(each) for each in columns]
        for each in other:
            truth = isinstance(each[0], bool)
            for row in range(rows - held, rows):
                each[row] = bool(rng.integers(2)) if truth else round(float(rng.normal() * 100), 2)
                each[row] = "" if rng.random() < 0.1 and row < rows - 2 else each[row]
        assert trained_on(task(other)) == before


@pytest.mark.parametrize("seed", range(20))
def test_later_sequences_and_steps_of_arrays_change_nothing_in_training(tmp_path, seed):
    rng = np.random.default_rng(seed)
    single, labels = bool(seed % 2), seed % 3 == 0
    size, steps = (1, 90) if single else (20, 8)
    wave = rng.normal(size=(size, steps + 1, 2))
    arrays = {"inputs": wave[:, :-1], "targets": wave[:, 1:, :1]}
    if labels:
        arrays["targets"] = rng.integers(0, 3, (size, steps))
    lengths = np.full(size, steps) if single else rng.integers(3, steps + 1, size)
    arrays["lengths"] = lengths

    def task(arrays):
        np.savez(tmp_path / "arrays.npz", **arrays)
        return evorrn.task("npz", path=str(tmp_path / "arrays.npz"))

    before = trained_on(task(arrays))
    assert before[0][4] == (None if labels else 1)
    for _ in range(3):
        later = (slice(None), slice(64, None)) if single else (slice(14, None),)
        other = {name: value.copy() for name, value in arrays.items()}
        other["inputs"][later] = rng.normal(size=other["inputs"][later].shape) * 50
        shape = other["targets"][later].shape
        other["targets"][later] = rng.integers(0, 3, shape) if labels else rng.normal(size=shape)
        if not single:
            other["lengths"][later] = rng.integers(1, steps + 1, other["lengths"][later].shape)
        assert trained_on(task(other)) == before


def test_a_label_that_training_lacks_is_refused_and_makes_no_output(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (20, 5))
    labels[-1, -1] = 6
    np.savez(tmp_path / "arrays.npz", inputs=rng.normal(size=(20, 5, 2)), targets=labels)
    task = evorrn.task("npz", path=str(tmp_path / "arrays.npz"))
    assert task.outputs == 2
    with pytest.raises(EvorrnError, match="label 6 is in test but not in training"):
        task.data(0)


def test_later_years_of_the_sunspot_record_change_nothing_in_training(tmp_path, monkeypatch):
    before = trained_on(evorrn.task("sunspots"))
    header, *lines = sunspots.RECORD.read_text().splitlines()
    rng = np.random.default_rng(0)
    for place in range(130, len(lines)):  # 1830 and later
        lines[place] = f"{lines[place].partition(',')[0]},{rng.normal() * 1e3:.1f}"
    (tmp_path / "other.csv").write_text("\n".join([header, *lines]) + "\n")
    monkeypatch.setattr(sunspots, "RECORD", tmp_path / "other.csv")
    assert trained_on(evorrn.task("sunspots")) == before
