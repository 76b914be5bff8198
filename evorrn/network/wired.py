"""What networks of several passes cannot be, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evorrn.network.layers import Layer


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


def problems_of_wiring(flags: Mapping[str, Any], layers: Sequence[Layer]) -> list[str]:
    """Return a sentence for each connection that a network of several passes cannot have."""
    if not flags["bidirectional"]:
        return []
    found = [
        f"network.{name}: expected false, since a bidirectional network {why}; {instead}"
        for name, why, instead in (
            (
                "feedback",
                "computes no output before it has seen the whole sequence",
                "leave out bidirectional",
            ),
            ("direct", "has a readout of its layers alone", "leave out direct or bidirectional"),
        )
        if flags[name]
    ]
    linked = [layer.cell.name for layer in layers if layer.cell.predecessors]
    found += [
        f"network.cell: {name} sees linked steps, which have no direction; leave out bidirectional"
        for name in dict.fromkeys(linked)
    ]
    noisy = [layer.cell.name for layer in layers if layer.cell.noise]
    found += [
        f"network.cell: {name} declares noise, which runs in one direction; leave out bidirectional"
        for name in dict.fromkeys(noisy)
    ]
    seeing = [layer.cell.name for layer in layers if layer.cell.sees_output]
    return found + [
        f"network.cell: {name} sees the previous output, which a bidirectional network computes after the whole sequence"
        for name in dict.fromkeys(seeing)
    ]
