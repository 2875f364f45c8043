// Figures: drawn when they come into sight, again when the reader or a newer document changes them.
"use strict";
{
  const {unpacked, view, make} = hpsearch;
  const DARK = matchMedia("(prefers-color-scheme: dark)");
  const COARSE = matchMedia("(pointer: coarse)");
  const CONFIG = {responsive: true, displaylogo: false, displayModeBar: false, doubleClick: "reset"};
  const HIGHLIGHT = "#D55E00";

  // A figure wider than this does not fit a sheet of paper.
  const SHEET = 660;

  // Selected trials that are drawn over parallel coordinates.
  const MOST_LINES = 150;

  const plots = new Map();  // by the id of their element
  let templates = {};

  const plotly = new Promise(resolve => {
    if (globalThis.Plotly) resolve();
    else addEventListener("DOMContentLoaded", () => resolve());
  });

  // The element of a figure, new or as it was; a figure that has changed is drawn again.
  function place(id, figure, {section = null, label = ""} = {}) {
    let plot = plots.get(id);
    if (!plot) {
      const div = make("div", {class: "figure", id, role: "figure"});
      plot = {id, div, isDrawn: false};
      plots.set(id, plot);
    }
    const text = JSON.stringify(figure);
    if (text !== plot.text) Object.assign(plot, {figure, text, isStale: true});
    plot.section = section;
    plot.div.setAttribute("aria-label", label || id);
    plot.div.style.height = `${figure.layout.height}px`;
    return plot.div;
  }

  // Forget the figures whose elements are no longer on the page.
  function sweep() {
    for (const [id, {div}] of plots) {
      if (div.isConnected) continue;
      if (div.data) Plotly.purge(div);
      plots.delete(id);
    }
  }

  const axisKeys = meta => meta?.lines ? meta.lines.map(line => line.key) : [meta?.x, meta?.y].filter(Boolean);
  const canSelect = plot => plot.section?.trials && axisKeys(plot.figure.layout.meta).length > 0;

  // What dragging does: "select", "zoom", or "scroll" the page, as a finger does by default.
  const drag = () => view.get("drag") || (COARSE.matches ? "scroll" : "select");

  function dragmode(plot) {
    if (drag() === "scroll") return false;
    return drag() === "select" && canSelect(plot) ? "select" : "zoom";
  }

  // A figure as it is to be drawn now: its selection, its zoom and its colours.
  function dressed(plot, template = templates[DARK.matches ? "dark" : "light"]) {
    const {data, layout} = plot.figure, {section} = plot;
    const selection = section?.selection ?? null, meta = layout.meta ?? {};
    const traces = data.flatMap(trace => lit(trace, selection, meta));
    if (meta.lines && selection) traces.push(linesOver(meta.lines, section));
    const next = {...layout, template, dragmode: dragmode(plot), selections: [],
      shapes: [...(layout.shapes ?? []), ...(selection ? brushes(layout, section) : [])],
      legend: {...layout.legend, uirevision: "kept"}};
    for (const [axis, range] of Object.entries(zoomOf(plot.id))) {
      next[axis] = {...layout[axis], range, autorange: false};
    }
    return {data: traces, layout: next};
  }

  // A trace of trials with those that are not selected in the background.
  function lit(trace, selection, meta) {
    if (!selection) return trace;
    if (meta.lines) return {...trace, opacity: 0.12, showlegend: false};
    if (trace.meta?.trial !== undefined) {
      return selection.numbers.has(trace.meta.trial) ? trace : {...trace, opacity: 0.15};
    }
    if (!trace.meta?.trials) return trace;
    const isIn = Array.from(unpacked(trace[trace.meta.trials]), number => selection.numbers.has(number));
    if (trace.mode === "lines") {
      const y = Array.from(unpacked(trace.y), (value, n) => isIn[n] ? value : NaN);
      return [{...trace, opacity: 0.15}, {...trace, y, showlegend: false}];
    }
    const points = isIn.flatMap((is, n) => is ? [n] : []);
    return {...trace, selectedpoints: points, unselected: {marker: {opacity: 0.1}},
      ...(trace.error_x ? {error_x: {...trace.error_x, visible: false}} : {})};
  }

  const scaled = (line, value) => line.log ? Math.log(value) : value;

  // Where a trial's value lies on a vertical line, from 0 to 1; nan where it has none.
  function height(line, column, row) {
    if (column.isMissing(row)) return NaN;
    if (line.choices) return (column.values[row] - 0.5) / line.choices;
    const [low, high, at] = [line.low, line.high, column.values[row]].map(value => scaled(line, value));
    return high > low ? Math.min(1, Math.max(0, (at - low) / (high - low))) : 0.5;
  }

  // The value at such a place.
  function valueAt(line, share) {
    const [low, high] = [scaled(line, line.low), scaled(line, line.high)];
    const value = low + share * (high - low);
    return line.log ? Math.exp(value) : value;
  }

  function linesOver(lines, {trials, selection}) {
    const columns = lines.map(line => trials.byKey.get(line.key)), x = [], y = [];
    const rows = selection.rows.filter(row => trials.isComplete(row));
    for (const row of rows.slice(0, MOST_LINES)) {
      lines.forEach((line, n) => (x.push(n), y.push(columns[n] ? height(line, columns[n], row) : NaN)));
      x.push(NaN);
      y.push(NaN);
    }
    const name = rows.length > MOST_LINES ? `the best ${MOST_LINES} of the selected` : "selected";
    return {type: "scatter", x, y, mode: "lines", name, hoverinfo: "skip",
      line: {color: HIGHLIGHT, width: rows.length > 30 ? 1 : 2}};
  }

  // What is selected, as shades on the axes by which it was.
  function brushes(layout, {trials, selection}) {
    const termOf = key => key && selection.terms.find(term => !term.not && term.column?.key === key);
    const look = {type: "rect", line: {width: 0}, fillcolor: HIGHLIGHT, opacity: 0.12, layer: "below"};
    const shade = ends => ({...look, ...ends});
    const {lines, x, y} = layout.meta ?? {};
    if (lines) {
      return lines.flatMap((line, n) => {
        const term = termOf(line.key), column = trials.byKey.get(line.key);
        if (!term || !column) return [];
        const ends = term.texts ? term.texts.map(text => placesOf(line, column, text)).filter(Boolean)
          : [[term.low, term.high].map((value, end) => Number.isFinite(value)
            ? Math.min(1, Math.max(0, heightOf(line, value))) : end)];
        return ends.map(([low, high]) => shade({x0: n - 0.09, x1: n + 0.09, y0: low, y1: high, opacity: 0.3}));
      });
    }
    const [across, up] = [[x, "xaxis"], [y, "yaxis"]].map(([key, axis]) => {
      const term = termOf(key), {range, type} = layout[axis] ?? {};
      if (!term || term.texts) return null;
      const last = trials.byKey.get(key).values.reduce((a, b) => b > a ? b : a, 0);
      const ends = range ? range.map(end => type === "log" ? 10 ** end : end) : [0, last];
      return [Math.max(term.low, ends[0]), Math.min(term.high, ends[1])];
    });
    if (!across && !up) return [];
    return [shade({
      ...(across ? {x0: across[0], x1: across[1]} : {x0: 0, x1: 1, xref: "x domain"}),
      ...(up ? {y0: up[0], y1: up[1]} : {y0: 0, y1: 1, yref: "y domain"}),
    })];
  }

  const heightOf = (line, value) =>
    (scaled(line, value) - scaled(line, line.low)) / (scaled(line, line.high) - scaled(line, line.low));

  function placesOf(line, column, text) {
    if (!line.choices) {
      const place = heightOf(line, Number(text));
      return Number.isFinite(place) && [place - 0.01, place + 0.01];
    }
    const code = column.texts.indexOf(text);
    return code > 0 && [(code - 0.9) / line.choices, (code - 0.1) / line.choices];
  }

  // What a rectangle over a figure asks of the trials' columns.
  function brushed(plot, range) {
    const {trials} = plot.section, {layout} = plot.figure, {lines, x, y} = layout.meta;
    const sorted = ends => [...ends].sort((a, b) => a - b);
    if (lines) {
      const [[left, right], [low, high]] = [sorted(range.x), sorted(range.y)];
      const between = lines.map((_, n) => n).filter(n => n >= left && n <= right);
      const nearest = Math.min(lines.length - 1, Math.max(0, Math.round((left + right) / 2)));
      return (between.length ? between : [nearest]).map(n => {
        const line = lines[n], column = trials.byKey.get(line.key);
        if (line.choices) {
          const inside = (_, n) => (n + 0.5) / line.choices >= low && (n + 0.5) / line.choices <= high;
          const texts = column.texts.slice(1).filter(inside);
          return {column, texts: texts.length < line.choices ? texts : []};
        }
        const [least, most] = [low <= 0 ? -Infinity : valueAt(line, low), high >= 1 ? Infinity : valueAt(line, high)];
        return {column, low: least, high: most};
      });
    }
    const axes = [[x, range.x, "xaxis"], [y, range.y, "yaxis"]].filter(([key]) => trials.byKey.has(key));
    return axes.map(([key, ends, axis]) => {
      const column = trials.byKey.get(key), [low, high] = sorted(ends);
      if (column.isText) {
        const texts = column.texts.slice(1).filter((_, n) => n > low - 0.15 && n < high + 0.15);
        return {column, texts: texts.length < column.texts.length - 1 ? texts : []};
      }
      const whole = layout[axis]?.range;
      if (key !== "score" || !whole) return {column, low, high};
      // Scores beyond an end of the axis are drawn at its edge, and are meant too.
      const margin = (whole[1] - whole[0]) * 0.06 / 1.12;
      const [least, most] = [whole[0] + margin, whole[1] - margin];
      return {column, low: low <= least ? -Infinity : low, high: high >= most ? Infinity : high};
    });
  }

  // The zoom of a figure: {xaxis: [from, to], yaxis: ...}, from "id:from,to,from,to;id:...".
  function zooms() {
    return new Map(view.get("zoom").split(";").filter(Boolean).map(text => {
      const at = text.lastIndexOf(":");
      return [text.slice(0, at), text.slice(at + 1).split(",")];
    }));
  }

  function zoomOf(id) {
    const ends = zooms().get(id) ?? [], zoom = {};
    for (const [axis, ...pair] of [["xaxis", ends[0], ends[1]], ["yaxis", ends[2], ends[3]]]) {
      const range = pair.map(end => end ? Number(end) : NaN);
      if (range.every(Number.isFinite)) zoom[axis] = range;
    }
    return zoom;
  }

  function keepZoom(plot, change) {
    const now = zoomOf(plot.id);
    for (const axis of ["xaxis", "yaxis"]) {
      if (`${axis}.range[0]` in change) now[axis] = [change[`${axis}.range[0]`], change[`${axis}.range[1]`]];
      if (change[`${axis}.autorange`]) delete now[axis];
    }
    setZoom(plot.id, now);
  }

  function setZoom(id, zoom) {
    const all = zooms(), short = end => `${+Number(end).toPrecision(6)}`;
    const ends = ["xaxis", "yaxis"].flatMap(axis => zoom[axis]?.map(short) ?? ["", ""]);
    if (ends.some(Boolean)) all.set(id, ends);
    else all.delete(id);
    view.set({zoom: [...all].map(([name, numbers]) => `${name}:${numbers.join(",")}`).join(";")});
  }

  async function draw(plot) {
    plot.isStale = false;
    const {data, layout} = dressed(plot), first = !plot.isDrawn;
    plot.isDrawn = true;
    await Plotly.react(plot.div, data, layout, CONFIG);
    if (first) listen(plot);
    if (Math.abs(plot.div._fullLayout.width - plot.div.clientWidth) > 1) await Plotly.Plots.resize(plot.div);
    await fit(plot.div);
  }

  function listen(plot) {
    plot.div.on("plotly_selected", event => {
      if (event?.range?.x && canSelect(plot)) plot.section.select(brushed(plot, event.range));
    });
    plot.div.on("plotly_deselect", () => {
      if (canSelect(plot)) {
        const columns = axisKeys(plot.figure.layout.meta).map(key => plot.section.trials.byKey.get(key));
        plot.section.select(columns.filter(Boolean).map(column => ({column})));
      }
    });
    plot.div.on("plotly_relayout", change => {
      if (Object.keys(change).some(key => /^[xy]axis\.(range|autorange)/.test(key))) keepZoom(plot, change);
    });
    plot.div.on("plotly_doubleclick", () => {
      if (plot.div.layout.dragmode !== "zoom") return;
      setZoom(plot.id, {});
      restyle(plot);
    });
    plot.div.on("plotly_click", ({points: [point]}) => {
      const number = numberAt(point);
      if (number !== null && plot.section?.open) plot.section.open(number);
    });
  }

  // The trial that a point stands for.
  function numberAt({data, pointNumber}) {
    if (data.meta?.trial !== undefined) return data.meta.trial;
    if (!data.meta?.trials) return null;
    return unpacked(data[data.meta.trials])[pointNumber] ?? null;
  }

  // A name below an axis that is wider than its figure is broken into lines; Plotly cuts it off.
  async function fit(div) {
    const frame = div.getBoundingClientRect(), change = {};
    for (const title of div.querySelectorAll("[class^=x][class$=title]")) {
      const box = title.getBoundingClientRect(), middle = box.left + box.width / 2;
      const room = 2 * Math.min(middle - frame.left, frame.right - middle);
      if (!box.width || box.width <= room) continue;
      const axis = `xaxis${title.getAttribute("class").slice(1, -5)}`;
      const words = div.layout[axis].title.text.split(/ |<br>/);
      const letters = Math.floor(room * title.textContent.length / box.width);
      const lines = words.reduce(([first, ...rest], word) =>
        first && (first + word).length < letters ? [`${first} ${word}`, ...rest] : [word, first, ...rest],
        [""]).filter(line => line).reverse();
      change[`${axis}.title.text`] = lines.join("<br>");
      change["margin.b"] = div._fullLayout.margin.b + 17 * (lines.length - 1);
    }
    if (Object.keys(change).length) await Plotly.relayout(div, change);
  }

  // What is in sight is drawn first. What nobody has seen follows, one figure after the other, so
  // that the page scrolls meanwhile; what was drawn before waits until it is in sight again.
  const inSight = ({div}, beyond = 0) => {
    const {top, bottom, width} = div.getBoundingClientRect();
    return width > 0 && bottom > -beyond && top < innerHeight + beyond;
  };

  let running = null, isAll = false;

  // Done when all is drawn that is to be drawn now; with `everything`, also what is not in sight.
  function drawAll(everything = false) {
    isAll ||= everything;
    running ??= drawing().finally(() => { running = null; isAll = false; });
    return running;
  }

  async function drawing() {
    await plotly;
    for (;;) {
      const waiting = [...plots.values()].filter(plot => plot.isStale && plot.div.isConnected);
      const next = waiting.find(plot => inSight(plot));
      if (!next) hpsearch.opened ??= performance.now();
      const one = next ?? waiting.find(plot => inSight(plot, innerHeight / 2))
        ?? waiting.find(plot => (isAll || !plot.isDrawn) && plot.div.offsetWidth);
      if (!one) return;
      await draw(one);
      await new Promise(resolve => setTimeout(resolve));
    }
  }

  // Draw a figure, or those of a section, or all, with what the reader has chosen now.
  function restyle(...some) {
    for (const plot of some.length ? some : plots.values()) plot.isStale = true;
    return drawAll();
  }

  const ofSection = section => [...plots.values()].filter(plot => plot.section === section);
  const shown = () => [...plots.values()].filter(plot => plot.isDrawn && plot.div.isConnected);
  const relayout = change => Promise.all(shown().map(({div}) => Plotly.relayout(div, change)));

  let frame = 0;
  const look = () => { frame ||= requestAnimationFrame(() => { frame = 0; drawAll(); }); };
  addEventListener("scroll", look, {passive: true, capture: true});
  let resizing = 0;
  addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => restyle(), 250);  // Plotly has then done its own part
  });
  DARK.addEventListener("change", () => restyle());
  addEventListener("beforeprint", () => relayout({template: templates.light, width: SHEET}));
  addEventListener("afterprint", () => restyle());

  hpsearch.figures = {
    place, sweep, drawAll, dressed, drag, HIGHLIGHT,
    all: () => [...plots.values()].filter(plot => plot.div.isConnected),
    of: id => plots.get(id),
    refresh: section => { if (ofSection(section).length) restyle(...ofSection(section)); },
    restyle: () => restyle(),
    useTemplates: given => { templates = given; },
    template: name => templates[name],
  };
}
