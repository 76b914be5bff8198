"""The class Reader: a trained network that reads strings of symbols and accepts or rejects them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.automata.alphabet import Alphabet
from evorrn.automata.strings import Strings
from evorrn.base.errors import ShapeError
from evorrn.network.network import Network

ANSWERS = {
    "binary-cross-entropy": "one output, which accepts above 0",
    "cross-entropy": "two outputs, of which the second is the larger where it accepts",
    "mse": "one output, which accepts above one half",
}


@dataclass(frozen=True, eq=False)
class Reader:
    """A network and a genome as an acceptor of strings.

    The network may have any cell: it is used through `Network.predict` alone, which gives and takes its whole state.

    Parameters
    ----------
    network : Network
        It has one output, above 0 (above one half under the mean squared error) where it accepts, or two under
        cross-entropy, of which the second is the larger where it accepts.
    genome : ndarray, shape (n,)
    alphabet : Alphabet
        The symbols as inputs of the network.

    Raises
    ------
    ShapeError
        When the network does not answer yes or no, or its inputs are not those of the alphabet.

    Examples
    --------
    A network that has seen a one, or has not:

    >>> import evorrn
    >>> from evorrn.automata import Alphabet, Reader
    >>> network = evorrn.Network(2, 1, cell="elman", hidden=1, loss="binary-cross-entropy")
    >>> genome = network.pack({"layer0.W_x": [[0, 9]], "layer0.W_h": [[9]], "layer0.b": [0], "readout.W": [[1]],
    ...                        "readout.b": [-0.5]})
    >>> Reader(network, genome, Alphabet.one_hot("01")).accepts(["000", "0100"]).tolist()
    [False, True]
    """

    network: Network
    genome: np.ndarray
    alphabet: Alphabet

    def __post_init__(self) -> None:
        wanted = 2 if self.network.loss_name == "cross-entropy" else 1
        if self.network.loss_name not in ANSWERS or self.network.outputs != wanted:
            raise ShapeError(
                f"expected a network that accepts or rejects, with {wanted} output{'s' * (wanted > 1)}, got one with "
                f"{self.network.outputs} and the loss {self.network.loss_name}"
            )
        if self.network.inputs != self.alphabet.width:
            raise ShapeError(
                f"expected a network of {self.alphabet.width} inputs, those of the alphabet, got {self.network.inputs}"
            )
        object.__setattr__(self, "genome", self.network.check_genome(self.genome))

    @property
    def answers_empty(self) -> bool:
        """Whether the network answers for the empty string, which takes a begin or an end."""
        return self.alphabet.end is not None or self.alphabet.begin is not None

    def accepts(self, strings: Strings | list[str]) -> np.ndarray:
        """Return whether the network accepts each string, shape (N,), bool.

        Without a begin and an end it gives no answer for the empty string, which is then False.
        """
        given = strings if isinstance(strings, Strings) else Strings.of(strings, self.alphabet.names)
        inputs, lengths = self.alphabet.encoded(given)
        answers = np.zeros(len(given), dtype=bool)
        read = lengths > 0
        if read.any():
            outputs = self.network.predict(self.genome, inputs[read], lengths=lengths[read])
            answers[read] = self.decided(outputs[np.arange(int(read.sum())), lengths[read] - 1])
        return answers

    def begin(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the state (1, S) before the first symbol, and whether the empty string is accepted, shape (1,).

        Without a begin and an end there is no answer, and the second is False.
        """
        state = np.zeros((1, self.network.state_size), self.network.dtype)
        if self.alphabet.begin is not None:
            return self._read(self.alphabet.begin[None], state)
        return state, self._ended(state) if self.alphabet.end is not None else np.zeros(1, dtype=bool)

    def step(self, states: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read one symbol in each of many states.

        Parameters
        ----------
        states : ndarray, shape (N, S)
        codes : ndarray of int, shape (N,)

        Returns
        -------
        states : ndarray, shape (N, S)
            The states after the symbols.
        accepted : ndarray of bool, shape (N,)
            Whether a string that ends there is accepted.
        """
        return self._read(self.alphabet.inputs[codes], states)

    def _read(self, inputs: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the states after one input (N, I) each, and whether strings that end there are accepted."""
        outputs, after = self.network.predict(self.genome, inputs[:, None], states, return_state=True)
        if self.alphabet.end is not None:
            return after, self._ended(after)
        return after, self.decided(outputs[:, 0])

    def _ended(self, states: np.ndarray) -> np.ndarray:
        """Return the answers after an end that is read in given states (N, S)."""
        inputs = np.broadcast_to(self.alphabet.end, (len(states), 1, self.alphabet.width))  # type: ignore[arg-type]
        return self.decided(self.network.predict(self.genome, inputs, states)[:, 0])

    def decided(self, outputs: np.ndarray) -> np.ndarray:
        """Return whether outputs (N, O) accept."""
        if self.network.loss_name == "cross-entropy":
            return outputs[:, 1] > outputs[:, 0]
        return outputs[:, 0] > (0.5 if self.network.loss_name == "mse" else 0.0)
