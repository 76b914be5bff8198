"""Automata for tests, written without the package: plain dicts and loops, and predicates of strings."""

import itertools
import re


def strings_up_to(longest, symbols="01"):
    """Return every string of up to so many symbols, by length."""
    return [
        "".join(letters)
        for length in range(longest + 1)
        for letters in itertools.product(symbols, repeat=length)
    ]


def runs(string):
    return [(symbol, len(list(group))) for symbol, group in itertools.groupby(string)]


def third(string):
    """Return whether no odd run of zeros follows, anywhere, an odd run of ones."""
    seen = False
    for symbol, length in runs(string):
        if symbol == "0" and length % 2 and seen:
            return False
        seen = seen or (symbol == "1" and length % 2 == 1)
    return True


MEMBERS = {
    1: lambda s: re.fullmatch("1*", s) is not None,
    2: lambda s: re.fullmatch("(10)*", s) is not None,
    3: third,
    4: lambda s: "000" not in s,
    5: lambda s: s.count("0") % 2 == 0 and s.count("1") % 2 == 0,
    6: lambda s: (s.count("1") - s.count("0")) % 3 == 0,
    7: lambda s: re.fullmatch("0*1*0*1*", s) is not None,
}
POSITIVES = {1: 11, 2: 6, 3: 652, 4: 1103, 5: 683, 6: 683, 7: 561}
SIZES = {1: 2, 2: 3, 3: 5, 4: 4, 5: 4, 6: 3, 7: 5}


def accepted(table, accepting, start, string):
    """Run one string through a table of transitions, one symbol after the other; a missing transition rejects."""
    state = start
    for symbol in string:
        state = table[state][symbol]
        if state < 0:
            return False
    return bool(accepting[state])


def nerode_size(member, symbols, depth):
    """Return the number of classes of strings that continuations tell apart, both of up to so many symbols."""
    strings = list(itertools.chain(*(itertools.product(range(symbols), repeat=n) for n in range(depth + 1))))
    return len({tuple(member((*prefix, *rest)) for rest in strings) for prefix in strings})


def drawn(rng, states, symbols, missing=0.0):
    """Return transitions, accepting states and a start at random."""
    table = rng.integers(0, states, (states, symbols))
    table[rng.random(table.shape) < missing] = -1
    return table, rng.random(states) < 0.5, int(rng.integers(states))


def blown_up(rng, table, accepting, start, copies):
    """Return an automaton of the same language: states doubled at random, and all renumbered."""
    states = len(table)
    twins = [[state] for state in range(states)]
    for place in range(copies):
        twins[int(rng.integers(states))].append(states + place)
    original = {twin: state for state, group in enumerate(twins) for twin in group}
    number = rng.permutation(states + copies)
    moves = [[0] * len(table[0]) for _ in original]
    accepts = [False] * len(original)
    for twin, state in original.items():
        for symbol, following in enumerate(table[state]):
            moves[number[twin]][symbol] = -1 if following < 0 else int(number[rng.choice(twins[following])])
        accepts[number[twin]] = bool(accepting[state])
    return moves, accepts, int(number[start])
