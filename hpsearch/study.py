"""A study in Python: run it or load it, then ask it for its table, figures, report and model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, filterwarnings

from hpsearch.engine.events import Event, OnEvent
from hpsearch.engine.run import run_study as run
from hpsearch.engine.summary import Summary, summarize
from hpsearch.errors import UnknownNameError, UsageError
from hpsearch.space import Value
from hpsearch.storage import DEFAULT_STORAGE, open_storage, storage_errors
from hpsearch.storage import load_study as load
from hpsearch.study_file import StudyFile

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import numpy as np
    import optuna
    import pandas as pd

    from hpsearch.plots import StudyView
    from hpsearch.plots.style import Figure
    from hpsearch.storage import WriteBehindStorage
    from hpsearch.training.model import Model

__all__ = ["Study", "load_study", "run_study"]


class Study:
    """A study as the store has it, whoever made it: what `run_study` and `load_study` give.

    It is as it was when it was read, and its figures as when the first was asked for; `load_study`
    reads it anew. A notebook shows it as a card.

    Attributes:
        name: of the study.
        summary: all that it came to; see `Summary`.
        optuna: the same study as plain Optuna has it, for whatever takes one.
    """

    def __init__(self, store: WriteBehindStorage, study: optuna.Study, summary: Summary) -> None:
        self._store = store
        self.name, self.optuna, self.summary = summary.study, study, summary

    @property
    def winner(self) -> Mapping[str, Value] | None:
        """The winner's settings; None while there is no winner."""
        return None if self.summary.winner is None else self.summary.best

    @property
    def best(self) -> Mapping[str, Value] | None:
        """The same, or the best trial's settings so far; None if no trial is complete."""
        return self.summary.best

    @property
    def metric(self) -> str:
        """What trials are scored by; its column of `trials` (``metric_NAME`` if that is taken)."""
        return self.summary.measure.name

    @property
    def validation(self) -> float | None:
        """The winner's mean over its seeds, or the best trial's score; None if there is none."""
        return self.summary.validation

    @property
    def test(self) -> float | None:
        """The winner on the test rows; None until then, and where there are none."""
        return self.summary.test

    @property
    def test_interval(self) -> tuple[float, float] | None:
        """The 95% interval around it; None where it is not known."""
        return self.summary.test_interval

    def trials(self) -> pd.DataFrame:
        """The trials as a table, best first; the winner before all others.

        Returns:
            What `hpsearch export` writes, one row a trial, by its number: ``state``, ``stage``,
            ``slot``, ``seed`` and ``epochs``; the metric under its own name and in its own units
            (``values_0`` and so on, where a trial has several), and what is recorded beside it;
            each parameter as ``params_NAME``; ``seconds``, ``started``, ``completed``, ``worker``,
            ``findings``, ``why`` it ended, and ``winner``, whether it stands for the winner. What
            a trial does not have is missing.
        """
        from hpsearch.export.to_table import trials_table

        order = [row.number for row in self.summary.rows]
        return trials_table(self.summary).set_index("number").loc[order]

    @property
    def panels(self) -> list[str]:
        """The names that `figure` and `figures` know."""
        from hpsearch.plots import PANELS

        return [name for name, one in PANELS.items() if one.of == "study" and one.is_drawn]

    def figure(self, panel: str, which: int = 1) -> Figure:
        """A figure of the report.

        Args:
            panel: its name; see `panels`.
            which: of a panel that has several, counted from 1; its title says how many there are.

        Returns:
            A ``plotly.graph_objects.Figure``; where there is nothing to draw yet, one that says
            why.

        Raises:
            UnknownNameError: there is no such panel.
            UsageError: the panel has fewer figures.
        """
        figures = self.figures(panel)
        if not 1 <= which <= len(figures):
            count = "one figure" if len(figures) == 1 else f"{len(figures)} figures"
            raise UsageError(f"the panel {panel} has {count}, and no figure {which}")
        return figures[which - 1]

    def figures(self, panel: str) -> list[Figure]:
        """All figures of a panel; arguments and errors as `figure`."""
        from hpsearch.plots import PANELS, NothingToDraw
        from hpsearch.plots.style import said, titled

        if panel not in self.panels:
            if panel in PANELS and PANELS[panel].of == "study":
                raise UsageError(f"the panel {panel} has tables and no figures; see `Study.report`")
            raise UnknownNameError("panel", panel, self.panels)
        made = PANELS[panel]
        if not made.suits(self._view):
            return [said(made.title, made.misfit)]
        try:
            data = made.data(self._view)
        except NothingToDraw as reason:
            return [said(made.title, str(reason))]
        drawn = made.figures(data)
        if not drawn:
            return [said(made.title, "It has tables alone here; the report shows them.")]
        of = len(drawn)
        for number, figure in enumerate(drawn, start=1):
            count = f" ({number} of {of})" if of > 1 else ""
            titled(figure, f"{made.title}{count}", data.note)
        return list(drawn)

    def report(self, path: str | Path | None = None, *, dashboard: str | None = None) -> Path:
        """Write the study to one HTML page, as ``hpsearch report`` does.

        Args:
            path: of the file; by default the study's name with ``.html``, which replaces no file
                but an older page of the same study.
            dashboard: a TOML file with a list of panels, or the name of one that comes along.

        Returns:
            Where the page is.

        Raises:
            UsageError: the path cannot be written.
            UnknownNameError: there is no such dashboard.
        """
        from hpsearch.report import page_name, page_of, write_page

        page = Path(page_name([self.name]) if path is None else path)
        write_page(page, page_of(self._store, [self.name], dashboard), over_its_own=path is None)
        return page

    def model(self, *, trusted: Sequence[str] = ()) -> Model:
        """The winner as it was tested.

        Args:
            trusted: of an estimator with parts of your own: what may be imported to read it; as for
                `Model.load`.

        Raises:
            DataError: it holds what is not trusted.
            RunError: there is none; the sentence says why.
        """
        from hpsearch.engine.kept import kept_model

        return kept_model(self._store, self.optuna, trusted=trusted)

    def predict(self, frame: Any) -> np.ndarray:
        """What the winner says of new rows, (n,): labels, or a quantity; see `Model.predict`.

        Args:
            frame: a data frame or an Arrow table with the columns that it learned from, or an
                array of them.

        Raises:
            RunError: there is no model.
            DataError: a column is missing or unlike what the model learned from.
        """
        return self._model.predict(frame)

    def __repr__(self) -> str:
        from hpsearch.wording import beside, result_sentence, winner_line
        from hpsearch.writing import in_one_line

        told = (result_sentence(self.summary), winner_line(self.summary), beside(self.summary))
        lines = [f"<Study {self.name!r}>", *filter(None, told)]
        return "\n".join(map(in_one_line, lines))

    def _repr_html_(self) -> str:
        from hpsearch.notebook import card

        return card(self.summary)

    @cached_property
    def _view(self) -> StudyView:
        from hpsearch.plots import read_view

        return read_view(self._store, self.name)

    @cached_property
    def _model(self) -> Model:
        return self.model()


