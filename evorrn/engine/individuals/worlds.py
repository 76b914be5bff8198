"""Environments made ready for kernels: checked, named by what their functions contain, compiled, explained."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError, EvorrnError, ShapeError
from evorrn.data.batch import numeric
from evorrn.data.environment import Environment
from evorrn.engine.cache import load
from evorrn.engine.individuals import foreign
from evorrn.engine.individuals.emit import RESET
from evorrn.engine.individuals.moving import World

_fingerprint = functools.lru_cache(maxsize=256)(foreign.fingerprint)

FUNCTIONS = {
    "reset": "reset(state, rng)",
    "observe": "observe(state, observation)",
    "step": "step(state, action)",
}
PARTS = {"move": "move(state, action)", "judge": "judge(state)"}
TRIED_STEPS = 3
"""Time steps for which an environment is tried in plain Python."""
SIZES = ("observations", "actions", "states", "time_limit")


def check(environment: Environment) -> None:
    """Raise ConfigError with everything that keeps an environment from running.

    Raises
    ------
    ConfigError
    """
    if not isinstance(environment, Environment):
        raise ConfigError(f"environment: expected an evorrn.Environment, got {environment!r}")
    found = []
    for name in SIZES:
        value = _given(environment, name)
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            found.append(f"{name}: expected a whole number of at least 1, got {value!r}")
    for name in FUNCTIONS:
        function = _given(environment, name)
        problem = _function_problem(FUNCTIONS[name], function if callable(function) else None)
        if problem:
            found.append(problem)
    found += _problems_of_parts(environment) if environment.parts is not None else []
    if not found:
        sizes = [int(_given(environment, name)) for name in ("states", "observations", "actions")]
        problem = _beyond(*(_given(environment, name) for name in FUNCTIONS), *sizes)
        found += [problem] if problem else []
    if found:
        raise ConfigError([f"environment {environment.name}: {problem}" for problem in found])


def _given(environment: Environment, name: str) -> Any:
    try:
        return getattr(environment, name)
    except NotImplementedError:
        return None


def _problems_of_parts(environment: Environment) -> list[str]:
    parts = environment.parts
    if not isinstance(parts, tuple) or len(parts) != 3:
        return [f"parts: expected (count, move, judge), got {parts!r}"]
    count, *functions = parts
    found = [_function_problem(form, function) for form, function in zip(PARTS.values(), functions)]
    if isinstance(count, bool) or not isinstance(count, int) or not 0 < count <= environment.states:
        found.append(f"parts: expected 1 to {environment.states} numbers that move, got {count!r}")
    return [problem for problem in found if problem]


@functools.lru_cache(maxsize=256)
def _function_problem(form: str, function: Any) -> str:
    name, _, arguments = form.partition("(")
    if not foreign.is_compiled(function):
        return f"{name}: expected a function {form} made with numba.njit, got {function!r}"
    if len(inspect.signature(getattr(function, "py_func", function)).parameters) != arguments.count(",") + 1:
        return f"{name}: expected {form}, got a function of other parameters"
    return ""


@functools.lru_cache(maxsize=256)
def _beyond(reset: Any, observe: Any, step: Any, states: int, observations: int, actions: int) -> str:
    """Return which function reaches beyond its arrays in the first time steps, where Python sees it.

    A kernel would read and write there whatever is in memory. What else may go wrong is the kernel's to say.
    """
    rng = np.random.default_rng(0)
    state, observation = np.zeros(states), np.zeros(observations)
    plain = {function: foreign.interpreted(function) for function in (reset, observe, step)}
    name = "reset"
    try:
        with np.errstate(all="ignore"):
            plain[reset](state, rng)
            for _ in range(TRIED_STEPS):
                name = "observe"
                plain[observe](state, observation)
                name = "step"
                _, done = plain[step](state, rng.standard_normal(actions))
                if done:
                    break
    except Exception as error:
        if isinstance(error, IndexError) and "out of bounds" in str(error):
            sizes = f"{states} states, {observations} observations and {actions} actions"
            return f"{name}: {error}; there are {sizes}"
    return ""


def world(environment: Environment) -> World:
    """Return what a kernel knows of a checked environment."""
    count, *parts = environment.parts or (0,)
    return World(
        int(environment.observations),
        int(environment.actions),
        int(environment.states),
        _fingerprint(environment.observe, environment.step, *parts),
        count,
    )


def module(environment: Environment, source: str, label: str) -> ModuleType:
    """Return the module of an emitted program that calls an environment's functions."""
    functions = {f"{name}_world": foreign.inlined(function) for name, function in _functions(environment)}
    return load(source, label, functions)


