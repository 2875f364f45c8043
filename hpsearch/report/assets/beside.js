// Several studies side by side: what differs between them, and how far each had come when.
"use strict";
{
  const {make, table, short, label, offer, figures, view, COLOURS} = hpsearch;

  // Points of a study in a figure of all: the best of them.
  const MOST = 800;

  class Beside {
    constructor(sections) {
      this.sections = sections;
      this.facts = make("div");
      this.parameter = make("select", {onchange: () => view.set({along: this.parameter.value})});
      this.figures = make("div", {class: "figures"});
      this.note = make("p", {class: "note"});
      this.differs = box("differ", "only what differs");
      this.columns = box("side", "panels in columns");
      this.along = make("label", {class: "choice"}, "score along ", this.parameter);
      this.element = make("section", {class: "study", id: "side-by-side"}, make("h1", {}, "Side by side"),
        make("p", {class: "controls"}, this.columns, this.differs, this.along), this.facts, this.figures, this.note);
    }

    refresh() {
      const {sections} = this;
      this.stand(Boolean(view.get("side")));
      for (const [label, key] of [[this.differs, "differ"], [this.columns, "side"]]) {
        label.querySelector("input").checked = Boolean(view.get(key));
      }
      const facts = rowsOf(sections), apart = view.get("differ");
      const rows = apart ? facts.filter(([, ...values]) => new Set(values).size > 1) : facts;
      this.facts.replaceChildren(rows.length
        ? table({caption: "The studies", headings: ["what", ...sections.map(each => each.name)], rows})
        : make("p", {class: "empty"}, "They are alike in all of this."));
      const measures = new Set(sections.map(({trials}) => `${trials.score?.name} ${trials.maximize}`));
      const same = measures.size === 1 && sections[0].trials.score;
      const drawn = same
        ? [bestFigure(sections, "number"), bestFigure(sections, "seconds"), this.alongFigure()].filter(Boolean)
        : [];
      this.along.hidden = !same || !this.common().length;
      this.note.textContent = same ? ""
        : "The studies are scored by different measures, so that their scores are not drawn together.";
      this.figures.replaceChildren(...drawn.map((figure, n) =>
        figures.place(`side-by-side-${n + 1}`, figure, {label: `The studies side by side, figure ${n + 1}`})));
    }

    // In columns or below each other; figures take the width that there is.
    stand(inColumns) {
      const {classList} = document.body;
      this.element.parentElement?.style.setProperty("--studies", this.sections.length);
      if (classList.contains("columns") === inColumns) return;
      classList.toggle("columns", inColumns);
      dispatchEvent(new Event("resize"));
    }

    // The parameters of numbers that all of them have.
    common() {
      const names = this.sections.map(({trials}) =>
        trials.parameters.filter(column => !column.isText).map(column => column.key));
      return names[0].filter(key => names.every(keys => keys.includes(key)));
    }

    alongFigure() {
      const keys = this.common();
      if (!keys.length) return null;
      const columns = keys.map(key => this.sections[0].trials.byKey.get(key));
      offer(this.parameter, columns.map(column => column.name));
      const column = columns.find(each => each.name === view.get("along")) ?? columns[0];
      this.parameter.value = column.name;
      const data = this.sections.map(({name, trials}, n) => {
        const own = trials.byKey.get(column.key);
        const rows = trials.all.filter(row => trials.isComplete(row) && !own.isMissing(row)).slice(0, MOST);
        return {type: "scatter", mode: "markers", name: label(name), x: rows.map(row => own.values[row]),
          y: rows.map(row => trials.score.values[row]), text: rows.map(row => `trial ${trials.numbers[row]}`),
          marker: {color: COLOURS[n % COLOURS.length], size: 5, opacity: 0.6},
          hovertemplate: `${label(name)}, %{text}: %{y:.4g} at %{x:.3g}<extra></extra>`};
      });
      return {data, layout: {height: 360, xaxis: {title: {text: label(column.name)}, ...scaleOf(column)},
        yaxis: {title: {text: label(this.sections[0].trials.score.name)}, ...rangeOf(this.sections)}}};
    }
  }

  // A logarithmic scale has round numbers at its ticks: powers of ten, or 1, 2, 5 between few of them.
  function scaleOf(column) {
    if (!column.log) return {};
    const known = Array.from(column.values).filter(value => value > 0);
    const ends = [Math.min, Math.max].map(end => known.reduce((a, b) => end(a, b)));
    return {type: "log", tickformat: "~g", dtick: ends[1] / ends[0] < 1000 ? "D2" : 1};
  }

  function box(key, text) {
    const input = make("input", {type: "checkbox", onchange: () => view.set({[key]: input.checked})});
    return make("label", {class: "choice"}, input, text);
  }

  // Scores that the studies' own figures show; the worst of all would press the others together.
  function rangeOf(sections) {
    const ranges = sections.map(section => section.scoreRange).filter(Boolean);
    const ends = [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
    return ranges.length ? {range: ends} : {};
  }

  function rowsOf(sections) {
    const each = of => sections.map(of);
    const sum = values => Array.from(values ?? []).reduce((a, b) => a + (Number.isNaN(b) ? 0 : b), 0);
    const keys = [...new Set(sections.flatMap(({trials}) => trials.parameters.map(column => column.key)))];
    const best = ({trials}) => trials.best === null ? undefined : trials.rows.get(trials.best);
    const ofBest = key => section =>
      best(section) === undefined ? "" : section.trials.byKey.get(key)?.text(best(section)) ?? "";
    const complete = ({trials}) => trials.all.filter(row => trials.state.text(row) === "complete").length;
    const named = key => sections.find(({trials}) => trials.byKey.has(key)).trials.byKey.get(key).name;
    return [
      ["trials", ...each(({trials}) => trials.count.toLocaleString("en"))],
      ["complete", ...each(section => complete(section).toLocaleString("en"))],
      ["score", ...each(({trials}) => trials.score
        ? `${trials.score.name}, ${trials.maximize ? "greater" : "less"} is better` : "several")],
      ["best", ...each(ofBest("score"))],
      ["seconds of all trials", ...each(({trials}) => short(sum(trials.byKey.get("seconds")?.values), 3))],
      ...keys.map(key => [`best ${named(key)}`, ...each(ofBest(key))]),
    ];
  }

  // The best score so far, over the numbers of trials or over the time that they took together.
  function bestFigure(sections, key) {
    if (sections.some(({trials}) => !trials.byKey.has(key))) return null;
    const data = sections.map(({name, trials}, n) => {
      const seconds = trials.byKey.get("seconds")?.values, x = [], y = [];
      const rows = trials.all.sort((a, b) => trials.numbers[a] - trials.numbers[b]);
      let spent = 0, best = null;
      rows.forEach((row, i) => {
        spent += seconds?.[row] || 0;
        const score = trials.score.values[row];
        const better = trials.isComplete(row) && (best === null || (trials.maximize ? score > best : score < best));
        if (better) best = score;
        if (best !== null && (better || i === rows.length - 1)) {
          x.push(key === "number" ? trials.numbers[row] : spent);
          y.push(best);
        }
      });
      const line = {shape: "hv", color: COLOURS[n % COLOURS.length], width: 2.5};
      return {type: "scatter", mode: "lines", line, x, y, name: label(name),
        hovertemplate: `${label(name)}: %{y:.4g} at %{x:.4g}<extra></extra>`};
    });
    const across = key === "number" ? "trial number" : "seconds of all trials together";
    return {data, layout: {height: 360, xaxis: {title: {text: across}},
      yaxis: {title: {text: label(`best ${sections[0].trials.score.name} so far`)}}}};
  }

  hpsearch.Beside = Beside;
}
