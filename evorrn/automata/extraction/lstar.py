"""An automaton learned from a trained network by queries: the algorithm L*, by the package aalpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.automata.alphabet import Alphabet
from evorrn.automata.dfa import DFA
from evorrn.automata.extraction.extract import Extraction, read_strings
from evorrn.automata.extraction.reader import Reader
from evorrn.automata.strings import Strings
from evorrn.base.errors import EvorrnError
from evorrn.network.network import Network


def learn_dfa(
    network: Network,
    genome: np.ndarray,
    alphabet: Alphabet | None = None,
    *,
    strings: Strings | list[str] | None = None,
    most_states: int = 64,
    seed: int = 0,
) -> Extraction:
    """Return the automaton that a trained network computes, learned by asking the network about strings.

    The algorithm L* asks the network whether it accepts strings of its choice, and proposes automata. A proposal
    is compared with the network on all of `strings` and their prefixes, and the shortest on which they differ leads
    to the next proposal. The last one agrees with the network on all of them, or has more than `most_states` states.

    Parameters
    ----------
    network, genome, alphabet, strings, seed
        See `extract_dfa`. The strings take the place of an oracle of equivalence, so the answer is as sure as they are
        many.
    most_states : int
        The number of states above which no further proposal is made.

    Raises
    ------
    EvorrnError
        When the package aalpy is not installed, which the extra ``automata`` installs.
    ShapeError
        When the network does not answer yes or no, or does not fit the alphabet.

    Source: Angluin 1987, "Learning regular sets from queries and counterexamples", with the counterexamples of Rivest
    and Schapire 1993; with a network as the teacher: Weiss et al. 2018, "Extracting automata from recurrent neural
    networks using queries and counterexamples". They compare with an abstraction of the network's states; here
    strings are compared.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.automata import learn_dfa
    >>> network = evorrn.Network(2, 1, loss="binary-cross-entropy")
    >>> learn_dfa(network, np.zeros(network.size)).dfa.states  # doctest: +SKIP
    1
    """
    try:
        from aalpy.base import SUL, Oracle
        from aalpy.learning_algs import run_Lstar
    except ImportError:
        raise EvorrnError("learn_dfa: needs the package aalpy: pip install 'evorrn[automata]'") from None

    reader = Reader(network, genome, alphabet or Alphabet.one_hot([str(at) for at in range(network.inputs)]))
    names = tuple(reader.alphabet.names)
    asked = _prefixes(read_strings(strings, names, seed))
    answers, answered = reader.accepts(asked), (asked.lengths > 0) | reader.answers_empty

    class Teacher(SUL):  # type: ignore[misc]
        """Answers queries about strings; the empty one by `empty` where the network gives no answer."""

        empty = bool(answers[asked.lengths == 0].any())

        def pre(self) -> None:
            self.read: list[int] = []

        def post(self) -> None:
            pass

        def step(self, letter: Any) -> bool:
            self.read += [] if letter is None else [letter]
            if not self.read and not reader.answers_empty:
                return self.empty
            return bool(reader.accepts(Strings(np.array([self.read], dtype=np.int64)))[0])

    class Comparison(Oracle):  # type: ignore[misc]
        """Finds the shortest of the strings on which a proposal and the network differ."""

        def find_cex(self, hypothesis: Any) -> tuple[int, ...] | None:
            if len(hypothesis.states) > most_states:
                return None
            wrong = (_dfa(hypothesis, names).accepts(asked) != answers) & answered
            return next(iter(asked.take(np.flatnonzero(wrong)[:1])), None)

    def learned(empty: bool) -> Extraction:
        teacher = Teacher()
        teacher.empty = empty
        letters = list(range(len(names)))
        found = run_Lstar(letters, teacher, Comparison(letters, teacher), "dfa", print_level=0)
        dfa = _dfa(found, names).minimised()
        wrong = (dfa.accepts(asked) != answers) & answered
        first = asked.take(np.flatnonzero(wrong)[:1]).texts(names)
        return Extraction(
            dfa=dfa,
            fidelity=1.0 - float(wrong.sum() / answered.sum()),
            disagreement=first[0] if first else None,
            strings=int(answered.sum()),
            clusters=len(found.states),
            consistency=1.0,
            answers_empty=reader.answers_empty,
        )

    tried = [learned(empty) for empty in ([True] if reader.answers_empty else [False, True])]
    return max(tried, key=lambda each: (each.fidelity, -each.dfa.states))


def _prefixes(strings: Strings) -> Strings:
    """Return the different prefixes of strings, by length and then in the order of the symbols."""
    parts = [np.zeros((1, strings.codes.shape[1]), dtype=np.int64)]
    lengths = [0]
    for step in range(1, strings.codes.shape[1] + 1):
        rows = np.unique(strings.codes[strings.lengths >= step, :step], axis=0)
        parts.append(np.pad(rows, ((0, 0), (0, strings.codes.shape[1] - step))))
        lengths += [step] * len(rows)
    return Strings(np.concatenate(parts), np.array(lengths))


def _dfa(found: Any, names: tuple[str, ...]) -> DFA:
    """Return an automaton of aalpy as a DFA."""
    places = {id(state): place for place, state in enumerate(found.states)}
    moves = [[places[id(state.transitions[code])] for code in range(len(names))] for state in found.states]
    accepting = [state.is_accepting for state in found.states]
    return DFA(np.array(moves), np.array(accepting), places[id(found.initial_state)], names)
