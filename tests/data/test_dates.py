"""Dates become numbers that a network can use, in training and in prediction."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.data import Dataset, Preprocessor, load_dataset
from hpsearch.data.account import PARTS
from hpsearch.data.dates import as_moments
from hpsearch.data.features import load_features
from hpsearch.data.said import Said
from hpsearch.data.tabular import dataset_from_table
from hpsearch.errors import DataError, UnknownNameError
from hpsearch.nn import Network, NetworkConfig
from hpsearch.training.model import Member, Model

pytestmark = pytest.mark.slow

N = 60
DAYS = [dt.datetime(2023, 11, 5, 7, 30) + i * dt.timedelta(days=5, hours=3) for i in range(N)]


def data_with(column: object, said: Said | None = None) -> Dataset:
    table = pa.table({"x": list(range(N)), "when": column, "y": ["a", "b"] * (N // 2)})
    return dataset_from_table("t", table, "y", said)


def parts_of(text: str) -> dict[str, float]:
    moments = as_moments(pa.array([text]))
    assert moments is not None
    return {part: values[0] for part, values in moments.parts().items()}


@given(moment=st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)))
def test_the_parts_are_those_of_the_calendar(moment: dt.datetime) -> None:
    days = (moment - dt.datetime(2000, 1, 1)) / dt.timedelta(days=1)
    hour = moment.hour + moment.minute / 60 + (moment.second + moment.microsecond / 1e6) / 3600
    expected = (moment.year, moment.month, moment.day, moment.weekday(), hour, days)
    found = as_moments(pa.array([moment], pa.timestamp("us")))
    assert found is not None
    np.testing.assert_allclose(
        [v[0] for v in found.parts().values()], expected, rtol=1e-12, atol=1e-8
    )
    written = parts_of(moment.isoformat())
    np.testing.assert_allclose(list(written.values()), expected, rtol=1e-12, atol=1e-8)


FORMS = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%m/%d/%y",
    "%d-%m-%Y",
    "%d %B %Y",
    "%d-%b-%y",
    "%B %d, %Y",
    "%Y %b %d",
    "%a, %d %b %Y",
]
CLOCKS = ["", " %H:%M", "T%H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", "T%H:%M:%SZ", " %H:%M:%S+02:00"]


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("form", FORMS)
def test_forms_that_people_write(form: str, clock: str) -> None:
    whole = [day.strftime(form + clock) for day in DAYS]
    data = data_with(whole)
    made = dict(zip(data.feature_names, data.X.T, strict=True))
    hours = {day.hour + day.minute / 60 for day in DAYS} if clock else {0}
    assert made["when.year"].tolist() == [day.year for day in DAYS]
    assert made["when.month"].tolist() == [day.month for day in DAYS]
    assert made["when.day"].tolist() == [day.day for day in DAYS]
    assert made["when.weekday"].tolist() == [day.weekday() for day in DAYS]
    assert ("when.hour" in made) == (len(hours) > 1)
    if clock:
        assert set(made["when.hour"].tolist()) == hours


@pytest.mark.parametrize(
    ("text", "year", "month", "day"),
    [
        ("5. März 2024", 2024, 3, 5),
        ("1 août 2024", 2024, 8, 1),
        ("7 de enero de 2024", 2024, 1, 7),
        ("March 3rd, 1999", 1999, 3, 3),
        ("03/2024", 2024, 3, 1),
        ("2024-11", 2024, 11, 1),
        ("Sept. 2024", 2024, 9, 1),
        ("31.12.69", 2069, 12, 31),
        ("31.12.70", 1970, 12, 31),
        ("29.02.2024", 2024, 2, 29),
    ],
)
def test_other_dates(text: str, year: int, month: int, day: int) -> None:
    made = parts_of(text)
    assert (made["year"], made["month"], made["day"]) == (year, month, day)


@pytest.mark.parametrize("text", ["30.02.2024", "2024-13-01", "2024-00-01", "5 Mar", "2024-W05"])
def test_no_dates(text: str) -> None:
    assert np.isnan(list(parts_of(text).values())).all()


def test_times_of_day() -> None:
    data = data_with([f"{i % 24:02}:{i:02}" for i in range(N)])
    assert data.feature_names == ("x", "when.hour")
    assert data.X[30, 1] == 6.5
    assert data_with([dt.time(i % 24, 15) for i in range(N)]).X[1, 1] == 1.25


@pytest.mark.parametrize(
    "column",
    [
        pa.array(DAYS, pa.timestamp("ms")),
        pa.array(DAYS, pa.timestamp("ns", tz="UTC")),
        pa.array([day.date() for day in DAYS], pa.date32()),
        pa.array(DAYS, pa.date64()),
    ],
)
def test_times_of_other_files(tmp_path: Path, column: pa.Array) -> None:
    table = pa.table({"x": list(range(N)), "when": column, "y": ["a", "b"] * (N // 2)})
    pq.write_table(table, tmp_path / "t.parquet")
    data = load_dataset(path=tmp_path / "t.parquet", target="y")
    made = dict(zip(data.feature_names, data.X.T, strict=True))
    assert made["when.month"].tolist() == [day.month for day in DAYS]


def test_durations_are_days() -> None:
    data = data_with(pa.array([dt.timedelta(hours=12 * i) for i in range(N)]))
    assert data.X[:3, 1].tolist() == [0, 0.5, 1]


def test_the_account_says_so() -> None:
    january = [f"2024-01-{i % 28 + 1:02}" for i in range(N)]
    account = data_with(january).divided(np.arange(N)).account
    assert (account.columns, account.inputs) == (2, 4)
    assert account.dates == {
        f"when.{part}": ("when", part, False) for part in ("day", "weekday", "days")
    }
    told = " ".join(account.sentences())
    assert "dates, of which are learned: 'when' (day, weekday, days since 2000)" in told
    constant = data_with(["2024-01-01"] * N).account
    assert constant.columns_dropped == {"when": "the same in every row"}


class TestDoubt:
    def test_which_is_the_month(self) -> None:
        for text, first in (("25/3/2024", True), ("3/25/2024", False)):
            dates = ["3/4/2024", text] * (N // 2)
            data = data_with(dates)
            assert {part[2] for part in data.account.dates.values()} == {first}
            assert ("when.month" in data.feature_names) == first  # 4 and 3, or 3 and 3
            assert data.account.remarks == ()
        [remark] = data_with(["3/4/2024", "5/6/2024"] * (N // 2)).account.remarks
        assert "read with the month first" in remark
        assert data_with(["3.4.2024", "5.6.2024"] * (N // 2)).account.remarks == ()

    def test_slips_are_counted_as_missing(self) -> None:
        dates = [f"2024-{i % 12 + 1:02}-01" for i in range(N)]
        dates[7], dates[8] = "soon", "2024-02-31"
        data = data_with(dates)
        assert np.isnan(data.X[[7, 8], 1]).all()
        assert "'when' has dates, but for 2 values such as 'soon'" in data.account.remarks[0]
        assert data.account.imputed["when.days"] == 2

    def test_a_part_alone_is_left_out(self) -> None:
        dates = [day.isoformat() for day in DAYS]
        data = data_with(dates, Said(exclude=["when.year", "when.days"]))
        assert not {"when.year", "when.days"} & {*data.feature_names, *data.account.dates}
        assert data.account.columns == 2
        whole = data_with(dates, Said(exclude=["when"]))
        assert whole.feature_names == ("x",)
        with pytest.raises(UnknownNameError, match=r"did you mean 'when\.year'"):
            data_with(dates, Said(exclude=["when.yeer"]))


class TestPrediction:
    def made(self, path: Path, column: list[str]) -> tuple[Dataset, Model]:
        rows = zip(range(N), column, ["a", "b"] * (N // 2), strict=True)
        pd.DataFrame(rows, columns=["x", "when", "y"]).to_csv(path / "t.csv", index=False)
        data = load_dataset(path=path / "t.csv", target="y")
        prepared = Preprocessor.fit(data.X, "standardize")
        config = NetworkConfig((4,))
        network = Network(prepared.n_features_out, 2, config, rng=np.random.default_rng(0))
        model = Model(
            (Member(config, network.state(), prepared),),
            data.classes,
            data.feature_names,
            dates=data.account.dates,
        )
        return data, Model.from_bytes(model.to_bytes())

    def test_a_model_makes_them_again(self, tmp_path: Path) -> None:
        data, model = self.made(tmp_path, [day.strftime("%d/%m/%Y %H:%M") for day in DAYS])
        assert model.dates == data.account.dates
        again = load_features(
            tmp_path / "t.csv", model.feature_names, model.categories, dates=model.dates
        )
        assert again.tobytes() == data.X.tobytes()
        told: list[str] = []
        (tmp_path / "n.csv").write_text("when,x\n3/4/2024 10:00,1\nsoon,2\n,3\n")
        new = load_features(
            tmp_path / "n.csv", model.feature_names, {}, dates=model.dates, tell=told.append
        )
        made = dict(zip(model.feature_names, new.T, strict=True))
        assert made["when.month"][0] == 4
        assert np.isnan(made["when.month"][1:]).all()
        assert told == [
            "'when' needs dates, and has 1 value such as 'soon', which count as missing"
        ]

    def test_a_column_without_dates(self, tmp_path: Path) -> None:
        _, model = self.made(tmp_path, [day.isoformat() for day in DAYS])
        (tmp_path / "n.csv").write_text("x\n1\n")
        with pytest.raises(DataError, match="no column 'when', which the model needs"):
            load_features(tmp_path / "n.csv", model.feature_names, {}, dates=model.dates)
        pq.write_table(pa.table({"x": [1], "when": [1.5]}), tmp_path / "n.parquet")
        with pytest.raises(DataError, match="'when' is of type double, and the model needs dates"):
            load_features(tmp_path / "n.parquet", model.feature_names, {}, dates=model.dates)
        pq.write_table(pa.table({"x": [1], "when": pa.nulls(1)}), tmp_path / "n.parquet")
        found = load_features(tmp_path / "n.parquet", model.feature_names, {}, dates=model.dates)
        assert np.isnan(found[0, 1:]).all()


def test_parts_have_names() -> None:
    assert tuple(parts_of("2024-01-01")) == PARTS
