"""Which trials of a long study its page shows, told by each database."""

from __future__ import annotations

import optuna

from hpsearch.service.glimpse import some_of
from hpsearch.storage import WriteBehindStorage
from hpsearch.storage.rows import read_trials


def test_the_best_and_the_latest_are_among_some(storage: WriteBehindStorage) -> None:
    study = optuna.create_study(storage=storage, study_name="long", direction="maximize")
    for number in range(40):
        study.add_trial(optuna.trial.create_trial(value=-abs(number - 7.0)))
    storage.flush()
    with storage.connection.reading() as connection:
        condition = some_of(connection, study._study_id, 8, [[0, 0]], numbers=[20])
        numbers = [trial.number for trial in read_trials(connection, condition)]
    assert {7, 20, 36, 37, 38, 39} <= set(numbers)
    assert len(numbers) < 20
