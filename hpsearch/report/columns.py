"""All trials of a study as columns, so that thousands of them stay small in a page's document.

Numbers are typed arrays in base64, as Plotly has them in figures; a text is kept once, and what
each trial has is its place in the list of texts. What is missing is nan, or the text at place 0.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NotRequired, TypedDict, final

import numpy as np

from hpsearch.engine.summary import TrialRow
from hpsearch.plots import StudyView
from hpsearch.plots.style import parameter_key
from hpsearch.space import Categorical, Parameter, Value
from hpsearch.training.diagnosis import ADVICE, Name
from hpsearch.wording import why_chosen
from hpsearch.writing import written_out

__all__ = ["Column", "Curves", "Detail", "Found", "Numbers", "Texts", "Trials", "trial_columns"]


@final
class Numbers(TypedDict):
    """Numbers, in the form that Plotly reads: NumPy's name of their type, and bytes in base64."""

    dtype: str
    bdata: str


@final
class Texts(TypedDict):
    """Texts: the different ones, the first of which is empty, and the place of each trial's."""

    texts: list[str]
    codes: Numbers


class Column(TypedDict):
    """What all trials have of one kind.

    Attributes:
        key: by which figures refer to it: "number", "score", "p.NAME" of a parameter.
        name: for the reader; no two columns have the same.
        role: "detail" is shown on demand only.
        type: of the values; "time" is in milliseconds since 1970, as the clock on the wall says.
        log: whether a number is on a logarithmic scale.
    """

    key: str
    name: str
    role: Literal["fact", "score", "parameter", "detail"]
    type: Literal["number", "text", "time"]
    log: bool
    values: Numbers | Texts


class Curves(TypedDict):
    """Curves of all trials, one after the other.

    Attributes:
        lengths: for each trial; 0 for one without.
        steps: where the values were taken; None where every curve counts 1, 2, 3.
        low, high: for each trial with a curve, between which values it lies.
        places: where between them, from 0 to `TOP`; `NOWHERE` for what is no finite number.
    """

    lengths: Numbers
    steps: Numbers | None
    low: Numbers
    high: Numbers
    places: Numbers


class Found(TypedDict):
    """Something that a training shows; see `Finding`."""

    name: Name
    evidence: str
    fault: bool


class Detail(TypedDict):
    """What a trial's own page says besides its columns; each only where there is something."""

    findings: NotRequired[list[Found]]
    why: NotRequired[str]
    log: NotRequired[str]


class Trials(TypedDict):
    """All trials, best first.

    Attributes:
        count: how many.
        winner: number of the trial that stands for the winner.
        best: number of the best trial by its single score, or of the winner; None while there is
            none.
        maximize: whether a higher score is a better one.
        step: what curves of scores are counted in.
        columns: each of `count` values.
        curves: by what they are of.
        details: by the number of the trial.
        left_out: of how many trials the details found no room.
        advice: what helps, by the names of findings.
    """

    count: int
    winner: int | None
    best: int | None
    maximize: bool
    step: str
    columns: list[Column]
    curves: dict[str, Curves]
    details: dict[str, Detail]
    left_out: int
    advice: dict[str, str]


POINTS = 60_000
"""Points of all curves of one kind together, but for the best; regular points of them are kept."""

LONGEST_CURVE = 200
"""Points of one curve at most, and of the best few: a screen shows no more."""

BEST = 100
"""Trials whose curves are kept as a screen shows them."""

TOP, NOWHERE = 65_534, 65_535

ROOM = 300_000
"""Characters of details together; trials that are not complete come first, then the best."""

SHORT = 120
"""Characters of a sentence in a column; the details have it whole."""

WHOLE = 2.0**53
"""Greater whole numbers are texts: JavaScript would round them."""


def trial_columns(view: StudyView) -> Trials:
    """The columns.

    Args:
        view: any study, of hpsearch or of anybody.
    """
    rows, summary = view.trials, view.summary
    details, left_out = _details(rows)
    best = next((r.number for r in rows if r.state == "complete"), None)
    return {
        "count": len(rows),
        "winner": summary.winner,
        "best": best if summary.objectives == 1 else None,
        "maximize": summary.maximize,
        "step": "epoch" if view.settings and summary.resource == "epochs" else "step",
        "columns": _distinct(_columns(view)),
        "curves": _curves(rows, summary.score_name),
        "details": details,
        "left_out": left_out,
        "advice": {
            found["name"]: ADVICE[found["name"]]
            for detail in details.values()
            for found in detail.get("findings", ())
        },
    }


