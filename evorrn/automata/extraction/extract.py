"""Extraction of an automaton from a trained network: its states as clusters of the network's states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.automata.alphabet import Alphabet
from evorrn.automata.dfa import DFA
from evorrn.automata.extraction.clusters import Clusters
from evorrn.automata.extraction.reader import Reader
from evorrn.automata.extraction.visits import visit
from evorrn.automata.strings import Strings
from evorrn.base.errors import EvorrnError
from evorrn.network.network import Network

MOST_STRINGS, LONG_STRINGS, LONGEST = 1000, 100, 50
"""Strings read by default: at most so many of one length, and random ones of these symbols at most."""

MOST_GIVEN = 1_000_000
"""The largest number of strings of one length that are read when a length is given."""


@dataclass(frozen=True, eq=False)
class Extraction:
    """An automaton read off a network, and how well it stands for it.

    Attributes
    ----------
    dfa : DFA
        The minimal automaton.
    fidelity : float
        The share of the strings read, with their prefixes, on which automaton and network agree.
    disagreement : str or None
        The shortest of these strings on which they do not agree.
    strings : int
        The number of these strings.
    clusters : int
        Clusters of the network's states, before the automaton was minimised; by queries, states of the proposal.
    consistency : float
        The share of the transitions between visited states that are those of the automaton's clusters; 1 by queries.
    answers_empty : bool
        Whether the network answers for the empty string. If not, the automaton treats it as makes it smaller,
        and rejects it where that makes no difference.

    Examples
    --------
    A network of zeros never accepts:

    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.automata import extract_dfa
    >>> network = evorrn.Network(2, 1, loss="binary-cross-entropy")
    >>> found = extract_dfa(network, np.zeros(network.size))
    >>> found.dfa.states, found.fidelity, found.disagreement, found.clusters
    (1, 1.0, None, 3)
    """

    dfa: DFA
    fidelity: float
    disagreement: str | None
    strings: int
    clusters: int
    consistency: float
    answers_empty: bool


def extract_dfa(
    network: Network,
    genome: np.ndarray,
    alphabet: Alphabet | None = None,
    *,
    strings: Strings | list[str] | None = None,
    most_clusters: int = 64,
    seed: int = 0,
) -> Extraction:
    """Return the automaton that a trained network computes, from clusters of its states.

    The network reads strings, and all states that it visits make three clusters: the start, the accepting and the
    rejecting ones. An automaton of the clusters goes at each symbol where most members of a cluster go. While it errs on a
    string that was read, the cluster at which most of these strings leave the way of their majority is cut in two by a
    linear discriminant, until the automaton agrees with the network on all strings or there are `most_clusters`. Of the
    automata on the way the one that agrees most is returned, of equally good ones the smallest.

    Parameters
    ----------
    network : Network
        Of any cell, with an answer of yes or no, see `Reader`.
    genome : ndarray, shape (n,)
    alphabet : Alphabet, optional
        How symbols are inputs; by default each input is a symbol.
    strings : Strings or list of str, optional
        What the network reads. By default those of `default_strings`: all up to a length, of which there are at most
        1,000 of one length, and 100 random ones of up to 50 symbols.
    most_clusters : int
        The largest number of clusters, at least 3.
    seed : int
        Seed of the random strings.

    Raises
    ------
    ShapeError
        When the network does not answer yes or no, or does not fit the alphabet.
    DataError
        When a state of the network is not finite.

    Source: Giles et al. 1992, "Learning and extracting finite state automata with second-order recurrent neural
    networks" (states of a network in groups, transitions, minimisation). They divide the space of states into a grid;
    here clusters are cut where the automaton errs, as Weiss et al. 2018, "Extracting automata from recurrent neural
    networks using queries and counterexamples", refine their partition of states.

    Examples
    --------
    An Elman network of one unit that keeps its value at a zero and saturates at a one has seen a one, or has not:

    >>> import evorrn
    >>> from evorrn.automata import extract_dfa
    >>> network = evorrn.Network(2, 1, cell="elman", hidden=1, loss="binary-cross-entropy")
    >>> genome = network.pack({"layer0.W_x": [[0, 9]], "layer0.W_h": [[9]], "layer0.b": [0], "readout.W": [[1]],
    ...                        "readout.b": [-0.5]})
    >>> found = extract_dfa(network, genome)
    >>> print(found.dfa)
    start  state     0  1
    ->     0         0  1
           1 accept  1  1
    >>> found.fidelity
    1.0
    """
    reader = Reader(network, genome, alphabet or Alphabet.one_hot([str(at) for at in range(network.inputs)]))
    names = tuple(reader.alphabet.names)
    clusters, found = Clusters(visit(reader, read_strings(strings, names, seed))), []
    best = 0.0
    while True:
        errs, _ = clusters.wrong()
        fidelity = 1.0 - float(errs.sum() / max(clusters.visits.answered.sum(), 1))
        if fidelity >= best:
            best = fidelity
            found.append(_judged(clusters, names, reader.answers_empty, errs))
        if not errs.any() or clusters.count >= most_clusters or not clusters.divide():
            return max(found, key=lambda each: (each.fidelity, -each.dfa.states))


def read_strings(strings: Strings | list[str] | None, names: tuple[str, ...], seed: int) -> Strings:
    """Return the strings that a network reads: those given, or the default ones."""
    if strings is None:
        return default_strings(len(names), seed)
    return strings if isinstance(strings, Strings) else Strings.of(strings, names)


def default_strings(symbols: int, seed: int = 0, longest: int | None = None) -> Strings:
    """Return all strings up to a length, and 100 random ones of up to 50 symbols.

    The length is by default the last one of which there are at most 1,000 strings, and at least 1.

    Raises
    ------
    EvorrnError
        When there are more than a million strings of the given length.
    """
    if longest is None:
        longest = LONGEST if symbols == 1 else max(1, int(np.log(MOST_STRINGS) / np.log(symbols)))
    if symbols**longest > MOST_GIVEN:
        raise EvorrnError(
            f"longest: expected at most {MOST_GIVEN:,} strings of the length, got {symbols}^{longest} of length {longest}"
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    return Strings.up_to(symbols, longest).and_also(Strings.drawn(rng, symbols, LONG_STRINGS, LONGEST, 1))


def _judged(clusters: Clusters, names: tuple[str, ...], answers_empty: bool, errs: np.ndarray) -> Extraction:
    """Return the automaton of clusters; `errs` (M,) are the strings on which it does not agree with the network."""
    visits = clusters.visits
    labels = [bool(visits.accepted[0])] if answers_empty else [False, True]
    automata = [clusters.automaton(names, start_accepts) for start_accepts in labels]
    first = visits.strings.take(np.flatnonzero(errs)[:1]).texts(names)
    count = int(visits.answered.sum())
    return Extraction(
        dfa=min(automata, key=lambda each: each.states),
        fidelity=1.0 - float(errs.sum() / max(count, 1)),
        disagreement=first[0] if first else None,
        strings=count,
        clusters=clusters.count,
        consistency=clusters.consistency(),
        answers_empty=answers_empty,
    )
