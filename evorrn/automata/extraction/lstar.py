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
    to the next proposal, until one agrees with the network on all of them or has more than `most_states` states. The
    proposal that agrees most is returned, of equally good ones the smallest.

    Parameters
    ----------
    network, genome, alphabet, strings, seed
        See `extract_dfa`. The strings take the place of an oracle of equivalence, so the answer is as sure as they are
        many.
    most_states : int
        The largest number of states of a proposal that is compared and kept, except the first.

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
    letters = list(range(len(names)))
    asked = _prefixes(read_strings(strings, names, seed))
    answers, answered = reader.accepts(asked), (asked.lengths > 0) | reader.answers_empty

    class Teacher(SUL):  # type: ignore[misc]
        """Answers queries about strings; the empty one by `empty` where the network gives no answer."""

        def __init__(self, empty: bool) -> None:
            super().__init__()
            self.empty = empty

        def query(self, word: tuple[int, ...]) -> list[bool]:
            """Return whether each prefix of a string is accepted, from one symbol on; of the empty string itself."""
            self.num_queries += 1
            if not word and not reader.answers_empty:
                return [self.empty]
            lengths = np.arange(1, len(word) + 1) if word else np.zeros(1, dtype=np.int64)
            codes = np.tile(np.array(word, dtype=np.int64), (len(lengths), 1))
            return [bool(answer) for answer in reader.accepts(Strings(codes, lengths))]

        def pre(self) -> None:
            raise NotImplementedError("strings are asked as a whole")

        post = step = pre

    class Comparison(Oracle):  # type: ignore[misc]
        """Finds the shortest of the strings on which a proposal and the network differ, and keeps the best proposal."""

        best: Extraction | None = None

        def find_cex(self, hypothesis: Any) -> tuple[int, ...] | None:
            proposal = _dfa(hypothesis, names)
            wrong = np.flatnonzero((proposal.accepts(asked) != answers) & answered)
            fidelity = 1.0 - len(wrong) / max(int(answered.sum()), 1)
            small = proposal.states <= most_states
            if self.best is None or (small and fidelity > self.best.fidelity):
                self.best = Extraction(
                    dfa=proposal.minimised(),
                    fidelity=fidelity,
                    disagreement=asked.take(wrong[:1]).texts(names)[0] if len(wrong) else None,
                    strings=int(answered.sum()),
                    clusters=proposal.states,
                    consistency=1.0,
                    answers_empty=reader.answers_empty,
                )
            return next(iter(asked.take(wrong[:1])), None) if small else None

    found = []
    for empty in [True] if reader.answers_empty else [False, True]:
        teacher = Teacher(empty)
        comparison = Comparison(letters, teacher)
        run_Lstar(letters, teacher, comparison, "dfa", print_level=0)
        assert comparison.best is not None
        found.append(comparison.best)
    return max(found, key=lambda each: (each.fidelity, -each.dfa.states))


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
