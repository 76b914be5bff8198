"""Names along an axis do not run into each other."""

import pytest

from evorrn.lab.report.style import names_along

FEW = ["none", "intrinsic"]
MANY = ["random", "cycle", "delay-line", "small-world", "jump-cycle", "orthogonal"]


@pytest.mark.parametrize("names", [FEW, MANY])
def test_names_do_not_overlap(names):
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4, 2.4))
    axes = figure.add_subplot()
    axes.set_xlim(-0.5, len(names) - 0.5)
    names_along(axes, range(len(names)), names)
    figure.canvas.draw()
    labels = axes.get_xticklabels()
    assert [label.get_text() for label in labels] == names
    if names is FEW:
        first, second = (label.get_window_extent() for label in labels)
        assert not first.overlaps(second)
    assert {label.get_rotation() for label in labels} == {0 if names is FEW else 30}
