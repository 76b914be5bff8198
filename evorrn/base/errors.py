"""Every error that evorrn raises on purpose, and the words they are made of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EvorrnError(Exception):
    """Base of all errors that are the user's to mend; the command line prints them without traceback."""


class UnknownName(EvorrnError):
    """A cell, task, strategy, setting or column that does not exist.

    Parameters
    ----------
    kind : str
        What was looked for, for instance ``"cell"``.
    name : str
        The name that was given.
    known : iterable of str
        The names that would have been valid.
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        super().__init__(unknown(kind, name, known))


class ShapeError(EvorrnError):
    """An array whose shape, dtype or values do not fit; the message gives both sides."""


class DataError(EvorrnError):
    """A file or an array of the user's that cannot be used as data."""


class CellError(EvorrnError):
    """A cell outside the language of cell equations; the message quotes the line."""


class RunError(EvorrnError):
    """A run folder that is missing, truncated or from another version."""


class Unfinished(EvorrnError):
    """Something that was under way cannot go on, for instance on a full disk; what was done is kept."""


class ConfigError(EvorrnError):
    """One or more mistakes in settings, all reported at once.

    Parameters
    ----------
    problems : iterable of str
        One sentence each, led by the path of the setting, for instance ``strategy.population: ...``.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class StopTraining(Exception):
    """Raised by a callback to end a run in good order; not an error."""


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Return the known name closest to `name`, or None when nothing is close."""
    names = sorted(known)
    exact = {other.lower(): other for other in names}
    if str(name).lower() in exact:
        return exact[str(name).lower()]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return close[0] if close else None


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the sentence that says a name is unknown, with the nearest valid one and the list."""
    names = sorted(known)
    guess = nearest(name, names)
    hint = f"; did you mean {guess!r}?" if guess else ""
    listing = ", ".join(names) if names else "none"
    return f"unknown {kind} {str(name)!r}{hint} (known: {listing})"
