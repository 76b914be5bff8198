"""History compression: a stack of networks, each of which passes on only what it did not predict, without loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evorrn.base.errors import DataError, ShapeError
from evorrn.network.stepping import Stepper

if TYPE_CHECKING:
    from evorrn.network.network import Network

Item = tuple[int, ...]
OTHER_CODE = "code: expected what compress returned with the same levels, got another one"


class Level(NamedTuple):
    """One predictor of the stack.

    Attributes
    ----------
    network : Network
        It reads an item of its level and predicts the next one. At the lowest level an item is a symbol, as a vector with 1
        at its place; each level above adds a part for a gap. Inputs and outputs are equally many.
    genome : ndarray, shape (n,)

    Examples
    --------
    >>> import evorrn
    >>> network = evorrn.Network(3, 3, hidden=2, loss="cross-entropy")
    >>> evorrn.Level(network, network.init(seed=0)).network
    Network(3 -> elman 2 -> 3, 21 genes)
    """

    network: Network
    genome: np.ndarray


def compress(levels: Sequence[Level], data: bytes) -> bytes:
    """Return symbols as a code from which `decompress` rebuilds them with the same levels.

    The lowest level reads every symbol, and predicts the next. A symbol that it did not predict is an event, which goes up
    with its gap, the number of symbols that were predicted before it. So do the levels above with events. What the
    highest level did not predict is the code. At every level the first item is an event.

    Parameters
    ----------
    levels : sequence of Level
        The lowest one first. It has as many inputs as there are symbols, A; level k has ``A + k G``, with the same G, the
        number of different gaps that can be predicted.
    data : bytes
        Symbols from 0 to A - 1.

    Raises
    ------
    ShapeError
        When the sizes of the networks do not fit each other.
    DataError
        When there is a symbol that the lowest level does not know.

    Notes
    -----
    Predictions are computed step by step in NumPy here as there, so they are equal in every bit on one machine.

    Source: Schmidhuber 1992, "Learning complex, extended sequences using the principle of history compression".

    Examples
    --------
    >>> import evorrn
    >>> network = evorrn.Network(2, 2, hidden=2, loss="cross-entropy")
    >>> levels = [evorrn.Level(network, network.init(seed=0))]
    >>> evorrn.decompress(levels, evorrn.compress(levels, bytes([0, 1, 1, 0])))
    b'\\x00\\x01\\x01\\x00'
    """
    parts = _parts(levels)
    unknown = [symbol for symbol in data if symbol >= parts[0][0]]
    if unknown:
        raise DataError(f"data: expected symbols below {parts[0][0]}, got {unknown[0]}")
    items: list[Item] = [(symbol,) for symbol in data]
    counts = []
    for level, sizes in zip(levels, parts):
        counts.append(len(items))
        predictor, events, gap = _Predictor(level, sizes), [], 0
        for item in items:
            surprise = predictor.predicted != item
            if surprise:
                events.append((*item, gap))
            gap = 0 if surprise else gap + 1
            predictor.read(item)
        items = events
    return _packed([*counts, len(items), *(number for item in items for number in item)])


def decompress(levels: Sequence[Level], code: bytes) -> bytes:
    """Return the symbols of a code that `compress` made with the same levels.

    Raises
    ------
    DataError
        When the code is cut off, or none of these levels.

    Examples
    --------
    A network that has learned nothing still gives the symbols back:

    >>> import evorrn
    >>> network = evorrn.Network(3, 3, hidden=2, loss="cross-entropy")
    >>> levels = [evorrn.Level(network, network.init(seed=0))]
    >>> evorrn.decompress(levels, evorrn.compress(levels, bytes([2, 0, 1])))
    b'\\x02\\x00\\x01'
    """
    parts, numbers = _parts(levels), _unpacked(code)
    counts, stored = numbers[: len(levels)], numbers[len(levels) + 1 :]
    width = len(levels) + 1
    items: list[Item] = [tuple(stored[k : k + width]) for k in range(0, len(stored), width)]
    whole = numbers[len(levels) : width] == [len(items)] and len(stored) == len(items) * width
    if not whole or any(symbol >= parts[0][0] for symbol, *_ in items):
        raise DataError(OTHER_CODE)
    for level, sizes, count in reversed(list(zip(levels, parts, counts))):
        predictor, rebuilt = _Predictor(level, sizes), list[Item]()
        if sum(item[-1] for item in items) + len(items) > count:
            raise DataError(OTHER_CODE)
        for *event, gap in items:
            for _ in range(gap):
                rebuilt.append(predictor.predicted)
                predictor.read(rebuilt[-1])
            rebuilt.append(tuple(event))
            predictor.read(rebuilt[-1])
        while len(rebuilt) < count:
            rebuilt.append(predictor.predicted)
            predictor.read(rebuilt[-1])
        items = rebuilt
    return bytes(item[0] for item in items)


class _Predictor:
    """A level that reads items one by one; `predicted` is the next item, at first none."""

    def __init__(self, level: Level, sizes: Sequence[int]) -> None:
        self._sizes, self._starts = sizes, np.cumsum([0, *sizes])
        self._stepper = Stepper(level.network, 1)
        self._stepper.begin(np.zeros(1, np.int64), level.network.check_genome(level.genome)[None])
        self.predicted: Item = ()

    def read(self, item: Item) -> None:
        """Read an item, and predict the next."""
        shown = np.zeros((1, self._starts[-1]))
        for value, size, start in zip(item, self._sizes, self._starts):
            shown[0, start + min(value, size - 1)] = 1
        logits = self._stepper.step(shown)[0]
        ends = zip(self._starts[:-1], self._starts[1:])
        self.predicted = tuple(int(np.argmax(logits[start:stop])) for start, stop in ends)


def _parts(levels: Sequence[Level]) -> list[list[int]]:
    """Return the sizes of the parts of an item at each level; raise ShapeError when networks do not fit."""
    if not levels:
        raise ShapeError("levels: expected at least one level, got none")
    symbols = levels[0].network.inputs
    gaps = levels[1].network.inputs - symbols if len(levels) > 1 else 0
    for k, (network, _) in enumerate(levels):
        wanted = symbols + k * gaps
        if network.inputs != wanted or network.outputs != wanted or (k and gaps < 1):
            raise ShapeError(
                f"levels: expected level {k} to have {wanted} inputs and outputs, for {symbols} symbols and {k} gaps, "
                f"got {network.inputs} and {network.outputs}"
            )
    return [[symbols] + [gaps] * k for k in range(len(levels))]


def _packed(numbers: Sequence[int]) -> bytes:
    """Return numbers as bytes of seven bits each, the lowest first; the highest bit says that more follow."""
    code = bytearray()
    for number in numbers:
        while number >= 128:
            code.append(number % 128 + 128)
            number //= 128
        code.append(number)
    return bytes(code)


def _unpacked(code: bytes) -> list[int]:
    """Undo `_packed`; raise DataError when the last number is cut off."""
    numbers, value, shift = [], 0, 0
    for byte in code:
        value |= (byte % 128) << shift
        shift += 7
        if byte < 128:
            numbers.append(value)
            value, shift = 0, 0
    if shift:
        raise DataError("code: expected what compress returned, got a code that is cut off")
    return numbers
