"""``evorrn docs`` on the command line: pages that are rendered once, and mistakes in a sentence."""

import webbrowser
from pathlib import Path

import pytest


@pytest.mark.thorough
def test_docs_renders_the_pages_once_and_opens_one(console, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setenv("EVORRN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "docs" / "earlier").mkdir(parents=True)
    path = Path(console.type("docs", "start").out.strip())
    assert path.name == "start.html" and opened == [path.as_uri()]
    assert [folder.name for folder in (tmp_path / "cache" / "docs").iterdir()] == [path.parent.name]
    before = path.stat().st_mtime_ns
    assert console.type("docs", "cells", "--no-browser").code == 0
    assert path.stat().st_mtime_ns == before and len(opened) == 1
    for words, said in (
        (("docs", "strat"), "did you mean 'start'"),
        (("docs", "--to", str(path)), "cannot write"),
    ):
        found = console.type(*words)
        assert found.code == 2 and said in found.err and len(opened) == 1
