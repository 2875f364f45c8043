"""Dashboards: lists of panels, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.plots import PANELS
from hpsearch.report.dashboards import load_dashboard, parse_dashboard
from hpsearch.shipped import shipped_files


def test_the_shipped_ones_are_valid_and_show_every_panel() -> None:
    shipped = {name: load_dashboard(name) for name in shipped_files("dashboards")}
    assert set(shipped) == {"search", "training", "compare"}
    assert [*shipped["search"].panels, *shipped["compare"].panels] == list(PANELS)
    assert (shipped["search"].of, shipped["compare"].of) == ("study", "comparison")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('title = "Mine"\npanels = ["gap", "curves"]\n')
    assert load_dashboard(str(tmp_path / "mine.toml")).panels == ["gap", "curves"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('title = "x"\npanels = ["histroy"]', "did you mean 'history'.*best-so-far"),
        ('title = "x"\npanels = []', "panels: list should have at least 1"),
        ('title = "x"\npanels = ["gap", "gap"]', "'gap' is listed twice"),
        (
            'title = "x"\npanels = ["gap", "catch-up"]',
            "not of both: gap of a study, catch-up of a comparison",
        ),
        ('panels = ["gap"]', "title: field required"),
        ('title = "x"\npanels = ["gap"]\nwidth = 3', "unknown key 'width'; known: title, panels"),
        ("title = ", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_dashboard(text)


def test_a_missing_one_gets_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'search'"):
        load_dashboard("serch")
    with pytest.raises(UsageError, match=r"cannot read .*No such file.*search, training"):
        load_dashboard(str(tmp_path / "no.toml"))
    (tmp_path / "latin.toml").write_bytes(b"title = '\xe4'")
    with pytest.raises(UsageError, match="UTF-8"):
        load_dashboard(str(tmp_path / "latin.toml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = " + "1" * 5000, "too many digits"),
        ("title = " + "[" * 9000, "nested too deeply"),
        ("#" * 1_000_001, "more than a megabyte"),
    ],
)
def test_odd_files_are_no_dashboards(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "d.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_dashboard(str(file))
