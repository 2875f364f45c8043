"""The command line as a person meets it: what is printed where, and the exit codes."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from hpsearch import study_file
from hpsearch.cli.app import run
from hpsearch.cli.render import next_text
from hpsearch.engine.summary import Summary
from hpsearch.study_file import load_study_file

STUDY = """
name = "{name}"
[data]
name = "iris"
[model]
width = {{ low = 4, high = 16 }}
[training]
epochs = 4
[search]
trials = {trials}
"""


class Shell:
    """Runs commands in a folder of their own and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        try:
            code = run(list(words))
        except SystemExit as left:
            code = int(left.code or 0)
        out, err = self.capsys.readouterr()
        return code, out, err


@pytest.fixture
def shell(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return Shell(capsys)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study file, and its finished study in the default database."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "flowers.toml").write_text(STUDY.format(name="flowers", trials=12))
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert run(["run", "flowers.toml", "--workers", "1"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def there(finished: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(finished)
    return shell


class TestRun:
    def test_it_prints_the_story_within_80_columns(self, there: Shell) -> None:
        code, out, err = there("run", "flowers.toml")
        assert code == 0
        for words in ("coarse", "Best trials", "Winner", "test accuracy", "95% interval", "Next"):
            assert words in out
        assert "hpsearch best flowers --export model.npz" in out
        assert all(len(line) <= 80 for line in out.splitlines())
        assert "finished already" in err
        assert "\x1b[" not in out + err

    def test_progress_is_quiet_lines_in_a_pipe(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "s.toml").write_text(STUDY.format(name="s", trials=3))
        code, _, err = shell("run", "s.toml", "--workers", "1")
        assert code == 0
        assert err.startswith("iris: 150 rows of 4 columns and the target, all kept, 4 inputs\n")
        assert "s  96 rows to train, 24 to validate, 30 to test" in err
        assert "s  coarse: 3 trials of 4 epochs" in err

    def test_json_is_one_document_on_standard_output(self, there: Shell) -> None:
        code, out, _ = there("run", "flowers.toml", "--json")
        assert code == 0
        document = json.loads(out)
        assert document["study"] == "flowers"
        assert 0 < document["test"] <= 1
        assert document["test_interval"][0] < document["test"]
        assert document["trials"] == 12
        assert document["stages"][0]["name"] == "coarse"
        assert {"validation", "best", "seconds"} <= set(document)

    def test_another_name_and_seed(self, there: Shell) -> None:
        words = ["run", "flowers.toml", "--name", "again", "--seed", "5"]
        code, out, err = there(*words, "--storage", "other.db", "--json")
        assert code == 0, err
        assert json.loads(out)["study"] == "again"
        assert Path("other.db").exists()

    def test_a_shipped_study_is_known_by_its_name(self, shell: Shell) -> None:
        code, out, _ = shell("check", "digits", "--json")
        assert code == 0
        document = json.loads(out)
        assert len(document["checks"]) >= 4
        assert document["account"]["rows"] == document["account"]["rows_read"] == 1797


class TestLook:
    def test_studies(self, there: Shell) -> None:
        code, out, _ = there("studies")
        assert code == 0
        assert "flowers" in out
        assert "guided" in out
        code, out, _ = there("studies", "--json")
        assert [s["study"] for s in json.loads(out)][:1] == ["flowers"]

    def test_trials(self, there: Shell) -> None:
        code, out, _ = there("trials", "flowers", "--top", "3")
        assert code == 0
        assert "3 of 12 trials" in out
        code, out, _ = there("trials", "flowers", "--json")
        rows = json.loads(out)
        assert len(rows) == 12
        scores = [row["score"] for row in rows]
        assert scores == sorted(scores, reverse=True)
        assert set(rows[0]["configuration"]) == {"learning_rate", "decay", "l2", "width", "depth"}
        evidence = rows[-1]["diagnosis"] | rows[-1]["hints"]
        assert all(isinstance(words, str) for words in evidence.values())
        assert any(row["diagnosis"] for row in rows), "four epochs are few for such rates"

    def test_no_trials_of_a_state(self, there: Shell) -> None:
        assert "has no such trials" in there("trials", "flowers", "--state", "running")[1]

    def test_best_and_predict(self, there: Shell) -> None:
        code, out, err = there("best", "flowers", "--export", "model.npz")
        assert code == 0
        assert "Winner" in out
        assert "wrote model.npz" in err
        from hpsearch.data import load_dataset

        data = load_dataset("iris")
        header = ",".join(data.feature_names)
        np.savetxt("rows.csv", data.X[::10], delimiter=",", header=header, comments="")
        code, out, _ = there("predict", "model.npz", "rows.csv")
        assert code == 0
        lines = out.splitlines()
        assert lines[0] == "row,label,probability"
        assert len(lines) == 16
        right = [line.split(",")[1] for line in lines[1:]] == np.asarray(data.classes)[data.y[::10]]
        assert right.mean() > 0.6
        code, out, _ = there("predict", "model.npz", "rows.csv", "--probabilities", "--json")
        rows = json.loads(out)
        assert len(rows) == 15
        assert isinstance(rows[0]["probability"], float)
        assert sum(v for k, v in rows[0].items() if k.startswith("p(")) == pytest.approx(
            1, abs=1e-5
        )
        code, out, err = there("predict", "model.npz", "rows.csv", "-o", "labels.csv")
        assert (code, out) == (0, "")
        assert Path("labels.csv").read_text().splitlines() == lines

    def test_an_ensemble_is_shown_kept_and_predicts(self, there: Shell) -> None:
        shutil.copy("hpsearch.db", "copy.db")
        words = ["best", "flowers", "--ensemble", "2", "--storage", "copy.db", "--workers", "1"]
        code, out, err = there(*words, "--export", "both.npz")
        assert code == 0, err
        assert "Winner" in out
        assert re.search(r"Ensemble  2 of \d raced configurations, averaged", out)
        assert "the test part was used 2 times" in out
        assert re.search(r"The ensemble is (not )?better|which may be chance", out)
        assert "training 2 of them on training and validation data" in err
        assert "wrote both.npz" in err
        assert all(len(line) <= 80 for line in out.splitlines())
        assert there(*words)[1:] == (out, "")  # nothing is trained again
        document = json.loads(there(*words, "--json")[1])
        assert document["study"] == "flowers"
        assert document["tests"] == 2
        ensemble = document["ensemble"]
        assert len(ensemble["members"]) == 2
        assert ensemble["test_interval"][0] < ensemble["test"]
        assert ensemble["single_test"] == document["test"]
        from hpsearch.data import load_dataset

        data = load_dataset("iris")
        header = ",".join(data.feature_names)
        np.savetxt("rows.csv", data.X[::10], delimiter=",", header=header, comments="")
        code, out, _ = there("predict", "both.npz", "rows.csv")
        assert (code, len(out.splitlines())) == (0, 16)
        code, _, err = there(*[word.replace("2", "99") for word in words])
        assert code == 0
        assert "configurations to average, not 99" in err

    @pytest.mark.parametrize(
        ("words", "code", "sentence"),
        [
            (["flowers", "--ensemble", "0"], 2, "--ensemble"),
            (["flowers", "--ensemble", "some"], 2, "--ensemble"),
            (["flower", "--ensemble", "2"], 2, "did you mean 'flowers'?"),
        ],
    )
    def test_no_ensemble_comes_of_wrong_use(
        self, there: Shell, words: list[str], code: int, sentence: str
    ) -> None:
        got, out, err = there("best", *words)
        assert (got, out) == (code, "")
        assert sentence in err

    def test_best_as_json(self, there: Shell) -> None:
        document = json.loads(there("best", "flowers", "--json")[1])
        assert document["best"]


class TestFiles:
    def test_init_writes_a_study_that_runs(self, shell: Shell) -> None:
        code, _, err = shell("init", "mine.toml", "--data", "iris")
        assert code == 0
        assert "hpsearch run mine.toml" in err
        text = Path("mine.toml").read_text().replace("# trials = 60 ", "trials = 2 #")
        text = text.replace("# epochs = 20 ", "epochs = 2 #")
        Path("mine.toml").write_text(text)
        assert shell("run", "mine.toml", "-w", "1", "--json")[0] == 0

    def test_init_never_replaces_a_file_unasked(self, shell: Shell) -> None:
        Path("mine.toml").write_text("precious")
        code, _, err = shell("init", "mine.toml")
        assert code == 2
        assert "--force replaces it" in err
        assert Path("mine.toml").read_text() == "precious"
        assert shell("init", "mine.toml", "--force")[0] == 0

    @pytest.mark.parametrize(
        ("file", "place", "header", "words"),
        [
            ("table.csv", "study.toml", "a,b,label", []),
            ("table.csv", "study.toml", "a,b,Class", []),
            ("table.csv", "study.toml", "target,a,b", []),
            ("table.csv", "study.toml", "a,b,species", ["--target", "species"]),
            ("table.csv", "study.toml", "y,label,b", ["--target", "y"]),
            ("table.tsv", "study.toml", "a\tb\ty", []),
            ("table.csv.gz", "study.toml", "a,b,y", []),
            ("table.parquet", "study.toml", "a,b,y", []),
            ("arrays.npz", "study.toml", "", []),
            ("arrays.npz", "study.toml", "", ["--target", "y"]),
            ("in/a folder/my table.csv", "my study.toml", "a,b,y", []),
            ("table.csv", "other/place/study.toml", "a,b,y", []),
            ("in/table.csv", "other/study.toml", "a,b,y", []),
            ('tab\'le "q" \\ \x7f größe 日本.csv', "study.toml", "a,b,y", []),
            ("iris.csv", "study.toml", 'a,"b ""c"", [d]",y', []),
            ("{here}/in/table.csv", "other/study.toml", "a,b,y", []),
        ],
    )
    def test_what_init_writes_loads(
        self, shell: Shell, file: str, place: str, header: str, words: list[str]
    ) -> None:
        from hpsearch.study_file.data import study_data

        file = file.replace("{here}", str(Path.cwd()))
        for path in (Path(file), Path(place)):
            path.parent.mkdir(parents=True, exist_ok=True)
        self.write(Path(file), header)
        code, _, err = shell("init", place, "--data", file, *words)
        assert code == 0, err
        study = load_study_file(place)
        dataset, _ = study_data(study.data, study.seed)
        assert dataset.X.shape == (60, 2)
        assert Path(study.data.path or "").resolve() == Path(file).resolve()
        assert shell("check", place)[0] in (0, 1)

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["--data", "nothere.csv"], "there is no file nothere.csv"),
            (["--data", "tabel.csv"], "did you mean 'table.csv'?"),
            (["--data", "no/folder/table.csv"], "nor its folder no/folder"),
            (["--data", "."], "is a folder; name a file in it"),
            (["--data", "folder"], "is a folder; name a file in it"),
            (["--data", "table.xls"], "data files end in .csv"),
            (["--data", "table"], "data files end in .csv"),
            (["--data", "digit"], "did you mean 'digits'?"),
            (["--data", "openml:iris"], "write openml: and the data set's number"),
            (["--data", "iris", "--target", "species"], "iris knows its target"),
            (["--data", "cifar-10", "--target", "y"], "cifar-10 knows its target"),
            (
                ["--data", "table.csv"],
                "which column is to be learned? Name it with --target: a, b, species",
            ),
            (["--data", "two.csv"], "Name it with --target: a, label, y"),
            (["--data", "table.csv", "--target", "specie"], "did you mean 'species'?"),
            (["--data", "table.csv", "--target", "label"], "Columns: a, b, species."),
            (["--data", "arrays.npz", "--target", "label"], "keeps its labels in the array y"),
            (["--data", "noy.npz"], "has no array 'y'"),
            (["--data", "damaged.npz"], "is not an npz archive"),
            (["--data", "empty.csv", "--target", "y"], "is empty"),
            (["--data", "one.csv"], "at least two classes are needed"),
            (["--data", "table\udcff.csv"], "is not UTF-8"),
            (["--data", "x" * 300], "unknown data set"),
            (["--data", f"{'x' * 300}.csv"], "File name too long"),
        ],
    )
    def test_init_refuses_what_could_not_run(
        self, shell: Shell, words: list[str], sentence: str
    ) -> None:
        Path("folder").mkdir()
        self.write(Path("table.csv"), "a,b,species")
        self.write(Path("two.csv"), "a,label,y")
        self.write(Path("arrays.npz"), "")
        for name in ("table", "table.xls", "damaged.npz", "empty.csv"):
            Path(name).touch()
        Path("one.csv").write_text("a,y\n" + "1,x\n2,x\n" * 9)
        np.savez("noy.npz", X=np.eye(3))
        Path("old.toml").write_text("precious")
        for place in (["new.toml"], ["old.toml", "--force"]):
            code, out, err = shell("init", *place, *words)
            assert (code, out) == (2, "")
            assert sentence in " ".join(err.split())
        assert not Path("new.toml").exists()
        assert Path("old.toml").read_text() == "precious"

    @staticmethod
    def write(path: Path, header: str) -> None:
        """Data of 60 rows, two columns and a target, in the format that the suffix says."""
        import gzip

        import pyarrow.csv
        import pyarrow.parquet

        if path.suffix == ".npz":
            X = np.arange(120).reshape(60, 2)
            np.savez(path, X=X, y=X[:, 0] % 3)
            return
        mark = "\t" if path.suffix == ".tsv" else ","
        lines = [header, *(mark.join(str(n * k % 3) for k in (1, 2, 4)) for n in range(60))]
        text = "\n".join(lines).encode()
        if path.suffix == ".parquet":
            table = pyarrow.csv.read_csv(io.BytesIO(text))
            pyarrow.parquet.write_table(table, path)
        else:
            path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)

    def test_schema(self, shell: Shell) -> None:
        code, out, _ = shell("schema")
        assert code == 0
        assert json.loads(out)["title"] == "StudyFile"


