"""Docstrings: help() shows every setting, and the examples of the public names run."""

import doctest
import inspect
import pydoc
import re

import pytest

import evorrn
from evorrn import associative, automata, diagnostics, testing
from evorrn.base.settings import describe
from evorrn.data.find import task_kinds
from evorrn.sklearn import RNNClassifier, RNNRegressor
from evorrn.strategies.find import strategies

KINDS = {**strategies(), **task_kinds()}


def rendered(kind):
    """Return what help() prints about a class, every run of spaces and bars as one space."""
    text = pydoc.render_doc(kind, renderer=pydoc.plaintext)
    return re.sub(r"[\s|]+", " ", text)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_help_shows_every_setting_with_its_meaning(name):
    text = rendered(KINDS[name])
    for setting, _, _, meaning in describe(KINDS[name]):
        assert meaning, f"{name}.{setting} has no meaning"
        assert re.search(rf" {setting} : .*? {re.escape(meaning)} ", text), setting


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_docstring_begins_with_one_sentence(name):
    first = inspect.getdoc(KINDS[name]).split("\n")[0]
    assert first == KINDS[name].doc.split("\n")[0] and first.endswith(".")


def documented():
    """Return the public classes and functions, what `Network` inherits, and the checks of contracts."""
    values = {name: getattr(evorrn, name) for name in evorrn.__all__}
    values.update(
        {f"Network.{name}": getattr(evorrn.Network, name) for name in ("for_task", "init", "unpack", "pack")}
    )
    for package in (associative, automata, diagnostics):
        values.update({name: getattr(package, name) for name in package.__all__})
    values.update(RNNRegressor=RNNRegressor, RNNClassifier=RNNClassifier)
    values.update({name: getattr(testing, name) for name in dir(testing) if name.startswith("check_")})
    return {name: value for name, value in values.items() if callable(value)}


@pytest.mark.parametrize("name", sorted(documented()))
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tests = doctest.DocTestFinder().find(documented()[name], name, globs={})
    examples = [test for test in tests if test.examples]
    assert name in [test.name for test in examples], f"{name}: expected an example in its docstring"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    printed = []
    for test in examples:
        runner.run(test, out=printed.append)
    assert not runner.failures, "".join(printed)
