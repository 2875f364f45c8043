"""README and docs/ keep their word: commands run, study files are valid, Python works."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest
import typer.main
from service.server import serving

import hpsearch
from hpsearch.cli.app import app
from hpsearch.lab import EXPERIMENTS
from hpsearch.plots import PANELS
from hpsearch.report.dashboards import parse_dashboard
from hpsearch.study_file import StudyFile, parse_study_file

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
README = PAGES["README.md"]
CHECKS = PAGES["docs/guide/checks.md"]

KNOWN = list(typer.main.get_command(app).list_commands(None))  # type: ignore[attr-defined]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def having(language: str) -> list[str]:
    return [name for name, page in PAGES.items() if blocks(page, language)]


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


def smaller(text: str, **settings: object) -> str:
    """A study file with other values of some settings that it has."""
    for name, value in settings.items():
        text, found = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert found == 1, name
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study files, in which the commands run one after the other.

    The studies are smaller here: they would end alike with every training, and take minutes.
    """
    from sklearn.datasets import load_digits

    here = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "studies", here / "studies")
    points = "{ learning_rate = 2, decay = 1, l2 = 1, width = 2, depth = 2 }"
    for file, settings in (
        ("digits.toml", {"epochs": 5, "trials": 24}),
        ("compare-digits.toml", {"epochs": 2, "trials": 10, "points": points}),
    ):
        path = here / "studies" / file
        path.write_text(smaller(path.read_text(encoding="utf-8"), **settings), encoding="utf-8")
    load_digits(as_frame=True).data.head(20).to_csv(here / "table.csv", index=False)
    return here


def commands() -> list[str]:
    lines = "".join(blocks(PAGES["docs/guide/quick-start.md"], "console")).splitlines()
    every = [line.split("#")[0].strip() for line in lines if line.startswith("hpsearch")]
    return [command for command in every if command != "hpsearch --install-completion"]


@pytest.mark.slow
def test_the_commands_run_in_their_order(folder: Path) -> None:
    with ExitStack() as stack:
        run_all(folder, stack)


