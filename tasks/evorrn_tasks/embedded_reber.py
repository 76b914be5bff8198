"""Embedded Reber grammar: which symbols may follow, where the last choice repeats one made at the start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Reference, Splits, Task
from evorrn_tasks.common.advice import by_strategy
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.examples import Example, bit_frequencies, padded

SYMBOLS = "BTPSXVE"
INNER: dict[str, dict[str, str]] = {
    "start": {"B": "first"},
    "first": {"T": "s loop", "P": "t loop"},
    "s loop": {"S": "s loop", "X": "after x"},
    "t loop": {"T": "t loop", "V": "after v"},
    "after x": {"X": "t loop", "S": "last"},
    "after v": {"P": "after x", "V": "last"},
    "last": {"E": "end"},
    "end": {},
}
"""The Reber grammar: for each state the legal symbols and the states that they lead to."""
CERTAIN = 20.0
"""A logit that stands for certainty in baselines."""


@dataclass(frozen=True)
class EmbeddedReber(Task):
    """Strings of the embedded Reber grammar: B, then T or P, a string of the Reber grammar, the same T or P again, E.

    A string of the Reber grammar begins with B and ends with E. Wherever two symbols are legal, each is drawn with
    probability 1/2, so the shortest strings have 9 symbols and there is no longest one. Inputs are one-hot over the
    seven symbols, from the first symbol to the last but one. There is one output for each symbol; its target is 1 when
    the symbol is legal as the next one, else 0. All steps are scored. The last symbol but one has to be kept in mind since the second one;
    all others follow from the state of the inner grammar.

    Training strings are drawn independently, and some are equal. No test string is in training, as published, and no
    validation string is in training or test. All have separate random streams. With ``tested="all"`` the test data are the
    training strings and then the test strings: ``all_legal`` is then the criterion of the paper, 1 if in every string the legal next symbols are the
    most active outputs at every step, else 0, and its mean over runs is the share of successful trials.

    Source: Hochreiter and Schmidhuber 1997, "Long short-term memory", experiment 1; the grammar: Reber 1967, "Implicit learning of
    artificial grammars"; embedded: Cleeremans, Servan-Schreiber and McClelland 1989, "Finite state automata and simple recurrent
    networks". Deviation: the targets are all legal symbols; in the papers they are the symbol that follows.
    """

    name = "embedded-reber"
    loss = "binary-cross-entropy"
    inputs = len(SYMBOLS)
    outputs = len(SYMBOLS)
    input_names = tuple(SYMBOLS)
    output_names = tuple(SYMBOLS)
    metrics = ("all_legal", "legal_match", "exact_match", "token_accuracy", "binary_cross_entropy")
    predicts_inputs = True
    references = (
        Reference(
            1.0,
            "all_legal",
            "training and test strings: LSTM of 276 weights in 97 to 100 % of 30 trials, after 8,440 to 21,730 strings",
            "Hochreiter and Schmidhuber 1997",
        ),
        Reference(
            0.0,
            "all_legal",
            "training and test strings: Elman network of 435 weights, after more than 200,000 strings",
            "Hochreiter and Schmidhuber 1997, of Cleeremans et al. 1989",
        ),
    )

    train: int = setting(256, "training strings", minimum=1, maximum=10_000)
    valid: int = setting(256, "validation strings", minimum=1, maximum=10_000)
    test: int = setting(256, "test strings", minimum=1, maximum=10_000)
    tested: str = setting(
        "new", "test data: new strings, or all, those of training too", choices=("new", "all")
    )

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all strings, about 12 symbols each."""
        return 2 * len(SYMBOLS) * 12 * (self.train + self.valid + self.test)

    def data(self, seed: int) -> Splits:
        """Return strings drawn from the seed."""
        train = draw_strings(generator(seed, 0), self.train, set())
        test = draw_strings(generator(seed, 2), self.test, set(train))
        valid = draw_strings(generator(seed, 1), self.valid, {*train, *test})
        tested = test if self.tested == "new" else train + test
        return Splits(train=_batch(train), valid=_batch(valid), test=_batch(tested))

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the inner grammar without memory of the second symbol, and what followed the present symbol in training."""
        assert splits.test is not None
        return {
            "inner grammar alone": _without_second(splits.test),
            "frequencies after a symbol": bit_frequencies(splits, by_input=True),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return the usual sizes with an LSTM."""
        return by_strategy(strategy, trained=8, cell="lstm")


def draw_strings(rng: np.random.Generator, count: int, excluded: set[str]) -> list[str]:
    """Return strings of the embedded grammar that are not excluded; drawn again where they are."""
    found: list[str] = []
    while len(found) < count:
        outer = "TP"[rng.integers(2)]
        state, inner = "start", ""
        while state != "end":
            symbols = list(INNER[state])
            inner += symbols[rng.integers(len(symbols))]
            state = INNER[state][inner[-1]]
        string = f"B{outer}{inner}{outer}E"
        if string not in excluded:
            found.append(string)
    return found


def legal_after(shown: str, outer: str) -> list[str]:
    """Return the legal next symbols after each symbol of the beginning of a string, with `outer` as the repeated one."""
    legal, state = ["TP", "B"][: len(shown)], "start"
    for symbol in shown[2:]:
        if state == "end":  # the repeated symbol has been shown
            return [*legal, "E"]
        state = INNER[state][symbol]
        legal.append("".join(INNER[state]) or outer)
    return legal


def one_hot(symbols: list[str]) -> np.ndarray:
    """Return vectors (T, 7) that are 1 at every symbol that a text has."""
    return np.array([[float(symbol in text) for symbol in SYMBOLS] for text in symbols])


def _batch(strings: list[str]) -> Batch:
    """Return strings with their legal next symbols as targets."""
    examples = []
    for string in strings:
        legal = legal_after(string[:-1], outer=string[1])
        examples.append(Example(one_hot(list(string[:-1])), one_hot(legal), np.ones(len(legal), dtype=bool)))
    return padded(examples)


def _without_second(batch: Batch) -> np.ndarray:
    """Return logits of the legal symbols by the inner grammar, with even odds for T and P where the second symbol is repeated."""
    logits = np.zeros((*batch.inputs.shape[:2], len(SYMBOLS)))
    assert batch.lengths is not None
    for row, (inputs, length) in enumerate(zip(batch.inputs, batch.lengths)):
        shown = "".join(SYMBOLS[place] for place in inputs[:length].argmax(axis=1))
        legal = one_hot(legal_after(shown, outer="?"))
        legal[~legal.any(axis=1)] = one_hot(["TP"])[0] / 2
        logits[row, :length] = CERTAIN * (2 * legal - 1)
    return logits
