// Trials in groups: how each group scored, and its curve with a band over its trials.
"use strict";
{
  const {make, short, label, offer, figures} = hpsearch;
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#AA3377", "#808080"];
  const MOST = COLOURS.length, BINS = 5;
  const SAME = "the same settings";

  const faded = colour => `rgba(${[1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16)).join(",")},0.2)`;

  function quantile(ordered, share) {
    const at = share * (ordered.length - 1), low = Math.floor(at);
    return ordered[low] + (at - low) * ((ordered[low + 1] ?? ordered[low]) - ordered[low]);
  }

  // What trials can be grouped by, the parameters first.
  function kinds(trials) {
    const stage = trials.byKey.get("stage");
    return [...trials.parameters, ...(stage ? [stage] : [])].map(column => column.name).concat(SAME);
  }

  // [{name, rows}] of trials that are complete, and what has been left out.
  function grouped(trials, rows, by) {
    const known = rows.filter(row => trials.isComplete(row));
    if (by === SAME) {
      const groups = gather(known, row => trials.settings(row)).filter(group => group.rows.length > 1);
      for (const group of groups) {
        const first = group.rows.slice(0, 3).map(row => trials.numbers[row]).join(", ");
        group.name = `trials ${first}${group.rows.length > 3 ? ", …" : ""}`;
      }
      return most(groups, group => median(trials, group));
    }
    const column = trials.columns.find(each => each.name === by);
    const there = known.filter(row => !column.isMissing(row));
    const values = [...new Set(there.map(row => column.values[row]))].sort((a, b) => a - b);
    if (column.isText || values.length <= MOST) {
      const groups = gather(there, row => column.values[row]).sort((a, b) => a.key - b.key);
      for (const group of groups) group.name = column.text(group.rows[0]);
      return most(groups, group => -group.rows.length, true);
    }
    const ordered = there.map(row => column.values[row]).sort((a, b) => a - b);
    const ends = Array.from({length: BINS - 1}, (_, n) => quantile(ordered, (n + 1) / BINS));
    const binOf = row => ends.filter(end => column.values[row] > end).length;
    const groups = gather(there, binOf).sort((a, b) => a.key - b.key);
    for (const group of groups) {
      const inside = group.rows.map(row => column.values[row]);
      const [low, high] = [Math.min, Math.max].map(end => inside.reduce((a, b) => end(a, b)));
      group.name = `${short(low, 3)} to ${short(high, 3)}`;
    }
    return {groups, left: 0};
  }

  function gather(rows, keyOf) {
    const groups = new Map();
    for (const row of rows) {
      const key = keyOf(row);
      if (groups.has(key)) groups.get(key).rows.push(row);
      else groups.set(key, {key, rows: [row]});
    }
    return [...groups.values()];
  }

  function median(trials, {rows}) {
    const middle = quantile(rows.map(row => trials.score.values[row]).sort((a, b) => a - b), 0.5);
    return trials.maximize ? -middle : middle;
  }

  // As many groups as there are colours: those that come first by a rank, in that order or in theirs.
  function most(groups, rank, keepOrder = false) {
    const ranked = [...groups].sort((a, b) => rank(a) - rank(b)), first = new Set(ranked.slice(0, MOST));
    return {groups: keepOrder ? groups.filter(group => first.has(group)) : ranked.slice(0, MOST),
      left: Math.max(0, groups.length - MOST)};
  }

  const axis = (title, more = {}) => ({title: {text: label(title)}, ...more});

  // Names that are alike by their letters stay apart, and long ones are cut.
  const cut = text => text.length > 24 ? `${text.slice(0, 23)}…` : text;

  function scoresFigure(trials, groups, by, range) {
    return {
      data: groups.map(({name, rows}, n) => ({
        type: "box", y: rows.map(row => trials.score.values[row]), x: rows.map(() => n), name: label(cut(name)),
        boxpoints: rows.length <= 60 ? "all" : "outliers", jitter: 0.4, pointpos: 0,
        customdata: rows.map(row => trials.numbers[row]), meta: {trials: "customdata"},
        marker: {color: COLOURS[n], size: 4, opacity: 0.6}, line: {color: COLOURS[n]}, showlegend: false,
        hovertemplate: `trial %{customdata}: %{y:.4g}<extra>${label(cut(name))}</extra>`, hoveron: "points",
      })),
      layout: {height: 360, xaxis: axis(by, {tickvals: groups.map((_, n) => n), automargin: true,
        ticktext: groups.map(({name, rows}) => `${label(cut(name))}<br>(${rows.length})`)}),
      yaxis: axis(trials.score.name, range ? {range} : {})},
    };
  }

  function curvesFigure(trials, groups) {
    const data = groups.flatMap(({name, rows}, n) => {
      const at = new Map();
      for (const row of rows) {
        const curve = trials.curve(trials.scoreCurves[0], row);
        curve?.steps.forEach((step, i) => {
          if (!Number.isFinite(curve.values[i])) return;
          if (at.has(step)) at.get(step).push(curve.values[i]);
          else at.set(step, [curve.values[i]]);
        });
      }
      // Where most of a group had stopped before, the others are no picture of it.
      const counts = [...at.values()].map(values => values.length), least = Math.max(0, ...counts) / 2;
      const known = [...at].filter(([, values]) => values.length >= least).sort(([a], [b]) => a - b);
      const points = known.map(([step, values]) => {
        values.sort((a, b) => a - b);
        return [step, ...[0.25, 0.5, 0.75].map(share => quantile(values, share))];
      });
      if (!points.length) return [];
      const [x, low, middle, high] = [0, 1, 2, 3].map(i => points.map(point => point[i]));
      const colour = COLOURS[n], group = `g${n}`;
      return [
        {type: "scatter", mode: "lines", x: [...x, ...x.toReversed()], y: [...high, ...low.toReversed()],
          fill: "toself", fillcolor: faded(colour), line: {width: 0}, hoverinfo: "skip", showlegend: false,
          legendgroup: group},
        {type: "scatter", mode: x.length > 1 ? "lines" : "markers", x, y: middle, line: {color: colour, width: 2.5},
          marker: {color: colour}, name: label(cut(name)), legendgroup: group,
          hovertemplate: `%{y:.4g} at %{x}<extra>${label(cut(name))}</extra>`},
      ];
    });
    return {data, layout: {height: 360, xaxis: axis(trials.step), yaxis: axis(trials.scoreCurves[0])}};
  }

  class Groups {
    constructor(section, id) {
      Object.assign(this, {section, id});
      this.choice = make("select", {"data-key": "group", onchange: () => section.set({group: this.choice.value})});
      this.note = make("p", {class: "note", role: "status"});
      this.figures = make("div", {class: "figures"});
      const label = make("label", {class: "choice"}, "group by ", this.choice);
      this.element = make("div", {}, make("p", {class: "controls"}, label), this.figures, this.note);
    }

    refresh() {
      const {section, choice} = this, {trials} = section, names = kinds(trials);
      offer(choice, names);
      const by = names.includes(section.get("group")) ? section.get("group") : names[0];
      choice.value = by;
      const {groups, left} = grouped(trials, section.rows, by);
      const range = section.selection ? null : section.scoreRange;
      const drawn = groups.length ? [scoresFigure(trials, groups, by, range)] : [];
      if (groups.length && trials.scoreCurves.length) drawn.push(curvesFigure(trials, groups));
      this.plots = drawn.map((_, n) => `${this.id}-${n + 1}`);
      this.figures.replaceChildren(...drawn.map((figure, n) => figures.place(this.plots[n], figure,
        {section: {open: section.open}, label: `${n ? "Curves" : "Scores"} by ${by}`})));
      this.note.textContent = groups.length
        ? left ? `${left} more ${left === 1 ? "group is" : "groups are"} not drawn.` : ""
        : by === SAME ? "No settings have more than one complete trial among those selected."
          : "None of the selected trials is complete.";
    }
  }

  Object.assign(hpsearch, {Groups, quantile, COLOURS});
}
