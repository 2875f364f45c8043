"""What a user reads of rows and columns: in check, run, best and predict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpsearch.cli.app import run

pytestmark = pytest.mark.slow

STUDY = """
name = "mess"
[data]
path = "mess.csv"
target = "country"
exclude = ["note"]
[model]
width = 8
depth = 1
[training]
epochs = 2
[search]
strategy = "random"
trials = 2
"""


def mess(rows: int = 90) -> str:
    """A table with a row number, an identifier, dates, prices, gaps and a country called NA."""
    lines = [",id,when,price,size,temp,planet,note,country"]
    for i in range(rows):
        country = ("DE", "FR", "NA")[i % 3] if i % 30 else ""
        temp = -999 if i % 15 == 1 else 10 + i % 7
        planet = ("Earth", "Venus", "")[i % 3 if i % 2 else i % 2]
        lines.append(
            f'{i},p{i:04}x,2024-{i % 12 + 1:02}-03,"$1,{i % 90 + 10}0.50","{i % 13},5",'
            f"{temp},{planet},n{i % 4},{country}"
        )
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table, its study, and the study's finished search."""
    folder = tmp_path_factory.mktemp("mess")
    (folder / "mess.csv").write_text(mess())
    (folder / "mess.toml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["run", "mess.toml", "--workers", "1", "--no-check"]) == 0
        assert run(["best", "mess", "--export", "model.npz"]) == 0
    return folder


@pytest.fixture(autouse=True)
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")


TOLD = [
    "mess.csv: read 90 rows of 8 columns and the target",
    "kept: 87 rows of 5 columns, 8 inputs",
    "left out: 3 rows without a label in 'country'",
    "'note' (excluded)",
    "'unnamed_1' (no name, and the numbers of the rows)",
    "'id' (87 distinct texts in 87 rows, an identifier)",
    "'when' (month, weekday, days since 2000)",
    "'price' (\"$1,110.50\" as 1110.5)",
    "'size' (\"1,5\" as 1.5)",
    "of no category: 'planet'",
    "may mean missing: 'temp' (-999 in 6 rows)",
    "30 rows have the label 'NA', kept as a class",
]


def test_check_begins_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    run(["check", "mess.toml"])
    out = capsys.readouterr().out
    head, table = out.split("Checks before learning")
    words = " ".join(head.split())
    for told in TOLD:
        assert told in words
    assert all(len(line) <= 80 for line in out.splitlines())
    assert len(head.splitlines()) < 20
    assert "3 rows without a label" in " ".join(table.split())
    run(["check", "mess.toml", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert set(document["account"]["columns_dropped"]) == {"note", "unnamed_1", "id"}
    assert {"missing values", "codes for missing values"} <= {c["name"] for c in document["checks"]}


def test_run_begins_with_it_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "mess.toml", "--workers", "1", "--no-check", "--storage", "other.db", "--json"]
    assert run(words) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["data"]["account"]["rows_dropped"] == {"without a label in 'country'": 3}
    together = " ".join(err.split())
    for told in TOLD:
        assert told in together
    assert err.startswith("mess.csv: read 90 rows")


def test_best_carries_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["best", "mess", "--json"]) == 0
    account = json.loads(capsys.readouterr().out)["data"]["account"]
    assert (account["rows_read"], account["rows"], account["inputs"]) == (90, 87, 8)
    assert account["columns_dropped"]["id"].endswith("an identifier")


def test_another_list_of_excluded_columns_is_other_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("more.toml").write_text(STUDY.replace('["note"]', '["note", "temp"]'))
    assert run(["run", "more.toml", "--workers", "1"]) == 2
    err = capsys.readouterr().err
    assert "data.exclude was ['note'] and is ['note', 'temp']" in err


def predicted(capsys: pytest.CaptureFixture[str], text: str, *words: str) -> tuple[str, list[str]]:
    Path("rows.csv").write_text(text)
    capsys.readouterr()
    assert run(["predict", "model.npz", "rows.csv", *words]) == 0
    out, err = capsys.readouterr()
    return out, err.splitlines()


HEAD = "when,price,size,temp,planet\n"


def test_predict_says_nothing_of_ordinary_rows(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = predicted(capsys, HEAD + 'Mar 3 2024,"$1,200.00","3,5",12,Earth\n,1300,4,14,\n')
    assert err == []
    assert len(out.splitlines()) == 3


def test_predict_counts_what_is_unlike_the_training_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [
        '2024-02-03,"$1,200.00","3,5",12,Mars',
        '2024-02-03,"$1,200.00","3,5",12,Mars',
        '2024-02-03,"$1,200.00","3,5",12,Pluto',
        '2024-02-03,"$120,000.00","350,0",12,Earth',
        '2024-02-03,"$1,200.00",-99999,12,Venus',
        ",,,,",
    ]
    out, err = predicted(capsys, HEAD + "\n".join(rows) + "\n")
    assert len(out.splitlines()) == 7
    unseen, empty, price, size = err
    assert unseen.startswith("3 rows of 'planet': 'Mars' (2), 'Pluto' (1) are new to the model")
    assert empty.startswith("1 row has no value")
    assert "row 6" in empty
    assert price.startswith("1 row of 'price': far outside")
    assert size.startswith("2 rows of 'size': far outside of what the model learned from, 0.5 to")
    assert size.endswith("-99999")
    as_json, _ = predicted(capsys, HEAD + "\n".join(rows) + "\n", "--json")
    assert len(json.loads(as_json)) == 6


def test_a_decimal_comma_is_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    """Alone, 3,500 would be three thousand and a half."""
    point, _ = predicted(capsys, HEAD + "2024-02-03,1200,3.5,12,Earth\n")
    comma, told = predicted(capsys, HEAD + '2024-02-03,1200,"3,500",12,Earth\n')
    assert comma == point
    assert told == []


def test_a_finished_study_that_is_run_again_tells_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"id{n},{n % 5},k{n % 2}\n" for n in range(80))
    (tmp_path / "t.csv").write_text("id,x,kind\n" + rows)
    (tmp_path / "s.toml").write_text(
        'name = "s"\n[data]\npath = "t.csv"\ntarget = "kind"\n[training]\nepochs = 1\n'
        '[search]\nstrategy = "random"\ntrials = 2\n'
    )
    monkeypatch.chdir(tmp_path)
    accounts = []
    for _ in range(2):
        assert run(["run", "s.toml", "-w", "1", "--no-check"]) == 0
        err = capsys.readouterr().err
        accounts.append(err[: err.index("\ns  ")])
    assert "finished already" in err
    assert accounts[0] == accounts[1]
    assert "'id'" in accounts[0]
