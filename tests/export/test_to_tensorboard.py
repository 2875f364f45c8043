"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from hpsearch.errors import UsageError
from hpsearch.export.to_tensorboard import to_tensorboard
from hpsearch.plots import read_view
from hpsearch.storage import WriteBehindStorage

pytest.importorskip("tensorboard")
pytestmark = pytest.mark.slow


def read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder)).Reload()


def hparams(folder: Path, tag: str) -> Any:
    """What the plugin of the tab HPARAMS reads under one of its tags."""
    from tensorboard.plugins.hparams import metadata

    content = read(folder).SummaryMetadata(tag).plugin_data.content
    parse = {
        metadata.EXPERIMENT_TAG: metadata.parse_experiment_plugin_data,
        metadata.SESSION_START_INFO_TAG: metadata.parse_session_start_info_plugin_data,
        metadata.SESSION_END_INFO_TAG: metadata.parse_session_end_info_plugin_data,
    }
    return parse[tag](content)


def test_a_trial_has_its_curves_and_its_score(store: WriteBehindStorage, tmp_path: Path) -> None:
    view = read_view(store, "flowers")
    assert to_tensorboard(view, tmp_path / "tb") == len(view.trials) == 8
    for row in view.trials:
        events = read(tmp_path / "tb" / f"trial-{row.number:04}")
        curve = {event.step: event.value for event in events.Scalars("curve/accuracy")}
        assert curve == pytest.approx(dict(row.curve), rel=1e-6)
        losses = [event.value for event in events.Scalars("loss/train")]
        assert losses == pytest.approx(list(row.train_losses), rel=1e-6, nan_ok=True)
        assert [event.step for event in events.Scalars("loss/validation")] == [
            *range(1, len(row.validation_losses) + 1)
        ]
        [score] = events.Scalars("score/accuracy")
        assert (score.value, score.step) == (pytest.approx(row.score, rel=1e-6), row.best_epoch)
        [also] = events.Scalars("score/f1_macro")
        assert also.value == pytest.approx(row.also["f1_macro"], rel=1e-6)
        assert row.completed is not None
        assert math.isclose(score.wall_time, row.completed.timestamp(), abs_tol=1e-3)


def test_the_tab_of_parameters_is_filled(store: WriteBehindStorage, tmp_path: Path) -> None:
    view = read_view(store, "flowers")
    to_tensorboard(view, tmp_path)
    about = hparams(tmp_path, "_hparams_/experiment")
    assert {info.name for info in about.hparam_infos} == set(view.parameters)
    assert [info.name.tag for info in about.metric_infos] == ["score/accuracy", "score/f1_macro"]
    [row, *_] = view.trials
    folder = tmp_path / f"trial-{row.number:04}"
    began = hparams(folder, "_hparams_/session_start_info")
    assert began.hparams["width"].number_value == row.configuration["width"]
    assert began.hparams["activation"].string_value == row.configuration["activation"]
    ended = hparams(folder, "_hparams_/session_end_info")
    assert row.completed is not None
    assert ended.end_time_secs == row.completed.timestamp()


@pytest.mark.parametrize(("name", "count"), [("foreign", 6), ("several", 2), ("empty", 0)])
def test_studies_of_others(
    store: WriteBehindStorage, tmp_path: Path, name: str, count: int
) -> None:
    assert to_tensorboard(read_view(store, name), tmp_path) == count
    assert len(list(tmp_path.glob("trial-*"))) == count
    if name == "several":
        assert {"score/values_0", "score/values_1"} <= set(
            read(tmp_path / "trial-0000").Tags()["scalars"]
        )


def test_only_our_own_files_are_replaced(store: WriteBehindStorage, tmp_path: Path) -> None:
    view = read_view(store, "several")
    to_tensorboard(view, tmp_path)
    with pytest.raises(UsageError, match="--force"):
        to_tensorboard(view, tmp_path)
    other = tmp_path / "trial-0000" / "events.out.tfevents.1.others"
    other.write_bytes(b"")
    before = len(list(tmp_path.rglob("*.hpsearch")))
    to_tensorboard(view, tmp_path, force=True)
    assert len(list(tmp_path.rglob("*.hpsearch"))) == before
    assert other.exists()


def test_a_folder_that_is_a_file_is_a_sentence(store: WriteBehindStorage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to the folder"):
        to_tensorboard(read_view(store, "several"), tmp_path / "file")
