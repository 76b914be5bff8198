"""The emitted loops over lanes that call `observe` and `step` of an environment.

An episode ends where a number is not finite. The sum of its rewards is then NaN if the network is the reason,
because its action is not finite, and infinite if the environment is: by an observation, or by the reward of a
finite action.

There are three forms, chosen by the sizes of the environment. With few states, each state is a row of lanes and the
loops become vector code. With many states, each lane has its states in one row and is stepped alone. If the step
of such an environment is given in two parts, the first one is vector code for the few states that it changes, and
the second is called lane by lane.
"""

from __future__ import annotations

from dataclasses import dataclass

from evorrn.engine.program import indent

IN_REGISTERS = 24
"""The largest number of states, observations or actions for which a step is vector code, with values in registers."""

_REST = "live, age, over, total, gain, limit"

_FAULT = "seen != F(0) or (wrong == F(0) and not abs(reward) < np.inf)"
"""Whether a number of the environment is not finite: `seen` and `wrong` are 0, or NaN for a wrong observation or action."""


@dataclass(frozen=True)
class EnvironmentLoops:
    """Emits the loops of an environment.

    Attributes
    ----------
    observations, actions, states : int
    fingerprint : str
        Hash of the functions of the environment.
    moved : int
        Number of states that the first part of the step changes; 0 if the step has no parts.
    """

    observations: int
    actions: int
    states: int
    fingerprint: str
    moved: int = 0

    @property
    def in_registers(self) -> bool:
        """Whether the whole step is vector code, with each state in a row of its own."""
        return max(self.observations, self.actions, self.states) <= IN_REGISTERS

    @property
    def in_parts(self) -> bool:
        """Whether only the first part of the step is vector code, since there are too many states."""
        few = 0 < self.moved <= IN_REGISTERS and self.actions <= IN_REGISTERS
        return few and not self.in_registers

    def allocate(self) -> list[str]:
        """Return the lines that allocate the n_S states of the environments of n_lanes lanes."""
        if self.in_registers:
            return ["worlds = np.zeros((n_S, n_lanes))"]
        tile = f"moving = np.zeros(({self.moved}, n_lanes))" if self.in_parts else "moves = np.zeros(n_O)"
        return ["worlds, seen = np.zeros((n_lanes, n_S)), np.zeros(n_I)", tile]

    def state(self, lane: str, place: str) -> str:
        """Return the expression for a state of the environment of a lane."""
        return f"worlds[{place}, {lane}]" if self.in_registers else f"worlds[{lane}, {place}]"

    def observe(self, tile: str) -> str:
        """Return the call that writes the observations of all lanes to a tile."""
        if not self.in_registers:
            return f"observe_lanes(worlds, seen, {tile})"
        return f"observe_lanes({', '.join(_rows('worlds', self.states) + _rows(tile, self.observations))})"

    def step(self, tile: str, seen: str) -> str:
        """Return the call that steps all lanes; it returns how many episodes ended.

        Parameters
        ----------
        tile, seen : str
            The tiles of the actions and of the observations that they follow.
        """
        actions = _rows(tile, self.actions)
        if self.in_registers:
            rows = [*_rows("worlds", self.states), *actions, *_rows(seen, self.observations)]
            return f"step_lanes({', '.join([*rows, _REST])})"
        if not self.in_parts:
            return f"step_lanes(worlds, moves, {tile}, {seen}, {_REST})"
        return f"step_lanes({', '.join(['worlds', *_rows('moving', self.moved), *actions, seen, _REST])})"

    def functions(self) -> list[str]:
        """Return the lines of the functions that `observe` and `step` call."""
        if self.in_registers:
            return [*self._observe_in_registers(), *self._step_in_registers()]
        if self.in_parts:
            return [*_OBSERVE_ROWS.splitlines(), *self._step_in_parts()]
        return [
            *_OBSERVE_ROWS.splitlines(),
            *_STEP_ROWS.splitlines(),
            *indent(_ENDING, 2),
            "    return ended",
        ]

    def _observe_in_registers(self) -> list[str]:
        s, x = _letters("s", self.states), _letters("x", self.observations)
        lines = ["", "", "@njit(**LOOP)", f"def observe_lanes({', '.join(s + x)}):"]
        lines += ['    """Observe the environments of all lanes; each argument is a row of lanes."""']
        inner = [*_fetch("state", s), f"observation = local({self.observations})"]
        inner += ["observe_world(state, observation)"]
        inner += [f"x{k}[k] = observation[{k}]" for k in range(self.observations)]
        return [*lines, "    for k in range(s0.shape[0]):", *indent(inner, 2)]

    def _step_in_registers(self) -> list[str]:
        s, a, x = (
            _letters(*each) for each in (("s", self.states), ("a", self.actions), ("x", self.observations))
        )
        lines = ["", "", "@njit(**LOOP)", f"def step_lanes({', '.join(s + a + x)}, {_REST}):"]
        lines += ['    """Step the environments of all active lanes; return how many episodes ended."""']
        lines += ["    ended = 0", "    for k in range(s0.shape[0]):"]
        inner = [*_fetch("state", s), *_fetch("action", a)]
        inner += ["reward, done = step_world(state, action)", "lives = live[k] != 0"]
        inner += [f"seen, wrong = {_wrong(x)}, {_wrong(a)}", "reward = float(reward) + float(wrong)"]
        inner += [f"sum_now = np.inf if {_FAULT} else total[k] + reward", "age_now = age[k] + live[k]"]
        inner += ["broken = not abs(sum_now) < np.inf"]
        inner += ["ends = (bool(done) or broken or age_now >= limit) and lives"]
        inner += ["gain[k] = reward", "total[k] = sum_now if lives else total[k]", "age[k] = age_now"]
        inner += ["over[k] = 1 if ends else 0", "ended += 1 if ends else 0"]
        inner += [f"s{k}[k] = state[{k}] if lives else s{k}[k]" for k in range(self.states)]
        return [*lines, *indent(inner, 2), "    return ended"]

    def _step_in_parts(self) -> list[str]:
        s, a = _letters("s", self.moved), _letters("a", self.actions)
        lines = ["", "", "@njit(**LOOP)", f"def move_lanes({', '.join(s + a)}):"]
        lines += ['    """Take the first part of the step of all lanes; each argument is a row of lanes."""']
        inner = [*_fetch("state", s), *_fetch("action", a), "move_world(state, action)"]
        inner += [f"s{k}[k] = state[{k}]" for k in range(self.moved)]
        lines += ["    for k in range(s0.shape[0]):", *indent(inner, 2)]
        lines += ["", "", "@njit(**TILE)", f"def step_lanes(worlds, {', '.join(s + a)}, x_t, {_REST}):"]
        lines += [
            '    """Take the first part of the step of all lanes, then the second of the active ones."""'
        ]
        lines += ["    for k in range(worlds.shape[0]):"]
        lines += [f"        s{k}[k] = worlds[k, {k}]" for k in range(self.moved)]
        lines += [
            f"    move_lanes({', '.join(s + a)})",
            "    ended = 0",
            "    for k in range(worlds.shape[0]):",
        ]
        inner = ["if live[k] == 0:", "    continue"]
        inner += [f"worlds[k, {k}] = s{k}[k]" for k in range(self.moved)]
        inner += ["reward, done = judge_world(at(worlds, k))", f"wrong = {_wrong(a)}", *_ENDING]
        return [*lines, *indent(inner, 2), "    return ended"]


