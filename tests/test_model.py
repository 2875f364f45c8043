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
from hpsearch.model import Model
from hpsearch.nn import Network, NetworkConfig

CONFIGS = [
    NetworkConfig(hidden_layer_sizes=()),
    NetworkConfig(hidden_layer_sizes=(5,), activation="prelu"),
    NetworkConfig(hidden_layer_sizes=(4, 3), activation="maxout", batch_norm=True, dropout=0.3),
]


def make(config: NetworkConfig = CONFIGS[1], kind: str = "standardize") -> Model:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3)).astype(np.float32)
    X[:, 2] = rng.integers(0, 2, 30)
    X[3, 0] = np.nan
    categories = {2: ("no", "yes")}
    preprocessor = Preprocessor.fit(X, kind, categories=categories)
    network = Network(preprocessor.n_features_out, 2, config, rng=rng)
    origin = {"study": "s", "validation_accuracy": 0.5}
    return Model(
        config, network.state(), preprocessor, ("ham", "späm"), ("a", "b", "c"), categories, origin
    )


X = np.array([[0.1, 0.2, 1.0], [np.nan, 3.0, np.nan]], dtype=np.float32)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.activation)
@pytest.mark.parametrize("kind", ["none", "standardize", "whiten"])
def test_a_model_predicts_the_same_after_the_file(
    tmp_path: Path, config: NetworkConfig, kind: str
) -> None:
    model = make(config, kind)
    again = Model.load(model.save(tmp_path / "m.npz"))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.network == model.network
    assert again.classes == ("ham", "späm")
    assert again.categories == {2: ("no", "yes")}
    assert again.origin == model.origin
    assert set(again.predict(X)) <= {"ham", "späm"}


def test_the_file_holds_no_pickles(tmp_path: Path) -> None:
    with np.load(make().save(tmp_path / "m.npz"), allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


def test_a_wrong_number_of_columns_is_a_sentence() -> None:
    with pytest.raises(DataError, match="reads 3 columns"):
        make().predict_proba(X[:, :2])


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write the model"):
        make().save(tmp_path / "no" / "m.npz")
    assert not list(tmp_path.iterdir())


def rewritten(change: dict[str, object]) -> bytes:
    """A model file with some members replaced."""
    with np.load(io.BytesIO(make().to_bytes())) as archive:
        arrays = {name: archive[name] for name in archive.files}
    about = json.loads(arrays["about"].tobytes())
    for key, value in change.items():
        if key in arrays:
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


HOSTILE = {
    "empty": lambda: b"",
    "text": lambda: b"not a model",
    "truncated": lambda: make().to_bytes()[:-200],
    "cut in the middle": lambda: make().to_bytes()[:300],
    "pickle inside": pickled,
    "claims gigabytes": bomb,
    "another zip": lambda: rewritten({"about": np.zeros(3, np.uint8)}),
    "unknown activation": lambda: rewritten({"network": {"activation": "evil"}}),
    "unknown setting": lambda: rewritten({"network": {"colour": 1}}),
    "other layers": lambda: rewritten({"network": {"hidden_layer_sizes": [7, 7]}}),
    "fewer classes": lambda: rewritten({"classes": ["only"]}),
    "newer": lambda: rewritten({"format": 99}),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_model_gets_a_sentence(tmp_path: Path, content: object) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(content())  # type: ignore[operator]
    with pytest.raises(DataError, match=r"m\.npz"):
        Model.load(path)


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read the model"):
        Model.load(tmp_path / "none.npz")