BAD = """
name = "bad[er]"
[data]
name = "iris"
[training]
epochs = 2
learning_rate = { low = 1e-8, high = 1e-6, log = true }
[search]
strategy = "random"
trials = 2
"""
TOO_LOW = "fail learning rate: your range 1e-8 to 1e-6 lies below where this network learns"


class TestCheck:
    def test_a_sound_study_is_a_table(self, shell: Shell) -> None:
        code, out, _ = shell("check", "digits")
        assert code == 0
        for word in ("pass", "initial loss", "found", "expected", "ln 10", "Nothing is odd."):
            assert word in out
        assert all(len(line) <= 80 for line in out.splitlines())

    def test_a_fault_is_told_below_the_table_and_in_the_exit_code(self, shell: Shell) -> None:
        Path("bad.toml").write_text(BAD)
        code, out, _ = shell("check", "bad.toml")
        assert code == 1
        assert TOO_LOW in " ".join(out.split())
        assert all(len(line) <= 80 for line in out.splitlines())
        code, out, err = shell("check", "bad.toml", "--json")
        assert (code, err) == (1, "")
        checks = json.loads(out)["checks"]
        [rate] = [check for check in checks if check["name"] == "learning rate"]
        assert rate["verdict"] == "fail"
        assert rate["expected"] == "the study's 1e-8 to 1e-6"

    def test_a_warning_is_no_failure(self, shell: Shell) -> None:
        Path("odd.toml").write_text(
            BAD.replace("low = 1e-8, high = 1e-6", "low = 1e-8, high = 0.1")
            + '[model]\nactivation = "relu"\ninitializer = { choices = ["he", "zeros"] }\n'
        )
        code, out, _ = shell("check", "odd.toml")
        assert code == 0
        assert "warn choices of initializer: zeros would waste trials" in " ".join(out.split())


