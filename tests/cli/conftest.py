import pytest
from console import Console


@pytest.fixture
def console(tmp_path, monkeypatch, capsys):
    """A command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVORRN_RUNS", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return Console(capsys)
