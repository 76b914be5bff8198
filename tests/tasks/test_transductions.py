"""Tasks on strings: answers recomputed in plain Python, where the answer is asked for, and lengths in test beyond training."""

import itertools
import random

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.training.assessment import score

SMALL = {"longest": 12, "test_longest": 25, "train": 60, "valid": 30, "test": 40}
NAMES = (
    "even-pairs",
    "cycle-navigation",
    "modular-arithmetic",
    "reverse-string",
    "duplicate-string",
    "odds-first",
    "bucket-sort",
    "stack-manipulation",
    "bracketed-arithmetic",
)


def pairs(batch, empty):
    """Return the string and the answer of every sequence, as lists; the steps between must be empty and scored."""
    for x, y, scored, steps in zip(batch.inputs, batch.targets, batch.scored, batch.lengths):
        assert (x[:steps].sum(axis=1) == 1).all() and not x[steps:].any()
        shown = x[:steps].argmax(axis=1).tolist()
        string = [symbol for symbol in shown if symbol != empty]
        assert shown == string + [empty] * (steps - len(string))
        assert scored.tolist() == [len(string) <= step < steps for step in range(len(x))]
        yield string, y[len(string) : steps].tolist()


def stack_result(string):
    stack = []
    for symbol in string:
        if symbol == 2:
            if stack:
                stack.pop()
        else:
            stack.append({0: 0, 1: 1, 3: 0, 4: 1}[symbol])
    answer = [2]
    for bit in stack:
        answer.insert(0, bit)
    return answer


def walked(string, places):
    place = 0
    for move in string:
        place += {0: 0, 1: 1, 2: places - 1}[move]
        while place >= places:
            place -= places
    return [place]


ORACLES = {
    "even-pairs": lambda s: [int(sum(a != b for a, b in itertools.pairwise(s)) % 2 == 0)],
    "cycle-navigation": lambda s: walked(s, 5),
    "reverse-string": lambda s: list(reversed(s)),
    "duplicate-string": lambda s: s + s,
    "odds-first": lambda s: s[0::2] + s[1::2],
    "bucket-sort": sorted,
    "stack-manipulation": stack_result,
}


@pytest.mark.parametrize("seed", [0, 2**33])
@pytest.mark.parametrize("name", ORACLES)
def test_answers_are_those_of_plain_python(name, seed):
    task = evorrn.task(name, **SMALL)
    for batch in task.data(seed):
        for string, answer in pairs(batch, task.symbols):
            assert answer == ORACLES[name](string), string


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("modular-arithmetic", {}),
        ("modular-arithmetic", {"modulus": 2}),
        ("modular-arithmetic", {"modulus": 10}),
        ("bracketed-arithmetic", {}),
        ("bracketed-arithmetic", {"products": True}),
        ("bracketed-arithmetic", {"products": True, "modulus": 7}),
    ],
)
def test_the_value_of_an_expression_is_that_of_python(name, settings):
    task = evorrn.task(name, **SMALL, **settings)
    for batch in task.data(1):
        for string, answer in pairs(batch, task.symbols):
            text = "".join(task.input_names[symbol] for symbol in string)
            assert answer == [eval(text) % task.modulus], text


def test_every_form_of_expression_is_drawn():
    task = evorrn.task("bracketed-arithmetic", longest=6, train=2000, products=True, modulus=2)
    forms = {}
    for string, _ in pairs(task.data(0).train, task.symbols):
        text = "".join("n" if symbol < 2 else task.input_names[symbol] for symbol in string)
        forms.setdefault(len(text), set()).add(text)
    assert forms[1] == {"n"} and forms[2] == {"-n"} and forms[3] == {"(n)"} and forms[4] == {"(-n)"}
    assert forms[5] == {f"(n{o}n)" for o in "+-*"}
    assert forms[6] == {f"({a}{o}{b})" for o in "+-*" for a, b in (("n", "-n"), ("-n", "n"))}
    plain = evorrn.task("bracketed-arithmetic", **SMALL).data(0).train
    assert plain.inputs[:, :, 7].sum() == 0  # no product


def test_a_stack_has_every_size_and_is_popped_when_empty_too():
    task = evorrn.task("stack-manipulation", longest=6, train=3000)
    sizes, emptied = set(), 0
    for string, answer in pairs(task.data(0).train, 5):
        size = next((place for place, symbol in enumerate(string) if symbol > 1), len(string))
        sizes.add((len(string), size))
        emptied += answer == [2]
    assert sizes == {(1, 1)} | {(n, k) for n in range(2, 7) for k in range(1, n)}
    assert emptied > 50


