"""What networks of several passes, of embeddings and of pooled readouts cannot be, in sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evorrn.base.checks import is_whole
from evorrn.base.errors import unknown
from evorrn.network.layers import Layer

if TYPE_CHECKING:
    from evorrn.network.settings import NetworkSettings

CONTEXTS = ("every", "first")
READOUTS = ("every", "last", "mean", "max", "sampled:3")
MOST_SYMBOLS = 2**24
"""Symbols up to here are exact as numbers of float32."""


def problems_of_links(flags: Mapping[str, Any], layers: Sequence[Layer]) -> list[str]:
    """Return one sentence for each setting that needs a last step where steps are linked, and for layers that differ."""
    seen = {layer.cell.name: len(layer.cell.predecessors) for layer in layers}
    if not any(seen.values()):
        return []
    found = [
        f"network.{name}: expected false, since linked steps have no last step"
        for name in ("feedback", "learn_start")
        if flags[name]
    ]
    if len(set(seen.values())) > 1:
        shown = ", ".join(f"{name} {count or 'none'}" for name, count in seen.items())
        found.append(
            f"network.cell: expected cells that see equally many predecessors in all layers, got {shown}"
        )
    return found


def problems_of_wiring(network: NetworkSettings, layers: Sequence[Layer], loss: str) -> list[str]:
    """Return a sentence for each connection that a network of several passes cannot have."""
    found = _problems_of_names(network)
    if found:
        return found
    kinds = {
        "bidirectional": bool(network.bidirectional),
        "embedding": network.embedding > 0,
        "readout": network.readout != "every",
    }
    given = next((name for name, is_given in kinds.items() if is_given), "")
    if not given:
        return []
    if network.feedback:
        found.append(
            f"network.feedback: expected false with {given}, where outputs cannot go back as inputs; the decoder of "
            "Network.encoder_decoder sees its last output"
        )
    if network.direct:
        found.append(
            f"network.direct: expected false with {given}, where the readout sees layers alone; a first layer of the cell "
            "feed-forward with the activation identity, and reads all, shows it the inputs"
        )
    if loss == "ctc" and network.readout != "every":
        found.append(
            "network.readout: expected every with the loss ctc, which needs an output at each time step"
        )
    for cell in dict.fromkeys(layer.cell for layer in layers):
        for wrong, what, instead in (
            (cell.sees_output, "sees the previous output", ""),
            (
                bool(cell.predecessors),
                "sees linked steps",
                "; the output at a root is one of the whole sequence",
            ),
            (bool(cell.noise), "declares noise", "; input_noise of gradient strategies serves"),
        ):
            if wrong:
                found.append(
                    f"network.cell: {cell.name} {what}, which does not go with {given}; leave {given} out{instead}"
                )
    return found


def _problems_of_names(network: NetworkSettings) -> list[str]:
    found = []
    size: Any = network.embedding
    if not is_whole(size) or size < 0:
        found.append(f"network.embedding: expected a whole number of at least 1, or 0 for none, got {size!r}")
    elif size and network.inputs > MOST_SYMBOLS:
        found.append(f"network.inputs: expected at most {MOST_SYMBOLS:,} symbols, got {network.inputs:,}")
    elif size and network.inputs < 1:
        found.append("network.inputs: expected the number of symbols for an embedding, got 0")
    context: Any = network.context
    if context != "" and context not in CONTEXTS:
        found.append(f"network.context: {unknown('context', context, CONTEXTS)}")
    for name, given in (("embedding", network.embedding), ("readout", network.readout != "every")):
        if context and given and not found:
            found.append(
                f"network.{name}: expected none with context, which is a vector of floats a sequence, for outputs at every step"
            )
    way: Any = network.readout
    if not (isinstance(way, str) and (way in READOUTS or re.fullmatch(r"sampled:[1-9]\d{0,3}", way))):
        found.append(f"network.readout: {unknown('readout', way, READOUTS)}")
    return found
