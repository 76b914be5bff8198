"""How the bench measures and reports: turns of contenders, verdicts, threads, tables and JSON."""

import json
import math
import os
import sys

import numpy as np
import pytest

from evorrn.bench import (
    gradient,
    population,
    suite,
)
from evorrn.bench.group import Group
from evorrn.bench.peers import numpy_peer
from evorrn.bench.results import Finding, Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.bench.timing import alternate, limited_threads
from evorrn.cli import main
from evorrn.kernels.threads import get_threads

QUICK = Session(quick=True)


def test_contenders_take_turns_and_are_called_equally_often(monkeypatch):
    from evorrn.bench import timing

    monkeypatch.setattr(timing, "PAUSE_SECONDS", 0.0)
    called = []
    times = alternate({name: lambda name=name: called.append(name) for name in "ab"}, rounds=2)
    assert "".join(called) == "ab" + 2 * "aaabbb"
    assert {name: len(taken.calls) for name, taken in times.items()} == {"a": 6, "b": 6}


def test_a_contender_who_disagrees_or_breaks_is_left_out():
    ours = Contender("ours", lambda: None, lambda: [np.ones(2)])
    wrong = Contender("wrong", lambda: None, lambda: [np.array([1, 1.001])])
    lost = Contender("lost", lambda: None, lambda: [np.array([1, math.nan])])
    broken = Contender("broken", lambda: None, lambda: 1 / 0)
    faster = Contender("other work", lambda: None, work=2.0, unit="of its rate")
    remarks = []
    mine, findings = QUICK.contest(ours, [wrong, lost, broken, faster], remarks)
    assert [finding.peer for finding in findings] == ["other work"]
    assert findings[0].value == pytest.approx(findings[0].seconds.minimum / mine.minimum / 2)
    assert "wrong disagrees with ours by 1.0e-03" in remarks[0] and "lost disagrees" in remarks[1]
    assert "broken failed: ZeroDivisionError" in remarks[2]


@pytest.mark.parametrize(
    ("target", "value", "verdict", "text"),
    [
        (Target(at_least=2.5), 2.5, "met", "≥ 2.5"),
        (Target(at_least=2.5), 2.0, "20 % short", "≥ 2.5"),
        (Target(at_most=0.3), 0.36, "20 % over", "≤ 0.3"),
        (Target(0.9, 1.1), 1.0, "met", "0.9 to 1.1"),
        (Target(0.9, 1.1), 0.45, "50 % short", "0.9 to 1.1"),
        (Target(0.9, 1.1), math.nan, "not measured", "0.9 to 1.1"),
    ],
)
def test_a_verdict_says_by_how_much(target, value, verdict, text):
    assert Finding("peer", value, "x", target).verdict == verdict and str(target) == text


def test_the_geometric_mean_is_over_the_better_peer():
    rows = [
        Row(name, name, None, [Finding("a", first, "x"), Finding("b", second, "x")])
        for name, first, second in (("one", 2.0, 9.0), ("two", 32.0, 8.0))
    ]
    row = gradient.summarise(rows)
    assert row.findings[0].value == pytest.approx(4) and row.remarks == []
    row = gradient.summarise([rows[0], Row("alone", "alone", None, [Finding("a", 8.0, "x")])])
    assert row.findings[0].value == pytest.approx(4) and "alone" in row.remarks[0]
    assert gradient.summarise([Row("none", "none")]).findings[0].verdict == "not measured"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_threads_are_limited_and_given_back():
    allowed, before = os.sched_getaffinity(0), get_threads()
    with limited_threads() as count:
        assert count == len(os.sched_getaffinity(0)) == get_threads() <= 2
    assert os.sched_getaffinity(0) == allowed and get_threads() == before


@pytest.fixture
def tiny(monkeypatch):
    """A bench of one group with two tiny rows, on a machine without JAX."""
    from evorrn.bench import machine

    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "evorrn.bench.peers.jax_peer", raising=False)
    monkeypatch.setattr(numpy_peer, "GEMM_SIZE", 50)
    monkeypatch.setattr(machine, "GEMM_SIZE", 50)
    targets = {"numpy": Target(at_least=1e9), "product": Target(at_least=1e-9)}
    cases = [
        population.Case("elman", hidden, 3, sequences=4, steps=6, targets=targets, peers=("jax", "numpy"))
        for hidden in (4, 5)
    ]
    group = Group("population", "fitness", cases, population.measure)
    monkeypatch.setattr(suite, "groups", lambda: {"population": group})


def typed(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(["bench", *words])
    said = capsys.readouterr()
    return said.out, said.err, left.value.code or 0


def test_json_has_every_number_and_names_who_is_missing(capsys, tiny):
    out, err, code = typed(capsys, "--quick", "--json")
    content = json.loads(out)
    assert code == 0 and "population/elman-4: elman H 4" in err
    machine = content["machine"]
    assert {"processor", "features", "cores", "threads", "versions", "load"} <= set(machine)
    assert set(machine["gemm_gflops"]) == {"float32", "float64"} and machine["versions"]["numpy"]
    assert list(content["missing"]) == ["jax"] and "evorrn[bench]" in content["missing"]["jax"]
    (group,) = content["groups"]
    assert group["statistic"] == "minimum" and [row["name"] for row in group["rows"]] == [
        "elman-4",
        "elman-5",
    ]
    for row in group["rows"]:
        assert row["seconds"] == min(row["calls"]) and row["gflops"] > 0
        limit, product, numpy_loop = row["findings"]
        assert limit["unit"] == "of the limit" and limit["value"] > 0
        assert product["unit"] == "of its rate" and product["met"] and product["target"]["at_least"] == 1e-9
        assert numpy_loop["value"] == pytest.approx(numpy_loop["seconds"] / row["seconds"])
        assert not numpy_loop["met"] and numpy_loop["shortfall"] == pytest.approx(1, abs=1e-3)
        assert row["remarks"] == ["jax is missing"]


def test_a_table_says_who_fell_short_and_who_was_missing(capsys, tiny):
    out, err, code = typed(capsys, "population/elman-5", "--quick")
    assert code == 0 and "elman-4" not in out + err
    assert (
        "minimum of all calls" in out and "NumPy, one by one" in out and "! jax is missing (elman-5)" in out
    )
    assert "1 of 2 targets met, not met:\n  population/elman-5 against NumPy, one by one: 100 % short" in out
    assert "\nmissing: jax, " in out and "GFLOP/s" in out.splitlines()[0]


def test_rows_are_listed_and_unknown_ones_refused(capsys):
    out, _, code = typed(capsys, "--list")
    listed = [line.split()[0] for line in out.splitlines()[1:]]
    assert code == 0 and len(listed) == len(set(listed)) == sum(len(g.cases) for g in suite.groups().values())
    out, _, _ = typed(capsys, "--list", "--json", "gradient", "start-up/help")
    assert [row["name"] for row in json.loads(out)][-1] == "start-up/help" and len(json.loads(out)) == 11
    for name, wanted in (("gradients", "did you mean 'gradient'"), ("population/elman-33", "elman-32'")):
        out, err, code = typed(capsys, name)
        assert code == 2 and wanted in err and out == ""


def test_a_call_is_settled_before_it_is_timed_and_at_a_quick_look_not(monkeypatch):
    """After a while stages of a network are compiled as a whole, as they are in every longer run."""
    calls = []
    monkeypatch.setattr("evorrn.bench.session.SETTLED", 0.01)
    Session(quick=True).settle(lambda: calls.append(0))
    assert not calls
    Session().settle(lambda: calls.append(0))
    assert calls
