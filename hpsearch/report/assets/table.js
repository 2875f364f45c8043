// The table of all trials: sorted, filtered, with only what differs.
"use strict";
{
  const {make, csv, download} = hpsearch;
  const FIRST = 10, MORE = 100;

  // The rows in the order that the reader asks for; "" is the document's own, best first.
  function sorted(rows, trials, order) {
    const down = order.startsWith("-"), name = down ? order.slice(1) : order;
    const column = trials.columns.find(each => each.name === name);
    if (!column) return rows;
    const sign = down ? -1 : 1;
    return [...rows].sort((a, b) => {
      const [missingA, missingB] = [column.isMissing(a), column.isMissing(b)];
      if (missingA || missingB) return missingA - missingB || a - b;
      const [x, y] = [column.values[a], column.values[b]];
      return sign * (x < y ? -1 : x > y ? 1 : 0) || a - b;
    });
  }

  // The columns to show of these rows. The number of a trial is always among them.
  function columnsOf(trials, rows, {all, differs}) {
    return trials.columns.filter(column => column.key === "number"
      || ((all || column.role !== "detail") && (!differs || (rows.length > 1 && column.differs(rows)))));
  }

  // A check box that keeps what it says in the address.
  function toggle(section, key, text) {
    const box = make("input", {type: "checkbox", "data-key": key,
      onchange: () => section.set({[key]: box.checked})});
    box.checked = Boolean(section.get(key));
    return make("label", {class: "choice"}, box, text);
  }

  class TrialsTable {
    constructor(section) {
      this.section = section;
      this.controls = make("p", {class: "controls"});
      this.head = make("tr");
      this.body = make("tbody");
      this.caption = make("caption");
      this.frame = make("div", {class: "frame", tabindex: 0, role: "region", "aria-label": "the table of trials"},
        make("table", {class: "trials"}, this.caption, make("thead", {}, this.head), this.body));
      this.more = make("p", {class: "controls"});
      this.element = make("div", {}, this.controls, this.frame, this.more);
    }

    refresh() {
      const {section} = this, {trials} = section;
      const focused = this.element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
      const rows = sorted(section.rows, trials, section.get("sort"));
      const columns = columnsOf(trials, rows, {all: section.get("columns"), differs: section.get("differs")});
      const count = Number(section.get("rows")) || FIRST;
      const shown = rows.slice(0, count);
      this.controls.replaceChildren(
        toggle(section, "differs", "only what differs"), toggle(section, "columns", "all columns"));
      this.caption.textContent = shown.length < rows.length
        ? `${shown.length} of ${section.countText}` : section.countText;
      this.head.replaceChildren(...columns.map(column => this.heading(column)));
      this.body.replaceChildren(...shown.map(row => this.line(row, columns)));
      const left = rows.length - shown.length;
      this.more.replaceChildren(...(left > 0 ? [make("button", {"data-key": "more",
        onclick: () => section.set({rows: count + MORE})}, `show ${Math.min(left, MORE)} more`)] : []));
      if (focused) this.element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
    }

    // The first click sorts the better way where there is one: great scores first, short times first.
    heading(column) {
      const {section} = this, order = section.get("sort");
      const turn = order === column.name ? "ascending" : order === `-${column.name}` ? "descending" : null;
      const great = column.key === "score" && section.trials.maximize;
      const next = turn === null ? `${great ? "-" : ""}${column.name}`
        : turn === "ascending" ? (great ? "" : `-${column.name}`) : (great ? column.name : "");
      return make("th", {scope: "col", "aria-sort": turn ?? false},
        make("button", {"data-key": `sort ${column.key}`, onclick: () => section.set({sort: next})}, column.name,
          make("span", {class: "turn", "aria-hidden": "true"}, {ascending: "▲", descending: "▼"}[turn] ?? "")));
    }

    line(row, columns) {
      const {section} = this, {trials} = section;
      return make("tr", {}, columns.map(column => {
        if (column.key !== "number") return make("td", {}, column.text(row));
        const number = trials.numbers[row];
        return make("td", {}, section.link(number), number === trials.winner ? " (winner)" : "");
      }));
    }

    // All selected trials in all columns, in their order here.
    save(name) {
      const {section} = this, {trials} = section;
      const rows = sorted(section.rows, trials, section.get("sort"));
      download(`${name}.csv`, csv([trials.columns.map(column => column.name),
        ...rows.map(row => trials.columns.map(column => column.exact(row)))]), "text/csv");
    }
  }

  Object.assign(hpsearch, {TrialsTable, toggle});
}