def _columns(view: StudyView) -> list[Column]:
    rows, summary = view.trials, view.summary
    several = summary.objectives > 1
    also = dict.fromkeys(name for row in rows for name in row.also)
    resource = summary.resource or "length"
    columns = [
        _numbers("number", "trial", [r.number for r in rows]),
        _texts("state", "state", [r.state for r in rows]),
        _texts("stage", "stage", [str(r.stage or "") for r in rows]),
        *(
            _numbers(f"value.{k}", f"value {k + 1}", [_at(r.values, k) for r in rows], "score")
            for k in range(summary.objectives if several else 0)
        ),
        *([] if several else [_numbers("score", summary.score_name, _scores(rows), "score")]),
        *(_numbers(f"m.{name}", name, [r.also.get(name) for r in rows]) for name in also),
        *(_parameter(name, p, rows) for name, p in view.parameters.items()),
        _numbers("length", resource, [r.epochs for r in rows]),
        _numbers("seconds", "seconds", _rounded([r.seconds for r in rows])),
        _texts("faults", "faults", [", ".join(r.faults) for r in rows]),
        _texts("why", "why it ended", [_short(r.why) for r in rows], role="detail"),
        _numbers(
            "best_epoch",
            f"best {resource.removesuffix('s')}",
            [r.best_epoch for r in rows],
            "detail",
        ),
        _numbers("seed", "seed", [r.slot.seed if r.slot else None for r in rows], "detail"),
        _texts("worker", "worker", [r.worker for r in rows], role="detail"),
        _times("started", "started", [r.started for r in rows]),
        _texts("chosen", "why it was chosen", [why_chosen(r) for r in rows], role="detail"),
    ]
    return [column for column in columns if column["key"] in NEEDED or _says_something(column)]


NEEDED = ("number", "state", "score")


def _scores(rows: Sequence[TrialRow]) -> list[float | None]:
    """What a pruned trial scored does not count, but is known."""
    return [row.score for row in rows]


def _at(values: Sequence[float], k: int) -> float | None:
    return values[k] if k < len(values) else None


def _rounded(seconds: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if s is None else s for s in seconds], np.float32)


def _short(text: str) -> str:
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def _says_something(column: Column) -> bool:
    """Whether any trial has anything in it."""
    values = column["values"]
    if "codes" in values:
        return bool(_read(values["codes"]).any())
    numbers = _read(values)
    return numbers.size > 0 and not np.isnan(numbers).all()


def _read(numbers: Numbers) -> np.ndarray:
    return np.frombuffer(base64.b64decode(numbers["bdata"]), numbers["dtype"])


def _distinct(columns: Sequence[Column]) -> list[Column]:
    """The columns, those with a name that was there before under their key."""
    seen: set[str] = set()
    named: list[Column] = []
    for column in columns:
        name = column["name"] if column["name"] not in seen else column["key"]
        while name in seen:
            name += "'"
        seen.add(name)
        named.append({**column, "name": name})
    return named


def _parameter(name: str, parameter: Parameter, rows: Sequence[TrialRow]) -> Column:
    values = [row.configuration.get(name, MISSING) for row in rows]
    known = [value for value in values if value is not MISSING]
    if isinstance(parameter, Categorical) or not all(map(_is_number, known)):
        choices = map(str, parameter.choices) if isinstance(parameter, Categorical) else ()
        texts = ["" if value is MISSING else str(value) for value in values]
        return _texts(parameter_key(name), name, texts, choices, role="parameter")
    numbers = [None if value is MISSING else value for value in values]
    return _numbers(parameter_key(name), name, numbers, "parameter", log=parameter.log)


MISSING: Any = object()


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < WHOLE


def _numbers(
    key: str,
    name: str,
    values: Sequence[Any] | np.ndarray,
    role: Literal["fact", "score", "parameter", "detail"] = "fact",
    *,
    log: bool = False,
) -> Column:
    return {
        "key": key,
        "name": written_out(name),
        "role": role,
        "type": "number",
        "log": log,
        "values": packed(values),
    }


def _times(key: str, name: str, moments: Sequence[datetime | None]) -> Column:
    times = [
        np.nan if m is None else m.replace(tzinfo=m.tzinfo or UTC).timestamp() * 1000.0
        for m in moments
    ]
    return {**_numbers(key, name, np.round(np.array(times)), "detail"), "type": "time"}


def _texts(
    key: str,
    name: str,
    values: Sequence[str],
    order: Iterable[str] = (),
    *,
    role: Literal["fact", "parameter", "detail"] = "fact",
) -> Column:
    plain = [written_out(value) for value in values]
    known = dict.fromkeys(("", *map(written_out, order), *plain))
    places = {text: place for place, text in enumerate(known)}
    coded = np.array([places[text] for text in plain], np.uint32)
    return {
        "key": key,
        "name": written_out(name),
        "role": role,
        "type": "text",
        "log": False,
        "values": {"texts": list(known), "codes": packed(coded)},
    }


WHOLE_TYPES = ("u1", "u2", "i4")
"""Of whole numbers, the smallest first; others are of double precision."""


