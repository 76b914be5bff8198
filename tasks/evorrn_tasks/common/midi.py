"""Music in MIDI files as frames of notes, read by the library mido (extra ``music``)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evorrn.base.errors import DataError

ENDS = (".mid", ".midi")
DRUMS = 9
"""The channel of percussion, whose numbers are no notes."""
NOTES = 128
LONGEST = 100_000
"""Most frames of a file."""
ROUNDING = 1e-6
"""Frames within which a time counts as the beginning of one: 0.3 / 0.1 is less than 3, and a tick is more of a frame."""


class Note(NamedTuple):
    """A note that sounds from `start` up to `end`, in quarter notes."""

    number: int
    start: float
    end: float


def midi_files(path: Path) -> list[Path]:
    """Return a MIDI file, or those in a folder by their names; raise DataError when there is none."""
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.iterdir() if each.suffix.lower() in ENDS)
    if not found:
        raise DataError(f"{path}: expected MIDI files, whose names end in .mid or .midi, got none")
    return found


def read_notes(path: Path) -> list[Note]:
    """Return the notes of a MIDI file in the order of their starts, without percussion.

    A note that begins again while it sounds ends there; one that has no end ends with the file.

    Raises
    ------
    DataError
        When mido is missing, the file cannot be read, or it has no beat.
    """
    if find_spec("mido") is None:
        raise DataError(f"{path}: to read MIDI files, mido is needed: pip install 'evorrn[music]'")
    import mido

    try:
        file = mido.MidiFile(str(path))
        messages = [(message.time, message) for message in file.merged_track]
    except Exception as error:  # mido raises whatever it meets in a file, and OSError without a reason
        reason = getattr(error, "strerror", None)
        if reason:
            raise DataError(f"cannot read {path}: {reason}") from None
        what = str(error) or type(error).__name__
        raise DataError(f"{path}: expected a MIDI file, but it cannot be read ({what})") from None
    if file.ticks_per_beat == 0:
        raise DataError(f"{path}: expected some ticks of a quarter note, got 0")
    if not 0 < file.ticks_per_beat < 1 << 15:
        raise DataError(f"{path}: expected times in ticks of a quarter note, got times in seconds (SMPTE)")
    ticks, found = 0, []
    sounding: dict[tuple[int, int], float] = {}
    for wait, message in messages:
        ticks += wait
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        key, now = (message.channel, message.note), ticks / file.ticks_per_beat
        if key in sounding:
            found.append(Note(message.note, sounding.pop(key), now))
        if message.type == "note_on" and message.velocity > 0:
            sounding[key] = now
    found += [Note(key[1], start, ticks / file.ticks_per_beat) for key, start in sounding.items()]
    return sorted((note for note in found if note.end > note.start), key=lambda note: note[1])


def frames_of(notes: list[Note], length: float, name: str) -> np.ndarray:
    """Return which of 128 notes sound in each frame, (T, 128), the first one with the first note.

    A note sounds in the frames of which it covers at least half, or else in the one in which it begins.

    Parameters
    ----------
    notes : list of Note
    length : float
        Of a frame in quarter notes.
    name : str
        Of the file, for messages.

    Raises
    ------
    DataError
        When there is no note, or too many frames.
    """
    if not notes:
        raise DataError(f"{name}: expected notes, got none")
    most = max(note.end for note in notes) / length
    if not most - notes[0].start / length <= LONGEST:
        raise DataError(f"{name}: expected at most {LONGEST} frames, got {most:.6g}; make frame longer")
    first = np.floor(notes[0].start / length + ROUNDING)
    frames = np.zeros((int(np.ceil(most - first - ROUNDING)), NOTES))
    for note in notes:
        start, end = note.start / length - first, note.end / length - first
        covered = slice(int(np.ceil(start - 0.5 - ROUNDING)), int(np.floor(end + 0.5 + ROUNDING)))
        if covered.stop <= covered.start:
            covered = slice(int(start + ROUNDING), int(start + ROUNDING) + 1)
        frames[covered, note.number] = 1
    return frames
