"""README keeps its word: its commands run, its study files are valid, its Python works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hpsearch.cli.app import app
from hpsearch.lab import EXPERIMENTS
from hpsearch.plots import PANELS
from hpsearch.report.dashboards import parse_dashboard
from hpsearch.study_file import parse_study_file

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line with this environment's hpsearch in front."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=os.environ | {"PATH": path, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study files, in which README's commands run one after the other."""
    here = tmp_path_factory.mktemp("readme")
    (here / "studies").symlink_to(ROOT / "studies")
    from sklearn.datasets import load_digits

    load_digits(as_frame=True).data.head(20).to_csv(here / "table.csv", index=False)
    return here


def commands() -> list[str]:
    lines = "".join(blocks("console")).splitlines()
    return [line.split("#")[0].strip() for line in lines if line.startswith("hpsearch")]


def test_the_commands_run_in_their_order(folder: Path) -> None:
    for command in commands():
        if command == "hpsearch dashboard" or "--executor" in command:
            continue  # the one serves until it is stopped, the other needs a cluster
        if command.startswith("hpsearch compare"):
            command += " --repeats 1"  # ten of them are ten times the same, and take minutes
        done = shell(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        if command != "hpsearch schema":  # JSON for editors, not for eyes
            assert max(map(len, done.stdout.splitlines()), default=0) <= 80, command


def test_the_first_line_runs_a_study_and_the_second_the_tests() -> None:
    first, second = (b.strip() for b in blocks("console")[:2])
    assert first.startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert first.endswith("hpsearch run studies/digits.toml")
    assert ".venv/bin/pytest" in shlex.split(second)
    assert "\n" not in first + second


def test_every_command_is_documented() -> None:
    known = {command.name for command in app.registered_commands}
    assert known == {command.split()[1] for command in commands()}


def test_the_study_file_is_valid() -> None:
    whole, broken, data, page = blocks("toml")
    assert parse_study_file(whole).space().conditions
    assert parse_study_file(broken).name == "broken"
    assert parse_study_file('name = "x"\n' + data).data.target == "species"
    assert parse_dashboard(page).panels


def test_what_went_wrong_is_told_as_printed(folder: Path) -> None:
    section = README.split("## What went wrong?\n")[1].split("\n## ")[0]
    [study] = re.findall(r"^```toml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    [transcript] = re.findall(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    (folder / "broken.toml").write_text(study)
    for command in ("run broken.toml", "advise broken -o broken-next.toml"):
        done = shell(f"hpsearch {command} --storage broken.db", folder)
        assert done.returncode == 0, done.stderr
    said, printed = (
        [re.sub(r"[\d.]+(e-\d+)?", "0", line.rstrip()) for line in text.splitlines() if line]
        for text in (transcript, done.stdout)
    )
    # Another machine may come to other digits, and to nothing else.
    assert set(" ".join(said).split()) <= set(" ".join(printed).split())
    parse_study_file((folder / "broken-next.toml").read_text(encoding="utf-8"))


def test_every_panel_is_named() -> None:
    rows = re.findall(r"^\| a (study|comparison) \| (.*?) \|$", README, re.MULTILINE)
    for subject, row in rows:
        names = re.sub(r" \([^)]*\)", "", row).split(", ")
        assert names == [name for name, panel in PANELS.items() if panel.of == subject]
    assert len(rows) == 2


def test_every_experiment_is_named() -> None:
    section = README.split("## The lab\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([a-z][a-z-]+) \| ", section, re.MULTILINE)
    assert rows == ["experiment", *EXPERIMENTS]


def test_the_python_runs(folder: Path) -> None:
    for number, code in enumerate(blocks("python")):
        script = folder / f"example_{number}.py"
        script.write_text("if True and __name__ == '__main__':\n" + indent(code))
        done = subprocess.run(
            [sys.executable, str(script)], cwd=folder, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


def indent(code: str) -> str:
    return "".join(f"    {line}" for line in code.splitlines(keepends=True))


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
