"""`[data] columns` is `preprocessing` where that only scales the columns."""

from __future__ import annotations

import pytest

from hpsearch.errors import UsageError
from hpsearch.space import Categorical
from hpsearch.study_file import StudyFile, parse_study_file

TEXT = 'name = "s"\n[data]\nname = "iris"\n{}\n'


@pytest.mark.parametrize("kind", ["standardize", "robust", "quantile"])
def test_it_stands_for_preprocessing(kind: str) -> None:
    file = parse_study_file(TEXT.format(f'columns = "{kind}"'))
    assert file.configuration({})["preprocessing"] == kind
    again = StudyFile.model_validate(file.model_dump(mode="json"))
    assert again == file


def test_it_is_searched_like_that() -> None:
    file = parse_study_file(TEXT.format('columns = { choices = ["robust", "quantile"] }'))
    assert file.search_space().parameters["preprocessing"] == Categorical(("robust", "quantile"))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('columns = "pca"', "'standardize', 'robust' or 'quantile'"),
        ('columns = "quantile"\npreprocessing = "pca"', "which say the same"),
    ],
)
def test_what_it_cannot_be_is_one_sentence(keys: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_study_file(TEXT.format(keys))
    assert words in str(caught.value)
