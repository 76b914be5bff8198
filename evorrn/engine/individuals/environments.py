"""Checks of environments, the modules that contain their functions, and errors for functions that do not compile."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from evorrn.base.checks import is_whole
from evorrn.base.errors import ConfigError, EvorrnError, ShapeError
from evorrn.data.arrays import numeric
from evorrn.data.environment import Environment
from evorrn.engine.cache import load
from evorrn.engine.individuals import user_functions
from evorrn.engine.individuals.emit import RESET
from evorrn.engine.individuals.environment_loops import EnvironmentLoops

_fingerprint = functools.lru_cache(maxsize=256)(user_functions.fingerprint)

FUNCTIONS = {
    "reset": "reset(state, rng)",
    "observe": "observe(state, observation)",
    "step": "step(state, action)",
}
PARTS = {"move": "move(state, action)", "judge": "judge(state)"}
TRIED_STEPS = 3
"""The number of time steps for which an environment is tried in plain Python."""
SIZES = ("observations", "actions", "states", "time_limit")


def check(environment: Environment) -> None:
    """Check the sizes and functions of an environment.

    Raises
    ------
    ConfigError
        When the environment cannot run; the error lists all mistakes.
    """
    if not isinstance(environment, Environment):
        raise ConfigError(f"environment: expected an evorrn.Environment, got {environment!r}")
    found = []
    for name in SIZES:
        value = _given(environment, name)
        if not is_whole(value) or value < 1:
            found.append(f"{name}: expected a whole number of at least 1, got {value!r}")
    for name in FUNCTIONS:
        function = _given(environment, name)
        problem = _function_problem(FUNCTIONS[name], function if callable(function) else None)
        if problem:
            found.append(problem)
    found += _problems_of_parts(environment) if environment.parts is not None else []
    if not found:
        sizes = [int(_given(environment, name)) for name in ("states", "observations", "actions")]
        problem = _index_problem(*(_given(environment, name) for name in FUNCTIONS), *sizes)
        found += [problem] if problem else []
    if found:
        raise ConfigError([f"environment {environment.name}: {problem}" for problem in found])


def check_fits(environment: Environment, inputs: int, outputs: int) -> None:
    """Check an environment, and that a network of these sizes fits it; raise ConfigError with all problems if not."""
    check(environment)
    found = [
        f"environment {environment.name}: {theirs} {what}, but the network has {ours} {side}"
        for what, theirs, side, ours in (
            ("observations", environment.observations, "inputs", inputs),
            ("actions", environment.actions, "outputs", outputs),
        )
        if theirs != ours
    ]
    if found:
        raise ConfigError(found)


def _given(environment: Environment, name: str) -> Any:
    """Return an attribute of an environment, None when the environment does not define it."""
    try:
        return getattr(environment, name)
    except NotImplementedError:
        return None


def _problems_of_parts(environment: Environment) -> list[str]:
    """Return one sentence for each mistake in the parts of a step."""
    parts = environment.parts
    if not isinstance(parts, tuple) or len(parts) != 3:
        return [f"parts: expected (count, move, judge), got {parts!r}"]
    count, *functions = parts
    found = [_function_problem(form, function) for form, function in zip(PARTS.values(), functions)]
    if not is_whole(count) or not 0 < count <= environment.states:
        found.append(f"parts: expected a count from 1 to {environment.states}, got {count!r}")
    return [problem for problem in found if problem]


@functools.lru_cache(maxsize=256)
def _function_problem(form: str, function: Any) -> str:
    """Return a sentence that says what is wrong with a function, empty when it has the form ``name(arguments)``."""
    name, _, arguments = form.partition("(")
    if not user_functions.is_compiled(function):
        return f"{name}: expected a function {form} made with numba.njit, got {function!r}"
    if len(inspect.signature(getattr(function, "py_func", function)).parameters) != arguments.count(",") + 1:
        return f"{name}: expected {form}, got a function of other parameters"
    return ""


@functools.lru_cache(maxsize=256)
def _index_problem(reset: Any, observe: Any, step: Any, states: int, observations: int, actions: int) -> str:
    """Return a sentence that names a function with an index out of bounds, empty when there is none.

    The first time steps run in plain Python, which checks indices; a kernel would access memory outside of the
    array. Other errors are ignored here, since compiling reports them.
    """
    rng = np.random.default_rng(0)
    state, observation = np.zeros(states), np.zeros(observations)
    plain = {function: user_functions.interpreted(function) for function in (reset, observe, step)}
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


def environment_loops(environment: Environment) -> EnvironmentLoops:
    """Return the emitter of the loops of a checked environment."""
    count, *parts = environment.parts or (0,)
    return EnvironmentLoops(
        int(environment.observations),
        int(environment.actions),
        int(environment.states),
        _fingerprint(environment.observe, environment.step, *parts),
        count,
    )


def program_module(environment: Environment, source: str, label: str) -> ModuleType:
    """Return the module of an emitted program that calls the functions of an environment."""
    functions = {
        f"{name}_world": user_functions.inlined(function) for name, function in _functions(environment)
    }
    return load(source, label, functions)


def _functions(environment: Environment) -> list[tuple[str, Any]]:
    """Return name and function of everything that programs call, the parts of a step included."""
    parts = zip(PARTS, environment.parts[1:]) if environment.parts is not None else ()
    return [(name, getattr(environment, name)) for name in FUNCTIONS] + list(parts)


def environment_starts(environment: Environment, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return starts (count, states), float64, drawn by `reset` one after the other.

    With equal generators, a smaller count gives the first starts of a larger one.

    Raises
    ------
    ConfigError
        When the environment cannot run.
    EvorrnError
        When `reset` does not compile, or raises.
    """
    from numba.core.errors import NumbaError

    check(environment)
    if not is_whole(count) or count < 1:
        raise EvorrnError(f"starts: expected a number of at least 1, got {count!r}")
    if not isinstance(rng, np.random.Generator):
        raise EvorrnError(f"starts: expected a numpy Generator, got {rng!r}")
    states = np.zeros((int(count), int(environment.states)))
    source = RESET.format(fingerprint=_fingerprint(environment.reset))
    with explained(environment):
        fill = program_module(environment, source, "starts").fill
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
    """Return starts (E, states) as a writable float64 array; raise ShapeError when the shape is wrong."""
    array = numeric("starts", given)
    if array.ndim != 2 or array.shape[1] != environment.states or len(array) == 0:
        raise ShapeError(f"starts: expected shape (E, {environment.states}), got {array.shape}")
    return np.require(array, np.float64, ["C", "W"])


