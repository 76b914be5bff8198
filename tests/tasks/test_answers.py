"""Questions and answers as text: sums by Python, words by a parser of its own, dates by the standard library; baselines by hand."""

import datetime
import re

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.lab.runs.spec import resolve
from evorrn.lab.sweep.experiment import find_experiment
from evorrn.training.assessment import SequenceAssessment
from evorrn_tasks.common.edits import nearest_texts
from evorrn_tasks.number_words import digits_of_words, words

NAMES = ("addition", "number-words", "dates")
SMALL = {"train": 60, "valid": 10, "test": 15}


def pairs_of(task, seed=0):
    """Return question and answer of every sequence of every split, read from the arrays by the names of symbols."""
    signs = ["".join(" " if name == "space" else name for name in [each]) for each in task.input_names]
    found = []
    for batch in task.data(seed):
        rows = []
        for row, length, answer, count in zip(
            batch.inputs, batch.lengths, batch.targets, batch.target_lengths
        ):
            question = "".join(signs[k] for k in row[:length])
            rows.append((question, "".join(task.output_names[k] for k in answer[:count])))
        found.append(rows)
    return found


def value_of(text):
    """Return the number that English words say, by adding and multiplying word by word."""
    units = {
        word: k
        for k, word in enumerate(
            [
                "zero",
                "one",
                "two",
                "three",
                "four",
                "five",
                "six",
                "seven",
                "eight",
                "nine",
                "ten",
                "eleven",
                "twelve",
                "thirteen",
                "fourteen",
                "fifteen",
                "sixteen",
                "seventeen",
                "eighteen",
                "nineteen",
            ]
        )
    }
    units |= {
        word: 10 * k
        for k, word in enumerate(
            ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
        )
    }
    total = part = 0
    for word in text.replace("-", " ").split():
        if word == "hundred":
            part *= 100
        elif word in ("thousand", "million"):
            total, part = total + part * (1_000 if word == "thousand" else 1_000_000), 0
        elif word != "and":
            part += units[word]
    return total + part


@pytest.mark.parametrize(("digits", "backwards", "seed"), [(2, True, 0), (1, False, 3), (4, True, 9)])
def test_answers_of_addition_are_the_sums_and_no_question_comes_twice_in_any_order(digits, backwards, seed):
    counts = SMALL if digits > 1 else {"train": 30, "valid": 10, "test": 15}
    task = evorrn.task("addition", digits=digits, backwards=backwards, **counts)
    seen = []
    for rows in pairs_of(task, seed):
        for question, answer in rows:
            numbers = [int(part) for part in (question[::-1] if backwards else question).split("+")]
            assert sum(numbers) == int(answer) and max(numbers) < 10**digits
            assert str(int(answer)) == answer
            seen.append(tuple(sorted(numbers)))
    assert len(seen) == len(set(seen)) == sum(counts.values())


def test_all_questions_of_one_digit_can_be_had_and_not_one_more():
    task = evorrn.task("addition", digits=1, train=50, valid=2, test=3)
    assert len({tuple(sorted(q.split("+"))) for rows in pairs_of(task) for q, _ in rows}) == 55
    with pytest.raises(ConfigError, match="expected at most 55, the different questions of 1 digits, got 56"):
        evorrn.task("addition", digits=1, train=51, valid=2, test=3)


@pytest.mark.parametrize("largest", [99, 9_999, 1_000_000, 999_999_999])
def test_number_words_say_their_numbers(largest):
    task = evorrn.task("number-words", largest=largest, train=60, valid=10, test=20)
    rows = [pair for split in pairs_of(task, 1) for pair in split]
    assert len({question for question, _ in rows}) == 90
    assert all(value_of(question) == int(answer) <= largest for question, answer in rows)
    assert {len(answer) for _, answer in rows} >= set(range(1, min(len(str(largest)), 7)))


def test_words_are_british_english_and_differ_for_different_numbers():
    known = {0: "zero", 13: "thirteen", 90: "ninety", 101: "one hundred and one", 1_000: "one thousand", 1_001: "one thousand and one",
             21_100: "twenty-one thousand one hundred", 1_000_099: "one million and ninety-nine", 5_040_000: "five million forty thousand"}  # fmt: skip
    assert {number: words(number) for number in known} == known
    numbers = [*range(3_000), *np.random.default_rng(0).integers(0, 10**9, 2_000).tolist()]
    assert all(value_of(words(number)) == number for number in numbers)
    assert digits_of_words("one hundred and one") == "11" and digits_of_words("ninety") == "90"


def test_number_words_are_those_of_num2words():
    num2words = pytest.importorskip("num2words").num2words
    for number in [*range(1_200), 10_001, 999_999, 1_000_000, 70_000_013]:
        assert words(number) == num2words(number).replace(",", "")


