"""Classes of the sequences in a table: how it is read, split, and what is refused."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, DataError, UnknownName
from evorrn.testing import check_task


def save(path, counts=(10, 20), inputs=1, mixed=False, seed=0):
    """Write sines of a frequency for each class, of 8 to 20 steps; `mixed` writes the rows of sequences in turn."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    lines, values = [], {}
    for place, label in enumerate(labels):
        t = np.arange(rng.integers(8, 21))
        x = np.sin(0.4 * (1 + 2 * label) * t[:, None] + rng.uniform(0, 6, inputs))
        values[place] = np.round(x + 0.1 * rng.normal(size=x.shape), 4)
        numbers = [",".join(f"{value:.4f}" for value in row) for row in values[place]]
        lines += [
            (step, place, f"{row},s{place},kind {'abc'[label]}, some text") for step, row in zip(t, numbers)
        ]
    if mixed:
        lines.sort(key=lambda each: each[:2])
    header = ",".join([*(f"x{place}" for place in range(inputs)), "sequence", "label", "note"])
    path.write_text("\n".join([header, *(line for *_, line in lines)]) + "\n")
    return values, labels


@pytest.mark.parametrize(
    ("counts", "inputs", "mixed"), [((10, 20), 1, False), ((3, 7, 4), 2, True), ((3, 3), 3, False)]
)
def test_every_class_is_split_by_the_shares_in_its_order(tmp_path, counts, inputs, mixed):
    values, labels = save(tmp_path / "a.csv", counts, inputs, mixed)
    task = evorrn.task("sequence-classes", path=str(tmp_path / "a.csv"))
    check_task(task)
    splits = task.data(0)
    assert (task.inputs, task.outputs) == (inputs, len(counts))
    assert task.output_names == tuple(f"kind {letter}" for letter in "abc"[: len(counts)])
    left = {label: [p for p in range(len(labels)) if labels[p] == label] for label in range(len(counts))}
    for number, batch in enumerate(splits):
        for label, count in enumerate(counts):
            tested = max(1, int(0.15 * count))
            wanted = (count - 2 * tested, tested, tested)[number]
            taken, left[label] = left[label][:wanted], left[label][wanted:]
            rows = [row for row in range(batch.size) if batch.targets[row, batch.lengths[row] - 1] == label]
            assert len(rows) == wanted
            for row, place in zip(rows, taken):
                own = batch.inputs[row, : batch.lengths[row]]
                assert np.allclose(splits.scaling.restore_inputs(own), values[place])
                assert batch.scored[row].sum() == 1 and batch.scored[row, batch.lengths[row] - 1]
    steps = np.concatenate([x[:n] for x, n in zip(splits.train.inputs, splits.train.lengths)])
    assert np.allclose(steps.mean(axis=0), 0, atol=1e-12) and np.allclose(steps.std(axis=0), 1)


def test_scored_at_every_step_the_votes_are_judged_and_other_classifiers_are_the_same(tmp_path):
    save(tmp_path / "a.csv")
    last, every = (
        evorrn.task("sequence-classes", path=str(tmp_path / "a.csv"), scored=scored)
        for scored in ("last", "every")
    )
    check_task(every)
    assert every.metrics == ("vote_accuracy", "accuracy", "cross_entropy")
    for one, other in zip(last.data(0), every.data(0)):
        inside = np.arange(one.steps) < one.lengths[:, None]
        assert (other.scored == inside).all() and (other.inputs == one.inputs).all()
        truth = one.targets[np.arange(one.size), one.lengths - 1]
        assert (other.targets == truth[:, None])[inside].all()
    found = [task.comparators(task.data(0), []) for task in (last, every)]
    assert all((found[0][name] == found[1][name]).all() for name in found[0])


def test_majority_neighbour_and_hidden_markov_models_stand_beside_networks(tmp_path):
    save(tmp_path / "a.csv")
    task = evorrn.task("sequence-classes", path=str(tmp_path / "a.csv"))
    splits = task.data(0)
    ends = np.arange(splits.test.size), splits.test.lengths - 1
    truth = splits.test.targets[ends]
    assert (task.baselines(splits)["class frequencies"][ends].argmax(axis=1) == 1).all()
    found = task.comparators(splits, [])
    assert [name.split(",")[0] for name in found] == ["nearest neighbour", "hidden Markov models"]
    for logits in found.values():
        assert (logits[ends].argmax(axis=1) == truth).mean() >= 0.75
    assert task.comparator_problems(["dtw"]) == [] and task.comparator_problems(["mlp"])


def test_inputs_may_be_named_and_text_is_left_out(tmp_path):
    save(tmp_path / "a.csv", inputs=3)
    path = str(tmp_path / "a.csv")
    assert evorrn.task("sequence-classes", path=path).input_names == ("x0", "x1", "x2")
    assert evorrn.task("sequence-classes", path=path, inputs="x2,x0").input_names == ("x2", "x0")
    with pytest.raises(UnknownName, match="x1"):
        evorrn.task("sequence-classes", path=path, inputs="x11").data(0)


def test_whether_a_column_holds_numbers_is_decided_in_training(tmp_path):
    values, _ = save(tmp_path / "a.csv", counts=(10, 10), inputs=2)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    cells = lines[-1].split(",")  # a row of test
    lines[-1] = ",".join([cells[0], "broken", *cells[2:]])
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    task = evorrn.task("sequence-classes", path=str(tmp_path / "a.csv"))
    assert task.input_names == ("x0", "x1")
    with pytest.raises(DataError, match="broken"):
        task.data(0)
    assert len(values) == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,sequence,label\n" + "".join(f"1,{n},a\n2,{n},a\n" for n in range(6)), "at least two classes"),
        ("x,sequence,label\n" + "".join(f"1,{n},{'ab'[n > 6]}\n" for n in range(8)), "'b' has 1"),
        ("x,sequence,label\n1,0,a\n2,0,b\n", "line 3, column 'label': expected one class"),
        ("x,sequence,label\n" + "".join(f"w,{n},{'ab'[n % 2]}\n" for n in range(8)), "column of numbers"),
    ],
)
def test_wrong_tables_are_told(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        task = evorrn.task("sequence-classes", path=str(tmp_path / "a.csv"))
        (task.inputs, task.outputs, task.data(0))


def test_a_missing_column_and_wrong_settings_are_told(tmp_path):
    save(tmp_path / "a.csv")
    path = str(tmp_path / "a.csv")
    with pytest.raises(UnknownName, match="sequence"):
        evorrn.task("sequence-classes", path=path, sequence="sequenc").data(0)
    with pytest.raises(ConfigError, match="another column than label"):
        evorrn.task("sequence-classes", path=path, sequence="label")
    with pytest.raises(ConfigError, match="path of a file"):
        evorrn.task("sequence-classes")
