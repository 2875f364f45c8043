"""The cost of a page: 5,000 trials with curves of 20 epochs, written, and drawn in Chromium.

    python benchmarks/report.py
    python benchmarks/report.py --trials 1000 --keep page.html

The study is made through WriteBehindStorage as a search makes one: three stages, five parameters,
a tenth of the trials stopped, losses beside the scores, each network of two hidden layers looked at
ten times, a fifth of them with a fault. Writing is the time of the whole command,
start-up included; the others are from the start of loading the page.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from hpsearch.engine import record
from hpsearch.metrics import ACCURACY
from hpsearch.nn.trace import QUANTITIES
from hpsearch.outcome import Outcome
from hpsearch.report.browser import find_browser, open_page
from hpsearch.search.base import Slot, Stage, StageKind
from hpsearch.space import Float, Int, Space, Value
from hpsearch.storage import open_storage
from hpsearch.study_file import parse_study_file
from hpsearch.training.diagnosis import Finding

EPOCHS = 20
SNAPSHOTS = 10
FILE = """
name = "large"
data = {{ name = "digits" }}
training = {{ epochs = {epochs} }}
search = {{ trials = {trials} }}
"""
FAULT = Finding("learning rate too low", "with a rate of 0.001 the loss fell little", fault=True)
SPACE = Space(
    {
        "width": Int(16, 256, log=True),
        "depth": Int(1, 3),
        "learning_rate": Float(1e-4, 1.0, log=True),
        "decay": Float(1e-3, 1.0, log=True),
        "l2": Float(1e-6, 1e-1, log=True),
    }
)
NARROW = SPACE.replace({"learning_rate": Float(0.01, 0.3, log=True)})


def make_study(file: Path, trials: int) -> None:
    """A study of made-up trainings: the learning rate decides, and depth helps a little."""
    rng = np.random.default_rng(0)
    sizes = (trials - 2 * (trials // 4), trials // 4, trials // 4)
    with open_storage(str(file)) as store:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(study_name="large", storage=store, direction="maximize")
        kept = parse_study_file(FILE.format(epochs=EPOCHS, trials=trials))
        record.write_metadata(study, "study file", kept.model_dump(mode="json"))
        for index, size in enumerate(sizes):
            space = SPACE if index == 0 else NARROW
            kind = StageKind("fine", index) if index else StageKind("coarse")
            draws = [space.sample(rng) for _ in range(size)]
            stage = Stage(kind, index, size, EPOCHS, space, seed=0, propose=partial(drawn, draws))
            record.write_stage(study, stage)
            for i in range(size):
                slot = stage.slot(i)
                trial_id = store.create_new_trial(
                    study._study_id, record.running_trial(stage, slot, SPACE, "")
                )
                record.finish_trial(store, trial_id, outcome(slot, rng), ACCURACY)


def drawn(draws: list[dict[str, Value]], index: int, _: object) -> dict[str, Value]:
    """The configuration of a slot."""
    return draws[index]


def outcome(slot: Slot, rng: np.random.Generator) -> Outcome:
    """What such a training comes to."""
    rate = float(slot.configuration["learning_rate"] or 0)
    best = 0.97 - 0.05 * np.log10(rate / 0.05) ** 2 + rng.normal(0, 0.005)
    best = float(np.clip(best - 0.002 * int(slot.configuration["depth"] or 1), 0.1, 1.0))
    epochs = np.arange(1, EPOCHS + 1)
    losses = tuple((2.3 * np.exp(-epochs / 6) + rng.uniform(0, 0.01, EPOCHS)).tolist())
    validation = tuple((2.3 * np.exp(-epochs / 6) + rng.uniform(0.1, 0.2, EPOCHS)).tolist())
    curve = tuple((best * (1 - np.exp(-epochs / 3))).tolist())
    fine = bool(rng.random() > 0.1)
    return Outcome(
        score=best if fine else 0.1,
        complete=fine,
        why_stopped="finished" if fine else "diverged",
        curve=curve,
        losses=losses,
        validation_losses=validation,
        best_epoch=EPOCHS,
        fold_scores=(best,),
        seconds=0.001,
        worker=f"here {rng.integers(1, 9)}",
        findings=(FAULT,) if rng.random() < 0.2 else (),
        snapshots=snapshots(rng),
    )


def snapshots(rng: np.random.Generator) -> dict[str, Any]:
    """A training's trace, in terms of JSON."""
    seen = rng.uniform(0.001, 1, (len(QUANTITIES), 3, SNAPSHOTS))
    return {
        "input size": 1.0,
        "train accuracy": 0.98,
        "epochs": list(range(0, EPOCHS, EPOCHS // SNAPSHOTS)),
        "loss": [1.0] * SNAPSHOTS,
        "accuracy": [0.5] * SNAPSHOTS,
        "gradient norm": [1.0] * SNAPSHOTS,
        "layers": {
            name: [[float(f"{x:.4g}") for x in row] for row in layers]
            for name, layers in zip(QUANTITIES, seen.tolist(), strict=True)
        },
    }


def main() -> None:
    """Make the study, write its page, draw it."""
    parser = argparse.ArgumentParser(description="The cost of a page.")
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--keep", type=Path, help="where to leave the page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file, page = Path(folder, "s.db"), given.keep or Path(folder, "page.html")
        start = time.perf_counter()
        make_study(file, given.trials)
        print(f"made {given.trials:,} trials in {time.perf_counter() - start:.1f} s")
        command = [sys.executable, "-m", "hpsearch", "report", "large", "-o", str(page)]
        start = time.perf_counter()
        subprocess.run([*command, "--storage", str(file)], check=True, capture_output=True)
        print(f"written in {time.perf_counter() - start:.2f} s")
        print(f"{page.stat().st_size / 1e6:.2f} MB")
        if find_browser() is None:
            print("not drawn: there is no Chromium")
            return
        with open_page(page) as browser:
            figures = browser.evaluate("hpsearch.drawn().then(plots => plots.length)")
            opened, seconds = browser.evaluate("[hpsearch.opened, performance.now()]")
        print(f"open in {opened / 1e3:.2f} s: what is in sight is drawn")
        print(f"all {figures} figures drawn in {seconds / 1e3:.2f} s")


if __name__ == "__main__":
    main()
