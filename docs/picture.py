"""Draw README's picture, what a finished study prints, as SVG.

For example: python docs/picture.py digits docs/digits.svg
"""

from __future__ import annotations

import argparse
import io

from rich.console import Console

from hpsearch.cli.render import story
from hpsearch.engine import summarize
from hpsearch.storage import DEFAULT_STORAGE, load_study, open_storage

parser = argparse.ArgumentParser()
parser.add_argument("study")
parser.add_argument("file")
parser.add_argument("--storage", default=DEFAULT_STORAGE)
options = parser.parse_args()

console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True, highlight=False)
summary = summarize(load_study(open_storage(options.storage, create=False), options.study))
console.print(*story(summary, DEFAULT_STORAGE, width=80), sep="\n")
console.save_svg(options.file, title=f"hpsearch run studies/{options.study}.toml")