class TestChecksOfARun:
    @pytest.fixture(autouse=True)
    def bad(self, shell: Shell) -> None:
        Path("bad.toml").write_text(BAD)

    def test_a_new_study_is_told_what_is_odd_and_runs(self, shell: Shell) -> None:
        code, out, err = shell("run", "bad.toml", "-w", "1", "--json")
        assert code == 0
        assert json.loads(out)["trials"] == 2
        lines = err.splitlines()
        [complaint] = [line for line in lines if "learning rate" in line]
        assert complaint.startswith(f"bad[er]  {TOO_LOW}")
        assert "pass" not in err
        # It was checked: neither the finished study nor the one that goes on is again.
        assert TOO_LOW not in shell("run", "bad.toml", "-w", "1")[2]
        Path("bad.toml").write_text(BAD.replace("trials = 2", "trials = 3"))
        code, _, err = shell("run", "bad.toml", "-w", "1")
        assert (code, TOO_LOW in err) == (0, False)

    def test_no_check_skips_them(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr("hpsearch.checks.check_data_and_network")
        code, _, err = shell("run", "bad.toml", "-w", "1", "--no-check")
        assert (code, TOO_LOW in err) == (0, False)

    def test_a_sound_study_says_nothing(self, shell: Shell) -> None:
        Path("s.toml").write_text(STUDY.format(name="s", trials=2))
        code, _, err = shell("run", "s.toml", "-w", "1")
        assert code == 0
        assert "warn" not in err
        assert "fail" not in err


WRONG: dict[str, tuple[list[str], int, str]] = {
    "no such study file": (["run", "digit.toml"], 2, "there is no study file"),
    "no such database": (["studies"], 1, "run a study first"),
    "no such option": (["run", "x.toml", "--wrokers", "2"], 2, "No such option"),
    "no workers": (["run", "x.toml", "--workers", "0"], 2, "workers"),
    "a name of two lines": (["run", "digits", "--name", "a\nb"], 2, r"has the character '\n'"),
    "no name": (["run", "digits", "--name", ""], 2, "--name has 0 characters"),
    "no such command": (["runn"], 2, "No such command"),
    "bad storage": (["studies", "--storage", "redis://x"], 2, "no database URL"),
    "no such model": (["predict", "none.npz", "t.csv"], 2, "cannot read the model"),
    "folder for a study": (["run", "."], 2, "cannot read"),
    "unwritable": (["init", "no/such/folder.toml"], 2, "cannot write"),
}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("hpsearch re", ["report"]),
        ("hpsearch run --w", ["--workers"]),
        ("hpsearch --ver", ["--version"]),
    ],
)
def test_the_shell_completes_commands_and_options(
    line: str, offered: list[str], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_HPSEARCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    code, out, err = shell()
    assert (code, out.split(), err) == (0, offered, "")


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_is_installed_for_a_shell(
    name: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    code, out, _ = shell("--install-completion", name)
    assert code == 0
    assert f"{name} completion installed" in out
    assert any("_HPSEARCH_COMPLETE" in p.read_text() for p in tmp_path.rglob("*") if p.is_file())


@pytest.mark.parametrize(("words", "code", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_wrong_use_is_one_sentence_and_an_exit_code(
    shell: Shell, words: list[str], code: int, sentence: str
) -> None:
    got, out, err = shell(*words)
    assert got == code
    assert sentence in err
    assert out == ""
    assert "Traceback" not in err


def test_errors_in_a_study_name_the_line(shell: Shell) -> None:
    Path("s.toml").write_text('name = "s"\n[data]\nname = "iris"\n[model]\nwidht = 3\n')
    code, _, err = shell("run", "s.toml")
    assert code == 2
    assert "s.toml, line 5: unknown key 'model.widht'; did you mean 'width'?" in err


def test_a_fault_of_ours_is_one_sentence_unless_asked(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("hpsearch.study_file.json_schema", broken)
    code, _, err = shell("schema")
    assert code == 1
    assert "unexpected ZeroDivisionError" in err
    with pytest.raises(ZeroDivisionError):
        run(["schema", "--debug"])


def test_an_unfinished_study_has_no_network_to_export(shell: Shell) -> None:
    import optuna

    from hpsearch.storage import open_storage

    study = optuna.create_study(study_name="raw", storage=open_storage("hpsearch.db"))
    code, out, _ = shell("best", "raw")
    assert code == 0
    assert "No trial is complete yet" in out
    study.add_trial(optuna.create_trial(value=0.5))
    code, _, err = shell("best", "raw", "--export", "m.npz")
    assert code == 1
    assert "was not made by hpsearch, which has no network of it" in err


@pytest.mark.slow
class TestProcesses:
    """What only a real process shows: signals, pipes, start-up."""

    def start(self, *words: str, **kwargs: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "hpsearch", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **kwargs,
        )

    def test_an_interrupted_study_ends_quickly_and_goes_on(self, tmp_path: Path) -> None:
        text = STUDY.format(name="long", trials=400).replace("epochs = 4", "epochs = 100")
        (tmp_path / "long.toml").write_text(text)
        db, kept = tmp_path / "hpsearch.db", 2
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start("run", "long.toml", "--workers", "2", cwd=tmp_path)
            for _ in range(1000):
                time.sleep(0.03)
                if count_trials(db) > kept:
                    break
            process.send_signal(number)
            _, err = process.communicate(timeout=20)
            assert process.returncode == code, err
            assert "Traceback" not in err
            before, kept = kept, count_trials(db)
            assert kept > before

    def test_help_imports_nothing_heavy(self) -> None:
        code = (
            "import sys; from hpsearch.cli import main\n"
            "try: main(['--help'])\n"
            "except SystemExit: pass\n"
            "heavy = {'optuna', 'sklearn', 'pandas', 'plotly', 'scipy', 'sqlalchemy', 'numpy'}\n"
            "print(sorted(heavy & set(sys.modules)))"
        )
        command = [sys.executable, "-c", code]
        out = subprocess.run(command, capture_output=True, text=True, check=True)
        assert out.stdout.splitlines()[-1] == "[]"

    def test_a_pipe_that_closes_early_is_no_error(self, finished: Path) -> None:
        out = subprocess.run(
            f"{sys.executable} -m hpsearch trials flowers --json | head -1",
            shell=True,
            cwd=finished,
            capture_output=True,
            text=True,
        )
        assert out.stdout == "[\n"
        assert "Traceback" not in out.stderr


def count_trials(db: Path) -> int:
    import sqlite3

    try:
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


STORAGES = {
    "default": ("sqlite:///hpsearch.db", "", False),
    "file": ("a b.db", " --storage 'a b.db'", False),
    "no password": ("postgresql://me@h/db", " --storage postgresql://me@h/db", False),
    "password": ("postgresql://me:secret@h/db", " --storage 'postgresql://me:***@h/db'", True),
    "parameter": (
        "postgresql://h/db?user=me&password=secret",
        " --storage 'postgresql://h/db?password=***&user=me'",
        True,
    ),
}


@pytest.mark.parametrize(("storage", "option", "hint"), STORAGES.values(), ids=STORAGES.keys())
def test_the_next_commands_show_no_password(storage: str, option: str, hint: bool) -> None:
    text = next_text(cast("Summary", SimpleNamespace(study="s", model="m")), storage, 200).plain
    assert f"hpsearch trials s{option}  " in text
    assert "secret" not in text
    assert ("PGPASSWORD" in text) == hint


def test_the_next_commands_read_from_where_the_study_is(monkeypatch: pytest.MonkeyPatch) -> None:
    study = cast("Summary", SimpleNamespace(study="s", model="m"))
    url = "http://127.0.0.1:8765"
    there = next_text(study, "", 200, url).plain
    assert f"hpsearch trials s --server {url}  " in there
    assert f"{url}/studies/s  " in there
    assert "--export" not in there
    monkeypatch.setenv("HPSEARCH_SERVER", url)
    assert "hpsearch trials s  " in next_text(study, "", 200, url).plain
    here = next_text(study, "sqlite:///hpsearch.db", 200).plain
    assert "hpsearch trials s --storage sqlite:///hpsearch.db  " in here


def test_what_a_command_is_for_stands_below_it_where_there_is_no_room_beside() -> None:
    study = cast("Summary", SimpleNamespace(study="s", model="m"))
    wide, narrow = (next_text(study, "mine.db", width).plain.splitlines() for width in (90, 80))
    command = "  hpsearch trials s --storage mine.db"
    assert f"{command}                   every trial" in wide
    assert narrow[narrow.index(command) + 1] == "    every trial"


@pytest.mark.parametrize(
    ("failed", "completed", "code"), [(0, 3, 0), (1, 2, 0), (2, 2, 0), (2, 1, 1)]
)
def test_a_run_in_which_more_failed_than_succeeded_is_a_failure(
    there: Shell, monkeypatch: pytest.MonkeyPatch, failed: int, completed: int, code: int
) -> None:
    import hpsearch.engine

    run_study = hpsearch.engine.run_study

    def unlucky(*args: Any, **kwargs: Any) -> Summary:
        states = {"fail": failed, "complete": completed}
        return dataclasses.replace(run_study(*args, **kwargs), states=states)

    monkeypatch.setattr(hpsearch.engine, "run_study", unlucky)
    found, out, err = there("run", "flowers.toml", "--no-check")
    assert found == code
    assert "Best trials" in out
    assert (f"{failed} trials failed" in err) is (code == 1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_a_library_takes_for_its_own_fault_is_no_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    def in_another_language(*_: object) -> None:
        with suppress(KeyboardInterrupt, SystemExit):
            signal.raise_signal(number)
        raise RuntimeError("error building a serializer: KeyboardInterrupt")

    monkeypatch.setattr(study_file, "load_study_file", in_another_language)
    assert run(["check", "digits"]) == code
    assert "fault of hpsearch" not in capsys.readouterr().err
    monkeypatch.setattr(study_file, "load_study_file", lambda _: {}["missing"])
    assert run(["check", "digits"]) == 1  # a signal of before explains no fault of now