def test_dates_are_what_the_standard_library_reads_in_them():
    task = evorrn.task("dates", train=300, valid=20, test=30)
    forms = ("%d %B %Y", "%B %d, %Y", "%A, %d %B %Y", "%d %b %Y", "%d/%m/%Y", "%d.%m.%y")
    used = set()
    for question, answer in [pair for split in pairs_of(task, 4) for pair in split]:
        for form in forms:
            try:
                day = datetime.datetime.strptime(question, form).date()
            except ValueError:
                continue
            used.add(form)
            shown = day.year if "%y" not in form else 1970 + (day.year - 1970) % 100
            assert answer == day.replace(year=shown).isoformat()
            assert "%A" not in form or f"{day:%A}".lower() == question.partition(",")[0]
            break
        else:
            raise AssertionError(question)
    assert used == set(forms)
    with pytest.raises(ConfigError, match="last: expected a year from first"):
        evorrn.task("dates", first=1900, last=2000)


@pytest.mark.parametrize("name", NAMES)
def test_baselines_are_those_of_a_search_by_hand(name):
    task = evorrn.task(name, **SMALL)
    splits, (train, _, test) = task.data(2), pairs_of(task, 2)
    found = {
        k: ["".join(task.output_names[n] for n in row) for row in rows]
        for k, rows in task.baselines(splits).items()
    }
    answers = [answer for _, answer in train]
    assert set(found["most common answer"]) == {max(answers, key=answers.count)}
    for (question, _), said in zip(test, found["nearest question"]):
        gaps = [edits(question, other) for other, _ in train]
        assert said == answers[gaps.index(min(gaps))]
    own = {
        "addition": ("copy of the larger number", lambda q: max(q[::-1].split("+"), key=int)),
        "number-words": ("digits word by word", digits_of_words),
        "dates": ("numbers backwards", lambda q: "-".join(re.findall(r"\d+", q)[::-1])),
    }
    label, rule = own[name]
    assert found[label] == [rule(question) for question, _ in test]
    scores = SequenceAssessment(splits, task).baselines("exact_match")
    assert set(scores) == set(found) and scores["most common answer"] == np.mean(
        [a == found["most common answer"][0] for _, a in test]
    )


def edits(first, second):
    """Return the edit distance by the recursion as it stands in Wagner and Fischer, in a table."""
    table = np.zeros((len(first) + 1, len(second) + 1), int)
    table[:, 0], table[0] = np.arange(len(first) + 1), np.arange(len(second) + 1)
    for i, a in enumerate(first, 1):
        for j, b in enumerate(second, 1):
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b))
    return table[-1, -1]


def test_the_nearest_texts_are_those_of_the_smallest_edit_distance():
    rng = np.random.default_rng(5)
    texts = ["".join(rng.choice(list("abç"), rng.integers(0, 7))) for _ in range(40)]
    for asked, place in zip(texts[:12], nearest_texts(texts[:12], texts[12:])):
        gaps = [edits(asked, other) for other in texts[12:]]
        assert place == gaps.index(min(gaps))


@pytest.mark.parametrize("name", NAMES)
def test_evolution_and_gradients_train_encoder_decoders_on_them(name):
    for strategy in ("ga", "bptt"):
        small = {"encoder": {"cell": "gru", "hidden": 3}, "decoder": {"cell": "gru", "hidden": 3}}
        spec = {
            "task": {"name": name, "train": 12, "valid": 3, "test": 4},
            "network": small,
            "strategy": {"name": strategy},
        }
        spec = resolve({**spec, "budget": "1gen"})
        assert spec.network.decodes
        result = spec.strategy.fit(spec.network, spec.task, seed=0, budget="1gen")
        assert set(result.metrics["test"]) == {
            "token_accuracy",
            "exact_match",
            "edit_distance",
            "cross_entropy",
        }
    assert isinstance(result.decode("1" if name != "number-words" else "one", steps=4), str)
    assert resolve({"task": {"name": name}}).content["network"]["kind"] == "encoder-decoder"


@pytest.mark.thorough
def test_gradients_learn_to_write_number_words_in_digits():
    task = evorrn.task("number-words", train=1000, valid=60, test=80)
    part = {"cell": "gru", "hidden": 32}
    network = evorrn.Network.for_task(task, encoder=part, decoder=part)
    result = evorrn.BPTT(batch_size=20, rate=0.01).fit(network, task, seed=0, budget="12gen")
    nearest = SequenceAssessment(task.data(0), task).baselines("token_accuracy")["nearest question"]
    assert result.metrics["test"]["token_accuracy"] > nearest + 0.05
    assert result.metrics["test"]["exact_match"] > 0.5


def test_whole_answers_of_the_addition_experiment_are_of_the_same_runs():
    characters, answers = find_experiment("keras-addition"), find_experiment("keras-addition-answers")
    assert [case.specs(1)[0].id for case in characters.cases] == [
        case.specs(1)[0].id for case in answers.cases
    ]
    assert (characters.table.measure, answers.table.measure) == ("token_accuracy", "exact_match")
    assert characters.cases[0].row.published == 0.99 and answers.cases[0].row.published is None
