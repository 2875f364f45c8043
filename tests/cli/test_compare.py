"""`hpsearch compare` as a person meets it."""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from pathlib import Path
from typing import Any

import optuna
import pytest

from hpsearch.cli.app import run
from hpsearch.storage import open_storage

pytestmark = pytest.mark.slow

STUDY = """
name = "{name}"
[data]
name = "{data}"
[model]
width = {{ low = 4, high = 16 }}
depth = 1
[training]
epochs = 3
[search]
trials = 8
[compare]
strategies = {strategies}
repeats = 2
"""
RIVALS = '["grid", "random", "coarse-to-fine"]'


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return write("c", "iris")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a comparison that is done."""
    folder = tmp_path_factory.mktemp("compared")
    with chdir(folder):
        assert run(["compare", write("c", "iris"), "--json"]) == 0
    return folder / "hpsearch.db"


@pytest.fixture
def compared(study: str, finished: Path) -> str:
    """The study file, in a folder with that database."""
    shutil.copy(finished, ".")
    return study


def write(name: str, data: str, strategies: str = RIVALS, more: str = "") -> str:
    path = Path(f"{name}.toml")
    path.write_text(STUDY.format(name=name, data=data, strategies=strategies) + more)
    return str(path)


def test_the_answer_in_words_and_a_table_of_80_columns(
    study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", study]) == 0
    out, err = capsys.readouterr()
    assert "c: 2 searches of each strategy" in out
    for name in ("grid", "random", "coarse-to-fine"):
        assert any(line.startswith(f" {name} ") for line in out.splitlines())
    assert "grid's best validation accuracy" in out
    assert "2 repeats are too few to tell" in out
    assert max(map(len, out.splitlines())) <= 80
    assert err.splitlines() == [
        "c  repeat 1, 0 of 6 searches done",
        "c  repeat 2, 3 of 6 searches done",
        "wrote c.html, a page with the figures",
    ]


def test_json_is_one_document_and_a_second_run_says_the_same(
    study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    documents: list[Any] = []
    for _ in range(2):
        assert run(["compare", study, "--json", "--workers", "1"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0] == documents[1]
    assert not Path("c.html").exists()
    rows = {row["strategy"]: row for row in documents[0]["strategies"]}
    assert rows["grid"]["versus"] is None
    assert 0 <= rows["random"]["versus"]["better"] <= 1
    [compared] = documents[0]["comparisons"]
    assert (compared["repeats"], compared["race"]) == (2, 2)
    assert all(row["raced"] for row in rows.values())


def test_where_not_all_race_the_answer_says_who_does(
    study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("c", "iris", '["grid", "coarse-to-fine"]', "race = false")
    assert run(["compare", study, "--repeats", "1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "named the winners of coarse-to-fine, and not those of grid" in out
    assert run(["compare", study, "--repeats", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["comparisons"][0]["race"] is None
    assert [row["raced"] for row in document["strategies"]] == [False, True]


def test_several_files_are_several_data_sets(
    compared: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write("d", "wine")
    assert run(["compare", compared, other, "--repeats", "1"]) == 0
    assert "c, d: 1 search of each strategy" in capsys.readouterr().out
    text = Path("c+d.html").read_text(encoding="utf-8")
    assert "all-data-sets" in text, "both put together, and each of them"


FUNCTION = """
name = "{name}"
[objective]
function = "nowhere:objective"
metric = "{metric}"
direction = "{direction}"
[space]
x = {{ low = 0.0, high = 1.0 }}
[compare]
strategies = {rivals}
"""


def test_what_is_measured_by_different_things_is_not_put_together(
    study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [study, write("f1", "wine", more='[objective]\nmetric = "f1_macro"\n')]
    files += [write("log", "wine", more='[objective]\nmetric = "log_loss"\n')]
    for name, direction in (("loss", "minimize"), ("gain", "maximize"), ("loss2", "maximize")):
        text = FUNCTION.format(
            name=name, metric=name.strip("2"), direction=direction, rivals=RIVALS
        )
        Path(f"{name}.toml").write_text(text, encoding="utf-8")
        files.append(f"{name}.toml")
    for pair in ((0, 3), (1, 2), (3, 4), (3, 5)):
        assert run(["compare", *(files[k] for k in pair)]) == 2
        assert "measured by different things" in capsys.readouterr().err
    assert not Path("hpsearch.db").exists()


def test_what_turns_out_to_be_measured_by_different_things_is_kept(
    compared: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write("f1", "wine", more='[objective]\nmetric = "f1_macro"\n')
    assert run(["compare", compared, other, "--repeats", "1", "--no-baselines"]) == 2
    assert "compare each of them alone; what is finished is kept" in capsys.readouterr().err
    assert not Path("c+f1.html").exists()
    assert run(["report", "c", "f1", "-o", "both.html"]) == 0
    text = Path("both.html").read_text(encoding="utf-8")
    assert "all-data-sets" not in text, "each by itself"


def test_the_page_of_a_comparison(compared: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", compared, "-o", "mine.html"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert run(["report", "c"]) == 0
    page = Path("c.html").read_text(encoding="utf-8")
    assert page == Path("mine.html").read_text(encoding="utf-8")
    first = page.split('<p class="result">')[1].split("</p>")[0].replace("&#x27;", "'")
    assert first in out
    written = page.split('id="document">')[1].split("</script>")[0]
    [section] = json.loads(written)["sections"]
    assert sum(len(panel["figures"]) for panel in section["panels"]) == 8
    assert "Cost until grid's best" in [panel["title"] for panel in section["panels"]]


def test_a_page_that_cannot_be_written_costs_nobody_the_answer(
    compared: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", compared, "--repeats", "1", "-o", "nowhere/c.html"]) == 2
    out, err = capsys.readouterr()
    assert "c: 1 search of each strategy" in out
    assert "cannot write the page nowhere/c.html" in err


@pytest.mark.parametrize("command", ["trials", "best", "advise"])
def test_what_is_of_one_study_says_that_a_comparison_has_several(
    compared: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "c"]) == 2
    words = "'c' is a comparison of 6 studies, and one is asked for: c/"
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["c", "c/grid/0"], "a page is of studies or of comparisons: c is a comparison"),
        (["c", "--dashboard", "search"], "the dashboard search is for a study, and c is a"),
        (["c/grid/0", "--dashboard", "compare"], "is for a comparison, and c/grid/0 is a study"),
        (["d"], "unknown study 'd'"),
    ],
)
def test_pages_are_of_one_kind(
    compared: str, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", *words]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_a_name_of_both_kinds_is_what_the_dashboard_is_for(
    compared: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_storage("hpsearch.db") as store:
        optuna.create_study(study_name="c", storage=store)
        optuna.create_study(study_name="other/grid/0", storage=store)
    assert run(["report", "c"]) == 0
    assert "The study has no trials yet." in Path("c.html").read_text(encoding="utf-8")
    assert run(["report", "c", "--dashboard", "compare"]) == 0
    assert "Cost until grid" in Path("c.html").read_text(encoding="utf-8")
    assert run(["report", "c", "c/grid/0"]) == 0
    assert run(["report", "other"]) == 2
    assert "unknown study 'other'" in capsys.readouterr().err


def test_studies_lists_a_comparison_in_one_line(
    compared: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_storage("hpsearch.db") as store:
        optuna.create_study(study_name="other/grid/0", storage=store)
    capsys.readouterr()
    assert run(["studies"]) == 0
    out = capsys.readouterr().out
    [line] = [line for line in out.splitlines() if line.startswith(" c ")]
    assert line.split()[1:4] == ["comparison", "(6)", "iris"]
    assert "c/grid/0" not in out
    assert "other/grid/0" in out
    assert run(["studies", "--all"]) == 0
    assert "c/coarse-to-fine/0" in capsys.readouterr().out
    assert run(["studies", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 7


def test_long_names_stay_whole_in_the_list(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = "compare-on-many-flowers/coarse-to-fine/0"
    with open_storage("hpsearch.db") as store:
        optuna.create_study(study_name=name, storage=store)
    assert run(["studies"]) == 0
    out = capsys.readouterr().out
    assert name in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (["c.toml", "c.toml"], "two of the study files have one name"),
        (["c.toml", "other.toml"], "compare different strategies"),
        (["c.toml", "alone.toml"], "differ in [compare] race; give it the same value in all"),
        (["nothing.toml"], "there is no study file nothing.toml"),
    ],
)
def test_wrong_use(
    study: str, files: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("other", "wine", '["grid", "tpe"]')
    write("alone", "wine", more="race = false")
    assert run(["compare", *files]) == 2
    assert sentence in capsys.readouterr().err.replace("\n", " ")


def test_a_study_file_that_comes_along_is_found_by_its_name() -> None:
    from hpsearch.study_file import load_study_file, shipped_studies

    for name in ("compare-digits", "compare-fashion-mnist"):
        file = load_study_file(shipped_studies()[name])
        assert (file.name, file.compare.repeats) == (name, 10)
