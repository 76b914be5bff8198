import pytest
from console import Console

from evorrn.lab.report import figures

EMPTY = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "png": b"\x89PNG\r\n\x1a\n",
}
"""Pictures that show nothing, by their kind."""


@pytest.fixture
def pictures():
    """Make real pictures in a test that looks at them; others leave their layout and drawing out."""


@pytest.fixture(autouse=True)
def empty_pictures(request, monkeypatch):
    """Call what draws figures with all data, and write empty pictures: most of the time of a command is Matplotlib's."""
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr(figures, "rendered", lambda figure, kind: EMPTY[kind])


@pytest.fixture
def console(tmp_path, monkeypatch, capsys):
    """A command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVORRN_RUNS", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return Console(capsys)