_OBSERVE_ROWS = '''

@njit(**TILE)
def observe_lanes(worlds, seen, x_t):
    """Observe the environments of all lanes, one after the other."""
    for k in range(worlds.shape[0]):
        observe_world(at(worlds, k), seen)
        for i in range(seen.shape[0]):
            x_t[i, k] = seen[i]'''

_STEP_ROWS = f'''

@njit(**TILE)
def step_lanes(worlds, moves, y, x_t, {_REST}):
    """Step the environments of all active lanes, one after the other; return how many episodes ended."""
    ended = 0
    for k in range(worlds.shape[0]):
        if live[k] == 0:
            continue
        wrong = F(0)
        for i in range(moves.shape[0]):
            moves[i] = y[i, k]
            wrong += y[i, k] * F(0)
        reward, done = step_world(at(worlds, k), moves)'''

_ENDING = [
    "seen = F(0)",
    "for i in range(x_t.shape[0]):",
    "    seen += x_t[i, k] * F(0)",
    "reward = float(reward) + float(wrong)",
    "gain[k] = reward",
    f"total[k] = np.inf if {_FAULT} else total[k] + reward",
    "age[k] += 1",
    "if bool(done) or not abs(total[k]) < np.inf or age[k] >= limit:",
    "    over[k] = 1",
    "    ended += 1",
]


def _letters(letter: str, count: int) -> list[str]:
    """Return the numbered variables ``s0``, ``s1`` and so on."""
    return [f"{letter}{k}" for k in range(count)]


def _rows(tile: str, count: int) -> list[str]:
    """Return the expressions of the first rows of a tile."""
    return [f"at({tile}, {k})" for k in range(count)]


def _fetch(name: str, buffers: list[str]) -> list[str]:
    """Return the lines that copy entry k of each buffer to a local vector."""
    return [f"{name} = local({len(buffers)})", *(f"{name}[{k}] = {b}[k]" for k, b in enumerate(buffers))]


def _wrong(rows: list[str]) -> str:
    """Return the expression that is zero, or NaN if a number in one of the rows is not finite."""
    return f"({' + '.join(f'{row}[k] * F(0)' for row in rows)})"
