"""The ONNX model of a network: its inputs, its outputs, and what stands between them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.compile.op import count_of
from evorrn.data.task import Scaling
from evorrn.engine.model import Form
from evorrn.exchange.onnx.layers import Layers, fits, write_layers
from evorrn.exchange.onnx.scan import write_scan
from evorrn.exchange.onnx.step import check_operations
from evorrn.exchange.onnx.writer import Writer

OPSET, IR_VERSION = 17, 8
LARGEST = 2**31 - 2**20
"""Bytes of weights that one file can hold beside its nodes."""
LONGEST = np.iinfo(np.int32).max
"""The default of ``lengths``: longer than any sequence, so that every time step counts."""


def onnx_bytes(
    form: Form,
    layers: Layers,
    values: Mapping[str, np.ndarray],
    notes: Mapping[str, Any],
    scaling: Scaling | None = None,
) -> bytes:
    """Return a network as the bytes of an ONNX model; `evorrn.Network.to_onnx` describes its inputs and outputs.

    Parameters
    ----------
    form : Form
    layers : sequence of (Cell, mapping)
        The cell of each layer with its activation options.
    values : mapping of str to ndarray
        The weights and the numeric options of the cells by their names in the time step.
    notes : mapping
        Plain data that the model holds by name as JSON text, for instance the settings of the network.
    scaling : Scaling, optional

    Raises
    ------
    EvorrnError
        When onnx is not installed, or the weights are too large for one file.
    ConfigError
        When an operation of a cell has no ONNX form.
    """
    try:
        from onnx import checker, helper, numpy_helper
    except ImportError:
        raise EvorrnError("to_onnx needs onnx: pip install 'evorrn[onnx]'") from None

    defaults = _defaults(form)
    w = Writer(form.dtype, form.sizes, taken={"x", "y", "last_state", *defaults})
    _write(w, form, layers, values, scaling)
    outside = form.dtype if scaling is None else np.dtype(np.float64)
    sizes, state = form.sizes, defaults["state"].shape[1]
    inputs = [("x", outside, ["B", "T", sizes["I"]])]
    for name, array in defaults.items():  # an axis of size 1 is the batch, or one value for all of it
        axes = [f"{name} axis {axis}" if size == 1 else size for axis, size in enumerate(array.shape[:-1])]
        last = array.shape[-1] if array.ndim > 1 else f"{name} axis 0"
        inputs.append((name, array.dtype, [*axes, last]))
    outputs = [("y", outside, ["B", "T", sizes["O"]]), ("last_state", form.dtype, ["B", state])]

    def declared(entries: list[tuple[str, np.dtype, list[Any]]]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape)
            for name, dtype, shape in entries
        ]

    if sum(array.nbytes for array in w.constants.values()) > LARGEST:
        raise EvorrnError("to_onnx: the weights take more than 2 GB, which one ONNX file cannot hold")
    kept = [numpy_helper.from_array(array, name) for name, array in {**w.constants, **defaults}.items()]
    graph = helper.make_graph(w.nodes, "network", declared(inputs), declared(outputs), kept)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, producer_name="evorrn", opset_imports=[opset], ir_version=IR_VERSION)
    helper.set_model_props(model, {name: json.dumps(value) for name, value in notes.items()})
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _defaults(form: Form) -> dict[str, np.ndarray]:
    """Return the values of the inputs that can be left out; axes of size 1 are repeated."""
    first = [
        np.full((1, count_of(shape, form.sizes)), form.step.start.get(name, 0.0), form.dtype)
        for name, shape in form.step.states.items()
    ]
    found = {"lengths": np.array([LONGEST], np.int64), "state": np.concatenate(first, axis=1)}
    if form.step.feeds_back:
        found["teacher"] = np.full((1, 1, form.sizes["O"]), np.nan, form.dtype)
    return found


def _write(
    w: Writer, form: Form, layers: Layers, values: Mapping[str, np.ndarray], scaling: Scaling | None
) -> None:
    """Write all nodes from the inputs to the outputs."""
    batch, steps = (w.apply("Shape", "x", start=axis, end=axis + 1) for axis in (0, 1))
    x, active, states = _scaled(w, scaling), _active(w, batch, steps), _split_state(w, form, batch)
    if fits(form, layers):
        lengths = w.cast(w.apply("Expand", w.apply("Min", "lengths", steps), batch), np.int32)
        outputs, last = write_layers(w, form, layers, values, x, lengths, states)
    else:
        check_operations(form)
        series = {"x": x, "active": active}
        if form.step.feeds_back:
            whole = w.apply("Concat", batch, steps, w.integers(form.sizes["O"]), axis=0)
            series["teacher"] = w.apply("Expand", "teacher", whole)
        outputs, last = write_scan(w, form, values, series, states)
    if scaling is not None:
        outputs = _restored(w, form, scaling, w.cast(outputs, np.float64))
    zero = w.constant(np.zeros((), form.dtype if scaling is None else np.float64), "zero")
    w.apply("Where", active, outputs, zero, name="y")
    w.apply("Concat", *last.values(), name="last_state", axis=1)


def _active(w: Writer, batch: str, steps: str) -> str:
    """Return whether each time step is before the end of its sequence, (B, T, 1)."""
    zero, one = (w.constant(np.array(value), "place") for value in (0, 1))
    places = w.apply("Range", zero, w.apply("Squeeze", steps), one)
    before = w.apply("Less", places, w.apply("Unsqueeze", "lengths", w.integers(1)))
    whole = w.apply("Expand", before, w.apply("Concat", batch, steps, axis=0))
    return w.apply("Unsqueeze", whole, w.integers(2))


def _split_state(w: Writer, form: Form, batch: str) -> dict[str, str]:
    """Return the first states (B, H) by name; ``state`` has them one after the other."""
    widths = [count_of(shape, form.sizes) for shape in form.step.states.values()]
    whole = w.apply("Expand", "state", w.apply("Concat", batch, w.integers(sum(widths)), axis=0))
    names = tuple(w.fresh(f"{name}.first") for name in form.step.states)
    w.apply_many("Split", whole, w.integers(*widths), names=names, axis=1)
    return dict(zip(form.step.states, names))


def _scaled(w: Writer, scaling: Scaling | None) -> str:
    """Return the inputs in scaled units, computed in float64, in the network's dtype."""
    if scaling is None:
        return "x"
    mean, deviation = (
        w.constant(np.asarray(value, np.float64), "input scaling")
        for value in (scaling.input_mean, scaling.input_deviation)
    )
    return w.cast(w.apply("Div", w.apply("Sub", "x", mean), deviation), w.dtype)


def _restored(w: Writer, form: Form, scaling: Scaling, outputs: str) -> str:
    """Return float64 outputs in original units; logits of classes stay as they are."""
    if form.loss.labels:
        return outputs
    mean, deviation = (
        w.constant(np.asarray(value, np.float64), "target scaling")
        for value in (scaling.target_mean, scaling.target_deviation)
    )
    return w.apply("Add", w.apply("Mul", outputs, deviation), mean)
