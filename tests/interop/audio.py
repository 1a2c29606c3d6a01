"""Tones: made with sox, and found again in a recording by its spectrum."""

import subprocess
from pathlib import Path

import numpy as np

RATE = 8000


def make_tone(path: Path, frequency: int, seconds: float) -> None:
    """Write a mono 16-bit WAV of 8 kHz with a sine of `frequency` Hz at a fifth of full scale."""
    command = ["sox", "-n", "-r", str(RATE), "-c", "1", "-b", "16", str(path)]
    subprocess.run([*command, "synth", str(seconds), "sine", str(frequency), "vol", "0.2"], check=True)


def samples(path: Path) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """The samples of a mono WAV that any program wrote (sox reads what it is given, broken headers too)."""
    raw = subprocess.run(
        [
            "sox",
            "--ignore-length",
            str(path),
            "-t",
            "raw",
            "-e",
            "signed",
            "-b",
            "16",
            "-c",
            "1",
            "-r",
            str(RATE),
            "-",
        ],
        check=True,
        capture_output=True,
    ).stdout
    return np.frombuffer(raw, dtype="<i2")


def share_of_tone(path: Path, frequency: int, width: float = 20.0) -> tuple[float, float]:
    """(seconds of sound, share of its energy within `width` Hz of `frequency`).

    Silence at either end does not count as sound: a frame of 20 ms counts when it is louder than -46 dBFS.
    """
    signal = samples(path).astype(float)
    frames = signal[: len(signal) // 160 * 160].reshape(-1, 160)
    loud = frames[np.sqrt((frames**2).mean(axis=1)) > 160]
    if not len(loud):
        return 0.0, 0.0
    first, last = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > 160)[[0, -1]]
    sound = frames[first : last + 1].reshape(-1)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    bins = np.fft.rfftfreq(len(sound), 1 / RATE)
    near = np.abs(bins - frequency) <= width
    return len(loud) * 0.02, float(power[near].sum() / power.sum())


def seconds_of_tone(path: Path, frequency: int) -> float:
    """How long `frequency` Hz is heard in a recording that may still grow: frames of 20 ms, louder than -46 dBFS, of
    which nine tenths are that tone.
    """
    signal = samples(path).astype(float)
    frames = signal[: len(signal) // 160 * 160].reshape(-1, 160)
    wave = np.exp(2j * np.pi * frequency / RATE * np.arange(160))
    energy = (frames**2).sum(axis=1)
    tone = 2 * np.abs(frames @ wave) ** 2 / 160
    return float(np.count_nonzero((energy > 160 * 160**2) & (tone > 0.9 * energy))) * 0.02


def assert_tone(path: Path, frequency: int, seconds: float) -> None:
    """The recording holds at least `seconds` of the tone and next to nothing else (µ-law noise is 1 % at
    most).
    """
    length, share = share_of_tone(path, frequency)
    assert length >= seconds, f"{path.name}: {length:.2f} s of sound, wanted {seconds} s of {frequency} Hz"
    assert share >= 0.95, f"{path.name}: only {share:.1%} of the energy is near {frequency} Hz"
