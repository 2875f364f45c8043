"""Numbers that stand for categories: what they are, and that no row's own target is in its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.data import Dataset, Preprocessor, Split, load_dataset, make_splits, write_store
from hpsearch.data.preprocessing import MOST_INDICATORS
from hpsearch.data.said import Said
from hpsearch.data.tabular import dataset_from_table
from hpsearch.data.target_encoding import crossed_encoding, encoding, width_of
from hpsearch.errors import UsageError

MANY = 80
NAMES = tuple(f"c{i:02}" for i in range(MANY))


def drawn(rows: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of 80 categories, classes that follow from these in part, and the share of each."""
    rng = np.random.default_rng(seed)
    shares = rng.uniform(0.1, 0.9, MANY)
    codes = rng.integers(0, MANY, rows)
    return codes, (rng.random(rows) < shares[codes]).astype(np.int64), shares


class TestEncoding:
    def test_it_lies_between_a_categorys_mean_and_that_of_all(self) -> None:
        codes, y, _ = drawn()
        found = encoding(codes, y, MANY)[:, 0]
        means = np.bincount(codes, y, MANY) / np.bincount(codes, minlength=MANY)
        assert (np.abs(found - y.mean()) < np.abs(means - y.mean()) + 1e-12).all()
        assert ((found - y.mean()) * (means - y.mean()) >= 0).all()

    def test_it_comes_nearer_to_the_truth_than_the_means(self) -> None:
        codes, y, shares = drawn(600)
        means = np.bincount(codes, y, MANY) / np.maximum(np.bincount(codes, minlength=MANY), 1)
        found = encoding(codes, y, MANY)[:, 0]
        assert np.mean((found - shares) ** 2) < 0.8 * np.mean((means - shares) ** 2)

    def test_many_rows_leave_nothing_to_shrink(self) -> None:
        codes, y, _ = drawn(200_000)
        means = np.bincount(codes, y, MANY) / np.bincount(codes, minlength=MANY)
        np.testing.assert_allclose(encoding(codes, y, MANY)[:, 0], means, atol=0.01)

    def test_categories_that_tell_nothing_have_the_mean_of_all(self) -> None:
        y = np.arange(100) % 2
        for codes in (np.arange(100), np.arange(100) // 2):  # each its own; both classes in each
            np.testing.assert_allclose(encoding(codes, y, 101)[:, 0], 0.5)

    def test_classes_have_a_number_each_and_sum_to_one(self) -> None:
        codes, _, _ = drawn()
        y = np.random.default_rng(1).integers(0, 5, len(codes))
        for found in (encoding(codes, y, MANY + 1), crossed_encoding(codes, y, MANY + 1)):
            assert found.shape[1] == width_of(y) == 5
            np.testing.assert_allclose(encoding(codes, y, MANY + 1)[MANY].sum(), 1)

    def test_two_classes_are_one_target_of_zeros_and_ones(self) -> None:
        codes, y, _ = drawn()
        for encode in (encoding, crossed_encoding):
            np.testing.assert_allclose(encode(codes, y, MANY), encode(codes, y.astype(float), MANY))

    def test_several_targets_in_any_unit(self) -> None:
        codes, y, _ = drawn()
        both = np.stack([y, 1e9 + 1000.0 * y], axis=1)
        found = encoding(codes, both, MANY)
        assert found.shape[1] == width_of(both) == 2
        np.testing.assert_allclose(found[:, 1], 1e9 + 1000 * found[:, 0], rtol=1e-12)


class TestCrossed:
    def test_a_rows_own_target_is_not_in_its_number(self) -> None:
        codes, y, _ = drawn(300)
        before = crossed_encoding(codes, y, MANY)
        for row in (0, 17, 299):
            other = y.copy()
            other[row] = 1 - y[row]
            assert crossed_encoding(codes, other, MANY)[row] == before[row]
        assert (crossed_encoding(codes, 1 - y, MANY) != before).any()

    def test_noise_does_not_become_a_clue(self) -> None:
        rng = np.random.default_rng(0)
        codes, y = rng.integers(0, 1000, 3000), rng.integers(0, 2, 3000)
        own = np.corrcoef(encoding(codes, y.astype(float), 1000)[codes, 0], y)[0, 1]
        crossed = crossed_encoding(codes, y, 1000)[:, 0]
        assert np.isnan(own) or own > 0.3
        assert np.std(crossed) < 0.05 or abs(np.corrcoef(crossed, y)[0, 1]) < 0.1

    @given(rows=st.integers(1, 7))
    def test_of_very_few_rows(self, rows: int) -> None:
        found = crossed_encoding(np.arange(rows) % 2, np.arange(rows) % 3, 2)
        assert np.isfinite(found).all()


class TestPreprocessor:
    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        codes, y, _ = drawn()
        X = np.column_stack([np.arange(len(codes)), codes]).astype(np.float32)
        X[::50, 1] = np.nan
        return X, y

    @pytest.mark.parametrize("kind", ["none", "standardize", "robust", "quantile", "pca"])
    def test_only_such_columns_differ_in_the_training_part(self, kind: str) -> None:
        X, y = self.samples()
        fitted, prepared = Preprocessor.fit_transform(X, kind, categories={1: NAMES}, y=y)
        later = fitted.transform(X)
        assert prepared.shape == later.shape == (len(X), 2)
        if kind != "pca":
            np.testing.assert_array_equal(prepared[:, 0], later[:, 0])
        assert (prepared[:, 1] != later[:, 1]).any()
        again = Preprocessor.from_state(fitted.state())
        assert again.transform(X).tobytes() == later.tobytes()
        other = Preprocessor.fit(X, kind, categories={1: NAMES}, y=y)
        assert other.transform(X).tobytes() == later.tobytes()

    def test_unseen_and_missing_categories_have_a_number_too(self) -> None:
        X, y = self.samples()
        seen = X[:, 1] != 3
        fitted = Preprocessor.fit(X[seen], "none", categories={1: NAMES}, y=y[seen])
        new = np.array([[0, 3], [0, np.nan], [0, 4]], dtype=np.float32)
        unseen, missing, other = fitted.transform(new)[:, 1]
        assert unseen == pytest.approx(y[seen].mean())
        lost = np.isnan(X[seen, 1])
        assert abs(missing - y[seen][lost].mean()) < 0.3
        assert other != unseen

    def test_few_categories_stay_indicators(self) -> None:
        X, _ = self.samples()
        X[:, 1] %= MOST_INDICATORS
        assert Preprocessor.fit(X, "none", categories={1: NAMES}).n_features_out == (
            1 + MOST_INDICATORS
        )
        X, _ = self.samples()
        with pytest.raises(UsageError, match="80 categories; give y"):
            Preprocessor.fit(X, "none", categories={1: NAMES})

    def test_the_scale_is_that_of_what_is_trained_on(self) -> None:
        X, y = self.samples()
        _, prepared = Preprocessor.fit_transform(X, "standardize", categories={1: NAMES}, y=y)
        np.testing.assert_allclose(prepared.std(axis=0), 1, rtol=1e-4)


def many(rows: int = 600) -> Dataset:
    codes, y, _ = drawn(rows)
    table = pa.table(
        {"x": list(range(rows)), "shop": [NAMES[c] for c in codes], "y": [f"k{v}" for v in y]}
    )
    return dataset_from_table("t", table, "y")


class TestStudy:
    def test_the_account_says_so(self) -> None:
        data = many().divided(np.arange(600))
        assert data.account.inputs == 2
        assert data.account.encoded == {"shop": MANY}
        told = " ".join(data.account.sentences())
        assert "told by the mean of the target: 'shop' (80 categories)" in told
        assert many().divided(np.arange(40)).account.encoded == {}

    def test_a_store_hands_out_crossed_numbers(self, tmp_path: Path) -> None:
        data = many()
        splits = make_splits(data.y, folds=2, seed=0)
        handle = write_store(tmp_path, data, splits)
        fold = handle.fold(0, "standardize")
        train = splits[0].train
        fitted, X = Preprocessor.fit_transform(
            data.X[train], "standardize", categories=data.nominal, y=data.y[train]
        )
        assert fold.X_train.tobytes() == X.tobytes()
        later = fitted.transform(data.X[splits[0].validation])
        assert fold.X_validation.tobytes() == later.tobytes()

    def test_thousands_of_categories_are_read(self, tmp_path: Path) -> None:
        rows = "".join(f"{i},s{i % 1500},{'ab'[i % 2]}\n" for i in range(4500))
        (tmp_path / "t.csv").write_text("n,shop,y\n" + rows)
        data = load_dataset(path=tmp_path / "t.csv", target="y")
        assert len(data.categories[1]) == 1500
        assert data.divided(np.arange(4500)).account.inputs == 2


N = 400
COLUMNS = {
    "number": st.floats(-1e6, 1e6, width=32).map(lambda v: round(v, 2)),
    "few": st.sampled_from(["red", "blue", "green", ""]),
    "many": st.sampled_from([*NAMES, ""]),
    "size": st.sampled_from(["S", "M", "L"]),
    "when": st.datetimes(datetime(2000, 1, 1), datetime(2049, 12, 31)),
}


@pytest.mark.slow
@settings(max_examples=30)
@given(data=st.data(), kind=st.sampled_from(["standardize", "robust", "quantile", "whiten"]))
def test_nothing_of_other_rows_is_in_what_the_training_part_becomes(
    data: st.DataObject, kind: str
) -> None:
    """Whatever validation and test rows hold, of any kind of column, and however they are read."""
    rng = np.random.default_rng(0)
    codes, y, _ = drawn(N)
    days = np.datetime64("2020-02-03T04:05:06") + rng.integers(0, 10**8, N).astype("m8[s]")
    table: dict[str, list[object]] = {
        "number": rng.normal(size=N).round(2).tolist(),
        "few": rng.choice(["red", "blue"], N).tolist(),
        "many": [NAMES[code] for code in codes],
        "size": rng.choice(["S", "M", "L"], N).tolist(),
        "when": np.datetime_as_string(days).tolist(),
    }
    [split] = make_splits(y, seed=0)
    others = np.concatenate([split.validation, split.test])
    before = _prepared(table, y, split, kind)
    rows = data.draw(st.lists(st.sampled_from(others.tolist()), min_size=1, max_size=5))
    for name, values in COLUMNS.items():
        for row in rows:
            value = data.draw(values)
            table[name][row] = value.isoformat() if name == "when" else value
    after = _prepared(table, y, split, kind)
    assert before.tobytes() == after.tobytes()
    flipped = y.copy()
    flipped[others] = 1 - y[others]
    assert before.tobytes() == _prepared(table, flipped, split, kind).tobytes()


def _prepared(table: dict[str, list[object]], y: np.ndarray, split: Split, kind: str) -> np.ndarray:
    texts = {name: [str(value) for value in column] for name, column in table.items()}
    read = dataset_from_table(
        "t",
        pa.table({**texts, "y": [f"k{v}" for v in y]}),
        "y",
        Said(ordered={"size": ["S", "M", "L"]}),
    )
    train = split.train
    _, prepared = Preprocessor.fit_transform(
        read.X[train], kind, categories=read.nominal, y=read.y[train]
    )
    assert replace(read, notes=("a copy",)).nominal == read.nominal
    return prepared
