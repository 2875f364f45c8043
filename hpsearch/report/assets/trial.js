// One trial's page: what it was, beside the best one, how it learned, what was found, its log.
"use strict";
{
  const {make, table, label, figures, toggle} = hpsearch;

  class TrialPage {
    constructor(section) {
      this.section = section;
      this.heading = make("h2", {id: `${section.id}-trial`, tabindex: -1});
      this.content = make("div");
      this.element = make("dialog", {class: "trial", "aria-labelledby": this.heading.id},
        this.heading, this.content);
      this.element.addEventListener("close", () => section.set({trial: ""}));
      this.element.addEventListener("click", event => {  // outside of it
        if (event.target === this.element) this.element.close();
      });
    }

    refresh() {
      const {section, element} = this, asked = section.get("trial");
      if (!asked) {
        if (element.open) element.close();
        return;
      }
      const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
      const row = section.trials.rows.get(Number(asked));
      this.heading.textContent = `Trial ${asked}`;
      this.content.replaceChildren(...(row === undefined
        ? [this.steps(0), make("p", {class: "empty"}, "The study has no such trial.")] : this.about(row)));
      if (!element.open) {
        element.showModal();
        this.heading.focus();
      } else if (focused) {
        element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
      }
      figures.sweep();
      figures.drawAll();
    }

    about(row) {
      const {section} = this, {trials} = section;
      const best = trials.best === null ? undefined : trials.rows.get(trials.best);
      const other = best === row ? undefined : best;
      const detail = trials.details[trials.numbers[row]] ?? {};
      const why = detail.why ?? trials.byKey.get("why")?.text(row), chosen = trials.byKey.get("chosen")?.text(row);
      return [
        this.steps(row),
        make("p", {class: "result"}, this.sentence(row)),
        ...(chosen ? [make("p", {}, `It was ${chosen}.`)] : []),
        ...(why ? [make("p", {}, `Why it ended: ${why.replace(/\.$/, "")}.`)] : []),
        ...this.curves(row, other),
        make("p", {class: "controls"}, other !== undefined && toggle(section, "apart", "only what differs")),
        this.facts(row, other),
        ...(detail.findings ? [this.findings(detail.findings)] : []),
        ...this.inside(row),
        ...(detail.log ? [make("h3", {}, "Its last lines"),
          make("pre", {tabindex: 0, role: "region", "aria-label": "log"}, detail.log)] : []),
        ...(trials.left_out ? [make("p", {class: "note"}, "Findings and logs of "
          + `${trials.left_out.toLocaleString("en")} trials found no room on this page; the database has them.`)] : []),
      ];
    }

    sentence(row) {
      const {trials} = this.section, number = trials.numbers[row];
      const state = trials.state.text(row), score = trials.score?.text(row);
      const rank = state === "complete" && score ? `, number ${row + 1} of ${trials.count.toLocaleString("en")}` : "";
      return `${number === trials.winner ? "The winner" : state[0].toUpperCase() + state.slice(1)}`
        + `${score ? `: ${trials.score.name} ${score}` : ""}${rank}.`;
    }

    // To its neighbours by rank, and away.
    steps(row) {
      const {section} = this, {trials} = section;
      const to = (text, key, next) => make("button", {"data-key": key, disabled: !(next >= 0 && next < trials.count),
        onclick: () => section.set({trial: trials.numbers[next]})}, text);
      return make("p", {class: "controls"}, to("better", "better", row - 1), to("worse", "worse", row + 1),
        make("button", {"data-key": "close", onclick: () => this.element.close()}, "close"));
    }

    facts(row, other) {
      const {section} = this, {trials} = section, apart = other !== undefined && section.get("apart");
      const order = column => ["score", "parameter"].indexOf(column.role) + 1 || 3;
      const columns = trials.columns.filter(column => !["number", "why", "chosen"].includes(column.key))
        .filter(column => !(column.isMissing(row) && (other === undefined || column.isMissing(other))))
        .filter(column => !apart || column.differs([row, other])).sort((a, b) => order(a) - order(b));
      const number = trials.numbers[row];
      const which = trials.winner === trials.best ? "the winner" : "the best";
      const named = other === undefined ? [] : [`trial ${trials.best}, ${which}`];
      const texts = column => [row, other].filter(each => each !== undefined).map(each => column.text(each));
      return table({caption: other === undefined ? `Trial ${number}` : `Trial ${number} beside trial ${trials.best}`,
        headings: ["what", `trial ${number}`, ...named],
        rows: columns.map(column => [column.name, ...texts(column)])});
    }

    findings(found) {
      const {advice} = this.section.trials;
      return table({caption: "What was found", headings: ["what", "evidence", "what helps"],
        rows: found.map(({name, evidence, fault}) =>
          [fault ? name : `${name} (a hint)`, evidence, advice[name] ?? ""])});
    }

    // Its network layer by layer, beside that of the best: from a server, or where the page has it.
    inside(row) {
      const {section} = this, number = section.trials.numbers[row], state = section.trials.state.text(row);
      const key = `${number} ${state}`;
      if (hpsearch.askTrial && this.known?.key !== key) {
        this.known = {key, panels: []};
        hpsearch.askTrial(number).then(panels => {
          if (this.known.key !== key || !panels.length) return;
          this.known.panels = panels;
          this.refresh();
        });
      }
      const panel = this.known?.panels[0] ?? section.panels.get(`${section.id}-layers`)?.spec;
      const of = figure => figure.layout.meta?.trial;
      if (!panel?.figures.some(figure => of(figure) === number)) return [];
      const drawn = panel.figures.filter(figure => [number, section.trials.best].includes(of(figure)));
      const placed = drawn.map((figure, n) => figures.place(`${section.id}-trial-layers-${n + 1}`, figure,
        {label: `Layers of trial ${of(figure)}`}));
      return [make("h3", {}, panel.title), make("p", {}, panel.about), make("div", {class: "figures"}, placed)];
    }

    curves(row, other) {
      const {trials, id} = this.section, number = trials.numbers[row];
      const line = (name, at, colour, dash) => {
        const curve = trials.curve(name, at);
        if (!curve) return [];
        const part = trials.lossCurves.includes(name) ? `, ${name.replace(" loss", "")}` : "";
        const whose = `trial ${trials.numbers[at]}${part}`;
        return [{type: "scatter", mode: curve.steps.length > 1 ? "lines" : "markers", x: curve.steps, y: curve.values,
          line: {color: colour, dash}, marker: {color: colour}, name: label(whose),
          hovertemplate: `${label(whose)}: %{y:.4g} at %{x}<extra></extra>`}];
      };
      const log = {type: "log", dtick: 1, tickformat: "~g"};
      const drawn = [
        [trials.scoreCurves, trials.score?.name ?? "value", trials.step, {}],
        [trials.lossCurves, "loss (log scale)", "epoch", log],
      ].map(([names, title, step, scale]) => ({
        data: names.flatMap((name, n) => [
          ...(other === undefined ? [] : line(name, other, "#808080", n ? "dash" : "solid")),
          ...line(name, row, figures.HIGHLIGHT, n ? "dash" : "solid")]),
        layout: {height: 300, xaxis: {title: {text: label(step)}}, yaxis: {title: {text: label(title)}, ...scale}},
      })).filter(figure => figure.data.length);
      if (!drawn.length) return [];
      return [make("div", {class: "figures"}, drawn.map((figure, n) =>
        figures.place(`${id}-trial-${n + 1}`, figure, {label: `${n ? "Losses" : "Scores"} of trial ${number}`})))];
    }
  }

  hpsearch.TrialPage = TrialPage;
}
