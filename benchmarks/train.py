"""Training throughput: hpsearch beside scikit-learn and torch, one thread, one run.

    python benchmarks/train.py                    # 64 inputs, all shapes, some minutes
    python benchmarks/train.py --quick            # every eighth shape
    python benchmarks/train.py --task regression  # one number instead of ten classes
    python benchmarks/train.py --inputs 64 784 --json train.json

Every contender trains the same ReLU network on the same random data through its public interface,
shuffling each epoch: hpsearch's `train`; the `fit` of scikit-learn's MLPClassifier (MLPRegressor
for numbers, with the squared error everywhere) on float64 (as it comes) and on float32 input; torch
in eager mode from one shuffled tensor an epoch, minibatches being slices of it, once for each way
that its optimizer can loop (for, foreach, fused), of which the best counts. All run in turn within
a round, and a figure is the median of the rounds. The limit is the time of the same matrix products
alone, by np.dot into a preallocated array. Times are the process's CPU seconds: with one thread
they equal wall seconds on an idle machine, and neighbours on a busy one do not disturb them.
"""

from __future__ import annotations

import os

# ruff: noqa: E402 - before NumPy is imported: one thread, and OpenBLAS's own choice of kernels.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)

import argparse
import itertools
import json
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hpsearch.nn import Network, NetworkConfig, TrainingConfig, train

OUTPUTS = {"classification": 10, "regression": 1}
RATE = 1e-3
MODES = ("for", "foreach", "fused")
Floats = npt.NDArray[np.float32]
Targets = npt.NDArray[Any]


@dataclass(frozen=True)
class Shape:
    """One cell of the table: the network, the batch size and the update rule."""

    task: str  # "classification" or "regression"
    optimizer: str  # "momentum" or "adam"
    inputs: int
    depth: int
    width: int
    batch: int

    @property
    def layers(self) -> list[int]:
        """Units from the input to the output."""
        return [self.inputs, *[self.width] * self.depth, OUTPUTS[self.task]]

    @property
    def work(self) -> float:
        """Multiplications a sample, forward and backward, plus a constant for everything else."""
        return 3e4 + 3 * sum(a * b for a, b in itertools.pairwise(self.layers))


def shapes(task: str, inputs: Sequence[int], quick: bool) -> Iterator[Shape]:
    """All cells, or every eighth of them."""
    cells = itertools.product(
        ("momentum", "adam"), inputs, (1, 2, 3), (32, 64, 128, 256, 512), (32, 128, 512)
    )
    for i, (optimizer, d, depth, width, batch) in enumerate(cells):
        if not quick or i % 8 == 0:
            yield Shape(task, optimizer, d, depth, width, batch)


def contenders(shape: Shape, X: Floats, y: Targets) -> dict[str, Callable[[int], None]]:
    """For each name, a function that trains for so many epochs."""
    runs: dict[str, Callable[[int], None]] = {
        "hpsearch": lambda epochs: _hpsearch(shape, X, y, epochs),
        "sklearn64": lambda epochs: _sklearn(shape, X.astype(np.float64), y, epochs),
        "sklearn32": lambda epochs: _sklearn(shape, X, y, epochs),
    }
    for mode in MODES:
        runs[f"torch-{mode}"] = _torch(shape, X, y, mode)
    return runs


def _hpsearch(shape: Shape, X: Floats, y: Targets, epochs: int) -> None:
    rng = np.random.default_rng(0)
    hidden = (shape.width,) * shape.depth
    loss = "cross-entropy" if shape.task == "classification" else "squared-error"
    outputs = OUTPUTS[shape.task]
    network = Network(shape.inputs, outputs, NetworkConfig(hidden, loss=loss), rng=rng)
    config = TrainingConfig(
        optimizer=shape.optimizer, learning_rate=RATE, batch_size=shape.batch, epochs=epochs
    )
    result = train(network, X, y, config, rng=rng)
    if result.epochs != epochs:
        raise SystemExit(f"{shape}: the training ended early ({result.why_stopped}).")


def _sklearn(shape: Shape, X: npt.NDArray[np.floating], y: Targets, epochs: int) -> None:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPClassifier if shape.task == "classification" else MLPRegressor
    kind(
        hidden_layer_sizes=(shape.width,) * shape.depth,
        solver="sgd" if shape.optimizer == "momentum" else "adam",
        momentum=0.9,
        nesterovs_momentum=False,
        alpha=0.0,
        learning_rate_init=RATE,
        batch_size=shape.batch,
        max_iter=epochs,
        tol=0.0,
        n_iter_no_change=epochs + 1,
        random_state=0,
    ).fit(X, y.ravel())


def _torch(shape: Shape, X: Floats, y: Targets, mode: str) -> Callable[[int], None]:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(shape.layers):
        layers += [nn.Linear(a, b), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    options: dict[str, Any] = {
        "for": {"foreach": False},
        "foreach": {"foreach": True},
        "fused": {"fused": True},
    }[mode]
    optimizer: torch.optim.Optimizer
    if shape.optimizer == "momentum":
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, **options)
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE, **options)
    criterion = nn.CrossEntropyLoss() if shape.task == "classification" else nn.MSELoss()
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y)

    def run(epochs: int) -> None:
        for _ in range(epochs):
            order = torch.randperm(len(labels))
            shuffled, targets = inputs[order], labels[order]
            for start in range(0, len(labels), shape.batch):
                optimizer.zero_grad(set_to_none=True)
                logits = model(shuffled[start : start + shape.batch])
                criterion(logits, targets[start : start + shape.batch]).backward()
                optimizer.step()

    return run


