"""The class Model: a trained network with all that its predictions need, in one file that needs no training data."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.base.errors import EvorrnError, ShapeError
from evorrn.base.memory import whole_number
from evorrn.base.summary import Summary
from evorrn.base.text import counted
from evorrn.data.arrays import numeric
from evorrn.data.task import Scaling
from evorrn.training import model_file
from evorrn.training.symbols import Alphabet, read_symbols

if TYPE_CHECKING:
    from evorrn.network.network import Network


@dataclass(repr=False)
class Model:
    """A trained network, and what it needs to predict in the original units of its task.

    Attributes
    ----------
    genome : ndarray, shape (n,)
    network : Network
    scaling : Scaling or None
        Converts between original and scaled units; None when they are the same.
    horizon : int or None
        1 when the targets are the first inputs of the next step.
    input_names, output_names : tuple of str
        Names of the inputs and outputs of the task; empty when there is no task.
    table : mapping
        How the table of the training data was read, for ``evorrn predict``: plain data, empty where there was none.
    residuals : ndarray, shape (n, O), or None
        Truth minus prediction at the scored steps of validation, from which intervals around predictions follow.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
    >>> model = evorrn.Model(network.init(seed=0), network, horizon=1)
    >>> model.save_model("wave.model")
    >>> evorrn.load_model("wave.model").forecast(np.ones((5, 1)), steps=3).shape
    (3, 1)
    """

    genome: np.ndarray
    network: Network
    scaling: Scaling | None = None
    horizon: int | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    table: Mapping[str, Any] = field(default_factory=dict)
    residuals: np.ndarray | None = None

    def __repr__(self) -> str:
        """Return the network and the names of its inputs and outputs in a line."""
        names = " -> ".join(", ".join(names) for names in (self.input_names, self.output_names) if names)
        return f"{type(self).__name__} of {self.network}" + (f": {names}" if names else "")

    def summary(self) -> Summary:
        """Return what the model takes and gives; `print` shows it, and a notebook too."""
        units = "scaled by its training data" if self.scaling else "as they are"
        facts = [
            ("inputs", ", ".join(self.input_names) or str(self.network.inputs)),
            ("outputs", ", ".join(self.output_names) or str(self.network.outputs)),
            ("numbers", units),
            ("horizon", "" if self.horizon is None else counted(self.horizon, "time step")),
        ]
        return Summary(f"Model of {self.network}", [(name, text) for name, text in facts if text])

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def predict(self, x: Any, steps: int | None = None, links: Any = None, lengths: Any = None) -> np.ndarray:
        """Return the outputs for inputs in the original units of the task.

        Parameters
        ----------
        x : array_like, shape (B, T, I), or (T, I) for one sequence
            For a network trained on symbols also a text, a list of texts, or whole numbers (T,), and (B, T) where the network has an
            embedding or is an encoder-decoder. Where symbols are words and no characters, a sequence is a list of words. For a
            network with a context, and an encoder-decoder that reads vectors, (B, I).
        steps : int, optional
            The time steps of a context, or the most symbols that an encoder-decoder writes.
        links : array_like of int, shape (B, T, A), or (T, A) for one sequence, optional
            The earlier steps that each step sees, for cells of trees and grids.
        lengths : array_like of int, shape (B,), or an integer for one sequence, optional
            The time steps of each sequence, where they differ; texts and lists have lengths of their own.

        Returns
        -------
        ndarray, shape (B, T, O) or (T, O), float64
            In original units; logits for classes. (B, O) or (O,) for a readout of whole sequences. Outputs after the end of
            a sequence have no meaning.

        Raises
        ------
        ShapeError
            When `x` has a wrong shape, is not finite, or has symbols that are not known, or lengths do not fit.
        """
        inputs, own, single = self._read(x)
        if lengths is not None and own is not None and (own < inputs.shape[1]).any():
            raise ShapeError("lengths: expected none, since the sequences of x have lengths of their own")
        lengths = own if lengths is None else np.atleast_1d(lengths)
        given: dict[str, Any] = {"lengths": lengths, "steps": steps}
        if links is not None:
            given["links"] = np.asarray(links)[None] if single else links
        outputs = self._restore(self.network.predict(self.genome, inputs, **given))
        return outputs[0] if single else outputs

    def decode(self, x: Any, steps: int = 50, beam: int = 1, temperature: float = 0.0, seed: int = 0) -> Any:
        """Return the answers that an encoder-decoder writes.

        Parameters
        ----------
        x
            Questions, as `predict` takes them.
        steps, beam, temperature, seed
            The most symbols of an answer, and how they are chosen, see `evorrn.Network.encoder_decoder` and its method `decode`.

        Returns
        -------
        str or list of str
            An answer for each question; words with spaces between them where symbols are no characters, and arrays of whole numbers
            where they have no names.

        Raises
        ------
        EvorrnError
            When the network is no encoder-decoder.
        """
        network: Any = self.network
        if not network.decodes:
            raise EvorrnError(f"decode: expected an encoder-decoder, got {network}")
        inputs, lengths, single = self._read(x)
        found = network.decode(self.genome, inputs, lengths, steps, beam, temperature, seed)
        if self.output_names:
            alphabet = Alphabet(self.output_names)
            found = [alphabet.text(row) for row in found]
        return found[0] if single else found

    def _read(self, x: Any) -> tuple[np.ndarray, np.ndarray | None, bool]:
        """Return inputs in scaled units or symbols (B, T), lengths of symbols (B,), and whether there is one sequence alone."""
        network, names = self.network, self.input_names
        direct = network.embedding > 0 or network.decodes
        characters = self.scaling is None and Alphabet(names).signs is not None
        rows = read_symbols(x, names, characters or (direct and bool(names)), direct)
        if rows is not None:
            return rows
        array = numeric("x", x)
        if array.ndim == 2 and (network.context or network.decodes):
            return self._scale(array), None, False
        if network.embedding and not network.decodes:
            raise ShapeError(
                f"x: expected symbols, whole numbers from 0 to {network.inputs - 1} of shape (T,) or (B, T), got {array.shape} "
                f"of {array.dtype}"
            )
        if array.ndim == 2 and np.asarray(x).dtype.kind in "iu" and array.shape[1] != network.inputs:
            raise ShapeError(
                f"x: expected shape (B, T, {network.inputs}) or (T, {network.inputs}), got whole numbers of shape {array.shape}; as "
                "symbols of a network without an embedding network.predict(result.genome, x) takes them"
            )
        inputs, single = _sequences("x", x, network.inputs)
        return self._scale(inputs), None, single

    def forecast(
        self,
        warmup: np.ndarray,
        steps: int,
        inputs: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return outputs after the known inputs, with each output fed back as the next input.

        Parameters
        ----------
        warmup : array_like, shape (T, I) or (B, T, I)
            The known inputs, in original units.
        steps : int
            Number of time steps to forecast.
        inputs : array_like, shape (steps, I - O) or (B, steps, I - O), optional
            Future values, from the step after `warmup` on, of the inputs that are not targets (exogenous inputs).
            The shape is (steps, I) when no input is a target.
        teacher : array_like, shape (T, O) or (B, T, O), optional
            For a network that sees its own output: the true outputs at the steps of `warmup`, in original units, which
            it sees in place of its own. By default those that later inputs tell, for a task with a horizon; without
            these the warm-up runs on the network's own output from zero.

        Returns
        -------
        ndarray, shape (steps, O) or (B, steps, O), float64
            In original units. A forecast that diverges contains NaN or infinity, see `diverged`.

        Raises
        ------
        EvorrnError
            When the output of the network is not its next input and no exogenous inputs are given, or a teacher is
            given but the network does not see its own output.
        ShapeError
            When an array has a wrong shape or is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> import evorrn
        >>> wave = np.sin(np.arange(41.0)).reshape(1, 41, 1)
        >>> batch = evorrn.Batch(wave[:, :-1], wave[:, 1:])
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
        >>> result = evorrn.GeneticAlgorithm(population=4).fit(network, batch, budget="2gen")
        >>> result.forecast(warmup=wave[0], steps=10).shape
        (10, 1)
        """
        known, single = _sequences("warmup", warmup, self.network.inputs)
        sequences, length, width = known.shape
        steps = whole_number("steps", steps, 3 * sequences * (width + self.network.outputs))
        own = self.network.outputs if self.horizon == 1 and not self.network.loss_function.labels else 0
        exogenous = width - own
        if inputs is None and exogenous > 0:
            missing = (
                f"future values of its {exogenous} exogenous inputs, as inputs of shape (steps, {exogenous})"
                if own or self.network.feedback
                else "a task whose target is the next input (horizon 1), a network with feedback=True, "
                f"or future inputs, as inputs of shape (steps, {exogenous})"
            )
            raise EvorrnError(f"forecast: this network needs {missing}")
        future = np.zeros((sequences, steps, width))
        if inputs is not None:
            given, _ = _sequences("inputs", inputs, exogenous)
            if given.shape[:2] != (sequences, steps):
                raise ShapeError(
                    f"inputs: expected {sequences} x {steps} steps of {exogenous}, got {given.shape}"
                )
            future[:, :, own:] = given
        x = self._scale(np.concatenate([known, future], axis=1))
        first = length if own else length + steps
        outputs = self.network.predict(
            self.genome,
            x,
            free_from=np.full(sequences, first),
            teacher=self._taught(known, teacher, steps, closed=own > 0),
        )
        # When outputs are fed back, the output at the last known step is the first forecast.
        start = length - 1 if own else length
        values = self._restore(outputs[:, start : start + steps])
        return values[0] if single else values

    def _taught(
        self, known: np.ndarray, teacher: np.ndarray | None, steps: int, *, closed: bool
    ) -> np.ndarray | None:
        """Return what a network that sees its own output sees in its place, (B, T + steps, O), NaN for its own.

        With `closed`, the output at the last known step is the first forecast, and no teacher knows it.
        """
        network = self.network
        sequences, length, width = known.shape
        if not network.feeds_back:
            if teacher is not None:
                raise EvorrnError(
                    "teacher: this network does not see its own output; make it with feedback=True"
                )
            return None
        if teacher is not None:
            true, _ = _sequences("teacher", teacher, network.outputs)
            if true.shape[:2] != (sequences, length):
                raise ShapeError(
                    f"teacher: expected {sequences} x {length} steps of {network.outputs}, got {np.shape(teacher)}"
                )
        elif self.horizon and network.outputs <= width and not network.loss_function.logits:
            true = known[:, self.horizon :, : network.outputs]
        else:
            warnings.warn(
                "forecast: this network sees its own output, and warms up on it from zero; give the true outputs as teacher",
                stacklevel=3,
            )
            return None
        scaled = true if self.scaling is None else self.scaling.scale_targets(true)
        count = min(scaled.shape[1], length - closed)
        seen = np.full((sequences, length + steps, network.outputs), np.nan)
        seen[:, 1 : count + 1] = scaled[:, :count]
        return seen

    def diverged(self, values: np.ndarray) -> bool:
        """Return whether a forecast contains NaN, infinity or a value beyond 1e12 times the largest scale of the targets."""
        scaling = self.scaling
        scale = 1.0 if scaling is None else np.abs([scaling.target_mean, scaling.target_deviation]).max()
        return not bool((np.isfinite(values) & (1e-12 * np.abs(values) <= scale)).all())

    def _scale(self, inputs: np.ndarray) -> np.ndarray:
        return inputs if self.scaling is None else self.scaling.scale_inputs(inputs)

    def _restore(self, outputs: np.ndarray) -> np.ndarray:
        if self.scaling is None or self.network.loss_function.labels:
            return np.asarray(outputs, dtype=np.float64)
        return self.scaling.restore_targets(outputs)

    def to_onnx(self, path: str | Path) -> None:
        """Write the model as an ONNX model whose inputs and outputs are in original units, see `Network.to_onnx`.

        The properties of the ONNX model hold the settings of the network and the names of its inputs and outputs.
        """
        names = {"input_names": list(self.input_names), "output_names": list(self.output_names)}
        self.network.to_onnx(self.genome, path, self.scaling, names)

    def save_model(self, path: str | Path) -> None:
        """Write the model to one file, which `evorrn.load_model` reads; it holds no training data and no history.

        Raises
        ------
        EvorrnError
            When the file cannot be written.
        """
        model_file.write(Path(path), self.network.settings(), vars(self))


