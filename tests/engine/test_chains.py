"""A whole study whose conditions have several parents and chain: search, JSON, figures, words."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from here import Here

from hpsearch.engine import run_study
from hpsearch.plots import PANELS, NothingToDraw, read_view
from hpsearch.report.note import note_markdown
from hpsearch.space import Space
from hpsearch.storage import open_storage
from hpsearch.study_file import parse_study_file

TEXT = """
name = "chain"
[data]
name = "iris"
[model]
width = { low = 4, high = 32, log = true }
depth = 1
activation = { choices = ["relu", "tanh", "elu"] }
batch_norm = { choices = [true, false], when = { activation = ["relu", "elu"] } }
dropout = { low = 0.0, high = 0.5, when = { batch_norm = false, optimizer = "adam" } }
[training]
epochs = 4
l2 = 0.0
decay = 0.1
optimizer = { choices = ["momentum", "adam"] }
momentum = { low = 0.5, high = 0.95, when = { optimizer = "momentum", schedule = "constant" } }
schedule = "constant"
[search]
strategy = "STRATEGY"
trials = 40
"""


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["guided", "coarse-to-fine", "random", "grid", "tpe", "cmaes"])
def test_every_floor_knows_which_settings_exist_together(
    strategy: str, here: Here, db: str
) -> None:
    study = parse_study_file(TEXT.replace("STRATEGY", strategy))
    space = study.search_space()
    assert {name: len(space.conditions_of(name)) for name in space.conditions} == {
        "batch_norm": 1,
        "dropout": 2,
        "momentum": 1,
    }
    summary = run_study(study, storage=db)
    for row in summary.rows:
        assert set(space.active(row.configuration)) == set(row.configuration)
    for stage in json.loads(json.dumps(summary.document()))["stages"]:
        assert Space.from_dict(stage["space"]).conditions.keys() <= space.conditions.keys()
    view = read_view(open_storage(db), "chain")
    drawn = set()
    for name, made in PANELS.items():
        if made.of == "study":
            with suppress(NothingToDraw):
                made.figures(made.data(view))
                drawn.add(name)
    assert {"parameters", "parallel", "effects"} <= drawn
    assert note_markdown(view).startswith("**The winner of ")