def run_study(
    study: StudyFile,
    *,
    data: Any = None,
    target: str | None = None,
    objective: Any = None,
    storage: str = DEFAULT_STORAGE,
    workers: int | None = None,
    executor: str | Executor | None = None,
    on_event: OnEvent = lambda _: None,
    baselines: bool = True,
    first: str | Sequence[Mapping[str, Any]] = (),
    progress: bool | None = None,
) -> Study:
    """Search, confirm, refit and test; what the store already holds is not done again.

    Args:
        study: the study file, from `load_study_file` or made in Python.
        data: what to learn from, where the study names no data: a data frame of pandas or Polars,
            or an Arrow table. A study that is run again must be given the same again.
        target: the column of ``data`` that is learned, where the study does not name it.
        objective: what to optimize, where the study says that it is given: a function of a
            configuration and a `Trial`, which is sent to the workers by cloudpickle. A study that
            is run again must be given the same again.
        storage: the name of a SQLite file, or a URL of SQLite or PostgreSQL.
        workers: worker processes on this machine; by default one for each processor core.
        executor: trains instead: ``dask://HOST:PORT`` of a Dask cluster, or any executor of
            `concurrent.futures` whose workers see this machine's temporary files. It gets as many
            trainings at once as there are ``workers`` (by default those that it has), is not shut
            down, and cannot kill a training, so that it refuses a study with ``trial_seconds``.
        on_event: told of everything that happens, in the calling thread.
        baselines: whether simple models are fitted at the end and set beside the winner, for a
            tenth of the time that the search took.
        first: configurations to try before anything is drawn, whole or in part, and before those
            of the study file; a study that is run again must be given the same again. Or the name
            of another study in the storage, whose winner is tried: it is kept with this study.
        progress: whether to show how far the run is: in a notebook in a display of its own, else
            on standard error, as ``hpsearch run`` does. None: in a notebook only.

    Returns:
        The study, read back from the store.

    Raises:
        HpsearchError: the data, the database or the study cannot be used, another driver is running
            the study, or every training failed; finished trials are kept, and the same call goes on
            from them.
        KeyboardInterrupt: it was interrupted; likewise.

    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> from hpsearch import parse_study_file, run_study
    >>> frame = load_iris(as_frame=True).frame
    >>> file = parse_study_file('''
    ... name = "iris-frame"
    ... [data]
    ... target = "target"
    ... [training]
    ... epochs = 5
    ... [search]
    ... trials = 4
    ... ''')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = run_study(file, data=frame, storage=f"{folder}/iris.db", workers=1)
    >>> study.summary.test_rows, len(study.trials())
    (30, 4)
    """
    _import_optuna()
    with _watched(study, progress) as show:

        def tell(event: Event) -> None:
            show(event)
            on_event(event)

        try:
            summary = run(
                study,
                data=data,
                target=target,
                objective=objective,
                storage=storage,
                workers=workers,
                executor=executor,
                on_event=tell,
                baselines=baselines,
                first=first,
            )
        except KeyboardInterrupt as error:
            error.add_note("finished trials are kept, and the same call goes on from them")
            raise
    return _read(storage, study.name, summary)


