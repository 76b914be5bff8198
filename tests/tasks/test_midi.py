"""Music from MIDI files, which are written here byte by byte: frames, splits, names, and files that are damaged."""

import contextlib
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, DataError
from evorrn.lab.runs.spec import data_task, resolve
from evorrn.testing import check_task
from evorrn_tasks.common.midi import Note, frames_of

TICKS = 96


def written(path, notes, ticks=TICKS, channel=0, running=False):
    """Write notes (number, start, end in ticks) as a MIDI file of one track, by the standard's bytes."""
    events = sorted(
        [(start, 1, number) for number, start, _ in notes] + [(end, 0, number) for number, _, end in notes],
        key=lambda event: (event[0], event[1]),
    )
    track, now, status = b"", 0, b""
    for time, on, number in events:
        head = bytes([(0x90 if on or running else 0x80) | channel])
        track += quantity(time - now) + (b"" if running and head == status else head)
        track += bytes([number, 64 if on else 0])
        now, status = time, head
    track += b"\x00\xff\x2f\x00"
    path.write_bytes(
        b"MThd" + struct.pack(">IHHH", 6, 0, 1, ticks) + b"MTrk" + struct.pack(">I", len(track)) + track
    )
    return path


def quantity(value):
    """Return a whole number in groups of seven bits, the last without the highest bit."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | (value & 0x7F))
    return bytes(found[::-1])


def song(seed, frames=40, lowest=60):
    """Return notes of one and two frames, and the bits (T, notes) that they mean."""
    rng = np.random.default_rng(seed)
    bits, notes = np.zeros((frames, 5)), []
    for frame in range(frames):
        for note in np.flatnonzero(rng.random(5) < 0.4) if frame else [0, 4]:
            notes.append((lowest + int(note), frame * TICKS, (frame + 1) * TICKS))
            bits[frame, note] = 1
    if not bits[-1].any():
        notes.append((lowest, (frames - 1) * TICKS, frames * TICKS))
        bits[-1, 0] = 1
    return notes, bits


@pytest.mark.parametrize("running", [False, True])
def test_a_file_is_read_as_its_bits_and_split_in_the_order_of_time(tmp_path, running):
    pytest.importorskip("mido")
    notes, bits = song(0)
    path = written(tmp_path / "a.mid", notes, running=running)
    task = evorrn.task("midi", path=str(path), length=9)
    assert task.input_names == ("C4", "C#4", "D4", "D#4", "E4")
    parts = task.data(3)
    shown = np.concatenate([batch.inputs[batch.scored] for batch in parts])
    followed = np.concatenate([batch.targets[batch.scored] for batch in parts])
    assert np.array_equal(shown, bits[:-1]) and np.array_equal(followed, bits[1:])
    assert parts.train.size == 4 and parts.valid.size == parts.test.size == 1
    assert "1 file of MIDI, 40 frames" in task.data_notes[0]
    check_task(task)


def test_a_folder_has_a_sequence_for_each_file_and_percussion_is_left_out(tmp_path):
    pytest.importorskip("mido")
    songs = [song(seed, 10 + seed) for seed in range(6)]
    for place, (notes, _) in enumerate(songs):
        written(tmp_path / f"{place}.MID", notes)
    (tmp_path / "readme.txt").write_text("no music")
    task = evorrn.task("midi", path=str(tmp_path))
    train, valid, test = task.data(0)
    assert (train.size, valid.size, test.size) == (4, 1, 1)
    rows = [(batch, row) for batch in (train, valid, test) for row in range(batch.size)]
    for (batch, row), (_, bits) in zip(rows, songs):
        length = batch.lengths[row]
        assert length == len(bits) - 1 and np.array_equal(batch.targets[row, :length], bits[1:])
    check_task(task)
    drums = written(tmp_path / "drums.mid", songs[0][0], channel=9)
    with pytest.raises(DataError, match="expected notes, got none"):
        evorrn.task("midi", path=str(drums)).data(0)


def test_a_note_sounds_where_it_covers_half_a_frame_or_where_it_begins():
    notes = [
        Note(60, 2.0, 3.5),
        Note(61, 2.4, 3.2),
        Note(62, 3.6, 3.9),
        Note(63, 4.2, 4.4),
        Note(64, 3.0, 6.0),
    ]
    frames = frames_of(notes, 1.0, "a")
    sounding = {note: np.flatnonzero(frames[:, note]).tolist() for note in range(60, 65)}
    assert frames.shape == (4, 128)
    assert sounding == {60: [0, 1], 61: [0], 62: [1], 63: [2], 64: [1, 2, 3]}
    assert np.array_equal(frames_of(notes, 0.5, "a").any(axis=0), frames.any(axis=0))
    with pytest.raises(DataError, match=r"expected at most 100000 frames, got \d+; make frame longer"):
        frames_of(notes, 1e-5, "a")
    with pytest.raises(DataError, match="expected at most 100000 frames, got inf; make frame longer"):
        frames_of(notes, 5e-324, "a")


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 6, 10, 12, 20])
def test_frames_of_any_length_are_those_of_exact_fractions(parts):
    """In ticks of 480 to a quarter note, of which a frame of 1 / 5 has 96: 0.6 / 0.2 is less than 3."""
    rng, ticks = np.random.default_rng(parts), 480
    frame = Fraction(1, parts)
    one_each = [Note(60, Fraction(k, parts), Fraction(k, parts) + Fraction(20, ticks)) for k in range(100)]
    assert frames_of(rounded(one_each), 1 / parts, "a")[:, 60].sum() == 100
    for _ in range(60):
        starts = rng.integers(0, 40, rng.integers(1, 8)) * int(rng.choice([40, 48, 120, 160]))
        lengths = rng.choice([10, 24, 48, 120, 160, 480], len(starts))
        notes = [
            Note(60 + k, Fraction(int(start), ticks), Fraction(int(start + length), ticks))
            for k, (start, length) in enumerate(sorted(zip(starts, lengths)))
        ]
        first = notes[0].start // frame
        expected = np.zeros((-(-max(note.end for note in notes) // frame) - first, 128))
        for number, start, end in notes:
            shares = {
                k: min((k + 1) * frame, end) - max(k * frame, start)
                for k in range(start // frame, -(-end // frame))
            }
            covered = [k for k, share in shares.items() if 2 * share >= frame] or [start // frame]
            expected[[k - first for k in covered], number] = 1
        np.testing.assert_array_equal(frames_of(rounded(notes), 1 / parts, "a"), expected)


def rounded(notes):
    """Return notes with times of float64."""
    return [Note(note.number, float(note.start), float(note.end)) for note in notes]


@pytest.mark.parametrize(
    ("ticks", "wanted"), [(0, "expected some ticks of a quarter note, got 0"), (0xE728, "SMPTE")]
)
def test_a_file_without_ticks_of_a_quarter_note_says_why(tmp_path, ticks, wanted):
    written(tmp_path / "a.mid", song(0)[0], ticks=ticks)
    with pytest.raises(DataError, match=wanted):
        evorrn.task("midi", path=str(tmp_path / "a.mid")).data(0)


def test_a_name_that_ends_in_mid_is_a_file_of_music(tmp_path):
    pytest.importorskip("mido")
    path = written(tmp_path / "a.mid", song(1)[0])
    for name in ("ga", "esn", "bptt", "random"):
        spec = resolve({"task": {"name": str(path)}, "strategy": {"name": name}})
        assert spec.task.name == "midi" and spec.network.inputs == 5 and spec.content["files"]


def test_a_folder_with_files_of_music_is_read_as_music(tmp_path):
    folder = tmp_path / "tunes"
    folder.mkdir()
    (folder / "read me.txt").write_text("Three tunes.")
    assert data_task("tunes", tmp_path) is None
    for number in range(3):
        (folder / f"{number}.MID").write_bytes(b"")
    assert data_task("tunes", tmp_path) == data_task(str(folder), Path.cwd()) == "midi"
    assert data_task("narma", tmp_path) is None and data_task("absent", tmp_path) is None


@pytest.mark.thorough
def test_gradients_train_on_music(tmp_path):
    pytest.importorskip("mido")
    path = written(tmp_path / "a.mid", song(1)[0])
    spec = resolve({"task": {"name": str(path)}, "strategy": {"name": "bptt"}, "budget": "1gen"})
    result = spec.strategy.fit(spec.network, spec.task, seed=0, budget="1gen")
    assert np.isfinite(result.metrics["test"]["binary_cross_entropy"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"expected a MIDI file, but it cannot be read \(\w+"),
        (b"MThd", "expected a MIDI file, but it cannot be read"),
        (b"not music at all", "expected a MIDI file, but it cannot be read"),
        (None, "cannot read .*No such file"),
    ],
)
def test_files_that_are_no_music_are_refused_in_words(tmp_path, content, sentence):
    pytest.importorskip("mido")
    if content is not None:
        (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        evorrn.task("midi", path=str(tmp_path / "a.mid")).data(0)


def test_damaged_bytes_give_an_error_of_ours_or_other_music(tmp_path):
    pytest.importorskip("mido")
    whole = written(tmp_path / "a.mid", song(2)[0]).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        changed = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        for place in rng.integers(0, len(changed), 3):
            changed[place] = rng.integers(256)
        (tmp_path / "b.mid").write_bytes(bytes(changed))
        with contextlib.suppress(DataError):
            evorrn.task("midi", path=str(tmp_path / "b.mid")).data(0)


def test_an_empty_folder_too_few_files_and_no_path_are_told(tmp_path):
    with pytest.raises(DataError, match=r"names end in \.mid or \.midi, got none"):
        evorrn.task("midi", path=str(tmp_path)).data(0)
    with pytest.raises(ConfigError, match="path: expected the path of a file, got none"):
        evorrn.task("midi")
    pytest.importorskip("mido")
    for place in range(2):
        written(tmp_path / f"{place}.mid", song(place)[0])
    with pytest.raises(DataError, match="expected one MIDI file, or at least 3, got 2"):
        evorrn.task("midi", path=str(tmp_path)).data(0)


def test_without_mido_the_extra_is_named(tmp_path, monkeypatch):
    from evorrn_tasks.common import midi

    monkeypatch.setattr(midi, "find_spec", lambda name: None)
    written(tmp_path / "a.mid", song(0)[0])
    with pytest.raises(DataError, match=r"pip install 'evorrn\[music\]'"):
        evorrn.task("midi", path=str(tmp_path / "a.mid")).data(0)
