"""What is imported when: a command line that answers at once, workers that start light."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = [
    "optuna",
    "sklearn",
    "torch",
    "pandas",
    "plotly",
    "sqlalchemy",
    "scipy",
    "pyarrow",
    "optuna_dashboard",
    "mlflow",
    "onnx",
    "tensorboard",
    "httpx",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import hpsearch", [*HEAVY, "numpy", "pydantic"]),
        ("from hpsearch.cli.app import run; run(['--help'])", [*HEAVY, "numpy"]),
        ("from hpsearch.cli.app import run; run(['run', '--help'])", HEAVY),
        ("from hpsearch.cli.app import run; run(['report', '--help'])", HEAVY),
        ("from hpsearch.cli.app import run; run(['lab', '--help'])", HEAVY),
        ("from hpsearch.cli.app import run; run(['export', '--help'])", HEAVY),
        ("from hpsearch.cli.app import run; run(['agent', '--help'])", HEAVY),
        ("import hpsearch.service.lending", [name for name in HEAVY if name != "httpx"]),
        # What a worker process needs to unpickle and to run a job.
        (
            "import hpsearch.training.jobs, hpsearch.engine.executors.processes",
            [*HEAVY, "pydantic", "rich"],
        ),
    ],
)
def test_heavy_modules_are_imported_only_where_they_are_used(code: str, heavy: list[str]) -> None:
    script = f"{code}\nimport sys\nprint('imported:', *[n for n in {heavy} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "imported:"