def _functions(environment: Environment) -> list[tuple[str, Any]]:
    parts = zip(PARTS, environment.parts[1:]) if environment.parts is not None else ()
    return [(name, getattr(environment, name)) for name in FUNCTIONS] + list(parts)


def environment_starts(environment: Environment, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return starts (count, states) that `reset` draws one after the other; fewer are the first of more.

    Raises
    ------
    ConfigError
        When the environment is not one that can run.
    EvorrnError
        When `reset` does not compile, or raises.
    """
    from numba.core.errors import NumbaError

    check(environment)
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise EvorrnError(f"starts: expected a number of at least 1, got {count!r}")
    if not isinstance(rng, np.random.Generator):
        raise EvorrnError(f"starts: expected a numpy Generator, got {rng!r}")
    states = np.zeros((int(count), int(environment.states)))
    source = RESET.format(fingerprint=_fingerprint(environment.reset))
    with explained(environment):
        fill = module(environment, source, "starts").fill
        try:
            fill(states, rng)
        except NumbaError:
            raise
        except Exception as error:
            raise EvorrnError(
                f"environment {environment.name}: reset raised {type(error).__name__}: {error}"
            ) from error
    return states


def checked_starts(environment: Environment, given: np.ndarray) -> np.ndarray:
    """Return starts (E, states) as float64 rows; raises ShapeError when they do not fit."""
    array = numeric("starts", given)
    if array.ndim != 2 or array.shape[1] != environment.states or len(array) == 0:
        raise ShapeError(f"starts: expected shape (E, {environment.states}), got {array.shape}")
    return np.require(array, np.float64, ["C", "W"])


def checked_limit(environment: Environment, given: int | None) -> int:
    """Return the time steps that an episode may take; the environment's own where none are given."""
    if given is None:
        return int(environment.time_limit)
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        raise ConfigError(f"time_limit: expected a whole number of at least 1, got {given!r}")
    return int(given)


@contextlib.contextmanager
def explained(environment: Environment) -> Iterator[None]:
    """Turn a failure to compile into an error that names the function and says what numba said of it.

    Raises
    ------
    EvorrnError
    """
    from numba.core.errors import NumbaError

    try:
        yield
    except NumbaError as error:
        raise EvorrnError(f"environment {environment.name}: {_explanation(environment, error)}") from None


def _explanation(environment: Environment, error: Exception) -> str:
    from numba import float64, types
    from numba.core.errors import NumbaError
    from numba.core.types import npytypes

    vector = float64[::1]
    generator = npytypes.NumPyRandomGeneratorType("NumPyRandomGeneratorType")
    for name, given in _functions(environment):
        function = foreign.inlined(given)
        kinds = {"reset": (vector, generator), "judge": (vector,)}.get(name, (vector, vector))
        try:
            function.compile(kinds)
        except NumbaError as own:
            return f"{name} does not compile: {_shortened(own)}"
        result = function.overloads[kinds].signature.return_type
        pair = isinstance(result, types.BaseTuple) and len(result) == 2
        if name in ("step", "judge") and not pair:
            return f"{name}: expected to return (reward, done), got {result}"
    return f"its functions do not compile together: {_shortened(error)}"


def _shortened(error: Exception) -> str:
    """Return the first lines of numba's message that say something of the user's code."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in plain.splitlines()]
    empty = ("", "Failed in", "During:", "There are", "- Of which", "Overload of", "Overload in", "This is")
    kept = [line for line in lines if line and not line.startswith(empty[1:])]
    where = next((line.rstrip(":") for line in lines if line.startswith("File ")), "")
    said = " ".join([line for line in kept if not line.startswith(("File ", "def ", "<source"))][:3])
    return f"{said[:300]} ({where})" if where else said[:300]
