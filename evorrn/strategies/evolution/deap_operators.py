"""DEAP's own operators in a user's toolbox: which of them work on genomes of real numbers, and why others do not."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Sequence
from typing import Any

from deap import base, tools

from evorrn.base.errors import ConfigError
from evorrn.strategies.evolution.individuals import Individual

OPERATORS = ("select", "mate", "mutate")
"""The functions of a user's toolbox that are used; others in it are ignored."""
OTHER_WORDS = {"crossover": "mate", "cross": "mate", "recombine": "mate", "tournament": "select"}
"""Names for operators that other libraries have."""

_PERMUTATIONS = "works on permutations of whole numbers, and genes are real numbers"
_STRATEGY = "needs individuals with a list of mutation sizes named strategy; for sizes that evolve use the setting adaptation"
_OBJECTIVES = (
    "needs several objectives, and a fitness here is one number; selTournament does the same for one"
)

REFUSED: dict[Callable[..., Any], str] = {
    tools.cxPartialyMatched: _PERMUTATIONS,
    tools.cxUniformPartialyMatched: _PERMUTATIONS,
    tools.cxOrdered: _PERMUTATIONS,
    tools.cxMessyOnePoint: "changes the length of individuals, and a genome has a fixed length",
    tools.cxESBlend: _STRATEGY,
    tools.cxESTwoPoint: _STRATEGY,
    tools.cxESTwoPoints: _STRATEGY,
    tools.mutESLogNormal: _STRATEGY,
    tools.selTournamentDCD: _OBJECTIVES,
    tools.selNSGA3: _OBJECTIVES,
    tools.selNSGA3WithMemory: _OBJECTIVES,
}
"""DEAP's operators that cannot work here, and why."""
PROPORTIONAL = (tools.selRoulette, tools.selStochasticUniversalSampling)
"""DEAP's selections in proportion to fitness."""


def toolbox_problems(toolbox: object) -> list[str]:
    """Return one sentence for each thing that is wrong with a user's toolbox."""
    if not isinstance(toolbox, base.Toolbox):
        return [f"toolbox: expected a deap.base.Toolbox made in Python, got {toolbox!r}"]
    found = []
    for name in set(vars(toolbox)) - set(OPERATORS):
        meant = OTHER_WORDS.get(name) or next(iter(difflib.get_close_matches(name, OPERATORS, 1, 0.7)), None)
        if meant is not None:
            found.append(f"toolbox.{name}: unknown operator {name!r}; did you mean {meant!r}?")
    given = [name for name in OPERATORS if hasattr(toolbox, name)]
    if not (given or found):
        found.append(f"toolbox: expected at least one of the operators {', '.join(OPERATORS)}, got none")
    for name in given:
        function = original(getattr(toolbox, name))
        if reason := _refusal(function):
            found.append(f"toolbox.{name}: {_name(function)} {reason}")
    return sorted(found)


def original(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that a toolbox has registered, without the arguments registered with it."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def call(name: str, function: Callable[..., Any], *given: Any) -> Any:
    """Call an operator; raise ConfigError in place of what one of DEAP's own raises.

    Parameters
    ----------
    name : str
        ``select``, ``mate`` or ``mutate``.
    function : callable
        As registered in the toolbox.
    *given
        Its arguments.
    """
    own = original(function)
    if not getattr(own, "__module__", "").startswith("deap."):
        return function(*given)
    try:
        return function(*given)
    except Exception as error:
        raise ConfigError(
            f"toolbox.{name}: {_name(own)} of DEAP failed: {type(error).__name__}: {error}"
        ) from error


def check_positive(function: Callable[..., Any], individuals: Sequence[Individual]) -> None:
    """Raise ConfigError when a selection in proportion to fitness gets fitness that is not positive."""
    own = original(function)
    lowest = min(each.fitness.wvalues[0] for each in individuals)
    if own in PROPORTIONAL and not lowest > 0:
        raise ConfigError(
            f"toolbox.select: {_name(own)} needs positive fitness, and the lowest here is {lowest:g}; the setting "
            "selection='roulette' draws in proportion to ranks"
        )


def _refusal(function: Callable[..., Any]) -> str:
    """Return why one of DEAP's operators cannot work here, empty when nothing is known against it."""
    if getattr(function, "__module__", "") == "deap.gp":
        return "works on trees, and a genome is a vector"
    return next((why for known, why in REFUSED.items() if function is known or type(function) is known), "")


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
