"""The ways to make a network: for a task, from settings, and of another kind than layers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evorrn.base.errors import ConfigError, unknown
from evorrn.cells.find import cells
from evorrn.network.encoder_settings import NAMES
from evorrn.network.episodes import ActingNetwork
from evorrn.network.form import blamed, form_of

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task


class KindOfNetwork(ActingNetwork):
    """A network with the ways to make one."""

    @classmethod
    def for_task(cls, task: Task | Environment, **settings: Any) -> Any:
        """Return a network with the sizes, the loss and the form of a task or an environment.

        Parameters
        ----------
        task : Task or Environment
        **settings
            The other arguments of `Network`, or a `kind` and those of another kind, see `of_kind`; those of
            `evorrn.Task.network_form` that are not given are the task's.

        Raises
        ------
        ConfigError
            When arguments are wrong, or the cell does not see as many predecessors as the steps of the task have.

        Examples
        --------
        >>> import evorrn
        >>> evorrn.Network.for_task(evorrn.task("mackey-glass"), cell="gru", hidden=16)
        Network(1 -> gru 16 -> 1, 897 genes)
        """
        try:
            made = cls.of_kind(task.inputs, task.outputs, loss=task.loss, **{**form_of(task), **settings})
        except ConfigError as error:
            raise blamed(error, task, settings) from None
        arity = getattr(task, "arity", 0)
        if made.arity != arity:
            fitting = [name for name, cell in cells().items() if len(cell.predecessors) == arity]
            shown = ", ".join(fitting[:6]) if arity else "elman, gru, lstm and other cells of a chain"
            raise ConfigError(
                f"network.cell: {task.name} links each step to {arity or 'no'} predecessors, of which cell {made.cell_name} "
                f"sees {made.arity or 'none'}; choose one of {shown}"
            )
        return made

    @classmethod
    def encoder_decoder(cls, inputs: int, outputs: int, *given: Any, **named: Any) -> Any:
        """Return a network that reads a sequence and then writes another one, of a length of its own.

        The last state of the encoder is the first of the decoder. The decoder sees the symbol `start`, then at each step the
        symbol that it chose before, or in training the true one, until it chooses `stop`. A batch has inputs (B, T) of symbols,
        (B, T, I) of floats or (B, I) of one vector a sequence, and integer targets (B, U) with `target_lengths`, without start and
        stop. The loss is the mean cross-entropy over all symbols, the stops among them.

        Parameters
        ----------
        inputs, outputs : int
            Inputs of the encoder, or its number of symbols; symbols of the decoder, start and stop among them.
        encoder, decoder : mapping, optional
            Settings of the two as those of `Network`: `cell`, `hidden`, `cell_options`, `initial`, `biases`, and an `embedding` of its
            own; of the encoder also `bidirectional` and `learn_start`, of the decoder `reads`. Each layer of the decoder begins in the
            state of a layer of the encoder, the last in that of the last, and has the same states; a bidirectional layer has
            twice as many.
        embedding : int
            Numbers of a vector of genes for each symbol, of the encoder and of the decoder; 0 for vectors with a one. Inputs that are
            floats are multiplied with these vectors.
        start, stop : int
            Symbols of the decoder: the one that it sees first, and the one that ends an answer.
        dtype : str
            ``"float32"`` or ``"float64"``.

        Returns
        -------
        EncoderDecoder
            A network whose method `decode` gives the answers. Its `predict` gives the logits of the decoder.

        Raises
        ------
        ConfigError
            When arguments are wrong; the error lists all of them.

        Notes
        -----
        Source: Sutskever, Vinyals and Le 2014, "Sequence to sequence learning with neural networks", without its reversal of the
        inputs; Cho et al. 2014.

        Examples
        --------
        >>> import evorrn
        >>> table = {"cell": "gru", "hidden": 64}
        >>> evorrn.Network.encoder_decoder(30, 40, encoder=table, decoder=table, embedding=16, start=0, stop=1)
        EncoderDecoder(30 -> gru 64 => gru 64 -> 40, 34984 genes)
        """
        problems = [
            f"network.{name}: {unknown('setting', name, NAMES)}" for name in named if name not in NAMES
        ]
        loss = named.pop("loss", "cross-entropy")
        if loss != "cross-entropy":
            problems.append(f"network.loss: expected cross-entropy for an encoder-decoder, got {loss!r}")
        if problems:
            raise ConfigError(problems)
        return _encoder_decoder()(inputs, outputs, *given, **named)

    @classmethod
    def of_kind(cls, inputs: int, outputs: int, kind: str = "", **settings: Any) -> Any:
        """Return a network of a `kind`: ``"encoder-decoder"``, or empty for layers; the others are its arguments.

        Raises
        ------
        ConfigError
            When arguments are wrong; the error lists all of them.
        """
        if kind not in ("", "encoder-decoder"):
            raise ConfigError(f"network.kind: expected encoder-decoder, or no kind for layers, got {kind!r}")
        if not kind:
            return cls(inputs, outputs, **settings)
        return cls.encoder_decoder(inputs, outputs, **settings)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Any:
        """Return the network whose `settings` were given."""
        return (
            _encoder_decoder().from_settings(settings)
            if settings.get("kind")
            else super().from_settings(settings)
        )


def _encoder_decoder() -> Any:
    """Return the class of encoder-decoders, which is made of networks and so is imported after them."""
    return importlib.import_module("evorrn.network.encoder_decoder").EncoderDecoder
