"""The studies that come with hpsearch: all can be read, and the regressions learn something."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch import load_study_file, run_study
from hpsearch.shipped import shipped_files

STUDIES = shipped_files("studies")


@pytest.mark.parametrize("name", STUDIES)
def test_each_is_called_as_its_file(name: str) -> None:
    study = load_study_file(STUDIES[name])
    assert study.name == name
    assert study.search_space().parameters


@pytest.mark.slow
@pytest.mark.parametrize("name", ["diabetes", "visits"])
def test_a_regression_is_better_than_any_constant(name: str, tmp_path: Path) -> None:
    study = load_study_file(STUDIES[name])
    search = study.search.model_copy(update={"trials": 12})  # sixty would end alike
    training = study.training.model_copy(update={"epochs": 10})
    study = study.model_copy(update={"search": search, "training": training})
    summary = run_study(study, storage=str(tmp_path / "s.db"), workers=1).summary
    [constant] = summary.baselines
    assert summary.verdict(constant) == "better"
    divided = summary.data["account"]["divided"]
    assert divided.startswith("no 'patient' in two parts" if name == "visits" else "stratified")
