"""The way of all checks: say what is done, collect every broken rule, and name them all at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from evorrn.base.errors import ConfigError, EvorrnError

T = TypeVar("T")


class Checking:
    """A check in progress.

    Parameters
    ----------
    what : str
        The check and what is checked, which every printed line begins with.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.problems: list[str] = []

    @contextmanager
    def part(self, doing: str) -> Iterator[None]:
        """Print to the error stream what the block does; an exception that it raises is a broken rule."""
        print(f"{self.what}: {doing}", file=sys.stderr, flush=True)
        try:
            yield
        except (AssertionError, EvorrnError) as error:
            self.require(False, str(error) or doing)
        except Exception as error:
            self.require(False, f"{doing}: raised {type(error).__name__}: {error}")

    def require(self, holds: bool, sentence: str) -> None:
        """Note a broken rule, once, unless a condition holds."""
        if not holds and sentence not in self.problems:
            self.problems.append(sentence)

    def finish(self) -> None:
        """Raise AssertionError with all broken rules, if there are any."""
        if self.problems:
            raise AssertionError("\n".join(self.problems))


def made(given: Any, find: Callable[[Any], type], base: type[T], what: str) -> T:
    """Return the object to check.

    Parameters
    ----------
    given : object, type or str
        The object; or its class, or ``"file.py:name"`` or a name, of which one with the default settings is made.
    find : callable
        Returns the class of a name or of a class.
    base : type
        The class that it has to derive from.
    what : str
        What messages call it, for instance ``"a task"``.

    Raises
    ------
    EvorrnError
        When nothing has that name, or it is of another kind, or the class cannot be made without settings.
    """
    found = given
    if isinstance(given, str | type):
        kind = find(given)
        try:
            found = kind()
        except ConfigError as error:
            raise ConfigError([f"{kind.__name__}: {problem}" for problem in error.problems]) from None
        except TypeError as error:
            raise EvorrnError(
                f"{kind.__name__}: expected a class that can be made without settings, or an object: {error}"
            ) from None
    if not isinstance(found, base):
        raise EvorrnError(f"expected {what}, its class or 'file.py:name', got {found!r}")
    return found