def run_all(folder: Path, stack: ExitStack) -> None:
    url = ""
    for command in commands():
        if command == "hpsearch dashboard" or command.startswith("hpsearch agent"):
            continue  # it goes on until it is stopped
        if command == "hpsearch serve":
            url = stack.enter_context(serving(folder))
            continue
        command = command.replace("http://127.0.0.1:8765", url)
        if command.startswith("hpsearch compare"):
            command += " --repeats 1"  # ten of them are ten times the same, and take minutes
        done = shell(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        if command != "hpsearch schema":  # JSON for editors, not for eyes
            assert max(map(len, done.stdout.splitlines()), default=0) <= 80, command


def test_the_first_line_runs_a_study_and_the_second_the_tests() -> None:
    first, second, third = (b.strip() for b in blocks(README, "console"))
    assert first.startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert first.endswith("hpsearch run studies/digits.toml")
    assert ".venv/bin/pytest" in shlex.split(second)
    assert "sphinx-build" in third
    assert "\n" not in first + second + third
    for page in ("docs/index.md", "docs/guide/quick-start.md"):
        assert blocks(PAGES[page], "console")[0].strip() == first


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_every_command_is_documented() -> None:
    assert set(KNOWN) == {command.split()[1] for command in commands()}


@pytest.mark.parametrize("page", having("toml"))
def test_the_toml_is_valid(page: str) -> None:
    for text in blocks(PAGES[page], "toml"):
        if "panels" in text:
            assert parse_dashboard(text).panels
        elif text.startswith("[data]"):
            assert parse_study_file('name = "x"\n' + text).data.target == "species"
        else:
            assert parse_study_file(text).search_space().parameters


def without_numbers(text: str) -> list[str]:
    """The words of a transcript; another machine may come to other digits, and to nothing else."""
    return re.sub(r"[\d.]+(e-\d+)?", "0", text).split()


@pytest.mark.slow
def test_readmes_study_prints_what_readme_shows(folder: Path) -> None:
    (study, _), [transcript] = blocks(README, "toml"), blocks(README, "text")
    width = "{ low = 8, high = 32, log = true }"
    (folder / "mine.toml").write_text(smaller(study, trials=30, width=width, epochs=10))
    done = shell("hpsearch run mine.toml --no-check --storage mine.db", folder)
    assert done.returncode == 0, done.stderr
    winner, figures = transcript.split("  validation", 1)
    # Which simple model is the strongest, and whether boosting is cut, is another machine's to say.
    figures, simple, sentence = figures.partition("gradient boosting")
    assert set(without_numbers(figures)) <= set(without_numbers(done.stdout))
    for words in (simple, "with default settings scores"):
        assert words in " ".join((simple + sentence).split())
        assert words in " ".join(done.stdout.split())
    names = {word.partition("=")[0] for word in winner.split()[1:]}
    assert names - {"momentum"} <= set(parse_study_file(study).search_space().parameters)


@pytest.mark.slow
def test_what_went_wrong_is_told_as_printed(folder: Path) -> None:
    odd, broken = blocks(CHECKS, "toml")
    checked, advised = blocks(CHECKS, "text")
    (folder / "odd.toml").write_text(odd)
    done = shell("hpsearch check odd.toml", folder)
    assert done.returncode == 1, done.stderr
    assert set(without_numbers(checked)) <= set(without_numbers(done.stdout))
    (folder / "broken.toml").write_text(broken)
    for command in ("run broken.toml", "advise broken -o broken-next.toml"):
        done = shell(f"hpsearch {command} --storage broken.db", folder)
        assert done.returncode == 0, done.stderr
    assert set(without_numbers(advised)) <= set(without_numbers(done.stdout))
    parse_study_file((folder / "broken-next.toml").read_text(encoding="utf-8"))


def test_every_panel_is_named() -> None:
    page = PAGES["docs/guide/report.md"]
    rows = re.findall(r"^\| a (study|comparison) \| (.*?) \|$", page, re.MULTILINE)
    for subject, row in rows:
        names = re.sub(r" \([^)]*\)", "", row).split(", ")
        assert names == [name for name, panel in PANELS.items() if panel.of == subject]
    assert len(rows) == 2


def test_every_experiment_is_named() -> None:
    rows = re.findall(r"^\| ([a-z][a-z-]+) \| ", PAGES["docs/guide/lab.md"], re.MULTILINE)
    assert rows == ["experiment", *EXPERIMENTS]


@pytest.mark.slow
@pytest.mark.parametrize("page", having("python"))
def test_the_python_runs(page: str, tmp_path: Path) -> None:
    around = dict(os.environ)
    with ExitStack() as stack:
        if page == "docs/guide/service.md":
            around["HPSEARCH_SERVER"] = stack.enter_context(serving(tmp_path))
        for number, code in enumerate(blocks(PAGES[page], "python")):
            script = tmp_path / f"example_{number}.py"
            script.write_text(code)
            done = subprocess.run(
                [sys.executable, str(script)],
                cwd=tmp_path,
                env=around,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target, anchor in re.findall(r"\]\(([^)#:]*)(#[^)]*)?\)", path.read_text(encoding="utf-8")):
        there = (path.parent / target) if target else path
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor[1:] in {
                re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings
            }


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_files_of_the_tree_that_are_named_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    kinds = "hpsearch|tests|benchmarks|docs|studies|dashboards"
    for name in re.findall(rf"(?<![\w/.:])(?:{kinds})/[\w./-]*\w", text):
        assert (ROOT / name).exists(), name


def generated() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_setting_with_its_meaning() -> None:
    page = generated().settings()
    for section in ("data", "model", "training", "search", "compare"):
        part = page.split(f"## [{section}]\n")[1].split("\n## ")[0]
        names = re.findall(r"^`(\w+)`$", part, re.MULTILINE)
        assert names == list(StudyFile.model_fields[section].annotation.model_fields)
    assert "any value" not in page


def test_the_reference_has_every_command_and_the_floors_every_package() -> None:
    assert re.findall(r"^## hpsearch (\S+)$", generated().commands(), re.MULTILINE) == KNOWN
    entries = (ROOT / "hpsearch").iterdir()
    rooms = {p.stem for p in entries if p.stem[0] != "_" and p.suffix in ("", ".py")}
    floors = generated().floors()
    assert {room for room in rooms if f"| `{room}` | " in floors} == rooms


def test_the_api_reference_has_every_public_name() -> None:
    named = re.findall(
        r"^\.\. auto(?:class|function):: (\w+)$", PAGES["docs/reference/api.md"], re.M
    )
    assert sorted(named) == sorted(hpsearch.__all__)


@pytest.mark.slow
def test_readmes_command_runs(tmp_path: Path) -> None:
    """The second study of README, beside a program as `hpsearch init` writes it."""
    _, study = blocks(README, "toml")
    (tmp_path / "own.toml").write_text(study + "\n[search]\ntrials = 4\n")
    (tmp_path / "train.py").write_text(
        "import json, sys\n"
        "rate, epochs = (float(part.split('=')[1]) for part in sys.argv[1:])\n"
        "print(json.dumps({'log_loss': (rate - 0.1) ** 2 / epochs}))\n"
    )
    done = shell("hpsearch run own.toml", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "log loss" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