def products(shape: Shape) -> float:
    """Seconds a sample of the matrix products alone, the best of several repeats.

    The first layer needs no gradient of its input.
    """
    rng = np.random.default_rng(0)
    total = 0.0
    for layer, (a, b) in enumerate(itertools.pairwise(shape.layers)):
        x, w, dy = (
            rng.random(size, dtype=np.float32)
            for size in ((shape.batch, a), (a, b), (shape.batch, b))
        )
        for left, right in ((x, w), (x.T, dy), (dy, w.T))[: 2 if layer == 0 else 3]:
            out = np.empty((left.shape[0], right.shape[1]), np.float32)
            repeats = max(3, int(2e8 / (2.0 * a * b * shape.batch)))
            times = []
            for _ in range(5):
                start = time.process_time()
                for _ in range(repeats):
                    np.dot(left, right, out)
                times.append((time.process_time() - start) / repeats)
            total += min(times)
    return total / shape.batch


def measure(shape: Shape, rounds: int, work: float) -> dict[str, float]:
    """Thousand samples a second of every contender, and of the products alone.

    Args:
        shape: the cell.
        rounds: how often each contender runs, in turn with the others.
        work: multiplications that one run should come to, at least.
    """
    rng = np.random.default_rng(1)
    n = 4096
    epochs = max(4, round(work / shape.work / n))  # four at least, so that set-up counts little
    X = rng.standard_normal((n, shape.inputs), dtype=np.float32)
    y: Targets = rng.integers(0, OUTPUTS[shape.task], n)
    if shape.task == "regression":
        y = rng.standard_normal((n, 1), dtype=np.float32)
    runs = contenders(shape, X, y)
    times: dict[str, list[float]] = {name: [] for name in runs}
    limit = []
    for run in runs.values():
        run(1)
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.process_time()
            run(epochs)
            times[name].append((time.process_time() - start) / (n * epochs))
        limit.append(products(shape))
    seconds = {name: statistics.median(values) for name, values in times.items()}
    seconds["torch"] = min(seconds[f"torch-{mode}"] for mode in MODES)
    seconds["products"] = statistics.median(limit)
    return {name: 1e-3 / value for name, value in seconds.items()}


HEADER = (
    f"{'rule':9}{'inputs':>6} {'depth x width, batch':>21} {'hpsearch':>9} {'sklearn64':>9} "
    f"{'sklearn32':>9} {'torch':>7} {'/torch':>7} {'/sk64':>6} {'limit':>6}"
)


def row(shape: Shape, k: dict[str, float]) -> str:
    """One line of the table."""
    cell = f"{shape.depth} x {shape.width}, {shape.batch}"
    return (
        f"{shape.optimizer:9}{shape.inputs:6d} {cell:>21} {k['hpsearch']:9.1f} "
        f"{k['sklearn64']:9.1f} {k['sklearn32']:9.1f} {k['torch']:7.1f} "
        f"{k['hpsearch'] / k['torch']:7.2f} {k['hpsearch'] / k['sklearn64']:6.2f} "
        f"{k['hpsearch'] / k['products']:6.0%}"
    )


def summary(results: list[tuple[Shape, dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """Geometric means of the ratios and the worst shapes, for each update rule and for all."""
    figures: dict[str, dict[str, Any]] = {}
    for rule in ("momentum", "adam", "all"):
        chosen = [(s, k) for s, k in results if rule in (s.optimizer, "all")]
        if not chosen:
            continue
        figures[rule] = {"shapes": len(chosen)}
        for peer in ("torch", "sklearn64", "sklearn32", "products"):
            ratios = [k["hpsearch"] / k[peer] for _, k in chosen]
            worst = int(np.argmin(ratios))
            figures[rule][peer] = {
                "mean": statistics.geometric_mean(ratios),
                "worst": ratios[worst],
                "worst_shape": vars(chosen[worst][0]),
            }
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and the summary, and write them as JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="every eighth shape, shorter runs")
    parser.add_argument("--task", choices=list(OUTPUTS), default="classification")
    parser.add_argument("--inputs", type=int, nargs="+", default=[64], metavar="D")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    warnings.filterwarnings("ignore", category=UserWarning)  # scikit-learn: not yet converged
    results = []
    print(HEADER)
    for shape in shapes(options.task, options.inputs, options.quick):
        figures = measure(shape, options.rounds, 4e8 if options.quick else 1e9)
        results.append((shape, figures))
        print(row(shape, figures), flush=True)
    figures_by_rule = summary(results)
    for rule, peers in figures_by_rule.items():
        print(f"\n{rule}, {peers.pop('shapes')} shapes, hpsearch as a multiple of")
        for peer, f in peers.items():
            s = f["worst_shape"]
            cell = f"{s['optimizer']} {s['inputs']} {s['depth']} x {s['width']}, {s['batch']}"
            print(
                f"  {peer:10} {f['mean']:5.2f} (geometric mean), worst {f['worst']:.2f} at {cell}"
            )
    if options.json is not None:
        document = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "summary": figures_by_rule,
            "shapes": [{**vars(s), **k} for s, k in results],
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
