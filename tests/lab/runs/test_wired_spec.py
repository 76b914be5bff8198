"""Specs of networks of several passes."""

from evorrn.lab.runs.spec import resolve


def test_a_bidirectional_reservoir_has_no_direct_connection_unless_asked_for():
    spec = {"task": {"name": "parity"}, "strategy": {"name": "esn"}, "network": {"bidirectional": True}}
    made = resolve(spec)
    assert made.network.bidirectional and not made.network.direct
    assert resolve({**made.content, "budget": "2gen"}).network.settings() == made.network.settings()


def test_layers_of_different_cells_are_joined_in_the_folder_of_a_run():
    spec = {"task": {"name": "parity"}, "network": {"cell": ["gru", "elman"], "hidden": [3, 4]}}
    made = resolve(spec)
    assert made.folder.parts[1].endswith("-gru+elman")
    assert made.content["network"]["cell"] == ["gru", "elman"]
    assert "bidirectional" not in made.content["network"]