@pytest.mark.parametrize("name", NAMES)
def test_lengths_are_uniform_and_those_of_test_lie_beyond(name):
    task = evorrn.task(name, shortest=3, longest=7, test_longest=9, train=400, valid=50, test=60)
    train, valid, test = ([len(string) for string, _ in pairs(batch, task.symbols)] for batch in task.data(0))
    odd = name == "modular-arithmetic"  # an even length stands for one less
    assert (set(train), set(valid), set(test)) == (
        ({3, 5, 7}, {3, 5, 7}, {7, 9}) if odd else (set(range(3, 8)), set(range(3, 8)), {8, 9})
    )
    counts = np.bincount(train)[np.unique(train)]
    assert counts.max() < (2.6 if odd else 1.7) * counts.min()


def test_symbols_are_uniform():
    for name in ("reverse-string", "even-pairs", "cycle-navigation", "bucket-sort"):
        task = evorrn.task(name, train=400)
        shown = [symbol for string, _ in pairs(task.data(0).train, task.symbols) for symbol in string]
        counts = np.bincount(shown, minlength=task.symbols)
        assert len(counts) == task.symbols and np.ptp(counts) < 0.12 * counts.mean(), name


@pytest.mark.parametrize("name", ["reverse-string", "duplicate-string", "odds-first", "bucket-sort"])
def test_the_last_symbol_is_a_baseline(name):
    task = evorrn.task(name, **SMALL)
    splits = task.data(0)
    outputs = task.baselines(splits)["last symbol"]
    shares = [
        sum(symbol == string[-1] for symbol in answer) / len(answer)
        for string, answer in pairs(splits.test, task.symbols)
    ]
    found = score(outputs, splits.test, ["token_accuracy"], None)["token_accuracy"]
    assert np.isclose(found, np.mean(shares)) and found > 1 / task.symbols


@pytest.mark.parametrize("name", ["reverse-string", "odds-first", "bucket-sort"])
def test_the_most_frequent_symbol_of_the_string_is_a_baseline(name):
    """Without any order of the symbols about 8 % more than half are right of 25 bits: the longer, the less."""
    task = evorrn.task(name, **SMALL)
    splits = task.data(0)
    outputs = task.baselines(splits)["most frequent of the string"]
    shares = []
    for string, answer in pairs(splits.test, task.symbols):
        best = max(range(task.symbols), key=lambda symbol: (string.count(symbol), -symbol))
        shares.append(answer.count(best) / len(answer))
    found = score(outputs, splits.test, ["token_accuracy"], None)["token_accuracy"]
    assert np.isclose(found, np.mean(shares)) and found > 1 / task.symbols + 0.05


def test_the_last_number_is_a_baseline_of_expressions():
    task = evorrn.task("bracketed-arithmetic", **SMALL)
    splits = task.data(0)
    right = [
        [symbol for symbol in string if symbol < 5][-1] == answer[0]
        for string, answer in pairs(splits.test, task.symbols)
    ]
    outputs = task.baselines(splits)["last number"]
    assert score(outputs, splits.test, ["token_accuracy"], None)["token_accuracy"] == np.mean(right)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"shortest": 5, "longest": 4}, "longest: expected at least shortest, 5, got 4"),
        ({"longest": 100}, "test_longest: expected at least the smallest length in test, 101, got 100"),
        (
            {"test_shortest": 30, "test_longest": 29},
            "expected at least the smallest length in test, 30, got 29",
        ),
        ({"shortest": 0}, "shortest: expected a value >= 1"),
        ({"symbols": 1}, "symbols: expected a value >= 2"),
        ({"longst": 3}, "did you mean 'longest'"),
    ],
)
def test_lengths_in_the_wrong_order_are_refused(settings, sentence):
    with pytest.raises(ConfigError) as error:
        evorrn.task("reverse-string", **settings)
    assert sentence in str(error.value)


def test_data_that_cannot_fit_into_memory_are_refused_before_they_are_made():
    with pytest.raises(ConfigError, match="its data take"):
        evorrn.task("duplicate-string", test_longest=10**9, test=10**5)


@pytest.mark.parametrize("name", NAMES)
def test_test_may_have_the_lengths_of_training(name):
    task = evorrn.task(name, shortest=1, longest=1, test_shortest=1, test_longest=1, train=3, valid=2, test=2)
    train, valid, test = task.data(random.Random(0).randrange(2**100))
    assert (train.size, valid.size, test.size) == (3, 2, 2)
