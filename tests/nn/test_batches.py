from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.nn import batches as module
from hpsearch.nn.batches import Batches
from hpsearch.nn.losses import Huber, SoftmaxCrossEntropy


def epoch(batches: Batches, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Copies of the inputs and targets of every batch, in order."""
    return [
        (batch.inputs.T.copy(), batch.targets.copy())
        for block in batches.epoch(np.random.default_rng(seed))
        for batch in block
    ]


@settings(deadline=None)
@given(
    n=st.integers(1, 70),
    batch_size=st.integers(1, 80),
    classes=st.integers(2, 5),
    block_bytes=st.sampled_from([1, 500, 2000, 1 << 19]),
)
def test_an_epoch_visits_every_sample_once_with_its_label(
    n: int, batch_size: int, classes: int, block_bytes: int
) -> None:
    X = np.stack([np.arange(n), -np.arange(n)], axis=1).astype(np.float32)
    y = (np.arange(n) * 7) % classes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_BYTES", block_bytes)
        batches = Batches(X, y, classes, batch_size, SoftmaxCrossEntropy)
        for seed in range(2):
            seen = epoch(batches, seed)
            sizes = [len(inputs) for inputs, _ in seen]
            assert sizes[:-1] == [min(batch_size, n)] * (len(sizes) - 1)
            assert sum(sizes) == n
            assert batches.per_epoch == len(sizes)
            inputs = np.concatenate([inputs for inputs, _ in seen])
            labels = np.concatenate([targets.argmax(axis=0) for _, targets in seen])
            assert all((targets.sum(axis=0) == 1).all() for _, targets in seen)
            rows = inputs[:, 0].astype(int)
            assert sorted(rows) == list(range(n))
            np.testing.assert_array_equal(inputs[:, 1], -rows)
            np.testing.assert_array_equal(inputs[:, 2], 1)
            np.testing.assert_array_equal(labels, y[rows])


def test_each_epoch_has_another_order_and_a_seed_the_same_one() -> None:
    X, y = np.arange(50.0)[:, None], np.arange(50) % 2
    first, again = (Batches(X, y, 2, 50, SoftmaxCrossEntropy) for _ in range(2))
    one, two = epoch(first)[0][0], epoch(first)[0][0]
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(epoch(again)[0][0], one)


def test_a_read_only_memory_map_is_read_and_left_alone(tmp_path: object) -> None:
    path = f"{tmp_path}/x.npy"
    X = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    np.save(path, X)
    mapped = np.load(path, mmap_mode="r")
    batches = Batches(mapped, np.zeros(30, int), 2, 8, SoftmaxCrossEntropy)
    assert np.shares_memory(batches.X, mapped)
    rows = np.concatenate([inputs for inputs, _ in epoch(batches)])[:, :-1]
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(X, axis=0))


@settings(deadline=None)
@given(
    n=st.integers(1, 70),
    batch_size=st.integers(1, 80),
    outputs=st.integers(1, 4),
    block_bytes=st.sampled_from([1, 500, 2000, 1 << 19]),
)
def test_numbers_and_weights_come_with_their_sample(
    n: int, batch_size: int, outputs: int, block_bytes: int
) -> None:
    X = np.arange(n, dtype=np.float32)[:, None]
    y = X * 10 + np.arange(outputs)
    weights = 1 + np.arange(n) / n
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_BYTES", block_bytes)
        batches = Batches(X, y, outputs, batch_size, Huber, weights=weights)
        seen = 0
        for block in batches.epoch(np.random.default_rng(0)):
            assert len(batches.chosen) == sum(batch.targets.shape[1] for batch in block)
            for batch in block:
                rows = batch.inputs[0].astype(int)
                np.testing.assert_array_equal(batch.targets, y[rows].T)
                np.testing.assert_array_equal(batch.kept.weights, weights[rows].astype(np.float32))
                seen += len(rows)
        assert seen == n


def test_smoothed_labels_share_what_they_give_up() -> None:
    X, y = np.zeros((10, 1)), np.arange(10) % 4
    batches = Batches(X, y, 4, 3, SoftmaxCrossEntropy, smoothing=0.2)
    targets = np.concatenate([targets for _, targets in epoch(batches)], axis=1)
    np.testing.assert_allclose(np.sort(targets, axis=0)[:, 0], [0.05, 0.05, 0.05, 0.85])
    np.testing.assert_allclose(targets.sum(axis=0), 1)
