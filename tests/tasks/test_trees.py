"""Tasks of trees and grids: their labels against independent definitions, and files of users."""

import itertools
from statistics import median_low

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, DataError
from evorrn_tasks.brackets_file import UNKNOWN
from evorrn_tasks.common.digits import drawing
from evorrn_tasks.common.nodes import naive_bayes, words_below


def nested(batch, names, row, node):
    """Return a node as a text or a pair of its children."""
    left, right = batch.links[row, node]
    if left < 0:
        return names[batch.inputs[row, node].argmax()]
    return nested(batch, names, row, left), nested(batch, names, row, right)


def trees(name, seed, **settings):
    """Yield every scored node of all splits of a task, with its label."""
    task = evorrn.task(name, **settings)
    for batch in task.data(seed):
        for row, node in np.argwhere(batch.scored):
            yield nested(batch, task.input_names, row, node), batch.targets[row, node]


def value(part):
    """Return the value of a list whose first part is an operator, from its spine of pairs."""
    if isinstance(part, str):
        return int(part)
    values = []
    while not isinstance(part, str):
        part, last = part
        values.insert(0, value(last))
    return {"max": max, "min": min, "med": median_low, "sum": lambda v: sum(v) % 10}[part](values)


def test_list_operations_have_the_values_of_their_lists():
    found = list(trees("list-operations", 3, depth=4, arguments=5, train=60, valid=20, test=20))
    assert all(value(tree) == label for tree, label in found)
    assert len({label for _, label in found}) == 10 and max(len(str(tree)) for tree, _ in found) > 100


def holds(part, world):
    """Return whether a formula is true in a world."""
    if isinstance(part, str):
        return world[part]
    left, right = part
    if left == "not":
        return not holds(right, world)
    word, other = right
    return (all if word == "and" else any)([holds(left, world), holds(other, world)])


def test_propositional_logic_has_the_relations_of_truth_tables():
    relations = evorrn.task("propositional-logic").output_names
    seen = set()
    for (first, (versus, second)), label in trees(
        "propositional-logic", 2, variables=4, longest=3, test_longest=5, train=150, valid=20, test=40
    ):
        assert versus == "versus"
        worlds = [dict(zip("abcd", bits)) for bits in itertools.product([False, True], repeat=4)]
        pairs = {(holds(first, world), holds(second, world)) for world in worlds}
        names = {
            frozenset([(True, True), (False, False)]): "equivalence",
            frozenset([(True, True), (False, False), (False, True)]): "entailment",
            frozenset([(True, True), (False, False), (True, False)]): "reverse entailment",
            frozenset([(True, False), (False, True)]): "negation",
            frozenset([(True, False), (False, True), (False, False)]): "alternation",
            frozenset([(True, False), (False, True), (True, True)]): "cover",
        }
        assert names.get(frozenset(pairs), "independence") == relations[label]
        seen.add(label)
    assert seen == set(range(7))


def sentiment(part, places):
    """Return the sentiment of a phrase, from -2 to 2."""
    if isinstance(part, str):
        return places[part]
    left, right = part
    if left in ("not", "very"):
        inner = sentiment(right, places)
        if left == "not":
            return (inner < 0) - (inner > 0)
        return max(-2, min(2, 2 * inner))
    word, other = right
    first, second = sentiment(left, places), sentiment(other, places)
    if word == "but":
        return second
    mean = (first + second) / 2
    return int(np.ceil(mean) if mean > 0 else np.floor(mean))


def test_the_sentiment_grammar_follows_its_rules():
    from evorrn_tasks.sentiment_grammar import ADJECTIVES

    places = {word: place for place, words in ADJECTIVES.items() for word in words}
    found = [
        (tree, label)
        for tree, label in trees("sentiment-grammar", 1, train=80, test=60)
        if isinstance(tree, str) or tree[0] not in ("and", "but")
    ]
    assert all(
        (isinstance(t, str) and t not in places) or sentiment(t, places) + 2 == label for t, label in found
    )
    assert {label for _, label in found} == set(range(5))


