"""The exceptions that evorrn raises, and the text of the error for an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EvorrnError(Exception):
    """Base class of the errors that a user can correct; the command line prints them without a traceback.

    Examples
    --------
    >>> import evorrn
    >>> try:
    ...     evorrn.Network(inputs=1, outputs=1, cell="lstn")
    ... except evorrn.EvorrnError as error:
    ...     print(str(error).split(" (")[0])
    network.cell: unknown cell 'lstn'; did you mean 'lstm'?
    """


class UnknownName(EvorrnError):
    """Raised for the name of a cell, task, strategy, setting or column that does not exist.

    Parameters
    ----------
    kind : str
        What the name should be the name of, for instance ``"cell"``.
    name : str
        The name that was given.
    known : iterable of str
        The valid names.
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        super().__init__(unknown(kind, name, known))


class ShapeError(EvorrnError):
    """Raised for an array of a wrong shape, dtype or value; the message says what was expected and what came."""


class DataError(EvorrnError):
    """Raised for a file or an array that cannot be used as data."""


class CellError(EvorrnError):
    """Raised for a cell whose equations use something that cells may not use; the message quotes the line."""


class RunError(EvorrnError):
    """Raised for a run folder that is missing, truncated or written by another version."""


class Unfinished(EvorrnError):
    """Raised when work has to stop before its end, for instance on a full disk; finished results are kept."""


class ConfigError(EvorrnError):
    """Raised for wrong settings; one error reports all of them.

    Parameters
    ----------
    problems : str or iterable of str
        One sentence for each mistake. It begins with the path of the setting, for instance
        ``strategy.population: ...``.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class StopTraining(Exception):
    """Raised by a callback to stop a run after the current step; the run then ends as with a used budget.

    The message of the exception becomes `Result.stopped_by`, ``"callback"`` when there is none.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> def stop_after_two_steps(progress):
    ...     if progress.step == 2:
    ...         raise evorrn.StopTraining("two steps")
    >>> batch = evorrn.Batch(np.ones((4, 5, 1)), np.ones((4, 5, 1)))
    >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
    >>> strategy = evorrn.GeneticAlgorithm(population=4)
    >>> strategy.fit(network, batch, budget="9gen", callbacks=[stop_after_two_steps]).stopped_by
    'two steps'
    """


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Return the known name most similar to `name`, or None when no known name is similar."""
    names = sorted(known)
    exact = {other.lower(): other for other in names}
    if str(name).lower() in exact:
        return exact[str(name).lower()]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return close[0] if close else None


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the sentence that says that a name is unknown, with the nearest valid name and all valid names."""
    names = sorted(known)
    guess = nearest(name, names)
    hint = f"; did you mean {guess!r}?" if guess else ""
    listing = ", ".join(names) if names else "none"
    return f"unknown {kind} {str(name)!r}{hint} (known: {listing})"
