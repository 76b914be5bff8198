"""How the worlds of a tile are observed and moved: emitted loops over lanes that call a world's functions.

There are three ways, and a world's sizes decide. Of a world of few numbers each lies in a buffer of its own,
lanes side by side, and a loop over lanes becomes vector code. A world of many numbers lies in one row and is
moved alone. Where its step is given in two parts, the first one moves the few numbers that it needs in vector
code, and the second is called for one row after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from evorrn.engine.program import indent

IN_REGISTERS = 24
"""Numbers of a world up to which each lies in a buffer of its own, and in a register while it moves."""

_REST = "live, age, over, total, gain, limit"


@dataclass(frozen=True)
class World:
    """What the program knows of an environment: sizes, and a fingerprint of its functions.

    Attributes
    ----------
    moving : int
        Numbers that the first part of its step moves; 0 where the step has no parts.
    """

    observations: int
    actions: int
    states: int
    fingerprint: str
    moving: int = 0

    @property
    def in_registers(self) -> bool:
        """Whether the whole step is vector code, each number of the world in a buffer of its own."""
        return max(self.observations, self.actions, self.states) <= IN_REGISTERS

    @property
    def in_parts(self) -> bool:
        """Whether the first part of the step is vector code, the world being too large as a whole."""
        few = 0 < self.moving <= IN_REGISTERS and self.actions <= IN_REGISTERS
        return few and not self.in_registers

    def allocate(self) -> list[str]:
        """Return the lines that allocate the worlds of a tile, of n_S numbers in n_lanes lanes."""
        if self.in_registers:
            return ["worlds = np.zeros((n_S, n_lanes))"]
        tile = f"moving = np.zeros(({self.moving}, n_lanes))" if self.in_parts else "moves = np.zeros(n_O)"
        return ["worlds, seen = np.zeros((n_lanes, n_S)), np.zeros(n_I)", tile]

    def number(self, lane: str, place: str) -> str:
        """Return the expression for a number of the world in a lane."""
        return f"worlds[{place}, {lane}]" if self.in_registers else f"worlds[{lane}, {place}]"

    def observe(self, tile: str) -> str:
        """Return the call that writes down what all lanes see."""
        if not self.in_registers:
            return f"observe_lanes(worlds, seen, {tile})"
        return f"observe_lanes({', '.join(_rows('worlds', self.states) + _rows(tile, self.observations))})"

    def move(self, tile: str) -> str:
        """Return the call that moves all lanes by their actions, and gives how many episodes have ended."""
        actions = _rows(tile, self.actions)
        if self.in_registers:
            return f"step_lanes({', '.join([*_rows('worlds', self.states), *actions, _REST])})"
        if not self.in_parts:
            return f"step_lanes(worlds, moves, {tile}, {_REST})"
        return f"step_lanes({', '.join(['worlds', *_rows('moving', self.moving), *actions, _REST])})"

    def functions(self) -> list[str]:
        """Return the functions that `observe` and `move` call."""
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
        lines += ['    """Observe the worlds of all lanes, one number of a world in each buffer."""']
        inner = [*_fetch("state", s), f"observation = local({self.observations})"]
        inner += ["observe_world(state, observation)"]
        inner += [f"x{k}[k] = observation[{k}]" for k in range(self.observations)]
        return [*lines, "    for k in range(s0.shape[0]):", *indent(inner, 2)]

    def _step_in_registers(self) -> list[str]:
        s, a = _letters("s", self.states), _letters("a", self.actions)
        lines = ["", "", "@njit(**LOOP)", f"def step_lanes({', '.join(s + a)}, {_REST}):"]
        lines += ['    """Move the worlds of all lanes that live; return how many episodes have ended."""']
        lines += ["    ended = 0", "    for k in range(s0.shape[0]):"]
        inner = [*_fetch("state", s), *_fetch("action", a)]
        inner += ["reward, done = step_world(state, action)", "lives = live[k] != 0"]
        inner += [f"reward = float(reward) + {_wrong(a)}"]
        inner += ["sum_now = total[k] + reward", "age_now = age[k] + live[k]"]
        inner += ["broken = not (sum_now - sum_now == 0.0)"]
        inner += ["ends = (bool(done) or broken or age_now >= limit) and lives"]
        inner += ["gain[k] = reward", "total[k] = sum_now if lives else total[k]", "age[k] = age_now"]
        inner += ["over[k] = 1 if ends else 0", "ended += 1 if ends else 0"]
        inner += [f"s{k}[k] = state[{k}] if lives else s{k}[k]" for k in range(self.states)]
        return [*lines, *indent(inner, 2), "    return ended"]

    def _step_in_parts(self) -> list[str]:
        s, a = _letters("s", self.moving), _letters("a", self.actions)
        lines = ["", "", "@njit(**LOOP)", f"def move_lanes({', '.join(s + a)}):"]
        lines += ['    """Move what moves of the worlds of all lanes, one number in each buffer."""']
        inner = [*_fetch("state", s), *_fetch("action", a), "move_world(state, action)"]
        inner += [f"s{k}[k] = state[{k}]" for k in range(self.moving)]
        lines += ["    for k in range(s0.shape[0]):", *indent(inner, 2)]
        lines += ["", "", "@njit(**TILE)", f"def step_lanes(worlds, {', '.join(s + a)}, {_REST}):"]
        lines += ['    """Move the worlds of all lanes, then judge those that live one after the other."""']
        lines += ["    for k in range(worlds.shape[0]):"]
        lines += [f"        s{k}[k] = worlds[k, {k}]" for k in range(self.moving)]
        lines += [
            f"    move_lanes({', '.join(s + a)})",
            "    ended = 0",
            "    for k in range(worlds.shape[0]):",
        ]
        inner = ["if live[k] == 0:", "    continue"]
        inner += [f"worlds[k, {k}] = s{k}[k]" for k in range(self.moving)]
        inner += ["reward, done = judge_world(at(worlds, k))", f"wrong = {_wrong(a)}", *_ENDING]
        return [*lines, *indent(inner, 2), "    return ended"]


_OBSERVE_ROWS = '''

@njit(**TILE)
def observe_lanes(worlds, seen, x_t):
    """Observe the worlds of all lanes, one after the other."""
    for k in range(worlds.shape[0]):
        observe_world(at(worlds, k), seen)
        for i in range(seen.shape[0]):
            x_t[i, k] = seen[i]'''

_STEP_ROWS = f'''

@njit(**TILE)
def step_lanes(worlds, moves, y, {_REST}):
    """Move the worlds of all lanes that live, one after the other; return how many episodes have ended."""
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
    "gain[k] = float(reward) + wrong",
    "total[k] += gain[k]",
    "age[k] += 1",
    "if bool(done) or not (total[k] - total[k] == 0.0) or age[k] >= limit:",
    "    over[k] = 1",
    "    ended += 1",
]


def _letters(letter: str, count: int) -> list[str]:
    return [f"{letter}{k}" for k in range(count)]


def _rows(tile: str, count: int) -> list[str]:
    return [f"at({tile}, {k})" for k in range(count)]


def _fetch(name: str, buffers: list[str]) -> list[str]:
    return [f"{name} = local({len(buffers)})", *(f"{name}[{k}] = {b}[k]" for k, b in enumerate(buffers))]


def _wrong(actions: list[str]) -> str:
    """Return the expression that is zero, or NaN where an action is not finite."""
    return f"({' + '.join(f'{action}[k] * F(0)' for action in actions)})"
