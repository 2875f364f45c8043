"""How soon hpsearch is there: importing it, and its help, beside bare Python and NumPy.

python benchmarks/startup.py
"""

from __future__ import annotations

import subprocess
import sys
import time

COMMANDS = {
    "python": ["-c", ""],
    "import numpy": ["-c", "import numpy"],
    "import hpsearch": ["-c", "import hpsearch"],
    "hpsearch --help": ["-m", "hpsearch", "--help"],
    "import optuna": ["-c", "import optuna"],
}


def main(rounds: int = 15) -> None:
    """Measure in turn, and print the best of the rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    for name, values in seconds.items():
        print(f"{name:16} {min(values):.3f} s")


if __name__ == "__main__":
    main()
