"""The class TextModel: a network trained on running text, which writes text and tells how probable a text is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.base.memory import whole_number
from evorrn.base.settings import check_seed
from evorrn.data.characters import Characters
from evorrn.training.model import Model

CHARACTERS = 2**12
"""Characters of a text that are read at once."""

SHORTEST, TIMES = 12, 3
"""A repetition has at least so many characters in all, and says its period so many times."""


class NextCharacters(NamedTuple):
    """What a network expects after each of T characters.

    Attributes
    ----------
    chosen : ndarray of int64, shape (T,)
        The number of the most probable next character, see `evorrn.TextModel.characters`.
    probability : ndarray, shape (T,)
        Its probability.
    bits : ndarray, shape (T,)
        -log2 of the probability of the character that does follow; NaN for the last one.
    """

    chosen: np.ndarray
    probability: np.ndarray
    bits: np.ndarray


class TextModel:
    """A network trained on the task ``text``.

    Parameters
    ----------
    model : Model or Result
        Its outputs are logits of the next character, as its names of inputs and outputs say.

    Raises
    ------
    EvorrnError
        When the network was not trained on running text.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("text", characters=500)
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> text = evorrn.TextModel(evorrn.RandomSearch(count=2).fit(network, task, budget="1gen"))
    >>> len(text.sample(length=20, prompt="The ", temperature=0.8, seed=1))
    20
    >>> bool(text.log2_probability("The statement") < 0)
    True
    """

    def __init__(self, model: Model) -> None:
        characters = Characters.predicted(model.input_names, model.output_names)
        if characters is None:
            raise EvorrnError(
                "expected a network trained on running text, whose outputs are characters, as the task text trains them"
            )
        self.model, self.characters = model, characters

    def sample(self, length: int = 200, prompt: str = "", temperature: float = 1.0, seed: int = 0) -> str:
        """Return text that the network writes after it has read a prompt.

        Parameters
        ----------
        length : int
            Characters to write.
        prompt : str
            A line feed is read before it, as at the start of a line; without it where the network knows none.
        temperature : float
            The logits are divided by it: 1 draws from the network's probabilities, less makes probable characters more
            probable. 0 takes the most probable character each time, which sooner or later repeats itself, see `repetition`.
        seed : int
            Seed of the draws.

        Returns
        -------
        str
            The characters written, without the prompt. The unknown character is never drawn.

        Raises
        ------
        ConfigError
            When the length is no whole number of at least 1, or more than memory holds, or the temperature below 0 or not
            finite.
        """
        found = []
        try:
            whole_number("length", length, numbers=6)
        except ConfigError as error:
            found += error.problems
        if not (math.isfinite(temperature) and temperature >= 0):
            found.append(f"temperature: expected a number of at least 0, got {temperature:g}")
        if found:
            raise ConfigError(found)
        rng = np.random.default_rng(check_seed(seed))
        logits, state = self._read(self._started(prompt), None)
        written: list[int] = []
        for _ in range(length):
            written.append(_choose(logits[-1, :-1], temperature, rng))
            logits, state = self._read(written[-1:], state)
        return self.characters.text(written)

    def log2_probability(self, text: str, prompt: str = "") -> float:
        """Return the logarithm to base 2 of the probability that the network gives a text after a prompt.

        It is the sum over characters of that of each, after all before it; divided by the number of characters and with
        the sign turned it is the bits per character. What stands before the prompt is as in `sample`. An unknown character
        has the probability of all unknown ones together.

        Raises
        ------
        ConfigError
            When the text is empty.
        """
        if not text:
            raise ConfigError("text: expected at least one character, got none")
        before, own = self._started(prompt), self.characters.numbers(text)
        logits, _ = self._read([*before, *own[:-1].tolist()], None)
        logs = log_softmax(logits[len(before) - 1 :], axis=1)
        return float(logs[np.arange(len(own)), own].sum() / math.log(2))

    def next_characters(self, text: str) -> NextCharacters:
        """Return what the network expects after each character of a text, read from its beginning.

        Raises
        ------
        ConfigError
            When the text is empty.
        """
        if not text:
            raise ConfigError("text: expected at least one character, got none")
        numbers, state = self.characters.numbers(text), None
        chosen, surest, bits = np.zeros(len(text), np.int64), np.zeros(len(text)), np.full(len(text), np.nan)
        for first in range(0, len(text), CHARACTERS):
            part = slice(first, first + CHARACTERS)
            logits, state = self._read(numbers[part].tolist(), state)
            logs = log_softmax(logits, axis=1)
            chosen[part], surest[part] = logs.argmax(axis=1), np.exp(logs.max(axis=1))
            following = numbers[first + 1 : first + 1 + len(logs)]
            bits[first : first + len(following)] = -logs[np.arange(len(following)), following] / math.log(2)
        return NextCharacters(chosen, surest, bits)

    def unknown(self, text: str) -> list[str]:
        """Return the different characters of a text that the network does not know, in their order."""
        return [each for each in dict.fromkeys(text) if each not in self.characters.known]

    def _started(self, prompt: str) -> list[int]:
        """Return the numbers of a prompt after a line feed, without it where the network knows none."""
        first = "\n" if "\n" in self.characters.known or not prompt else ""
        return [int(number) for number in self.characters.numbers(first + prompt)]

    def _read(self, numbers: list[int], state: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the logits (T, O) after each of T characters, and the state after the last one."""
        shown = np.array(numbers, dtype=np.int64)[None]
        outputs, after = self.model.network.predict(self.model.genome, shown, state=state, return_state=True)
        return np.asarray(outputs[0], dtype=np.float64), after


def repetition(text: str) -> str:
    """Return the shortest period with which a text ends, said at least `TIMES` times; empty where there is none.

    Examples
    --------
    >>> repetition("It is the end of the end of the end of the end of")
    ' the end of'
    """
    for period in range(1, len(text) // TIMES + 1):
        size = max(TIMES * period, SHORTEST)
        tail = text[-size:]
        if len(tail) == size and tail[period:] == tail[:-period]:
            return text[-period:]
    return ""


def _choose(logits: np.ndarray, temperature: float, rng: np.random.Generator) -> int:
    """Return the number of a character drawn by its logits (O,), or the most probable one."""
    if not np.isfinite(logits).all():
        raise EvorrnError("the outputs of the network are not finite, so it cannot write text")
    if temperature == 0:
        return int(logits.argmax())
    scaled = (logits - logits.max()) / temperature
    bounds = np.cumsum(np.exp(scaled))
    return int(np.searchsorted(bounds, rng.random() * bounds[-1], side="right"))
