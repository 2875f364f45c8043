"""`hpsearch predict`: what it carries along, what it scores, and what it says of columns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.cli.app import run
from hpsearch.data import Preprocessor, json_lines, tables
from hpsearch.data.target import Scale
from hpsearch.nn import Network, NetworkConfig
from hpsearch.training.model import Member, Model

NAMES = ("age", "size", "colour")
SAMPLES = np.array([[20, 1, 0], [30, 2, 1], [40, 3, 0], [50, 4, 1]], dtype=np.float32)


def model(classes: tuple[str | int, ...] = ("no", "yes"), **origin: object) -> Model:
    preprocessor = Preprocessor.fit(SAMPLES, "standardize", categories={2: ("blue", "red")})
    loss = "cross-entropy" if classes else "squared-error"
    config = NetworkConfig(hidden_layer_sizes=(4,), loss=loss)
    rng = np.random.default_rng(1)
    network = Network(preprocessor.n_features_out, len(classes) or 1, config, rng=rng)
    scale = None if classes else Scale(1000.0, 200.0)
    member = Member(config, network.state(), preprocessor, scale)
    return Model((member,), classes, NAMES, {2: ("blue", "red")}, origin)


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")


TEXT = "colour,id,size,age,answer\nred,p1,2,31,yes\nblue,p2,3,28,no\nred,p3,1,44,\n"


def predicted(
    capsys: pytest.CaptureFixture[str], *words: str, text: str = TEXT, file: str = "t.csv"
) -> tuple[list[str], list[str]]:
    if text:
        Path(file).write_text(text)
    assert run(["predict", "m.npz", file, *words]) == 0
    out, err = capsys.readouterr()
    return out.splitlines(), err.splitlines()


def test_rows_are_numbered_or_columns_carried_along(capsys: pytest.CaptureFixture[str]) -> None:
    model().save("m.npz")
    numbered, told = predicted(capsys)
    assert numbered[0] == "row,label,probability"
    assert [line.split(",")[0] for line in numbered[1:]] == ["1", "2", "3"]
    assert told == ["columns the model does not use are ignored: 'answer', 'id'"]
    kept, told = predicted(capsys, "--keep", "id", "--keep", "size")
    assert kept[0] == "id,size,label,probability"
    assert [line.split(",")[:2] for line in kept[1:]] == [["p1", "2"], ["p2", "3"], ["p3", "1"]]
    assert [line.split(",")[2:] for line in kept[1:]] == [
        line.split(",")[1:] for line in numbered[1:]
    ]
    assert told == ["columns the model does not use are ignored: 'answer'"]


def test_a_kept_column_called_as_ours_is_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    model().save("m.npz")
    text = TEXT.replace("answer", "label")
    out, _ = predicted(capsys, "--keep", "label", "--json", text=text)
    assert list(json.loads("".join(out))[0]) == ["label", "predicted label", "probability"]


def test_an_unknown_column_to_keep_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    model().save("m.npz")
    Path("t.csv").write_text(TEXT)
    assert run(["predict", "m.npz", "t.csv", "--keep", "idd"]) == 2
    assert "did you mean 'id'?" in capsys.readouterr().err


def test_a_missing_column_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    model().save("m.npz")
    Path("t.csv").write_text(TEXT.replace("colour", "color").replace("age", "years"))
    assert run(["predict", "m.npz", "t.csv"]) == 2
    assert "no column 'age', which the model needs, nor 'colour'" in capsys.readouterr().err


def test_rows_with_a_target_are_scored(capsys: pytest.CaptureFixture[str]) -> None:
    model(target="answer", metric="accuracy").save("m.npz")
    out, told = predicted(capsys, "--keep", "id")
    labels = [line.split(",")[1] for line in out[1:]]
    right = np.mean([labels[0] == "yes", labels[1] == "no"])
    assert told == [f"accuracy {right:.4f} on 2 rows with 'answer'"]


@pytest.mark.parametrize("metric", ["log_loss", "roc_auc"])
def test_the_score_is_the_metrics_own(capsys: pytest.CaptureFixture[str], metric: str) -> None:
    from hpsearch.metrics import metric_named

    made = model((0, 1), target="answer", metric=metric)
    made.save("m.npz")
    rng = np.random.default_rng(0)
    X = SAMPLES[rng.integers(0, 4, 50)] + [[0.5, 0, 0]]
    y = rng.integers(0, 2, 50)
    columns = dict(zip(NAMES, X.astype(np.float32).T, strict=True))
    columns["colour"] = np.array(["blue", "red"])[columns["colour"].astype(int)]
    # With a gap, so that pandas writes 1.0 for the class 1.
    pq.write_table(pa.table(columns | {"answer": [*y[:49].astype(float), None]}), "t.parquet")
    _, told = predicted(capsys, file="t.parquet", text="")
    named = metric_named(metric, "classification", 2)
    value = named.value(y[:49], made.predict_proba(X.astype(np.float32)[:49]))
    assert told == [f"{named.title} {named.text(value)} on 49 rows with 'answer'"]


def test_labels_that_are_none_of_the_models_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    model(target="answer", metric="accuracy").save("m.npz")
    text = TEXT.replace("yes", "maybe").replace("no\n", "perhaps\n").replace(",id", ",size2")
    _, told = predicted(capsys, text=text)
    assert told[-1] == (
        "no row is scored: 'answer' has no label that the model knows; 2 rows with another label"
    )


def test_a_quantity_is_predicted_and_scored_in_its_units(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = model((), target="price", metric="rmse")
    made.save("m.npz")
    text = 'age,size,colour,price\n20,1,red,"$1,100.50"\n30,2,blue,-\n40,3,red,$900\n'
    out, [told] = predicted(capsys, text=text)
    assert out[0] == "row,prediction"
    values = [float(line.split(",")[1]) for line in out[1:]]
    np.testing.assert_allclose(
        values, made.predict(np.array([[20, 1, 1], [30, 2, 0], [40, 3, 1]])), rtol=1e-6
    )
    rmse = np.sqrt(np.mean([(values[0] - 1100.5) ** 2, (values[2] - 900) ** 2]))
    assert told == f"RMSE {rmse:.4g} on 2 rows with 'price'"
    assert run(["predict", "m.npz", "t.csv", "--proba"]) == 2
    assert "predicts a quantity" in capsys.readouterr().err


def test_a_target_that_cannot_be_read_keeps_no_one_from_predicting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model((), target="price", metric="rmse").save("m.npz")
    out, [told] = predicted(capsys, text="age,size,colour,price\n20,1,red,cheap\n30,2,blue,dear\n")
    assert len(out) == 3
    assert told.startswith("the predictions are not scored by 'price': ")
    assert "'cheap' is not a number" in told


def test_proba_has_a_column_for_each_class(capsys: pytest.CaptureFixture[str]) -> None:
    model().save("m.npz")
    out, _ = predicted(capsys, "--proba")
    assert out[0] == "row,label,probability,p(no),p(yes)"
    assert predicted(capsys, "--probabilities")[0] == out


@pytest.mark.parametrize("file", ["t.csv", "t.jsonl", "t.parquet"])
def test_pieces_make_no_difference(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """A comma that is a decimal one in the last row is that in the first."""
    model(target="answer", metric="accuracy").save("m.npz")
    ages = [*(f"{n % 40},500" for n in range(3000)), "3,5"]
    labels = ["yes", "no", "no"] * 1000 + ["no"]
    columns = {"colour": ["red"] * 3001, "size": ["2"] * 3001, "age": ages, "answer": labels}
    made = pa.table(columns)
    if file == "t.parquet":
        pq.write_table(made, file)
    elif file == "t.jsonl":
        Path(file).write_text("\n".join(map(json.dumps, made.to_pylist())))
    else:
        made.to_pandas().to_csv(file, index=False)
    expected = predicted(capsys, file=file, text="")
    monkeypatch.setattr(tables, "PIECE_BYTES", 1 << 12)
    monkeypatch.setattr(tables, "PIECE_CELLS", 1)
    monkeypatch.setattr(json_lines, "PIECE", 1 << 12)
    assert predicted(capsys, file=file, text="") == expected
    assert len(expected[0]) == 3002
    point = "age,size,colour\n0.5,2,red\n"
    assert predicted(capsys, text=point)[0][1].split(",")[1:] == expected[0][1].split(",")[1:]


def test_a_file_is_written_whole_or_not_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    model().save("m.npz")
    Path("out.csv").write_text("before")
    Path("t.csv").write_text(TEXT.replace("31", "1e99"))
    assert run(["predict", "m.npz", "t.csv", "-o", "out.csv"]) == 2
    assert Path("out.csv").read_text() == "before"
    assert "row 1 is infinite" in capsys.readouterr().err
    lines, _ = predicted(capsys)
    assert predicted(capsys, "-o", "out.csv")[1][-1] == "wrote 3 labels to out.csv"
    assert Path("out.csv").read_text().splitlines() == lines
    assert sorted(path.name for path in Path().iterdir()) == ["m.npz", "out.csv", "t.csv"]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (("3", "1"), "accuracy {0:.4f} on 2 rows with 'answer', counted by 'count'"),
        (("0", "0"), "no row is scored: all weights in 'count' are 0"),
        (
            ("3", "often"),
            "accuracy {1:.4f} on 2 rows with 'answer', all counted alike: the weights in 'count'",
        ),
    ],
)
def test_rows_count_in_the_score_as_in_the_study(
    capsys: pytest.CaptureFixture[str], weights: tuple[str, str], said: str
) -> None:
    model(target="answer", metric="accuracy", weight="count").save("m.npz")
    rows = zip(TEXT.splitlines(), ["count", *weights, "1"], strict=True)
    text = "".join(f"{line},{weight}\n" for line, weight in rows)
    out, told = predicted(capsys, text=text)
    right = [out[1].split(",")[1] == "yes", out[2].split(",")[1] == "no"]
    weighted = np.average(right, weights=[3, 1])
    assert told[-1].startswith(said.format(weighted, np.mean(right)))
    assert told[0] == "columns the model does not use are ignored: 'id'"