def checked_limit(environment: Environment, given: int | None) -> int:
    """Return the largest number of time steps of an episode; None gives that of the environment.

    Raises
    ------
    ConfigError
        When it is not a whole number of at least 1.
    """
    if given is None:
        return int(environment.time_limit)
    if not is_whole(given) or given < 1:
        raise ConfigError(f"time_limit: expected a whole number of at least 1, got {given!r}")
    return int(given)


@contextlib.contextmanager
def explained(environment: Environment) -> Iterator[None]:
    """Replace an error of numba inside the block by one that names the function and quotes numba.

    Raises
    ------
    EvorrnError
        When a function does not compile.
    """
    from numba.core.errors import NumbaError

    try:
        yield
    except NumbaError as error:
        raise EvorrnError(f"environment {environment.name}: {_compile_problem(environment, error)}") from None


def _compile_problem(environment: Environment, error: Exception) -> str:
    """Return a sentence that says which function of an environment does not compile, and why."""
    from numba import float64, types
    from numba.core.errors import NumbaError
    from numba.core.types import npytypes

    vector = float64[::1]
    generator = npytypes.NumPyRandomGeneratorType("NumPyRandomGeneratorType")
    for name, given in _functions(environment):
        function = user_functions.inlined(given)
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
    """Return the first lines of a message of numba that are about the user's code, without its other lines."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in plain.splitlines()]
    empty = ("", "Failed in", "During:", "There are", "- Of which", "Overload of", "Overload in", "This is")
    kept = [line for line in lines if line and not line.startswith(empty[1:])]
    where = next((line.rstrip(":") for line in lines if line.startswith("File ")), "")
    said = " ".join([line for line in kept if not line.startswith(("File ", "def ", "<source"))][:3])
    return f"{said[:300]} ({where})" if where else said[:300]