@pytest.mark.parametrize("corner", ["top-left", "bottom-right"])
def test_grid_digits_show_the_digit_of_their_label_wherever_reading_begins(corner):
    task = evorrn.task("grid-digits", corner=corner, noise=0.0, rows=8, columns=6, train=60)
    order, _ = evorrn.trees.scan(8, 6, corner)
    for pixels, label in zip(task.data(0).train.inputs[:, :, 0], task.data(0).train.targets[:, -1]):
        picture = np.zeros(48)
        picture[order] = pixels
        rows, columns = np.nonzero(picture.reshape(8, 6))
        shown, wanted = (
            picture.reshape(8, 6)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1],
            drawing(label),
        )
        assert shown.sum() == wanted.sum() and (shown == wanted[:, wanted.any(axis=0)]).all()


def test_the_words_below_a_node_are_counted_and_naive_bayes_is_its_definition():
    splits = evorrn.task("sentiment-grammar", train=40, valid=5, test=10).data(0)
    below = words_below(splits.train)
    for row, node in np.argwhere(splits.train.scored)[::7]:
        names = list(map(str, range(splits.train.n_inputs)))
        flat = (
            str(nested(splits.train, names, row, node))
            .replace("(", " ")
            .replace(")", " ")
            .replace(",", " ")
            .split()
        )
        assert (
            below[row, node] == np.bincount([int(w.strip("'")) for w in flat], minlength=len(names))
        ).all()
    train, labels = below[splits.train.scored], splits.train.targets[splits.train.scored]
    counts = np.array([train[labels == k].sum(axis=0) + 1 for k in range(5)])
    logs = np.log(counts / counts.sum(axis=1, keepdims=True))
    wanted = np.log(np.bincount(labels, minlength=5) / len(labels)) + words_below(splits.test) @ logs.T
    np.testing.assert_allclose(naive_bayes(splits, 5), wanted, atol=1e-12)


FILE = "(1 (0 not) (2 good))\n\n(2 (2 good))\n(0 (0 bad) (1 (1 film)))\n(2 (2 good) (1 film))\n(0 (0 not) (2 fine))\n"


def test_a_file_of_brackets_has_its_labels_as_classes_and_rare_words_as_one(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text(FILE)
    task = evorrn.task("brackets", path=str(path), shares=(0.6, 0.2, 0.2))
    assert task.output_names == ("0", "1", "2") and task.input_names == (UNKNOWN, "good")
    train, _, test = task.data(0)
    assert train.size == 3 and train.inputs[0].argmax(axis=1).tolist()[:2] == [0, 1]
    assert train.targets[0].tolist() == [0, 2, 1] and test.targets[0, -1] == 0
    root = evorrn.task("brackets", path=str(path), shares=(0.6, 0.2, 0.2), scored="root").data(0)
    assert root.train.scored.sum() == 3


def test_a_tree_may_go_on_over_several_lines_as_treebanks_print_them(tmp_path):
    path, wide = tmp_path / "narrow.txt", tmp_path / "wide.txt"
    wide.write_text(FILE)
    path.write_text("\ufeff" + FILE.replace(") (", ")\n   (").replace("\n(", "\n\n("), encoding="utf-8")
    assert path.read_text().count("\n") > 2 * FILE.count("\n")
    one, other = (
        evorrn.task("brackets", path=str(each), shares=(0.6, 0.2, 0.2)).data(0) for each in (path, wide)
    )
    for a, b in zip(one, other):
        assert np.array_equal(a.inputs, b.inputs) and np.array_equal(a.links, b.links)
        assert np.array_equal(a.targets[a.scored], b.targets[b.scored])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FILE + "(1 (2 x)", "line 7: brackets: expected a tree, got an end without 1 closing"),
        (FILE + "(1\n(2 x)\n\n" + FILE, "line 7: brackets: expected a tree, got an end without 1 closing"),
        (
            FILE + "(1\n(2 x) (1\n y)))\n",
            "line 7: brackets: expected one tree, got a second root at symbol 12",
        ),
        ("(0 a)\n(1 b)\n", "expected at least three trees, each on lines of its own, got 2"),
        ("(0 a)\n(0 b)\n(0 c)\n(0 c)", "expected at least two labels in training"),
        (FILE.replace("(0 (0 not) (2 fine))", "(7 (0 not) (2 fine))"), "label '7' is in no tree of training"),
    ],
)
def test_wrong_files_of_brackets_are_told(tmp_path, text, message):
    path = tmp_path / "trees.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        evorrn.task("brackets", path=str(path), shares=(0.6, 0.2, 0.2)).data(0)


