"""The automaton of a run: extracted from its network, compared with the data and with the language of the task."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.automata.alphabet import Alphabet
from evorrn.automata.dfa import DFA
from evorrn.automata.extraction.extract import Extraction, default_strings, extract_dfa
from evorrn.automata.extraction.lstar import learn_dfa
from evorrn.automata.extraction.reader import Reader
from evorrn.automata.strings import Strings
from evorrn.base.errors import DataError, EvorrnError, UnknownName
from evorrn.base.files import jsonable, write_atomic
from evorrn.data.batch import Batch
from evorrn.data.task import Task
from evorrn.lab.catalogue import Page
from evorrn.lab.report.automaton import automaton_plot
from evorrn.lab.report.tables import text_table
from evorrn.lab.runs.source import trained
from evorrn.lab.runs.spec import resolve_stored
from evorrn.lab.runs.store import RunFolder, writing

METHODS: dict[str, Callable[..., Extraction]] = {"clusters": extract_dfa, "lstar": learn_dfa}


@dataclass(frozen=True)
class RunAutomaton:
    """What `evorrn automaton` finds.

    Attributes
    ----------
    run : str
        The id of the run.
    network, task : str
        In words.
    method : str
        ``"clusters"`` or ``"lstar"``.
    extraction : Extraction
    accuracy : dict
        For each split the shares of the scored answers that the network and the automaton give rightly.
    source : DFA or None
        The automaton of the task's language, where the task has one.
    counterexample : str or None
        A shortest string on which the automaton and that of the task differ, None when they are equivalent or the task
        has none. The empty string counts only where the network answers for it.
    network_errs : bool or None
        Whether the network itself is wrong on the counterexample; if not, the automaton stands badly for it there.
    """

    run: str
    network: str
    task: str
    method: str
    extraction: Extraction
    accuracy: dict[str, tuple[float, float]]
    source: DFA | None
    counterexample: str | None
    network_errs: bool | None

    @property
    def equivalent(self) -> bool | None:
        """Whether the automaton accepts the language of the task, None when the task has no automaton."""
        return None if self.source is None else self.counterexample is None

    def as_dict(self) -> dict[str, Any]:
        """Return what was found as plain data."""
        found = self.extraction
        return jsonable(  # type: ignore[no-any-return]
            {
                "run": self.run,
                "network": self.network,
                "task": self.task,
                "method": self.method,
                "states": found.dfa.states,
                "automaton": found.dfa.as_dict(),
                "dot": found.dfa.dot(),
                "fidelity": found.fidelity,
                "disagreement": found.disagreement,
                "strings": found.strings,
                "clusters": found.clusters,
                "consistency": found.consistency,
                "answers_empty": found.answers_empty,
                "accuracy": {
                    name: {"network": network, "automaton": automaton}
                    for name, (network, automaton) in self.accuracy.items()
                },
                "task_automaton": None if self.source is None else self.source.as_dict(),
                "equivalent": self.equivalent,
                "counterexample": self.counterexample,
                "network_errs": self.network_errs,
            }
        )


def automaton_of(run: RunFolder, method: str = "clusters", longest: int | None = None) -> RunAutomaton:
    """Return the automaton that the network of a complete run computes.

    Parameters
    ----------
    run : RunFolder
        Its task has sequences of symbols, at most 16 different inputs, with an answer of yes or no.
    method : str
        ``"clusters"``, see `evorrn.automata.extract_dfa`, or ``"lstar"``, see `evorrn.automata.learn_dfa`.
    longest : int, optional
        The network reads all strings of up to this many symbols, beside random ones.

    Raises
    ------
    EvorrnError
        When the run is not complete, its task or network does not fit, or a package is missing.
    """
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    result = trained(run)
    if result.network.wired or result.network.arity:
        raise EvorrnError(
            f"automaton: expected a network with one time step, whose states are those of an automaton, got {result.network}"
        )
    spec = resolve_stored(run.path, run.path)
    task = spec.task
    if not isinstance(task, Task):
        raise EvorrnError(f"expected a run on sequences of symbols, got one in the environment {task.name}")
    given = task.data(spec.seed)
    try:
        splits = [
            None if batch is None else result.network.fitting(batch)
            for batch in (given.train, given.valid, given.test)
        ]
        known = [batch for batch in splits if batch is not None]
        alphabet = getattr(task, "alphabet", None) or Alphabet.found_in(known)
        reader = Reader(result.network, result.genome, alphabet)
        accuracy = {
            name: _accuracy(reader, batch)
            for name, batch in zip(("train", "valid", "test"), splits)
            if batch is not None
        }
    except EvorrnError as error:
        raise DataError(f"{task.name}: {error}") from None
    strings = default_strings(len(alphabet.names), longest=longest)
    extraction = METHODS[method](result.network, result.genome, alphabet, strings=strings)
    source: DFA | None = getattr(task, "automaton", None)
    counterexample = None if source is None else extraction.dfa.difference(source, reader.answers_empty)
    return RunAutomaton(
        run=run.id,
        network=str(result.network),
        task=", ".join([task.name, *(f"{name} {value}" for name, value in _told(task).items())]),
        method=method,
        extraction=extraction,
        accuracy={
            name: (right, _agreement(extraction.dfa, strings, scored, answers))
            for name, (right, strings, scored, answers) in accuracy.items()
        },
        source=source,
        counterexample=counterexample,
        network_errs=None
        if source is None or counterexample is None
        else _errs(reader, source, counterexample),
    )


def write(found: RunAutomaton, folder: Path) -> list[Path]:
    """Write ``automaton.json`` and ``plots/automaton.png`` into a run's folder, and return the files."""
    files = [folder / "automaton.json", folder / "plots" / "automaton.png"]
    with writing(folder):
        write_atomic(files[0], json.dumps(found.as_dict(), indent=1) + "\n")
        automaton_plot(found.extraction.dfa, files[1], f"{found.task}: {found.network}")
    return files


