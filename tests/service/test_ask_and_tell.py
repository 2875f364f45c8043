"""Clients in other languages, and without hpsearch, play a study to its end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from service.server import serving

import hpsearch
from hpsearch.shipped import shipped_files

pytestmark = pytest.mark.slow

STUDY = shipped_files("studies")["ask-and-tell"]
CLIENTS = {
    "python": [sys.executable, "-I", str(STUDY.parent / "client.py")],
    "curl": ["bash", str(STUDY.parent / "client.sh")],
    "node": ["node", str(STUDY.parent / "client.mjs")],
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("asked"), "-w", "0") as url:
        yield url


@pytest.fixture(scope="module")
def played(url: str) -> dict[str, list[tuple[object, ...]]]:
    """What the study came to, by the language of its client."""
    return {}


@pytest.mark.parametrize("language", CLIENTS)
def test_a_client_plays_a_study_to_its_end(
    language: str, url: str, played: dict[str, list[tuple[object, ...]]]
) -> None:
    program, *_ = words = CLIENTS[language]
    if shutil.which(program) is None or (language == "curl" and shutil.which("curl") is None):
        pytest.skip(f"there is no {language} here")
    with hpsearch.Client(url) as client:
        client.submit(STUDY, name=language)
        done = subprocess.run(
            [*words, url, language], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"the study '{language}' is finished"
        study = client.wait(language, timeout=60)
        trials = list(client.trials(language))
    assert study.state == "finished"
    assert len(trials) == 20
    assert {trial.state for trial in trials} == {"complete", "pruned"}
    assert {step for trial in trials for step, _ in trial.reports} >= {10, 20, 30, 40}
    # The arithmetic is everywhere the same, and so is the study.
    played[language] = [(t.number, t.configuration, t.value) for t in trials]
    assert played[language] == next(iter(played.values()))


def test_each_is_short() -> None:
    for words in CLIENTS.values():
        assert len(Path(words[-1]).read_text().splitlines()) < 100


@pytest.mark.parametrize("language", CLIENTS)
def test_a_client_of_no_study_says_so(language: str, url: str) -> None:
    words = CLIENTS[language]
    if shutil.which(words[0]) is None:
        pytest.skip(f"there is no {language} here")
    done = subprocess.run([*words, url, "nothing"], capture_output=True, text=True, check=False)
    assert "'nothing'" in done.stdout
