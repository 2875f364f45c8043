"""The page: its structure, its escaping, its writing; and a real browser that opens it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from looks import CUT_OFF, LETTERS_A_LINE
from window import BROWSER, draw, show

from hpsearch import parse_study_file, run_study
from hpsearch.cli.app import run
from hpsearch.errors import RunError, UsageError
from hpsearch.plots import PANELS, read_view
from hpsearch.plots.effects import effects_data
from hpsearch.report import page_name, page_of, trial_panels, write_pngs
from hpsearch.report.browser import Page, open_page
from hpsearch.report.page import file_name
from hpsearch.storage import open_storage

pytestmark = pytest.mark.slow

HOSTILE = '</script><img src=x onerror=alert(1)> & "q" it\'s %{y}'


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of ours, and some that plain Optuna made."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = tmp_path_factory.mktemp("report") / "x.db"
    text = 'name = "digits"\n[data]\nname = "digits"\n[training]\nepochs = 4\n[search]\ntrials = 40'
    run_study(parse_study_file(text), storage=str(file), workers=1)
    with open_storage(str(file)) as store:
        study = optuna.create_study(
            study_name=HOSTILE, storage=store, sampler=optuna.samplers.RandomSampler(seed=0)
        )
        study.optimize(hostile, n_trials=30)
        optuna.create_study(study_name="empty", storage=store)
        pair = optuna.create_study(study_name="pair", storage=store, directions=["minimize"] * 2)
        pair.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 1.0), n_trials=3)
    return file


def hostile(trial: optuna.Trial) -> float:
    kind = trial.suggest_categorical("<b>kind</b>", ["a", "</script><script>alert(1)</script>"])
    x = trial.suggest_float("%{x}", -5, 5)
    if x > 4:
        raise optuna.TrialPruned
    return x * x + (kind == "a")


@pytest.fixture(scope="module")
def page(database: Path) -> Path:
    """One page of all of them."""
    path = database.with_name("page.html")
    names = ["digits", HOSTILE, "empty", "pair"]
    assert run(["report", *names, "-o", str(path), "--storage", str(database)]) == 0
    return path


class Outline(HTMLParser):
    """The elements of a page, and its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts[-1] += data


def outline(page: Path) -> Outline:
    parsed = Outline()
    parsed.feed(page.read_text(encoding="utf-8"))
    return parsed


def document_in(page: Path) -> Any:
    [text] = [script for script in outline(page).scripts if script.startswith('{"format"')]
    return json.loads(text)


def test_the_structure(page: Path) -> None:
    tags = outline(page).tags
    names = [tag for tag, _ in tags]
    assert "img" not in names
    assert "link" not in names
    assert not any(attrs.get("src") for _, attrs in tags)
    sections = document_in(page)["sections"]
    assert len(sections) == 4
    panels = [panel for section in sections for panel in section["panels"]]
    assert len(panels) == 4 * sum(panel.of == "study" for panel in PANELS.values())
    ids = [part["id"] for part in (*sections, *panels)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w.%-]+", identity) for identity in ids)


def test_plotly_is_there_once_and_the_page_is_small(page: Path) -> None:
    scripts = outline(page).scripts
    assert sum(len(script) > 4_000_000 for script in scripts) == 1
    assert page.stat().st_size < 6_000_000


