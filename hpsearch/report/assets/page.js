// The page from its document: `hpsearch.update(document)` draws one, and later a newer one.
"use strict";
{
  const {make, table, view, filter, figures, files, Trials, TrialsTable, Groups, TrialPage, Beside} = hpsearch;
  const FORMAT = 1;
  const main = document.getElementById("page");
  const sections = new Map();  // by id
  let beside = null, known = null;

  // A part of the page that has the same element from one document to the next.
  class Panel {
    constructor(section, id) {
      Object.assign(this, {section, id});
      this.heading = make("h2", {id, tabindex: -1});
      this.buttons = make("span", {class: "files"});
      this.about = make("p");
      this.empty = make("p", {class: "empty"});
      this.figures = make("div", {class: "figures"});
      this.tables = make("div");
      this.note = make("p", {class: "note"});
      this.head = make("div", {class: "panel-head"}, this.heading, this.buttons);
      this.element = make("section", {class: "panel", "aria-labelledby": id},
        this.head, this.about, this.empty, this.figures, this.tables, this.note);
    }

    update(spec) {
      const text = JSON.stringify(spec);
      if (text === this.text) return;
      Object.assign(this, {text, spec});
      const {section} = this;
      this.heading.textContent = spec.title;
      this.head.hidden = !spec.title;
      if (!spec.title) this.element.removeAttribute("aria-labelledby");
      for (const key of ["about", "empty", "note"]) {
        this[key].textContent = spec[key];
        this[key].hidden = !spec[key];
      }
      this.plotIds = spec.figures.map((_, n) => `${this.id}-${n + 1}`);
      this.figures.replaceChildren(...spec.figures.map((figure, n) =>
        figures.place(this.plotIds[n], figure, {section, label: `${spec.title || section.name}, figure ${n + 1}`})));
      this.figures.hidden = !spec.figures.length;
      this.tables.replaceChildren(...spec.tables.map(each => table(each)));
      this.own ??= spec.empty ? null : spec.name === "trials" ? new TrialsTable(section)
        : spec.name === "groups" ? new Groups(section, this.id) : null;
      if (this.own && !this.own.element.isConnected) this.note.before(this.own.element);
      this.offer();
    }

    // Buttons for the files that there are. Their names say what they are of, for who only hears them.
    offer() {
      const {spec} = this, ofTrials = spec.name === "trials";
      const button = (kind, save) => make("button", {"data-key": kind, onclick: save,
        "aria-label": `${kind} of ${spec.title || this.section.name}`}, kind);
      const drawn = spec.figures.length || (this.own && !ofTrials);
      this.buttons.replaceChildren(...[
        drawn && button("PNG", () => files.png(this.id, `${this.section.name}: ${spec.title}`, this.plots)),
        (drawn || spec.tables.length || ofTrials) && !spec.empty
          && button("CSV", () => ofTrials ? this.own.save(this.id) : files.numbers(this.id, this.plots, spec.tables)),
      ].filter(Boolean));
    }

    get plots() { return (this.own?.plots ?? this.plotIds).map(figures.of).filter(Boolean); }
  }

  class Section {
    constructor(id, index) {
      Object.assign(this, {id, index, panels: new Map(), selection: null});
      this.heading = make("h1");
      this.head = make("div", {class: "head"});
      this.tools = make("div", {class: "tools", role: "search"});
      this.element = make("section", {class: "study", id}, this.head);
      this.open = number => this.set({trial: number}, {step: true});
    }

    get(key) { return view.get(key, this.index); }

    set(changes, how) { view.set(changes, this.index, how); }

    // Select by other ends of some columns, as brushing does.
    select(changes) {
      this.set({filter: filter.replaced(this.get("filter"), this.trials, changes)});
    }

    link(number) {
      return make("a", {href: view.href({trial: number}, this.index), "data-key": `trial ${number}`, onclick: event => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.open(number);
      }}, `${number}`);
    }

    get rows() { return this.selection?.rows ?? this.trials.all; }

    get countText() {
      const count = number => number.toLocaleString("en");
      const all = `${count(this.trials.count)} ${this.trials.count === 1 ? "trial" : "trials"}`;
      return this.selection ? `${count(this.rows.length)} selected of ${all}` : all;
    }

    // The scores that the history shows.
    get scoreRange() {
      return this.panels.get(`${this.id}-history`)?.spec.figures[0]?.layout.yaxis.range ?? null;
    }

    // Its document, and the names of the panels that any section has, in the order of their lines.
    update(spec, lines) {
      this.name = spec.name;
      this.tools.setAttribute("aria-label", `Trials of ${spec.name}`);
      this.heading.textContent = spec.name;
      this.head.replaceChildren(this.heading, make("p", {class: "result"}, spec.result),
        ...spec.words.map(text => make("p", {}, text)),
        ...(spec.points.length ? [make("ul", {}, spec.points.map(text => make("li", {}, text)))] : []),
        ...spec.tables.map(each => table(each)), ...(spec.note ? [make("p", {class: "note"}, spec.note)] : []));
      this.trials = spec.trials && new Trials(spec.trials);
      if (this.trials && !this.field) this.equip();
      const ids = new Set(spec.panels.map(each => each.id));
      for (const [id, panel] of this.panels) {
        if (!ids.has(id)) {
          panel.element.remove();
          this.panels.delete(id);
        }
      }
      for (const each of spec.panels) {
        if (!this.panels.has(each.id)) this.panels.set(each.id, new Panel(this, each.id));
        const panel = this.panels.get(each.id);
        panel.update(each);
        panel.element.style.gridRow = lines.indexOf(each.name) + 3;  // where studies stand in columns
        if (!panel.element.isConnected) this.element.append(panel.element);
      }
      this.contents?.replaceChildren(...spec.panels.map(each =>
        make("li", {}, leading(each.id, each.title, () => { this.menu.open = false; }))));
      this.chosen = null;
    }

    // The line that selects trials, and what stands beside it.
    equip() {
      const hint = `${this.id}-hint`;
      this.field = make("input", {type: "search", spellcheck: "false", autocomplete: "off", "aria-describedby": hint,
        "aria-label": "Select trials", "data-key": "filter", placeholder: "select trials", oninput: () => this.type()});
      this.count = make("output", {class: "count"});
      this.problem = make("p", {class: "problem", role: "alert"});
      this.clear = make("button", {onclick: () => this.forget()}, "clear");
      const drag = () => {
        view.set({drag: this.drag.value});
        figures.restyle();
      };
      this.drag = make("select", {"data-key": "drag", onchange: drag},
        Object.entries({select: "selects", zoom: "zooms", scroll: "scrolls"})
          .map(([value, text]) => make("option", {value}, text)));
      this.contents = make("ul");
      this.menu = make("details", {class: "contents"}, make("summary", {}, "panels"), this.contents);
      // An example from this study: the middle half of a column of numbers.
      const column = this.trials.parameters.find(each => !each.isText) ?? this.trials.byKey.get("number");
      const known = Array.from(column.values).filter(value => !Number.isNaN(value)).sort((a, b) => a - b);
      const [low, high] = [0.25, 0.75].map(share => known[Math.floor(share * (known.length - 1))]);
      const example = filter.write({column, low, high});
      this.tools.replaceChildren(this.field, this.count, this.clear,
        make("label", {class: "choice"}, "dragging ", this.drag), this.menu,
        make("p", {class: "hint note", id: hint}, `Write ${example}, state:complete|pruned, or any word; `
          + "-state:complete leaves out. Or drag over a figure."),
        this.problem);
      this.head.after(this.tools);
      this.page = new TrialPage(this);
      this.element.append(this.page.element);
    }

    type() {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.set({filter: this.field.value.trim(), rows: ""}), 200);
    }

    // Neither select nor zoom.
    forget() {
      this.field.value = "";
      this.set({filter: ""});
      view.set({zoom: ""});
      figures.restyle();
      this.field.focus();
    }

    // Show what the reader has chosen.
    refresh() {
      if (!this.trials) return;
      const line = this.get("filter");
      const key = [line, ...["sort", "differs", "columns", "rows", "group"].map(each => this.get(each))].join("\n");
      this.drag.value = figures.drag();
      this.clear.hidden = !line && !view.get("zoom");
      if (key !== this.chosen) {
        this.chosen = key;
        const {rows, terms, problems} = filter.select(line, this.trials);
        const before = this.selection;
        this.selection = rows && {rows, terms, numbers: new Set(rows.map(row => this.trials.numbers[row]))};
        if (document.activeElement !== this.field) this.field.value = line;
        this.field.setAttribute("aria-invalid", problems.length > 0);
        this.problem.textContent = problems.join(" ");
        this.count.textContent = this.countText;
        for (const panel of this.panels.values()) panel.own?.refresh();
        if (before || this.selection) figures.refresh(this);
      }
      this.page.refresh();
    }
  }

  function goTo(id) {
    const target = id && document.getElementById(id);
    if (!target) return;
    target.scrollIntoView();
    if (target.tabIndex === -1) target.focus({preventScroll: true});
  }

  function refresh() {
    for (const section of sections.values()) section.refresh();
    beside?.refresh();
    figures.sweep();
    figures.drawAll();
  }

  // Show a document; one that is newer than what is shown keeps what the reader has chosen.
  function update(spec) {
    if (spec.format !== FORMAT) {
      main.replaceChildren(make("p", {class: "empty"}, "This page is older than what it shows; load it again."));
      return;
    }
    const isFirst = known === null;
    known = spec;
    document.title = spec.title;
    figures.useTemplates(spec.templates);
    const ids = new Set(spec.sections.map(section => section.id));
    for (const [id, section] of sections) {
      if (!ids.has(id)) {
        section.element.remove();
        sections.delete(id);
      }
    }
    const lines = [...new Set(spec.sections.flatMap(section => section.panels.map(panel => panel.name)))];
    spec.sections.forEach((each, index) => {
      if (!sections.has(each.id)) sections.set(each.id, new Section(each.id, index));
      const section = sections.get(each.id);
      section.index = index;
      section.update(each, lines);
    });
    const shown = [...sections.values()], studies = shown.filter(section => section.trials);
    if (studies.length > 1 && !beside) beside = new Beside(studies);
    if (beside) beside.sections = studies;
    if (isFirst) {
      main.replaceChildren();
      main.after(make("footer", {}, spec.footer));
    }
    const parts = [shown.length > 1 && contents(shown), studies.length > 1 && beside.element,
      ...shown.map(section => section.element)].filter(Boolean);
    // Elements that stand where they stood stay in their place, and keep what is in focus.
    if (parts.length !== main.children.length || parts.some((part, n) => part !== main.children[n])) {
      main.replaceChildren(...parts);
    }
    refresh();
    if (isFirst) goTo(view.get("at"));
  }

  const nav = make("nav", {"aria-label": "Studies"}, make("ul"));

  // Links to the sections; new ones only where the sections are others.
  function contents(shown) {
    const list = nav.firstChild, names = shown.map(section => section.name);
    if (names.join("\n") !== [...list.children].map(item => item.textContent).join("\n")) {
      list.replaceChildren(...shown.map(section => make("li", {}, leading(section.id, section.name))));
    }
    return nav;
  }

  // A link to a place on the page, which keeps the view.
  function leading(id, text, before = () => {}) {
    return make("a", {href: view.href({at: id}), onclick: event => {
      event.preventDefault();
      before();
      view.set({at: id});
      goTo(id);
    }}, text);
  }

  let at = view.get("at");
  view.listen(() => {
    refresh();
    if (view.get("at") !== at) goTo(at = view.get("at"));
  });

  const inlined = document.getElementById("document");
  if (inlined) update(JSON.parse(inlined.textContent));

  // All figures, once all are drawn: for files of them, and for tests.
  hpsearch.drawn = async () => {
    await figures.drawAll(true);
    return figures.all();
  };
  hpsearch.update = update;
}