def packed(values: Sequence[Any] | np.ndarray) -> Numbers:
    """Numbers in the smallest type that keeps all of them; None is nan.

    >>> packed([1, 2, 3]), packed([0.5, None])["dtype"]
    ({'dtype': 'u1', 'bdata': 'AQID'}, 'f8')
    """
    if isinstance(values, np.ndarray):
        array = values
    else:
        array = np.array([math.nan if v is None else float(v) for v in values], np.float64)
    if array.dtype.kind in "iu" or (array.dtype == np.float64 and _all_whole(values)):
        whole = array.astype(np.int64)
        ends = whole.min(initial=0), whole.max(initial=0)
        for name in WHOLE_TYPES:
            limits = np.iinfo(name)
            if limits.min <= ends[0] and ends[1] <= limits.max:
                array = whole.astype(name)
                break
        else:
            array = array.astype(np.float64)
    little = array.astype(array.dtype.newbyteorder("<"))
    return {
        "dtype": f"{array.dtype.kind}{array.dtype.itemsize}",
        "bdata": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def _all_whole(values: Sequence[Any] | np.ndarray) -> bool:
    return not isinstance(values, np.ndarray) and all(isinstance(value, int) for value in values)


def _curves(rows: Sequence[TrialRow], score_name: str) -> dict[str, Curves]:
    """Scores by step, and losses by epoch, of the trials that have them."""
    scores = [sorted(row.curve.items()) for row in rows]
    kinds = (  # others may call their score a loss; it is what they have then
        (written_out(score_name), [curve if len(curve) > 1 else [] for curve in scores]),
        ("training loss", [list(enumerate(row.train_losses, start=1)) for row in rows]),
        ("validation loss", [list(enumerate(row.validation_losses, start=1)) for row in rows]),
    )
    known: dict[str, Curves] = {}
    for name, curves in kinds:
        if any(curves) and name not in known:
            known[name] = _joined(curves)
    return known


def _joined(curves: list[list[tuple[int, float]]]) -> Curves:
    share = max(8, min(LONGEST_CURVE, POINTS // sum(map(bool, curves))))
    kept = [
        _thinned(curve, LONGEST_CURVE if rank < BEST else share)
        for rank, curve in enumerate(curves)
    ]
    counted = all(step == n for curve in kept for n, (step, _) in enumerate(curve, start=1))
    lows, highs, places = [], [], []
    for curve in filter(None, kept):
        low, high, where = placed(np.array([value for _, value in curve], np.float64))
        lows.append(low)
        highs.append(high)
        places.append(where)
    return {
        "lengths": packed([len(curve) for curve in kept]),
        "steps": None if counted else packed([step for curve in kept for step, _ in curve]),
        "low": packed(_single(lows)),
        "high": packed(_single(highs)),
        "places": packed(np.concatenate(places)),
    }


def placed(values: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Values by their places between the least and the greatest of them, in two bytes each.

    >>> placed(np.array([1.0, 3.0, np.nan]))[2].tolist()
    [0, 65534, 65535]
    """
    finite = np.isfinite(values)
    low = float(values[finite].min()) if finite.any() else 0.0
    high = float(values[finite].max()) if finite.any() else 0.0
    # Halves, whose difference is finite also between the ends of all numbers.
    span = high / 2 - low / 2
    shares = (np.where(finite, values, low) / 2 - low / 2) / (span if span > 0 else 1.0)
    return low, high, np.where(finite, np.rint(shares * TOP), NOWHERE).astype(np.uint16)


def _single(values: Sequence[float]) -> np.ndarray:
    with np.errstate(over="ignore"):  # what is too large for single precision is infinite
        return np.array(values, np.float64).astype(np.float32)


def _thinned(curve: list[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    if len(curve) <= most:
        return curve
    return [curve[i] for i in np.linspace(0, len(curve) - 1, most).round().astype(int)]


def _details(rows: Sequence[TrialRow]) -> tuple[dict[str, Detail], int]:
    """What trials' own pages say, as far as there is room; and how many found none."""
    details: dict[str, Detail] = {}
    left, left_out = ROOM, 0
    for row in sorted(rows, key=lambda row: row.state == "complete"):
        detail = _detail(row)
        needs = len(str(detail)) if detail else 0
        if needs > left:
            left_out += 1
        elif detail:
            details[str(row.number)] = detail
            left -= needs
    return details, left_out


def _detail(row: TrialRow) -> Detail:
    detail: Detail = {}
    if row.findings:
        detail["findings"] = [
            {"name": f.name, "evidence": written_out(f.evidence), "fault": f.fault}
            for f in row.findings
        ]
    if len(row.why) > SHORT:
        detail["why"] = written_out(row.why)
    if row.log:
        detail["log"] = written_out(row.log)
    return detail