def test_a_cell_of_a_chain_is_refused_for_linked_steps_and_the_other_way_round():
    with pytest.raises(
        ConfigError, match="list-operations links each step to 2 predecessors, of which cell lstm sees none"
    ):
        evorrn.Network.for_task(evorrn.task("list-operations"), cell="lstm")
    with pytest.raises(
        ConfigError, match="sines links each step to no predecessors, of which cell rntn sees 2"
    ):
        evorrn.Network.for_task(evorrn.task("sines"), cell="rntn")


@pytest.mark.parametrize(
    "strategy", [evorrn.BPTT(), evorrn.GeneticAlgorithm(population=8), evorrn.EchoState()]
)
def test_gradients_evolution_and_reservoirs_train_on_trees(strategy):
    task = evorrn.task("sentiment-grammar", train=60, valid=20, test=20)
    settings = {"cell": "recursive", "hidden": 6, "dtype": "float64"}
    budget = None if strategy.name == "esn" else "5M"
    result = strategy.fit(evorrn.Network.for_task(task, **settings), task, seed=0, budget=budget)
    assert 0 <= result.metrics["test"]["accuracy"] <= 1 and result.meter.work > 0


def test_windows_are_refused_for_linked_steps():
    task = evorrn.task("sentiment-grammar", train=20, valid=5, test=5)
    network = evorrn.Network.for_task(task, cell="recursive", hidden=2)
    with pytest.raises(ConfigError, match="linked steps cannot be cut into windows"):
        evorrn.BPTT(window=3).fit(network, task, budget="1M")


def test_pairs_that_follow_from_training_have_the_only_possible_relation():
    """Three random sets never contradict the table of joins."""
    from evorrn_tasks.propositional_logic import relation_of
    from evorrn_tasks.relation_joins import joins

    rng, table, seen = np.random.default_rng(0), joins(7), {}
    for a, b, c in rng.integers(1, 127, (60000, 3)).tolist() + rng.integers(1, 15, (20000, 3)).tolist():
        key = relation_of(a, b, 127), relation_of(b, c, 127)
        seen.setdefault(key, set()).add(relation_of(a, c, 127))
    for key, found in seen.items():
        assert table[key] < 0 or found == {table[key]}
    assert (
        table[0].tolist() == list(range(7)) and table[1, 1] == 1 and table[3, 3] == 0
    )  # equal, transitive, not not
    assert joins(7)[1, 2] == -1 == joins(7)[6, 6]


def test_relation_joins_test_only_pairs_that_follow_from_training():
    task = evorrn.task("relation-joins", terms=16, elements=4)
    train, valid, test = task.data(5)
    names = {}
    for batch in (train, valid, test):
        for row in range(batch.size):
            pair = tuple(batch.inputs[row, :2].argmax(axis=1).tolist())
            names[pair] = (batch is train, int(batch.targets[row, 2]))
    assert len(names) == train.size + valid.size + test.size and train.size == 128
    known = {pair: label for pair, (trained, label) in names.items() if trained}
    for (a, c), (trained, _) in names.items():
        assert trained or any((a, b) in known and (b, c) in known for b in range(16))