def load_model(path: str | Path, *, trust: bool | None = None) -> Model:
    """Return the model in a file that `Model.save_model` or ``evorrn export`` wrote.

    Parameters
    ----------
    path : path
    trust : bool, optional
        Whether the file or module of a cell that is not one of evorrn's may be imported. Without it, such a cell is
        found only when it was imported before, or when its file has not changed since the model was written.

    Raises
    ------
    RunError
        When the file is missing, damaged or no model of evorrn, or when its cell may not be imported.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> batch = evorrn.Batch(np.ones((4, 5, 1)), np.ones((4, 5, 1)))
    >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
    >>> result = evorrn.GeneticAlgorithm(population=4).fit(network, batch, budget="2gen")
    >>> result.save_model("ones.model")
    >>> evorrn.load_model("ones.model").predict(np.ones((5, 1))).shape
    (5, 1)
    """
    return Model(**model_file.read(Path(path), trust))


def _sequences(name: str, value: Any, width: int) -> tuple[np.ndarray, bool]:
    """Return an array as finite float64 (B, T, width), and whether it was one sequence (T, width).

    Raises
    ------
    ShapeError
        When it has another shape or is not finite.
    """
    array = numeric(name, value).astype(np.float64)
    single = array.ndim == 2
    if single:
        array = array[None]
    if array.ndim != 3 or array.shape[2] != width or 0 in array.shape[:2]:
        raise ShapeError(f"{name}: expected shape (B, T, {width}) or (T, {width}), got {np.shape(value)}")
    if not np.isfinite(array).all():
        raise ShapeError(f"{name}: expected finite numbers, got NaN or infinity")
    return array, single