def load_study(name: str, *, storage: str = DEFAULT_STORAGE) -> Study:
    """A study that is in a store, whether it is finished or not, and whoever made it.

    Args:
        name: of the study.
        storage: the name of a SQLite file, or a URL of SQLite or PostgreSQL.

    Raises:
        UnknownNameError: there is none; the sentence lists those that there are.
        StorageError: the database cannot be read.
    """
    _import_optuna()
    return _read(storage, name)


def _read(storage: str, name: str, summary: Summary | None = None) -> Study:
    store = open_storage(storage, create=False)
    with storage_errors(store.url):
        study = load(store, name)
        return Study(store, study, summarize(study) if summary is None else summary)


def _watched(
    study: StudyFile, progress: bool | None
) -> AbstractContextManager[Callable[[Event], object]]:
    """What shows a run; nothing where nobody asked."""
    here = _in_notebook()
    if progress is False or (progress is None and not here):
        return nullcontext(lambda _: None)
    if here:
        from hpsearch.notebook import live

        return live(study)
    from hpsearch.cli.progress import watch

    return watch(study)


def _import_optuna() -> None:
    """Its progress bar complains in notebooks that have no widgets, which nothing here needs."""
    if _in_notebook():
        with catch_warnings():
            filterwarnings("ignore", message="IProgress not found")
            import_module("optuna")


def _in_notebook() -> bool:
    """Whether this is the kernel of a notebook, where what is displayed can be updated."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
