"""Finding strategies by their command-line names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from evorrn.base.plugins import Plugins, named_subclass
from evorrn.base.settings import build

if TYPE_CHECKING:
    from evorrn.strategies.base import Strategy


def _bases() -> tuple[type, ...]:
    from evorrn.strategies.base import Strategy

    return (Strategy,)


STRATEGIES = Plugins(
    "strategy",
    "evorrn.strategies",
    "evorrn.strategies",
    named_subclass(_bases),
    "a subclass of evorrn.Strategy with a name",
)


def strategies() -> dict[str, type[Strategy]]:
    """Return every registered strategy class by its command-line name."""
    return STRATEGIES.all()


def find_strategy(reference: str) -> type[Strategy]:
    """Return a strategy class from its command-line name or ``"file.py:name"``."""
    return cast("type[Strategy]", STRATEGIES.find_with_settings(reference))


def make_strategy(name: str, settings: Mapping[str, Any]) -> Strategy:
    """Return a strategy made from its name and settings; all mistakes are reported at once."""
    return build(find_strategy(name), settings, "strategy")
