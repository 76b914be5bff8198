"""Signal-flow graphs: every product of the step returns transposed in its reversal, and files name what they draw."""

import numpy as np
import pytest
from typer.testing import CliRunner

from evorrn.cells.find import find_cell
from evorrn.cli.app import app
from evorrn.lab.report.signal_flow import draw_cell
from evorrn.lab.study.signal_flow import flows


def texts(flow, kind):
    return sorted(node.text for node in flow.nodes.values() if node.kind == kind)


def test_the_reversal_of_an_elman_step_has_every_arrow_turned_round():
    step, back, onward = flows(find_cell("elman"))
    assert texts(step, "gain") == ["W_h", "W_x"]
    assert texts(back, "gain") == ["1−h²", "W_hᵀ", "W_xᵀ"]
    assert texts(back, "weight") == ["∇ W_h", "∇ W_x", "∇ b"]
    assert texts(onward, "gain") == ["1−h²", "W_h", "W_x"]
    assert texts(step, "signal") == ["h", "h⁻", "x"]
    assert texts(back, "signal") == ["λ h", "λ h⁻", "λ x"]
    assert texts(onward, "signal") == ["δ h", "δ h⁻", "δ x"]


@pytest.mark.parametrize("name", ["gru", "lstm", "ctrnn", "second-order"])
def test_signals_flow_forward_in_the_step_and_backward_in_its_reversal(name):
    step, back, onward = flows(find_cell(name))
    for flow, direction in ((step, 1), (back, -1), (onward, 1)):
        for start, end in flow.arrows:
            assert direction * (flow.nodes[end].column - flow.nodes[start].column) > 0
        places = [(node.column, round(node.row, 6)) for node in flow.nodes.values()]
        assert len(set(places)) == len(places)
        assert len(set(flow.arrows)) == len(flow.arrows) or name == "second-order"
        assert np.isfinite(places).all()
    weights = {text.removesuffix("ᵀ") for text in texts(back, "gain") if text.endswith("ᵀ")}
    assert weights <= set(texts(step, "gain"))


def test_files_are_a_picture_of_lines_one_of_dots_and_a_text_for_graphviz(tmp_path):
    files = draw_cell(find_cell("elman"), tmp_path)
    assert [path.name for path in files] == ["elman-graph.svg", "elman-graph.png", "elman-graph.dot"]
    assert files[1].read_bytes().startswith(b"\x89PNG") and b"<svg" in files[0].read_bytes()
    text = files[2].read_text()
    assert text.count("digraph") == 3 and '"∇ W_h"' in text
    first = files[0].read_bytes()
    assert draw_cell(find_cell("elman"), tmp_path)[0].read_bytes() == first


def test_the_command_draws_and_names_the_files_and_refuses_what_is_no_cell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["show", "elman", "--graph"])
    assert done.exit_code == 0 and "elman-graph.svg" in done.output
    assert (tmp_path / "elman-graph.png").is_file()
    wrong = CliRunner().invoke(app, ["show", "bptt", "--graph"])
    assert wrong.exit_code != 0 and not list(tmp_path.glob("bptt*"))
