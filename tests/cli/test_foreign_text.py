"""Names that others gave, in a terminal: nothing in them is obeyed, and nothing of them is lost."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY, is_shown
from rich.markup import escape
from rich.text import Text

from hpsearch.cli import console
from hpsearch.cli.app import run
from hpsearch.cli.render import plain_table
from hpsearch.storage import open_storage
from hpsearch.writing import OBEYED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Studies, parameters, choices and attributes of such names; Optuna warns of some."""
    path = str(tmp_path_factory.mktemp("foreign") / "f.db")
    with warnings.catch_warnings(), open_storage(path) as store:
        warnings.simplefilter("ignore")
        for name in NASTY:
            study = optuna.create_study(storage=store, study_name=name)
            for state in (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL):
                distributions = {
                    name: optuna.distributions.FloatDistribution(0, 1),
                    f"{name}c": optuna.distributions.CategoricalDistribution([name, {"a": name}]),
                }
                study.add_trial(
                    optuna.create_trial(
                        state=state,
                        value=0.5 if state == optuna.trial.TrialState.COMPLETE else None,
                        params={name: 0.5, f"{name}c": name},
                        distributions=distributions,
                        user_attrs={"stage": name, "why_stopped": name, "error": name},
                    )
                )
        study.set_user_attr("hpsearch:result", "\x1b[2J")
    return path


COMMANDS = ["trials", "best", "advise"]


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_obeys_a_name(
    database: str, command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run([command, "--storage", database, "--", name])
    out, err = capsys.readouterr()
    assert is_shown(out + err)
    assert "fault of hpsearch" not in err
    assert code in (0, 1, 2)
    if command == "trials":
        whole = (out + err).replace("\n", "").replace(" ", "")
        shown = "".join(
            c if is_shown(c) and c != "\n" else c.encode("unicode_escape").decode() for c in name
        )
        assert shown.replace(" ", "") in whole


def test_the_best_trial_of_others_is_a_line_whatever_its_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "f.db")
    with open_storage(path) as store:
        study = optuna.create_study(storage=store, study_name="s")
        trial = study.ask()
        trial.suggest_categorical("two\nlines", ["a\nb"])
        study.tell(trial, 0.5)
    assert run(["best", "s", "--storage", path]) == 0
    assert r"two\nlines=a\nb" in capsys.readouterr().out


def test_the_list_of_studies_does_not_either(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["studies", "--storage", database]) == 0
    out, err = capsys.readouterr()
    assert is_shown(out + err)
    assert err.count("\n") == 1, "one damaged study, and no warning of Optuna's"
    assert r"\x1b[31mred" in out
    assert r"two\nlines" in out


@pytest.mark.parametrize("words", [["studies"], *([c, "\x1b[31mnot there\n"] for c in COMMANDS)])
def test_documents_are_the_same_and_show_it(
    database: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run([*words, "--storage", database, "--json"])
    out, err = capsys.readouterr()
    assert is_shown(out + err)
    if code == 0:
        assert [study["study"] for study in json.loads(out)] == NASTY
    else:
        assert err.count("\n") == 1


def test_warnings_and_log_lines_of_libraries_are_left_out(database: str) -> None:
    study = NASTY[0]
    out = subprocess.run(
        [sys.executable, "-m", "hpsearch", "trials", study, "--storage", database],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stderr == ""


def test_and_are_still_there_for_who_calls_from_python(database: str) -> None:
    before = warnings.filters[:]
    run(["studies", "--storage", database])
    assert warnings.filters == before
    assert optuna.logging.get_logger("optuna").isEnabledFor(optuna.logging.WARNING)


class TestConsole:
    @given(st.text(st.characters(exclude_categories=()), max_size=30))
    def test_nothing_is_obeyed_whatever_prints_it(self, text: str) -> None:
        file = io.StringIO()
        made = console._Harmless(file=file, highlight=False, width=1000)
        table = plain_table(text)
        table.add_column(escape(text))
        table.add_row(escape(text))
        styled = Text("a", style="bold")
        styled.append(text, style="red")
        made.print(text, markup=False)
        made.print(escape(text), table, styled, Text(text))
        written = file.getvalue()
        assert is_shown(written)
        assert not OBEYED.search(written)

    def test_styles_stay_where_they_were(self) -> None:
        file = io.StringIO()
        made = console._Harmless(file=file, force_terminal=True, color_system="standard")
        text = Text("a\x1bb")
        text.append("c\x9bd", style="bold")
        made.print(text, Text("e\nf", style="red"))
        bold = re.findall("\x1b\\[1m(.*?)\x1b\\[0m", file.getvalue())
        assert "".join(bold) == "c\\x9bd"
        assert file.getvalue().startswith("a\\x1bb\x1b[1m")

    @pytest.mark.parametrize("text", NASTY)
    def test_a_document_reads_back_the_same(
        self, text: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        console.print_json({text: [text, "ü", "\U0001f600\U000e0041"]})
        out = capsys.readouterr().out
        assert is_shown(out)
        assert json.loads(out) == {text: [text, "ü", "\U0001f600\U000e0041"]}
        assert "ü" in out
