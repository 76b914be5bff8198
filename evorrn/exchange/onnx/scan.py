"""A network as one Scan node over its time step, for every cell that the compiler reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.compile.step import OUTPUT
from evorrn.engine.model import Form
from evorrn.exchange.onnx.step import write_step
from evorrn.exchange.onnx.writer import Writer


def write_scan(
    w: Writer,
    form: Form,
    values: Mapping[str, np.ndarray],
    series: Mapping[str, str],
    states: Mapping[str, str],
) -> tuple[str, dict[str, str]]:
    """Write the Scan node of a network.

    Parameters
    ----------
    w : Writer
    form : Form
    values : mapping of str to ndarray
        The weights and the numeric options of the cells by their names in the time step.
    series : mapping of str to str
        ``x``, the inputs (B, T, I); ``active``, whether a step is before the end of its sequence, (B, T, 1), bool; and
        for a network that sees its output ``teacher`` (B, T, O), values that it sees in its place, NaN for its own.
    states : mapping of str to str
        First states (B, n) by name, matrices row by row.

    Returns
    -------
    outputs : str
        Outputs (B, T, O); beyond the length of a sequence they mean nothing.
    last : dict of str to str
        The states (B, n) after the last step of each sequence.

    Raises
    ------
    ConfigError
        When what goes back into the network has no ONNX form.
    """
    if not form.sizes["I"]:  # onnxruntime does not scan arrays without entries
        series = {name: value for name, value in series.items() if name != "x"}
    feeds_back = form.step.feeds_back and bool(form.feed)
    if feeds_back and (form.loss.name, form.feed) not in FEEDS:
        raise ConfigError(f"to_onnx: no ONNX form of {form.feed} of the loss {form.loss.name}")
    body = w.body()
    old = {name: body.fresh(f"{name}.old") for name in states}
    now = {name: body.fresh(f"{name}.now") for name in series}
    shapes = form.step.states
    seen = {name: _reshaped(body, value, body.shape(shapes[name])) for name, value in old.items()}
    seen["x"] = now["x"] if "x" in now else _nothing(body, now["active"])
    if "teacher" in now:
        own = body.apply("IsNaN", now["teacher"])
        seen[OUTPUT] = body.apply("Where", own, old[OUTPUT], now["teacher"])
    new = write_step(body, form, values, seen)
    shown = body.apply("Identity", new[OUTPUT], name=body.fresh("y.now"))
    if feeds_back:
        new[OUTPUT] = FEEDS[form.loss.name, form.feed](body, new[OUTPUT])
    kept = []
    for name in states:
        flat = new[name] if len(shapes[name]) == 1 else body.apply("Reshape", new[name], body.integers(0, -1))
        kept.append(body.apply("Where", now["active"], flat, old[name], name=body.fresh(f"{name}.new")))
    widths = {"x": form.sizes["I"], "active": 1, "teacher": form.sizes["O"]}
    state_widths = [math.prod(body.shape(shapes[name])) for name in states]
    graph = _body(
        body,
        [*zip(old.values(), state_widths), *((now[name], widths[name]) for name in series)],
        [*zip(kept, state_widths), (shown, form.sizes["O"])],
    )
    by_time = [w.apply("Transpose", name, perm=[1, 0, 2]) for name in series.values()]
    *last, outputs = w.apply_many(
        "Scan",
        *states.values(),
        *by_time,
        names=(*(w.fresh(f"{name}.last") for name in states), w.fresh("outputs")),
        body=graph,
        num_scan_inputs=len(series),
    )
    return w.apply("Transpose", outputs, perm=[1, 0, 2]), dict(zip(states, last))


def _body(body: Writer, inputs: list[tuple[str, int]], outputs: list[tuple[str, int]]) -> Any:
    """Return the graph of one time step, with the names and widths of its inputs and outputs (B, width)."""
    from onnx import TensorProto, helper

    number = helper.np_dtype_to_tensor_dtype(body.dtype)
    given = [
        helper.make_tensor_value_info(
            name, TensorProto.BOOL if name.startswith("active") else number, ["B", width]
        )
        for name, width in inputs
    ]
    found = [helper.make_tensor_value_info(name, number, ["B", width]) for name, width in outputs]
    return helper.make_graph(body.nodes, "time step", given, found)


def _reshaped(body: Writer, state: str, sizes: list[int]) -> str:
    """Return a state (B, n) in the shape that the equations give it."""
    return state if len(sizes) == 1 else body.apply("Reshape", state, body.integers(0, *sizes))


def _nothing(body: Writer, active: str) -> str:
    """Return inputs (B, 0)."""
    zero = body.integers(0)
    return body.apply("Slice", body.cast(active, body.dtype), zero, zero, body.integers(1))


# --- What goes back into a network in place of its output -------------------------------------------------


def _chosen(w: Writer, y: str) -> str:
    """Return 1 for the class with the largest logit and 0 for the others; the first of several alike."""
    zero, one = (w.constant(np.array(value), "place") for value in (0, 1))
    classes = w.apply("Range", zero, w.apply("Squeeze", w.apply("Shape", y, start=1)), one)
    return w.cast(w.apply("Equal", w.apply("ArgMax", y, axis=1), classes), w.dtype)


def _positive(w: Writer, y: str) -> str:
    return w.apply("Where", w.apply("Greater", y, w.number(0)), w.number(1), w.number(0))


Feed = Callable[[Writer, str], str]

FEEDS: dict[tuple[str, str], Feed] = {
    ("cross-entropy", "feed_probability"): lambda w, y: w.apply("Softmax", y, axis=1),
    ("cross-entropy", "feed_bit"): _chosen,
    ("binary-cross-entropy", "feed_probability"): lambda w, y: w.apply("Sigmoid", y),
    ("binary-cross-entropy", "feed_bit"): _positive,
}
"""The value that goes back, by loss and by the function of the loss's module."""
