"""Whatever happens to the bytes of a file, it is read or refused in one sentence."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpsearch.data import load_dataset
from hpsearch.errors import DataError


def _csv() -> bytes:
    rows = "".join(f"{i},{i % 3},{'ab'[i % 2]},w{i % 4}\n" for i in range(30))
    return ("p,q,y,w\n" + rows).encode()


def _npz() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, X=np.arange(60.0).reshape(30, 2), y=np.arange(30) % 2)
    return stream.getvalue()


def _parquet() -> bytes:
    stream = io.BytesIO()
    columns = {"p": list(range(30)), "w": [f"w{i % 4}" for i in range(30)], "y": list("ab" * 15)}
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


CASES = {"t.csv": (_csv(), "y"), "t.npz": (_npz(), None), "t.parquet": (_parquet(), "y")}
pieces = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([b",", b"\n", b'"', b"\r", b"nan", b"inf", b"1e400", b";", b"\xff", b"?"]),
)


@pytest.mark.parametrize("name", CASES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1), removed=st.integers(0, 20), inserted=pieces, kept=st.floats(0, 1))
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, name: str, at: float, removed: int, inserted: bytes, kept: float
) -> None:
    content, target = CASES[name]
    start = int(at * len(content))
    damaged = content[:start] + inserted + content[start + removed :]
    # One in two files is cut off as well.
    file = tmp_path / name
    file.write_bytes(damaged if kept > 0.5 else damaged[: int(2 * kept * len(damaged))])
    try:
        data = load_dataset(path=file, target=target)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017
        assert len(str(error)) < 600  # noqa: PT017
    else:
        assert not np.isinf(data.X).any()
        assert len(data.X) == len(data.y)
        assert len(data.classes) >= 2
