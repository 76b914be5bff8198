"""Memory tasks: a reader in plain Python finds the answer in the inputs of every sequence, and the layout is as published."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.training.assessment import score


def sequences(batch):
    """Return the inputs and targets of every sequence as lists of rows, without the steps beyond its end."""
    for x, y, scored, steps in zip(batch.inputs, batch.targets, batch.scored, batch.lengths):
        assert not x[steps:].any() and not scored[steps:].any()
        assert np.isnan(y[~scored]).all() and set(np.unique(y[scored])) <= {0.0, 1.0}
        assert scored[:steps].tolist() == sorted(scored[:steps].tolist()) and scored[steps - 1]
        yield x[:steps].tolist(), y[:steps][scored[:steps]].tolist()


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_copy_is_of_the_vectors_before_the_delimiter(bits):
    task = evorrn.task("bit-copy", bits=bits, longest=5, test_longest=9, train=60, valid=20, test=30)
    for batch, lengths in zip(task.data(4), (range(1, 6), range(1, 6), range(6, 10))):
        for rows, answer in sequences(batch):
            marks = [row.pop() for row in rows]
            length = marks.index(1)
            assert sum(marks) == 1 and length in lengths and len(rows) == 2 * length + 1
            assert answer == rows[:length]
            assert not any(bit for row in rows[length:] for bit in row)


@pytest.mark.parametrize(("bits", "repeats", "test_repeats"), [(8, 10, 10), (2, 3, 7), (1, 2, 1)])
def test_repeat_copy_is_as_often_as_the_number_says_with_an_end_mark(bits, repeats, test_repeats):
    sizes = {"longest": 4, "test_longest": 6, "train": 90, "valid": 90, "test": 90}
    task = evorrn.task("repeat-copy", bits=bits, repeats=repeats, test_repeats=test_repeats, **sizes)
    for batch, most in zip(task.data(1), (repeats, repeats, test_repeats)):
        seen = set()
        for rows, answer in sequences(batch):
            number = [row.pop() for row in rows]
            start = [row.pop() for row in rows]
            assert start[0] == 1 and sum(start) == 1
            length = len(rows) - len(answer) - 2
            count = round(number[length + 1] * repeats)
            seen.add(count)
            assert number[length + 1] == count / repeats
            assert sum(value != 0 for value in number) == 1
            wanted = [[*vector, 0] for vector in rows[1 : length + 1]] * count + [[0] * bits + [1]]
            assert answer == wanted and not any(map(any, rows[length + 1 :]))
        assert seen == set(range(1, most + 1))


@pytest.mark.parametrize(("bits", "vectors"), [(6, 3), (2, 2), (5, 1)])
def test_recall_is_of_the_item_after_the_query(bits, vectors):
    sizes = {"test_longest": 9, "train": 60, "valid": 20, "test": 40}
    task = evorrn.task("associative-recall", bits=bits, vectors=vectors, **sizes)
    for batch, lengths in zip(task.data(2), (range(2, 7), range(2, 7), range(7, 10))):
        for rows, answer in sequences(batch):
            query_marks = [row.pop() for row in rows]
            item_marks = [row.pop() for row in rows]
            items, query = [], []
            first = query_marks.index(1)
            for step, row in enumerate(rows):
                if item_marks[step]:
                    assert not any(row)
                    items.append([])
                elif step < first:
                    items[-1].append(row)
                elif first < step <= first + vectors:
                    query.append(row)
                else:
                    assert not any(row)
            assert [step for step, mark in enumerate(query_marks) if mark] == [first, first + vectors + 1]
            assert len(items) in lengths and all(len(item) == vectors for item in items)
            assert len({str(item) for item in items}) == len(items)
            assert answer == items[items.index(query) + 1] and len(rows) == first + 2 * vectors + 2


def test_every_item_but_the_last_is_asked_for_equally_often():
    task = evorrn.task("associative-recall", bits=4, vectors=1, shortest=4, longest=4, train=1500)
    asked = np.zeros(3)
    for rows, _ in sequences(task.data(0).train):
        bits = [row[:4] for row in rows]
        asked[[1, 3, 5].index(next(k for k in (1, 3, 5) if bits[k] == bits[9]))] += 1
    assert np.ptp(asked) < 0.2 * asked.mean()


@pytest.mark.parametrize(
    ("bits", "labels", "nodes", "test_nodes"), [(4, 2, 3, 3), (6, 3, 4, 9), (1, 1, 2, 1), (3, 4, 8, 5)]
)
def test_a_walk_follows_the_edges_that_were_shown(bits, labels, nodes, test_nodes):
    sizes = {"train": 60, "valid": 20, "test": 40}
    task = evorrn.task("graph-walk", bits=bits, labels=labels, nodes=nodes, test_nodes=test_nodes, **sizes)
    for batch, count in zip(task.data(3), (nodes, nodes, test_nodes)):
        for rows, answer in sequences(batch):
            edges, names = {}, set()
            parts = [
                (tuple(r[:bits]), tuple(r[bits : bits + labels]), tuple(r[bits + labels : -1]), r[-1])
                for r in rows
            ]
            walk = next(step for step, part in enumerate(parts) if part[3])
            for source, label, target, walking in parts[:walk]:
                assert (source, label) not in edges and sum(label) == 1 and not walking
                edges[source, label] = target
                names.add(source)
            assert len(names) == count and len(edges) == count * labels and set(edges.values()) <= names
            here = parts[walk][0]
            assert not any(parts[walk][1]) and not any(parts[walk][2]) and here in names
            for (source, label, target, walking), wanted in zip(parts[walk + 1 :], answer, strict=True):
                assert walking and not any(source) and not any(target) and sum(label) == 1
                here = edges[here, label]
                assert list(here) == wanted


def test_the_bits_of_a_graph_or_list_tell_something_without_memory_of_places():
    """Recounted: of each bit the value that more of the shown names, or items at the same place, have."""
    task = evorrn.task("graph-walk", test=20)
    splits = task.data(0)
    votes = task.baselines(splits)["more frequent bits of the graph"]
    for row, (rows, answer) in enumerate(sequences(splits.test)):
        ends = [r[6:10] for r in rows if not r[-1]]
        for bit in range(4):
            ones = sum(end[bit] for end in ends)
            assert (votes[row, len(rows) - len(answer) : len(rows), bit] == 2 * ones - len(ends)).all()
    task = evorrn.task("associative-recall", test=20, vectors=2, bits=3)
    splits = task.data(0)
    votes = task.baselines(splits)["more frequent bits of the list"]
    for row, (rows, _) in enumerate(sequences(splits.test)):
        for place in (1, 2):
            shown = [r[:3] for r in rows[place:-3:3]]
            for bit in range(3):
                ones = sum(item[bit] for item in shown)
                assert votes[row, len(rows) - 3 + place, bit] == 2 * ones - len(shown)


@pytest.mark.parametrize("name", ["bit-copy", "repeat-copy", "associative-recall", "graph-walk"])
def test_without_memory_half_of_all_bits_are_wrong(name):
    """Of repeat-copy the end mark and the zeros beside it are known: all but one step are bits."""
    task = evorrn.task(name, **({"nodes": 8, "test_nodes": 8} if name == "graph-walk" else {}))
    splits = task.data(0)
    values = score(task.baselines(splits)["more frequent bits"], splits.test, task.metrics, None)
    random_bits = splits.test.scored.sum() * task.outputs
    if name == "repeat-copy":
        random_bits = (splits.test.scored.sum() - splits.test.size) * task.bits
    assert abs(values["bit_errors"] - random_bits / splits.test.size / 2) < 0.07 * values["bit_errors"]
    assert values["exact_match"] < 0.05


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("associative-recall", {"bits": 1, "vectors": 3}, "test_longest: expected at most 8"),
        ("associative-recall", {"shortest": 1}, "shortest: expected a value >= 2"),
        ("graph-walk", {"bits": 1}, "nodes: expected at most 2, the names of 1 bits, got 3"),
        ("graph-walk", {"bits": 3, "test_nodes": 9}, "test_nodes: expected at most 8"),
        ("repeat-copy", {"repeats": 0}, "repeats: expected a value >= 1"),
        ("bit-copy", {"test_longest": 20}, "test_longest: expected at least the smallest length in test, 21"),
    ],
)
def test_settings_out_of_range_are_refused(name, settings, sentence):
    with pytest.raises(ConfigError) as error:
        evorrn.task(name, **settings)
    assert sentence in str(error.value)


def test_as_many_items_as_there_are_is_possible():
    task = evorrn.task("associative-recall", bits=2, vectors=2, longest=16, test_shortest=16, test_longest=16)
    assert task.data(0).test.steps == task.steps(16)
