"""The note that optuna-dashboard shows beside a study."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpsearch import parse_study_file, run_study
from hpsearch.advice import Change, Recommendation
from hpsearch.plots import StudyView, read_view
from hpsearch.report.note import note_markdown
from hpsearch.storage import open_storage
from hpsearch.training.diagnosis import Finding

pytestmark = pytest.mark.slow

STUDY = """
name = "flowers"
[data]
name = "iris"
[training]
epochs = 2
[search]
strategy = "random"
trials = 4
"""
CHANGE = Change("model", "activation", "relu")


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> StudyView:
    file = tmp_path_factory.mktemp("note") / "x.db"
    run_study(parse_study_file(STUDY), storage=str(file), workers=1)
    return read_view(open_storage(str(file)), "flowers")


def with_findings(view: StudyView, *findings: Finding) -> StudyView:
    """The study as if each of its trials had these."""
    rows = tuple(replace(trial, findings=findings) for trial in view.trials)
    return replace(view, summary=replace(view.summary, rows=rows))


def section(view: StudyView) -> list[str]:
    """The lines below the heading of the advice, up to the next one."""
    text = note_markdown(view).split("### Advice\n\n")[1]
    return text.split("\n\n###")[0].splitlines()


def test_it_has_the_advice_that_changes_something_and_what_was_found(view: StudyView) -> None:
    recommendations = (
        Recommendation("signal", "Use *ReLU*.", (CHANGE,)),
        Recommendation("seeds", "Seeds matter."),
    )
    dead = Finding("dead ReLUs", "90% of the units", fault=True)
    hint = Finding("plateau", "nothing moves", fault=False)
    assert section(replace(with_findings(view, dead, hint), advice=recommendations)) == [
        "- Use \\*ReLU\\*.",
        "",
        "4 of 4 trainings had a fault; 0 had neither a fault nor a hint. Found: dead ReLUs in 4, "
        "plateau in 4.",
    ]


def test_it_has_five_sentences_at_most(view: StudyView) -> None:
    recommendations = tuple(Recommendation("x", f"Change {n}.", (CHANGE,)) for n in range(9))
    said = [
        line for line in section(replace(view, advice=recommendations)) if line.startswith("- ")
    ]
    assert said == [f"- Change {n}." for n in range(5)]


def test_good_news_is_one_line_each(view: StudyView) -> None:
    calm = replace(with_findings(view), advice=(Recommendation("seeds", "Seeds matter."),))
    assert section(calm) == [
        "All is well: the trainings ask for no change.",
        "",
        "All is well: nothing was found wrong with 4 trainings.",
    ]
