"""Preprocessing: what each kind guarantees, and that it learns from the training part alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import QuantileTransformer

from hpsearch.data.preprocessing import KINDS, Preprocessor
from hpsearch.errors import DataError, UnknownNameError, UsageError

values = st.floats(-100, 100, width=32).map(lambda v: round(v, 2))
matrices = arrays(np.float32, st.tuples(st.integers(2, 12), st.integers(1, 6)), elements=values)
COLOURS = {1: ("blue", "green", "red")}


def mixed() -> np.ndarray:
    """Numbers with a gap; colours (green never, one missing); a constant; nothing."""
    nan = np.nan
    return np.array(
        [[1, 0, 5, nan], [nan, 2, 5, nan], [3, nan, 5, nan], [8, 2, 5, nan]], dtype=np.float32
    )


def correlated(n: int, d: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 3).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@given(X=matrices)
def test_every_kind_gives_finite_contiguous_float32(kind: str, X: np.ndarray) -> None:
    preprocessor = Preprocessor.fit(X, kind)
    out = preprocessor.transform(X)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous
    assert out.shape == (len(X), preprocessor.n_features_out)
    assert np.isfinite(out).all()


@pytest.mark.parametrize("kind", KINDS)
@given(X=matrices)
def test_a_state_brings_back_the_same_bits(kind: str, X: np.ndarray) -> None:
    first = Preprocessor.fit(X, kind)
    second = Preprocessor.from_state(first.state())
    assert first.transform(X + 1).tobytes() == second.transform(X + 1).tobytes()
    assert second.n_features_in == X.shape[1]


@given(X=matrices)
def test_none_changes_nothing(X: np.ndarray) -> None:
    np.testing.assert_array_equal(Preprocessor.fit(X, "none").transform(X), X)


@given(X=matrices)
def test_zero_centre_gives_mean_zero(X: np.ndarray) -> None:
    out = Preprocessor.fit(X, "zero-centre").transform(X)
    np.testing.assert_allclose(out.mean(axis=0, dtype=np.float64), 0, atol=1e-5)
    np.testing.assert_allclose(np.diff(out, axis=0), np.diff(X, axis=0), atol=1e-4)


@given(X=matrices)
def test_standardize_gives_mean_zero_and_variance_one_or_constants_zero(X: np.ndarray) -> None:
    out = Preprocessor.fit(X, "standardize").transform(X).astype(np.float64)
    constant = np.ptp(X, axis=0) == 0
    assert (out[:, constant] == 0).all()
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(out[:, ~constant].var(axis=0), 1, atol=1e-4)


@pytest.mark.parametrize(("n", "d"), [(200, 5), (50, 50), (12, 30)])
def test_whiten_gives_the_identity_covariance(n: int, d: int) -> None:
    out = Preprocessor.fit(correlated(n, d), "whiten").transform(correlated(n, d))
    rank = min(n - 1, d)
    assert out.shape == (n, rank)
    covariance = np.cov(out.astype(np.float64), rowvar=False, bias=True)
    np.testing.assert_allclose(covariance, np.eye(rank), atol=1e-4)


@pytest.mark.parametrize(("n", "d"), [(200, 5), (12, 30)])
def test_pca_rotates_onto_axes_of_falling_variance(n: int, d: int) -> None:
    X = correlated(n, d)
    out = Preprocessor.fit(X, "pca").transform(X).astype(np.float64)
    covariance = np.cov(out, rowvar=False, bias=True)
    variances = np.diag(covariance)
    np.testing.assert_allclose(covariance, np.diag(variances), atol=1e-4 * variances[0])
    assert (np.diff(variances) <= 0).all()
    # A rotation keeps the distances between samples.
    np.testing.assert_allclose(
        np.linalg.norm(out[1:] - out[:-1], axis=1),
        np.linalg.norm(X[1:] - X[:-1], axis=1),
        rtol=1e-4,
    )


@pytest.mark.parametrize("whiten", [False, True])
def test_pca_agrees_with_scikit_learn(whiten: bool) -> None:
    from sklearn.decomposition import PCA

    X = correlated(60, 6)
    ours = Preprocessor.fit(X, "whiten" if whiten else "pca").transform(X)
    theirs = PCA(whiten=whiten, svd_solver="full").fit_transform(X.astype(np.float64))
    if whiten:
        theirs *= np.sqrt(60 / 59)  # it divides by n - 1
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-4)


@pytest.mark.parametrize("kind", ["pca", "whiten"])
def test_variance_keeps_as_many_axes_as_it_takes(kind: str) -> None:
    X = np.diag([3.0, 2.0, 1.0]).astype(np.float32)
    X = np.vstack([X, -X])  # variances 9, 4, 1 of 14
    widths = [
        Preprocessor.fit(X, kind, variance=share).n_features_out
        for share in (0.5, 9 / 14, 0.7, 13 / 14, 0.95, 1.0)
    ]
    assert widths == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(("kind", "expected"), [("pca", 0.0), ("whiten", 0.0)])
def test_constant_data_is_projected_to_zero(kind: str, expected: float) -> None:
    X = np.full((4, 3), 0.1, dtype=np.float32)
    out = Preprocessor.fit(X, kind).transform(X)
    assert out.shape == (4, 1)
    np.testing.assert_array_equal(out, expected)


def test_an_axis_without_variance_is_dropped_rather_than_blown_up() -> None:
    X = correlated(100, 3)
    doubled = np.hstack([X, X[:, :1]])
    out = Preprocessor.fit(doubled, "whiten").transform(doubled)
    assert out.shape == (100, 3)
    assert np.abs(out).max() < 10


class TestTables:
    def test_missing_numbers_get_the_training_median(self) -> None:
        out = Preprocessor.fit(mixed(), "none", categories=COLOURS).transform(mixed())
        assert out[:, 0].tolist() == [1, 3, 3, 8]

    def test_an_empty_training_column_becomes_zero(self) -> None:
        out = Preprocessor.fit(mixed(), "none", categories=COLOURS).transform(mixed())
        assert out[:, -1].tolist() == [0, 0, 0, 0]

    def test_categories_of_training_become_columns_in_place(self) -> None:
        preprocessor = Preprocessor.fit(mixed(), "none", categories=COLOURS)
        assert preprocessor.n_features_in == 4
        assert preprocessor.n_features_out == 5  # blue and red, not green
        out = preprocessor.transform(mixed())
        assert out[:, 1:3].tolist() == [[1, 0], [0, 1], [0, 0], [0, 1]]
        assert out[:, 3].tolist() == [5, 5, 5, 5]

    def test_an_unseen_category_is_zero_everywhere(self) -> None:
        preprocessor = Preprocessor.fit(mixed(), "none", categories=COLOURS)
        new = np.array([[1, 1, 5, 2]], dtype=np.float32)  # green
        assert preprocessor.transform(new).tolist() == [[1, 0, 0, 5, 2]]

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_takes_them(self, kind: str) -> None:
        preprocessor = Preprocessor.fit(mixed(), kind, categories=COLOURS)
        assert np.isfinite(preprocessor.transform(mixed())).all()
        again = Preprocessor.from_state(preprocessor.state())
        assert again.transform(mixed()).tobytes() == preprocessor.transform(mixed()).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_other_rows_are_transformed_by_what_training_taught(kind: str) -> None:
    X = correlated(40, 4)
    preprocessor = Preprocessor.fit(X[:30], kind)
    before = preprocessor.transform(X[:30]).tobytes()
    other = X.copy()
    other[30:] += 1000
    assert Preprocessor.fit(other[:30], kind).transform(X[:30]).tobytes() == before
    # Shifting a validation row shifts its image: the statistics are not its own.
    moved = preprocessor.transform(other[30:])
    assert not np.allclose(moved, preprocessor.transform(X[30:]))


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    X = correlated(57, 4)
    whole = {kind: Preprocessor.fit(X, kind).transform(X) for kind in KINDS}
    for module in ("preprocessing", "scales"):
        monkeypatch.setattr(f"hpsearch.data.{module}.CHUNK_CELLS", 20)
    for kind in KINDS:
        np.testing.assert_allclose(
            Preprocessor.fit(X, kind).transform(X), whole[kind], rtol=1e-5, atol=1e-5
        )


def test_large_offsets_do_not_cost_the_variance() -> None:
    # 1e6 +- 1 in float32: a one-pass variance in float32 would be noise.
    X = (1_000_000 + np.tile([-1, 1], 50))[:, None].astype(np.float32)
    out = Preprocessor.fit(X, "standardize").transform(X)
    np.testing.assert_array_equal(np.abs(out), 1)


@pytest.mark.parametrize(
    ("X", "request_", "words"),
    [
        (np.ones((3, 2)), {"variance": 0.0}, "variance is"),
        (np.ones((3, 2)), {"variance": 1.5}, "variance is"),
        (np.ones((0, 2)), {}, "shape (0, 2)"),
        (np.ones(3), {}, "shape (3,)"),
        (np.full((3, 1), np.nan), {"categories": {0: ("a",)}}, "no column has a value"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    X: np.ndarray, request_: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Preprocessor.fit(X, "pca", **request_)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_an_unknown_kind_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'zero-centre'"):
        Preprocessor.fit(np.ones((2, 2)), "zero-center")


@pytest.mark.parametrize("shape", [(5, 3), (2,)])
def test_other_columns_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="fitted on 2 columns"):
        Preprocessor.fit(np.eye(2), "none").transform(np.ones(shape))


class TestDamagedState:
    def state(self) -> dict[str, np.ndarray]:
        return Preprocessor.fit(correlated(20, 3), "pca").state()

    def test_a_missing_array_is_named(self) -> None:
        state = self.state()
        del state["mean"]
        with pytest.raises(DataError, match="no array 'mean'"):
            Preprocessor.from_state(state)

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": np.array("none")},
            {"kind": np.array("magic")},
            {"scale": np.ones(2)},
            {"mean": np.ones((3, 1))},
            {"impute": np.ones(3, dtype=np.float64)},
            {"source": np.array([0, 1, 9])},
            {"components": np.ones((2, 3))},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_arrays_that_do_not_fit_are_refused(self, change: dict[str, np.ndarray]) -> None:
        with pytest.raises(DataError, match="does not fit together"):
            Preprocessor.from_state({**self.state(), **change})


def test_a_preprocessor_is_frozen() -> None:
    preprocessor = Preprocessor.fit(np.eye(3), "none")
    with pytest.raises(AttributeError):
        preprocessor.kind = "pca"  # type: ignore[misc]
    assert replace(preprocessor, kind="zero-centre").kind == "zero-centre"


@pytest.mark.parametrize("kind", KINDS)
def test_a_category_that_the_training_part_lacks_gives_no_input(kind: str) -> None:
    X = np.array([[1.0, np.nan, 3.0], [2.0, np.nan, 5.0], [4.0, np.nan, 4.0]], dtype=np.float32)
    fitted = Preprocessor.fit(X, kind, categories={1: ("a", "b")})
    assert fitted.n_features_out == 2
    seen = np.array([[1.0, 0.0, 3.0]], dtype=np.float32)
    np.testing.assert_array_equal(fitted.transform(seen), fitted.transform(X[:1]))


class TestQuantile:
    def test_within_it_agrees_with_scikit_learn(self) -> None:
        rng = np.random.default_rng(0)
        X = np.exp(2 * rng.normal(size=(3000, 2))).astype(np.float32)
        X[:, 1] = np.floor(X[:, 1])  # with ties
        fitted = Preprocessor.fit(X, "quantile")
        ours = fitted.transform(X) * fitted.scale + fitted.mean
        theirs = QuantileTransformer(output_distribution="normal").fit_transform(X)
        inner = np.abs(theirs) < 2.5
        np.testing.assert_allclose(ours[inner], theirs[inner], atol=0.03)

    @given(X=matrices)
    def test_it_keeps_the_order_and_standardizes(self, X: np.ndarray) -> None:
        out = Preprocessor.fit(X, "quantile").transform(X)
        for j in range(X.shape[1]):
            order = np.argsort(X[:, j], kind="stable")
            rises, steps = np.diff(X[order, j]) > 0, np.diff(out[order, j])
            assert (steps[rises] > 0).all()
            assert (steps[~rises] == 0).all()
        np.testing.assert_allclose(out.mean(axis=0, dtype=np.float64), 0, atol=1e-5)

    def test_a_tail_is_drawn_in_and_new_values_stay_within(self) -> None:
        X = np.array([[0.0], [1], [2], [3], [1e30]], dtype=np.float32)
        fitted = Preprocessor.fit(X, "quantile")
        out = fitted.transform(np.array([[-1e38], [0], [2], [1e30], [3e38], [np.nan]], np.float32))
        np.testing.assert_allclose(out[:, 0], [-1.46, -1.46, 0, 1.46, 1.46, 0], atol=0.01)

    def test_missing_values_have_no_rank(self) -> None:
        X = np.arange(9, dtype=np.float32)[:, None]
        gaps = np.vstack([X, np.full((90, 1), np.nan, np.float32)])
        first, second = (Preprocessor.fit(rows, "quantile") for rows in (X, gaps))
        np.testing.assert_array_equal(first.to, second.to)
        assert np.isfinite(second.transform(gaps)).all()

    def test_many_columns_have_fewer_points(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hpsearch.data.preprocessing.KNOT_CELLS", 100)
        X = correlated(400, 5)
        assert len(Preprocessor.fit(X, "quantile").at) == 5 * 20

    @pytest.mark.parametrize(
        "change",
        [
            {"start": np.array([0, 1, 99])},
            {"start": np.array([1, 4, 8])},
            {"at": np.zeros(8)},
            {"at": np.arange(7.0)},
            {"to": np.full(8, np.nan)},
            {"to": np.zeros(8, np.float32)},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_damaged_curves_are_refused(self, change: dict[str, np.ndarray]) -> None:
        X = np.array([[3, 1], [1, 5], [2, 8], [9, 2]], dtype=np.float32)
        state = Preprocessor.fit(X, "quantile").state()
        Preprocessor.from_state(state)
        with pytest.raises(DataError, match="does not fit together"):
            Preprocessor.from_state({**state, **change})


class TestRobust:
    def test_a_normal_column_is_nearly_standardized(self) -> None:
        X = (5 + 3 * np.random.default_rng(0).normal(size=(4000, 1))).astype(np.float32)
        X[:100] = 1e6
        out = Preprocessor.fit(X, "robust").transform(X)[100:, 0]
        z = (X[100:, 0] - 5) / 3
        np.testing.assert_allclose(out, z / np.sqrt(1 + (z / 3) ** 2), atol=0.1)

    @given(X=matrices)
    def test_nothing_is_farther_out_than_three(self, X: np.ndarray) -> None:
        fitted = Preprocessor.fit(X, "robust")
        assert np.abs(fitted.transform(X)).max() <= 3
        assert np.abs(fitted.transform(1e30 * X)).max() <= 3

    def test_a_column_whose_middle_half_is_one_value(self) -> None:
        X = np.array([[0.0], [0], [0], [0], [10]], dtype=np.float32)
        out = Preprocessor.fit(X, "robust").transform(X)[:, 0]
        np.testing.assert_allclose(out, [0, 0, 0, 0, 2 / np.sqrt(1 + 4 / 9)], rtol=1e-6)

    def test_categories_are_standardized(self) -> None:
        both = [Preprocessor.fit(mixed(), k, categories=COLOURS) for k in ("robust", "standardize")]
        one, other = (fitted.transform(mixed())[:, 1:3] for fitted in both)
        np.testing.assert_array_equal(one, other)
