"""Linear units of which a readout sees the squares, as detectors see the power of light."""

from evorrn.compile.cell import cell


@cell(
    name="photonic",
    state={"h": "H", "field": "H"},
    parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
)
def photonic(p, x, h, field):
    """Linear units of real fields whose outputs are the squares of their fields; the last outputs are not used.

    Source: Vinckier, Duport, Smerieri, Vandoorne, Bienstman, Haelterman and Massar 2015, "High-performance photonic reservoir
    computer based on a coherently driven passive cavity". Deviation: fields are real, not complex.
    """
    field = p.W_x @ x + p.W_h @ field + p.b
    return field * field, field
