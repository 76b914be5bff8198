"""The runner: files of a run, stopping and going on bit for bit, failures, claims."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from executing import lasting, stopping_after
from tiny import HERE, WAVE, raw

import evorrn
from evorrn.base.errors import ConfigError, EvorrnError, RunError
from evorrn.cli.outcome import as_dict, draw
from evorrn.lab.runs import environment, recorder
from evorrn.lab.runs import execute as runner
from evorrn.lab.runs.claim import Claim, RunBusy
from evorrn.lab.runs.execute import continued, execute
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.store import RunFolder

FILES = {
    "spec.toml", "status.json", "history.jsonl", "timing.jsonl", "result.json", "genome.npz", "predictions.npz",
    "checkpoint.npz", "env.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    outcome = execute(resolve(raw()), tmp_path_factory.mktemp("undisturbed"))
    assert outcome.status == "complete"
    return outcome


def test_a_run_leaves_all_its_files(undisturbed):
    folder = undisturbed.path
    assert folder.parts[-3:-1] == ("wave", "walk-elman") and folder.name == undisturbed.spec.id
    extra = {path.name for path in folder.iterdir()} - FILES
    assert {path.name for path in folder.iterdir()} >= FILES and extra <= {"plots", "checkpoint-previous.npz"}
    status = json.loads((folder / "status.json").read_text())
    assert status["status"] == "complete" and status["step"] == 40 and status["diverged"] is False
    assert json.loads((folder / "env.json").read_text())["results_version"] == environment.RESULTS_VERSION
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert len(rows) == 40 and rows[-1]["stride"] == 40 and not any("second" in name for name in rows[0])


def test_the_folder_loads_as_the_result_that_was_returned(undisturbed):
    loaded, result = evorrn.load(undisturbed.path), undisturbed.result
    assert np.array_equal(loaded.genome, result.genome) and loaded.metrics == result.metrics
    assert loaded.meter == result.meter and loaded.stopped_by == "generations"
    assert all(np.array_equal(loaded.history[name], result.history[name]) for name in result.history)
    x = np.linspace(0, 1, 7)[:, None]
    assert np.array_equal(loaded.predict(x), result.predict(x))


def test_a_run_is_the_same_as_a_fit_in_memory(undisturbed):
    spec = undisturbed.spec
    result = spec.strategy.fit(spec.network, spec.task, seed=0, budget="40gen")
    assert (
        np.array_equal(result.genome, undisturbed.result.genome)
        and result.metrics == undisturbed.result.metrics
    )


def test_predictions_score_as_the_result_says(undisturbed):
    with np.load(undisturbed.path / "predictions.npz") as shown:
        truth, predicted = shown["truth"][shown["scored"]], shown["predicted"][shown["scored"]]
    nrmse = np.sqrt(np.mean((predicted - truth) ** 2)) / truth.std()
    assert undisturbed.result.metrics["test"]["nrmse_std"] == pytest.approx(nrmse, rel=1e-12)


def test_pictures_are_drawn_once_and_a_broken_one_only_warns(undisturbed, tmp_path):
    draw(undisturbed, pytest.fail)
    folder = undisturbed.path / "plots"
    assert {path.name for path in folder.iterdir()} == {"learning.png", "predictions.png"}
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    draw(undisturbed._replace(reused=True), pytest.fail)
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    warnings = []
    draw(undisturbed._replace(root=tmp_path), warnings.append)
    assert len(warnings) == 1 and "some plots are missing" in warnings[0]


def test_a_complete_run_is_not_run_again(undisturbed):
    root = undisturbed.path.parents[2]
    before = {path: path.stat().st_mtime_ns for path in undisturbed.path.rglob("*")}
    again = execute(resolve(raw()), root, hooks=Hooks(watch=lambda progress: pytest.fail("it ran")))
    assert again.reused and again.status == "complete" and again.result.metrics == undisturbed.result.metrics
    assert before == {path: path.stat().st_mtime_ns for path in undisturbed.path.rglob("*")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_resumed_is_the_same_to_the_last_byte(undisturbed, tmp_path, number):
    spec, notes = resolve(raw()), []
    first = execute(spec, tmp_path, hooks=Hooks(watch=stopping_after(7, number=number), note=notes.append))
    assert first.status == "interrupted" and first.result is None
    assert RunFolder(first.path).state() == "interrupted" and not (first.path / "claim").exists()
    assert len((first.path / "history.jsonl").read_text().splitlines()) == 7
    seen = []
    second = execute(
        spec, tmp_path, hooks=Hooks(watch=stopping_after(8, 23, number=number), note=notes.append)
    )
    assert second.status == "interrupted"
    third = execute(spec, tmp_path, hooks=Hooks(watch=lambda progress: seen.append(progress.step)))
    assert third.status == "complete" and seen == list(range(9, 41))
    assert lasting(third.path) == lasting(undisturbed.path)
    assert "stopping after this step" in notes[0] and "going on from step 7" in notes[1]


@pytest.mark.parametrize("name", ["ga", "esn", "bptt", "random"])
def test_every_way_of_training_stops_and_goes_on_to_the_last_byte(tmp_path, name):
    settings = {"ga": {"population": 8}, "random": {"count": 8}, "esn": {}, "bptt": {"batch_size": 1}}[name]
    hidden = 20 if name == "esn" else 3
    spec = resolve(
        {
            "budget": "6gen",
            "task": {"name": WAVE},
            "network": {"hidden": hidden},
            "strategy": {"name": name, **settings},
        }
    )
    whole = execute(spec, tmp_path / "whole")
    for step in (2, 3):
        outcome = execute(spec, tmp_path / "parts", hooks=Hooks(watch=stopping_after(step)))
        assert outcome.status == "interrupted", outcome.error
    outcome = execute(spec, tmp_path / "parts")
    assert outcome.status == whole.status == "complete" and len(outcome.result.history["work"]) == 6
    assert lasting(outcome.path) == lasting(whole.path)


def test_the_handlers_of_signals_are_put_back(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    execute(resolve(raw("2gen")), tmp_path)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_second_signal_stops_at_once_with_the_checkpoint_there_is(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "CHECKPOINT_SECONDS", 0.0)

    def twice(progress):
        if progress.step == 9:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    outcome = execute(resolve(raw()), tmp_path, hooks=Hooks(watch=twice))
    assert outcome.status == "interrupted"
    assert RunFolder(outcome.path).load_checkpoint()["step_count"] == 8
    final = execute(resolve(raw()), tmp_path)
    assert lasting(final.path) == lasting(undisturbed.path)


def test_killed_without_warning_and_resumed_is_the_same(undisturbed, tmp_path):
    code = (
        "import sys; from evorrn.lab.runs import recorder; recorder.CHECKPOINT_SECONDS = 0.0\n"
        "from pathlib import Path; from evorrn.lab.runs.execute import execute; from evorrn.lab.runs.hooks import Hooks; from evorrn.lab.runs.spec import resolve\n"
        f"sys.path.insert(0, {str(Path(HERE).parent)!r}); from tiny import raw\n"
        "def tell(progress): print(progress.step, flush=True)\n"
        f"execute(resolve(raw()), Path({str(tmp_path)!r}), hooks=Hooks(watch=tell))\n"
    )
    folder = tmp_path / resolve(raw()).folder
    for step in (6, 20):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if int(line) >= step:
                    process.send_signal(signal.SIGKILL)
                    break
        assert RunFolder(folder).state() == "interrupted"  # what it says is running, but nobody is
        assert (folder / "claim").is_dir()
    seen = []
    final = execute(resolve(raw()), tmp_path, hooks=Hooks(watch=lambda progress: seen.append(progress.step)))
    assert final.status == "complete" and seen[0] >= 6 and seen[-1] == 40
    assert lasting(folder) == lasting(undisturbed.path)
    assert not list(folder.glob("*claim*"))


def test_two_processes_do_not_work_on_one_run(tmp_path):
    spec, refused = resolve(raw("5gen")), []

    def meanwhile(progress):
        if progress.step == 2:
            with pytest.raises(RunBusy) as caught:
                execute(spec, tmp_path)
            refused.append(str(caught.value))

    assert execute(spec, tmp_path, hooks=Hooks(watch=meanwhile)).status == "complete"
    assert "is working on this run" in refused[0]


def test_a_failure_is_kept_with_its_traceback_and_tried_again(tmp_path):
    spec = resolve(raw(breaks_at=4))
    outcome = execute(spec, tmp_path)
    assert outcome.status == "failed" and outcome.error == "RuntimeError: the stride broke"
    status = json.loads((outcome.path / "status.json").read_text())
    assert (
        status["status"] == "failed"
        and "in step" in status["traceback"]
        and "the stride broke" in status["error"]
    )
    assert not (outcome.path / "claim").exists()
    assert execute(spec, tmp_path).status == "failed"


def test_a_spec_its_strategy_refuses_leaves_nothing(tmp_path):
    with pytest.raises(ConfigError, match=r"strategy\.refuses"):
        execute(resolve(raw(refuses=True)), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_divergence_is_an_outcome(tmp_path):
    outcome = execute(resolve(raw("3gen", explodes=True)), tmp_path)
    assert outcome.status == "complete" and outcome.diverged
    assert not np.isfinite(outcome.result.metrics["test"]["nrmse_std"])
    assert execute(resolve(raw("3gen", explodes=True)), tmp_path).diverged
    assert as_dict(outcome)["diverged"] is True


def test_a_disk_that_is_full_for_a_while_costs_nothing(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "CHECKPOINT_SECONDS", 0.0)
    save, warnings = Claim.save_checkpoint, []

    def full(self, tree):
        if 5 < tree["step_count"] < 9:
            raise OSError(28, "No space left on device")
        save(self, tree)

    monkeypatch.setattr(Claim, "save_checkpoint", full)
    outcome = execute(resolve(raw()), tmp_path, hooks=Hooks(warn=warnings.append))
    assert outcome.status == "complete" and len(warnings) == 3 and "No space left on device" in warnings[0]
    assert lasting(outcome.path) == lasting(undisturbed.path)


def test_a_disk_that_stays_full_fails_the_run_but_gives_its_result(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "genome.npz")

    monkeypatch.setattr(runner, "_write_outcome", full)
    outcome = execute(resolve(raw("5gen")), tmp_path)
    assert outcome.status == "failed" and outcome.error == "cannot write genome.npz: No space left on device"
    assert np.isfinite(outcome.result.metrics["test"]["nrmse_std"])
    monkeypatch.undo()
    ran = []
    again = execute(resolve(raw("5gen")), tmp_path, hooks=Hooks(watch=ran.append))
    assert again.status == "complete" and not ran  # its last checkpoint was kept


def test_force_starts_anew(tmp_path):
    spec, seen = resolve(raw("5gen")), []
    execute(spec, tmp_path)
    (tmp_path / spec.folder / "plots").mkdir()
    (tmp_path / spec.folder / "plots" / "mine.txt").write_text("old")
    outcome = execute(
        spec, tmp_path, force=True, hooks=Hooks(watch=lambda progress: seen.append(progress.step))
    )
    assert seen == [1, 2, 3, 4, 5] and not outcome.reused and not (outcome.path / "plots").exists()


def test_a_torn_result_is_said_to_be(tmp_path):
    spec = resolve(raw("3gen"))
    folder = execute(spec, tmp_path).path
    (folder / "result.json").write_text('{"network": {')
    with pytest.raises(RunError, match="--force runs it again"):
        execute(spec, tmp_path)
    assert execute(spec, tmp_path, force=True).status == "complete"


@pytest.mark.parametrize(
    ("settings", "reason"), [({"hidden": 9}, "genome"), ({"cell": "lstmm"}, "lstmm"), ({"sise": 1}, "sise")]
)
def test_a_result_of_another_network_names_its_folder(tmp_path, settings, reason):
    folder = execute(resolve(raw("3gen")), tmp_path).path
    content = json.loads((folder / "result.json").read_text())
    content["network"].update(settings)
    (folder / "result.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match=reason) as caught:
        evorrn.load(folder)
    assert str(caught.value).startswith(f"{folder}: ")


def test_results_of_another_version_warn_and_its_checkpoints_are_refused(tmp_path, monkeypatch):
    done, half, warnings = resolve(raw("3gen")), resolve(raw()), []
    execute(done, tmp_path)
    execute(half, tmp_path, hooks=Hooks(watch=stopping_after(2)))
    before = environment.RESULTS_VERSION
    for module in (environment, recorder):
        monkeypatch.setattr(module, "RESULTS_VERSION", before + 1)
    assert execute(done, tmp_path, hooks=Hooks(warn=warnings.append)).reused
    assert f"results version {before}, this evorrn makes version {before + 1}" in warnings[0]
    with pytest.raises(RunError, match="--force starts it again"):
        execute(half, tmp_path)


def test_another_machine_warns_that_last_digits_may_differ(tmp_path):
    spec, warnings = resolve(raw()), []
    folder = execute(spec, tmp_path, hooks=Hooks(watch=stopping_after(2))).path
    env = json.loads((folder / "env.json").read_text())
    (folder / "env.json").write_text(json.dumps({**env, "cpu_features": ["sse2"]}))
    assert execute(spec, tmp_path, hooks=Hooks(warn=warnings.append)).status == "complete"
    assert len(warnings) == 1 and "last digits may differ" in warnings[0] and "cpu_features" in warnings[0]


def test_continuing_is_as_if_the_budget_had_been_larger_from_the_start(tmp_path):
    parent = execute(resolve(raw("15gen")), tmp_path)
    spec = continued(parent.spec.id[:8], "40gen", tmp_path)
    assert spec.parent == parent.spec.id and spec.id != resolve(raw("40gen")).id
    outcome = execute(spec, tmp_path, hooks=Hooks(watch=stopping_after(20)))
    assert outcome.status == "interrupted"
    outcome = execute(spec, tmp_path)
    whole = execute(resolve(raw("40gen")), tmp_path)
    assert np.array_equal(outcome.result.genome, whole.result.genome)
    assert (outcome.path / "history.jsonl").read_bytes() == (whole.path / "history.jsonl").read_bytes()
    assert f'parent = "{parent.spec.id}"' in (outcome.path / "spec.toml").read_text()


def test_what_cannot_be_continued(tmp_path):
    parent = execute(resolve(raw("5gen")), tmp_path)
    with pytest.raises(EvorrnError, match="expected more than the 5gen"):
        continued(parent.path, "5gen", tmp_path)
    with pytest.raises(EvorrnError, match="no run 'ffff'"):
        continued("ffff", "9gen", tmp_path)
    for path in parent.path.glob("checkpoint*"):
        path.write_bytes(b"")
    with pytest.raises(RunError, match="checkpoint"):
        continued(parent.path, "9gen", tmp_path)


def test_a_folder_that_cannot_be_written_is_wrong_input(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(EvorrnError, match="cannot write to"):
        execute(resolve(raw("2gen")), tmp_path / "runs")


def test_an_end_by_the_strategy_itself_is_told(tmp_path):
    outcome = execute(resolve(raw(limit=6)), tmp_path)
    assert outcome.result.stopped_by == "walked enough" and len(outcome.result.history["work"]) == 6


def test_the_heartbeat_goes_on_while_a_run_is_under_way(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "CHECKPOINT_SECONDS", 0.0)
    beats = []

    def look(progress):
        status = json.loads((tmp_path / spec.folder / "status.json").read_text())
        beats.append((status["status"], status["heartbeat"]))
        time.sleep(0.01)

    spec = resolve(raw("4gen"))
    execute(spec, tmp_path, hooks=Hooks(watch=look))
    assert {state for state, _ in beats} == {"running"} and beats == sorted(beats, key=lambda beat: beat[1])
    assert beats[0][1] < beats[-1][1]