def page(found: RunAutomaton) -> Page:
    """Return what was found as a page to print."""
    dfa, extraction = found.extraction.dfa, found.extraction
    rows = [
        (
            "->" if state == dfa.start else "",
            str(state),
            "accepts" if dfa.accepting[state] else "rejects",
            *map(str, following),
        )
        for state, following in enumerate(dfa.transitions.tolist())
    ]
    sentences = [
        f"{dfa.states} states, from {extraction.clusters} "
        + ("clusters of the network's states." if found.method == "clusters" else "states that L* proposed."),
        f"Automaton and network agree on {extraction.fidelity:.4%} of {extraction.strings:,} strings"
        + (
            "."
            if extraction.disagreement is None
            else f"; they differ on {_quoted(extraction.disagreement)}."
        ),
    ]
    if found.method == "clusters":
        sentences.append(
            f"Of the network's transitions {extraction.consistency:.4%} are those of its clusters."
        )
    if not extraction.answers_empty:
        sentences.append("The network gives no answer for the empty string.")
    if found.source is not None:
        sentences.append(
            f"It is equivalent to the automaton of the task, of {found.source.minimised().states} states."
            if found.equivalent
            else f"It is not equivalent to the automaton of the task, of {found.source.minimised().states} states: "
            f"they differ on {_quoted(found.counterexample)}, where the network itself is "
            f"{'wrong' if found.network_errs else 'right'}."
        )
    return Page(
        f"automaton of run {found.run}: {found.task}, {found.network}",
        "\n".join(sentences),
        tables=[
            text_table("transitions", ("", "state", "", *dfa.symbols), rows),
            text_table(
                "right answers",
                ("", "network", "automaton"),
                [(name, *(f"{share:.4f}" for share in shares)) for name, shares in found.accuracy.items()],
            ),
        ],
    )


def _told(task: Task) -> dict[str, Any]:
    """Return the settings of a task that are not the defaults, and its language."""
    kind = type(task)()
    return {
        name: value
        for name, value in task.values().items()
        if name == "language" or value != kind.values()[name]
    }


def _errs(reader: Reader, source: DFA, string: str) -> bool:
    """Return whether a network is wrong on a string, by the automaton of the language."""
    given = Strings.of([string if max(map(len, source.symbols)) == 1 else string.split()], source.symbols)
    return bool(reader.accepts(given)[0] != source.accepts(given)[0])


def _quoted(string: str | None) -> str:
    return string or "the empty string"


def _accuracy(reader: Reader, batch: Batch) -> tuple[float, Strings, np.ndarray, np.ndarray]:
    """Return the share of right answers of a network, the strings of a batch, where they are scored and the answers.

    The last two are arrays (B, T + 1) of the prefixes of 0, 1, ... T symbols.
    """
    strings = reader.alphabet.decoded(batch)
    assert batch.lengths is not None
    truth = batch.targets == 1 if batch.labelled else batch.targets[:, :, 0] > 0.5
    outputs = reader.network.predict(reader.genome, batch.inputs, lengths=batch.lengths)
    given = reader.decided(outputs.reshape(-1, outputs.shape[2])).reshape(truth.shape)
    end = reader.alphabet.end is not None
    scored, answers = batch.scored.copy(), truth
    if end:
        scored &= np.arange(batch.steps) == batch.lengths[:, None] - 1
    early = 1 - end - (reader.alphabet.begin is not None)  # the answer for n symbols comes at step n - early
    if early < 0:
        scored, answers = scored[:, -early:], answers[:, -early:]
    else:
        scored, answers = (np.pad(each, ((0, 0), (early, 0))) for each in (scored, answers))
    return float((given == truth)[batch.scored].mean()), strings, scored, answers


def _agreement(dfa: DFA, strings: Strings, scored: np.ndarray, answers: np.ndarray) -> float:
    """Return the share of scored prefixes for which an automaton gives the answer."""
    return float((dfa.prefixes_accepted(strings)[:, : scored.shape[1]] == answers)[scored].mean())
