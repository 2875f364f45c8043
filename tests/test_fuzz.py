"""A short round of benchmarks/fuzz.py: whatever comes in is read, or refused in a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"


def test_a_short_round_finds_no_fault(tmp_path: Path) -> None:
    words = f"--cases 5 --workers 1 --seed 5 --keep {tmp_path}".split()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" 0 faults") == 14 + 1


def test_an_input_is_made_from_its_numbers_alone(tmp_path: Path) -> None:
    again = [sys.executable, str(SCRIPT), "--kind", "idx", "--seed", "5", "--number", "3"]
    told = [
        subprocess.run(again, capture_output=True, text=True, timeout=60, check=False)
        for _ in range(2)
    ]
    assert told[0].stdout.splitlines()[1:] == told[1].stdout.splitlines()[1:]
    assert told[0].returncode == 0
