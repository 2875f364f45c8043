"""Model files: what they hold, and what is said of a file that is none."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hpsearch.data import Preprocessor
from hpsearch.errors import DataError, UsageError
from hpsearch.nn import Network, NetworkConfig
from hpsearch.training.model import Member, Model

CONFIGS = [
    NetworkConfig(hidden_layer_sizes=()),
    NetworkConfig(hidden_layer_sizes=(5,), activation="prelu"),
    NetworkConfig(hidden_layer_sizes=(4, 3), activation="maxout", batch_norm=True, dropout=0.3),
]


def member(config: NetworkConfig = CONFIGS[1], kind: str = "standardize", seed: int = 0) -> Member:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 3)).astype(np.float32)
    X[:, 2] = rng.integers(0, 2, 30)
    X[3, 0] = np.nan
    preprocessor = Preprocessor.fit(X, kind, categories={2: ("no", "yes")})
    network = Network(preprocessor.n_features_out, 2, config, rng=rng)
    return Member(config, network.state(), preprocessor)


def make(*members: Member) -> Model:
    origin = {"study": "s", "validation": 0.5}
    return Model(
        members or (member(),), ("ham", "späm"), ("a", "b", "c"), {2: ("no", "yes")}, origin
    )


def ensemble() -> Model:
    return make(*(member(config, "whiten", seed=n) for n, config in enumerate(CONFIGS)))


X = np.array([[0.1, 0.2, 1.0], [np.nan, 3.0, np.nan]], dtype=np.float32)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.activation)
@pytest.mark.parametrize("kind", ["none", "standardize", "robust", "quantile", "whiten"])
def test_a_model_predicts_the_same_after_the_file(
    tmp_path: Path, config: NetworkConfig, kind: str
) -> None:
    model = make(member(config, kind))
    again = Model.load(model.save(tmp_path / "m.npz"))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.members[0].network == config
    assert again.classes == ("ham", "späm")
    assert again.categories == {2: ("no", "yes")}
    assert again.origin == model.origin
    assert set(again.predict(X)) <= {"ham", "späm"}


def test_an_ensemble_averages_the_probabilities_of_its_members(tmp_path: Path) -> None:
    whole = Model.load(ensemble().save(tmp_path / "m.npz"))
    alone = [make(one).predict_proba(X) for one in ensemble().members]
    np.testing.assert_allclose(whole.predict_proba(X), np.mean(alone, axis=0), rtol=1e-6)
    assert not np.allclose(alone[0], alone[1])
    assert [one.network for one in whole.members] == CONFIGS
    assert set(whole.predict(X)) <= {"ham", "späm"}


def test_the_file_holds_no_pickles(tmp_path: Path) -> None:
    with np.load(ensemble().save(tmp_path / "m.npz"), allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


def test_a_wrong_number_of_columns_is_a_sentence() -> None:
    with pytest.raises(DataError, match="reads 3 columns"):
        make().predict_proba(X[:, :2])


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write the model"):
        make().save(tmp_path / "no" / "m.npz")
    assert not list(tmp_path.iterdir())


def rewritten(change: dict[str, object], model: Model | None = None) -> bytes:
    """A model file with some entries replaced, those that are None removed."""
    with np.load(io.BytesIO((model or make()).to_bytes())) as archive:
        arrays = {name: archive[name] for name in archive.files}
    about = json.loads(arrays["about"].tobytes())
    for key, value in change.items():
        if value is None:
            del arrays[key]
        elif key in arrays:
            arrays[key] = np.asarray(value)
        else:
            about[key] = value
    if "about" not in change:
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, about=np.array([{"format": 1}], dtype=object))
    return buffer.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"")
    content = bytearray(buffer.getvalue())
    # The uncompressed size in the central directory claims five gigabytes less one.
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (2**32 - 2).to_bytes(4, "little")
    return bytes(content)


def test_a_file_from_before_there_were_dates_and_curves() -> None:
    model = make()
    with np.load(io.BytesIO(model.to_bytes())) as archive:
        about = json.loads(archive["about"].tobytes())
        assert not [name for name in archive.files if name.endswith(("/start", "/at", "/to"))]
    del about["dates"]
    content = rewritten({"about": np.frombuffer(json.dumps(about).encode(), np.uint8)})
    again = Model.from_bytes(content)
    assert again.dates == {}
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


HOSTILE = {
    "empty": lambda: b"",
    "text": lambda: b"not a model",
    "truncated": lambda: make().to_bytes()[:-200],
    "cut in the middle": lambda: make().to_bytes()[:300],
    "pickle inside": pickled,
    "claims gigabytes": bomb,
    "another zip": lambda: rewritten({"about": np.zeros(3, np.uint8)}),
    "unknown activation": lambda: rewritten({"networks": [{"activation": "evil"}]}),
    "unknown setting": lambda: rewritten({"networks": [{"colour": 1}]}),
    "other layers": lambda: rewritten({"networks": [{"hidden_layer_sizes": [7, 7]}]}),
    "fewer classes": lambda: rewritten({"classes": ["only"]}),
    "other columns": lambda: rewritten({"feature_names": ["a", "b"]}),
    "no network": lambda: rewritten({"networks": []}),
    "more networks than arrays": lambda: rewritten({"networks": [{}, {}]}),
    "a member without its scales": lambda: rewritten({"1/preprocessing/scale": None}, ensemble()),
    "a member without its weights": lambda: rewritten({"2/network/parameters": None}, ensemble()),
    "a member of other shape": lambda: rewritten({"0/network/parameters": [1.0]}, ensemble()),
    "networks that are none": lambda: rewritten({"networks": 3}),
    "no format": lambda: rewritten({"format": "old"}),
    "newer": lambda: rewritten({"format": 99}),
    "older": lambda: rewritten({"format": 2}),
    "without its extremes": lambda: rewritten({"0/preprocessing/low": None}),
    "a format of thousands of digits": lambda: rewritten({"format": 10**4000}),
    "a format that is true": lambda: rewritten({"format": True}),
    "classes that are lists": lambda: rewritten({"classes": [["a"], ["b"]]}),
    "classes that are truth values": lambda: rewritten({"classes": [True, False]}),
    "classes that are a text": lambda: rewritten({"classes": "ab"}),
    "classes that are one": lambda: rewritten({"classes": ["a", "a"]}),
    "columns that are numbers": lambda: rewritten({"feature_names": [1, 2, 3]}),
    "columns that are lists": lambda: rewritten({"feature_names": [["a"], "b", "c"]}),
    "columns that are one": lambda: rewritten({"feature_names": ["a", "a", "b"]}),
    "categories that are numbers": lambda: rewritten({"categories": {"2": [1, 2]}}),
    "categories that are a text": lambda: rewritten({"categories": {"2": "ab"}}),
    "categories of no column": lambda: rewritten({"categories": {"two": ["no", "yes"]}}),
    "dates that are a list": lambda: rewritten({"dates": [1]}),
    "dates of no part": lambda: rewritten({"dates": {"a": ["when", "century", False]}}),
    "dates that are numbers": lambda: rewritten({"dates": {"a": 3}}),
    "an origin that is a list": lambda: rewritten({"origin": []}),
    "a description that is a list": lambda: rewritten({"about": np.frombuffer(b"[]", np.uint8)}),
    "a description of other numbers": lambda: rewritten({"about": np.arange(9.0)}),
    "weights that are no numbers": lambda: rewritten(
        {"0/network/parameters": np.full_like(member().state["parameters"], np.nan)}
    ),
    "weights that are infinite": lambda: rewritten(
        {"0/network/parameters": np.full_like(member().state["parameters"], np.inf)}
    ),
    "weights that are text": lambda: rewritten({"0/network/parameters": np.full(32, "a")}),
    "means that are no numbers": lambda: rewritten({"0/preprocessing/mean": np.full(4, np.nan)}),
    "scales of zero": lambda: rewritten({"0/preprocessing/scale": np.zeros(4)}),
    "a negative variance": lambda: rewritten(
        {"2/network/statistics": np.full(len(ensemble().members[2].state["statistics"]), -1.0)},
        ensemble(),
    ),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_model_gets_a_sentence(tmp_path: Path, content: object) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(content())  # type: ignore[operator]
    with pytest.raises(DataError, match=r"m\.npz"):
        Model.load(path)


def test_a_row_beyond_the_numbers_has_no_answer() -> None:
    model = make(member(NetworkConfig((5,), initializer="large-random"), "none"))
    huge = np.array([[0.1, 0.2, 1.0], [3e38, -3e38, 1.0]], dtype=np.float32)
    model.members[0].state["parameters"][:] *= 1e3  # type: ignore[index]
    with pytest.raises(DataError, match="answer for row 2 is not a number"):
        model.predict_proba(huge)


def test_a_model_that_is_no_file_or_nobodys(tmp_path: Path) -> None:
    for path in ("/dev/zero", tmp_path):
        with pytest.raises(DataError, match="it is no file"):
            Model.load(path)
    with pytest.raises(DataError, match="no home folder of ~nouser-x"):
        Model.load("~nouser-x/m.npz")


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read the model"):
        Model.load(tmp_path / "none.npz")