def test_the_browser_is_told_to_run_these_scripts_and_no_others(page: Path) -> None:
    parsed = outline(page)
    [policy] = [
        str(attrs["content"])
        for tag, attrs in parsed.tags
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    ours = [attrs for tag, attrs in parsed.tags if tag == "script" and not attrs.get("type")]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("'sha256-") == len(ours)
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert not [name for _, attrs in parsed.tags for name in attrs if name.startswith("on")]


def test_figures_are_json_without_a_template_of_their_own(page: Path) -> None:
    figures = [
        figure
        for section in document_in(page)["sections"]
        for panel in section["panels"]
        for figure in panel["figures"]
    ]
    assert len(figures) > 20
    assert all("template" not in figure["layout"] for figure in figures)


def test_hostile_names_stay_text(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<img" not in text.split("plotly.js v", 1)[0]
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in text
    assert "<script>alert" not in text


def test_the_result_stands_at_the_top(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"<h1>digits</h1>\s*<p class=\"result\">The winner of 40 trials labels", text)
    digits, hostile, empty, pair = document_in(page)["sections"]
    assert digits["result"].startswith("The winner of 40 trials labels")
    assert "The lowest objective value of 30 trials so far is" in hostile["result"]
    assert {panel["empty"] for panel in empty["panels"]} >= {"The study has no trials yet."}
    assert "3 trials of 2 values each: no single one is the best." in pair["result"]
    assert digits["trials"]["winner"] == digits["trials"]["best"]
    assert (empty["trials"], pair["trials"]["best"]) == (None, None)


def test_advice_and_configuration_are_tables(page: Path) -> None:
    digits, hostile, *_ = document_in(page)["sections"]
    tables = [table for panel in digits["panels"] for table in panel["tables"]]
    assert [table["caption"] for table in tables][:4] == [
        "Each class on the test rows",
        "Recommendations",
        "Facts",
        "How the ranges moved",
    ]
    cells = [cell for table in tables for row in table["rows"] for cell in row]
    assert any(re.match(r"\[(data|model|training|search)\] \w+: ", cell) for cell in cells)
    said = {panel["name"]: panel["empty"] for panel in hostile["panels"]}
    assert "hpsearch did not make this study" in said["configuration"] + said["advice"]


def test_a_trial_is_shown_from_inside_beside_the_best(database: Path) -> None:
    with open_storage(str(database)) as store:
        view = read_view(store, "digits")
        best, *others = [row.number for row in view.trials if row.traced]
        [layers] = trial_panels(store, view, others[-1])
        assert [f["layout"]["meta"]["trial"] for f in layers["figures"]] == [best, others[-1]]
        assert len(trial_panels(store, view, best)[0]["figures"]) == 1
        assert trial_panels(store, view, 4000) == []
        assert trial_panels(store, read_view(store, HOSTILE), 0) == []


def test_advice_and_the_model_s_panel_say_the_same_of_the_parameters(database: Path) -> None:
    with open_storage(str(database)) as store:
        view = read_view(store, "digits")
    [told] = [r.sentence for r in view.advice if r.topic == "parameters"]
    for effect in effects_data(view).effects:
        if effect.share >= 0.01:
            assert f"{effect.name} {effect.share:.0%}" in told


def test_the_file_is_written_whole_or_not_at_all(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["report", "empty", "--dashboard", "training", "--storage", str(database)]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["empty.html"]
    folder = tmp_path / "no" / "page.html"
    assert run(["report", "empty", "-o", str(folder), "--storage", str(database)]) == 2
    assert "cannot write the page" in capsys.readouterr().err
    assert run(["report", "nothing", "--storage", str(database)]) == 2
    assert "Known: digits" in capsys.readouterr().err


def test_pngs_without_a_browser_get_a_sentence(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(RunError, match="no Chromium or Chrome to draw with; install one"):
        write_pngs(page, tmp_path / "figures")


@pytest.mark.slow
@BROWSER
def test_pngs_of_every_figure(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    figures = tmp_path / "figures"
    command = ["report", "digits", "--dashboard", "training", "--storage", str(database)]
    assert run([*command, "--png", str(figures)]) == 0
    names = sorted(path.name for path in figures.iterdir())
    panels = ("curves-1", "curves-2", "diagnosis-1", "gap-1", "history-1")
    panels += ("layers-1", "layers-2", "timeline-1")
    assert names == [f"digits-{panel}.png" for panel in panels]
    history = (figures / "digits-history-1.png").read_bytes()
    assert history.startswith(b"\x89PNG")
    size = [int.from_bytes(history[n : n + 4]) for n in (16, 20)]
    assert size == [1600, 800]


@pytest.fixture(scope="module", params=[(1280, False), (390, True)], ids=["wide", "phone, dark"])
def opened(page: Path, browser: Page, request: pytest.FixtureRequest) -> Page:
    width, dark = request.param
    show(browser, page, width=width, dark=dark)
    draw(browser)
    return browser


@pytest.mark.slow
@BROWSER
def test_a_browser_draws_every_panel_without_a_complaint(opened: Any) -> None:
    drawn = "'.cartesianlayer .trace path, .cartesianlayer .hm image'"
    empty = opened.evaluate(
        f"FIGURES.filter(div => !div.querySelector({drawn})).map(div => div.id)"
    )
    assert empty == []
    assert opened.evaluate("FIGURES.length") > 20
    assert opened.problems == []


@pytest.mark.slow
@BROWSER
def test_the_page_is_no_wider_than_the_window(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.evaluate(
        "FIGURES.every(div => div.querySelector('.main-svg').clientWidth <= div.clientWidth)"
    )


@pytest.mark.slow
@BROWSER
def test_nothing_that_is_written_is_cut_off(opened: Any) -> None:
    assert opened.evaluate(CUT_OFF) == []


@pytest.mark.slow
@BROWSER
def test_sentences_in_tables_have_lines_of_several_words(opened: Any) -> None:
    letters_a_line = opened.evaluate(LETTERS_A_LINE)
    assert letters_a_line
    assert min(letters_a_line) > 18


@pytest.mark.slow
@BROWSER
def test_colours_follow_the_reader(opened: Any) -> None:
    ink = opened.evaluate("FIGURES[0]._fullLayout.font.color")
    dark = opened.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert ink == ("#e8eaed" if dark else "#1c1e21")


@pytest.mark.slow
@BROWSER
def test_a_wide_table_shows_that_it_scrolls_and_its_caption_stays(opened: Any) -> None:
    widths = opened.evaluate(
        "[...document.querySelectorAll('.frame')].map(f => [f.clientWidth, f.scrollWidth, "
        "f.querySelector('caption').getBoundingClientRect().width])"
    )
    assert all(caption <= frame for frame, _, caption in widths)
    if opened.evaluate("innerWidth") < 600:
        assert any(table > frame for frame, table, _ in widths)
    style = "getComputedStyle(document.querySelector('.frame'))"
    assert opened.evaluate(f"{style}.backgroundAttachment") == "local, local, scroll, scroll"
    shade = (
        "rgba(255, 255, 255"
        if opened.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        else "rgba(0, 0, 0, 0.2"
    )
    assert shade in opened.evaluate(f"{style}.backgroundImage")


@pytest.mark.slow
@BROWSER
def test_on_paper_a_heading_stays_with_its_first_figure(opened: Any) -> None:
    scheme = (
        "dark" if opened.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    )
    kept = [{"name": "prefers-color-scheme", "value": scheme}]
    opened.call("Emulation.setEmulatedMedia", media="print", features=kept)
    rules = opened.evaluate(
        "[['.panel h2', 'breakAfter'], ['.panel > p', 'breakAfter'], ['p', 'breakInside'], "
        "['.figure', 'breakBefore'], ['.figure', 'breakInside']].map(([where, rule]) => "
        "getComputedStyle(document.querySelector(where))[rule])"
    )
    opened.call("Emulation.setEmulatedMedia", media="", features=kept)
    assert rules == ["avoid"] * 5


ALIKE = [
    *("a/b", "a_b", "a b", "a+b", "a%2Fb", "a%b", "a.b", "a-b", "a\\b", "a:b", "a?b", "a\tb", "ab"),
    *(".", "..", "%2E", "...", ".a", "a.", "-a", "--output", " ", "  ", "", "_", "%"),
    *("con", "con.x", "conx", "nul", "COM1", "com12", "lpt9.a.b", "a/con"),
    *("学" * 200, "学" * 199, "x" * 200, "x" * 199 + "y", "/" * 200, "ünï код 学习", "\ud800"),
    *("<b>", "'", '"', "|", "*", "\n", "\x00", "\N{RIGHT-TO-LEFT OVERRIDE}", "\N{GRINNING FACE}"),
]


def test_no_two_studies_have_one_file() -> None:
    names = [page_name([name]) for name in ALIKE]
    names += [page_name(["a", "b"]), page_name(["a", "b", "c"]), page_name(["a+b", "c"])]
    assert len(set(names)) == len(ALIKE) + 3
    assert len({file_name(name) for name in ALIKE}) == len(ALIKE)


CASES = [
    *(
        "a_b",
        "A_B",
        "A_b",
        "a_B",
        "straße",
        "STRASSE",
        "strasse",
        "İ",
        "i",
        "I",
        "ı",
        "K",
        "k",
        "\u212a",
    ),
    *("ς", "σ", "Σ", "é", "e\u0301", "É", "ﬁ", "fi", "x" * 200, "X" * 200, "CON", "Con", "µ", "μ"),
    *("\u1100\u1161", "가", "a/b", "A/b", "%2f", "%2F", "nul.", "nul ", "com¹", "COM1.x"),
]


def as_disks_do(name: str) -> set[str]:
    """A file's name as file systems that take some letters for others may compare it."""
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    return {f for form in forms for f in (form.casefold(), form.lower(), form.upper())}


@given(st.text(), st.text(), st.sampled_from([str.upper, str.casefold, str.title, str.swapcase]))
def test_nor_have_any_where_capital_letters_are_small_ones(
    one: str, other: str, change: Callable[[str], str]
) -> None:
    names = {one, other, change(one), file_name(one), file_name(one).casefold(), f"{one}+{other}"}
    tell_apart(sorted(names))


def tell_apart(names: Sequence[str]) -> None:
    files = [as_disks_do(page_name([name])) for name in names]
    for n, these in enumerate(files):
        assert not any(these & others for others in files[:n]), names


def test_cases_that_disks_take_for_one_another() -> None:
    tell_apart(CASES)
    plain = ["a_b", "strasse", "é", "fi", "digits-2", "x" * 150]
    assert [file_name(name) for name in plain] == plain
    assert page_name(["CON"]).startswith("%43ON%-")
    assert not any(file_name(name).endswith((".", " ")) for name in CASES)


@given(st.text(max_size=60), st.text(max_size=60))
def test_nor_have_any_others(one: str, other: str) -> None:
    assert (page_name([one]) == page_name([other])) == (one == other)
    assert (page_name([one, other]) == page_name([one])) is False


@pytest.mark.parametrize("name", ALIKE)
def test_a_file_s_name_is_one_everywhere(name: str, tmp_path: Path) -> None:
    file = page_name([name])
    assert re.fullmatch(r"[\w%][\w%.-]*\.html", file)
    assert len(file.encode()) <= 160
    assert not re.match(r"(?i)(con|prn|aux|nul|(com|lpt)[\d¹²³])(\.|$)", file)
    (tmp_path / file).write_text("")
    assert [p.name for p in tmp_path.iterdir()] == [file]


def test_names_of_files_keep_letters_of_any_script() -> None:
    assert page_name(["ünï_код-学习.2"]) == "ünï_код-学习.2.html"
    assert page_name(["digits", "wine"]) == "digits+wine.html"


def test_sections_of_names_that_differ_in_signs_only(tmp_path: Path) -> None:
    store = open_storage(str(tmp_path / "x.db"))
    for name in ("ü/1", "ü 1", "ü_1"):
        optuna.create_study(study_name=name, storage=store)
    page = tmp_path / "page.html"
    page.write_text(page_of(store, ["ü/1", "ü 1", "ü_1"]))
    ids = [section["id"] for section in document_in(page)["sections"]]
    assert ids == ["ü%2F1", "ü%201", "ü_1"]


def test_only_its_own_page_is_replaced_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_storage("x.db") as store:
        for name in ("a/b", "a_b", "A_B"):
            optuna.create_study(study_name=name, storage=store)
    report = ["report", "--storage", "x.db"]
    for name in ("a/b", "a_b"):
        for dashboard in ([], ["--dashboard", "training"]):
            assert run([*report, name, *dashboard]) == 0
    pages = {"a%2Fb.html": "a/b", "a_b.html": "a_b"}
    assert {p.name for p in tmp_path.glob("*.html")} == set(pages)
    for file, name in pages.items():
        assert f"<h1>{name}</h1>" in (tmp_path / file).read_text()
    # Where there is the page of another, and what is no page at all.
    (tmp_path / "a_b.html").rename(page_name(["A_B"]))
    (tmp_path / "a_b.html").write_text("mine")
    for name, file in (("A_B", page_name(["A_B"])), ("a_b", "a_b.html")):
        before = (tmp_path / file).read_bytes()
        assert run([*report, name]) == 2
        assert "is there already, and is no page of the same" in capsys.readouterr().err
        assert (tmp_path / file).read_bytes() == before
        assert run([*report, name, "-o", file]) == 0, "somebody has named it"
        assert run([*report, name]) == 0


POINT = """(() => {
  const points = [...document.querySelectorAll('#digits-history-1 .trace.scatter .points path')];
  const below = point => point.getBoundingClientRect().y;  // the worst, far from the best so far
  const point = points.reduce((a, b) => below(a) > below(b) ? a : b);
  point.scrollIntoView({block: 'center'});
  const box = point.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""


@pytest.mark.slow
@BROWSER
def test_hovering_shows_the_trial(opened: Any) -> None:
    x, y = opened.evaluate(POINT)
    for step in (3, 0):
        opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + step, y=y)
    words = opened.evaluate(
        "new Promise(done => setTimeout(() => done(document.querySelector("
        "'#digits-history-1 .hoverlayer').textContent), 300))"
    )
    assert re.search(r"trial \d+: .*learning_rate=", words)


@pytest.mark.slow
@BROWSER
def test_the_browser_gives_its_reasons(opened: Any) -> None:
    with pytest.raises(RunError, match=r"the page in the browser failed: .*nothing is not defined"):
        opened.evaluate("nothing.at.all")
    with pytest.raises(RunError, match=r"refuses No\.such"):
        opened.call("No.such")


@pytest.mark.slow
@BROWSER
def test_what_a_page_complains_of_is_kept(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<script>console.error('first'); setTimeout(() => second())</script>")
    with open_page(bad) as browser:
        browser.evaluate("new Promise(done => setTimeout(done, 50))")
        browser.evaluate("1")
        said = " ".join(browser.problems)
    assert "first" in said
    assert "second is not defined" in said


@pytest.mark.slow
@BROWSER
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<script>const hpsearch = {drawn: async () => []}</script>")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write figures to .*file"):
        write_pngs(page, tmp_path / "file")
