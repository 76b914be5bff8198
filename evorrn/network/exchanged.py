"""Networks and genomes in the formats of other libraries: ONNX models and safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.base.files import write_atomic
from evorrn.data.task import Scaling
from evorrn.exchange.onnx.model import onnx_bytes
from evorrn.exchange.safetensors import read_safetensors, safetensors_bytes
from evorrn.network import arguments
from evorrn.network.states import ShownNetwork


class ExchangedNetwork(ShownNetwork):
    """A network that other libraries can read."""

    def to_onnx(
        self,
        genome: np.ndarray,
        path: str | Path,
        scaling: Scaling | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the network with a genome as an ONNX model, which computes what `predict` returns.

        Layers of `elman` (with tanh, sigmoid, relu, leaky_relu or elu), `lstm`, `gru` and `gru-reset-before` become nodes RNN, LSTM and
        GRU. Every other cell, every network that sees its own output and every network of float64 becomes a Scan over
        its time step, in the network's dtype.

        The model has the input ``x`` (B, T, I) and the outputs ``y`` (B, T, O), zero beyond the length of a sequence, and
        ``last_state`` (B, S). These inputs may be left out: ``lengths`` (B,), int64, T by default; ``state`` (B, S), that of a
        new sequence by default; and for a network that sees its own output ``teacher`` (B, T, O), NaN by default. They are those of
        `predict`.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        path : path
        scaling : Scaling, optional
            With it, ``x`` and ``y`` are in the original units of a task, in float64.
        notes : mapping, optional
            Plain data that the properties of the model hold by name as JSON text, beside ``network``, the settings.

        Raises
        ------
        ShapeError
            When the genome has a wrong shape.
        ConfigError
            When the time step has an operation without an ONNX form, which the error names, or linked steps.
        EvorrnError
            When onnx is not installed, or the file cannot be written.
        """
        arguments.check_chain(self, "onnx")
        numbers = {name: np.asarray(self._settings.numbers[name]) for name in self.step.options}
        layers = [(layer.cell, layer.options.functions) for layer in self._layers]
        properties = {"network": self.settings(), **(notes or {})}
        content = onnx_bytes(self._form, layers, {**self.weights(genome), **numbers}, properties, scaling)
        _write(Path(path), content)

    def to_safetensors(self, genome: np.ndarray, path: str | Path) -> None:
        """Write a genome (n,) as a safetensors file, a tensor for each block, with the settings of the network.

        Raises
        ------
        ShapeError
            When the genome has a wrong shape.
        EvorrnError
            When safetensors is not installed, or the file cannot be written.
        """
        blocks = self.unpack(self.check_genome(genome))
        _write(Path(path), safetensors_bytes(blocks, self.settings()))

    def from_safetensors(self, path: str | Path) -> np.ndarray:
        """Return the genome (n,) in a safetensors file, in the network's dtype.

        The file has a tensor for each block of the network, of any floating type. Where it holds the settings of its
        network, as `to_safetensors` writes them, they are those of this network, apart from dtype, loss and initialisation.

        Raises
        ------
        DataError
            When the file cannot be read.
        ConfigError
            When it is the genome of another network; the error lists every setting that differs.
        ShapeError
            When blocks are missing, unknown or of a wrong shape; the error lists all of them.
        EvorrnError
            When safetensors is not installed.
        """
        blocks = read_safetensors(Path(path), self.blocks, self.settings())
        return self.check_genome(self.pack(blocks))


def _write(path: Path, content: bytes) -> None:
    """Write a file; raise EvorrnError when it cannot be written."""
    try:
        write_atomic(path, content)
    except OSError as error:
        raise EvorrnError(f"cannot write {path}: {error.strerror or error}") from None
