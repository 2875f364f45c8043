// Elements, texts and files: what the other scripts share. Texts are set as text, never as HTML.
"use strict";
const hpsearch = {};
{
  // An element with its attributes, and with children that are elements or plain text. What begins
  // with "on" is listened to.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children.flat(2).filter(child => child != null && child !== false && child !== ""));
    return element;
  }

  // Characters from which on a cell is a sentence, whose lines are not to be two words long.
  const PROSE = 40;

  // A table that scrolls in its own frame where it is wider than the page.
  function table({caption, headings, rows}, kind = "facts") {
    const cell = text => make("td", {class: `${text}`.length > PROSE && "prose"}, text);
    return make("div", {class: "frame", tabindex: 0, role: "region", "aria-label": caption},
      make("table", {class: kind}, make("caption", {}, caption),
        make("thead", {}, make("tr", {}, headings.map(text => make("th", {scope: "col"}, text)))),
        make("tbody", {}, rows.map(row => make("tr", {}, row.map(cell))))));
  }

  // A number in few digits: as Python's "%.4g" where that is a plain one.
  function short(number, digits = 4) {
    if (Number.isNaN(number)) return "";
    if (!Number.isFinite(number)) return number > 0 ? "inf" : "-inf";
    if (Number.isInteger(number) && Math.abs(number) < 1e15) return `${number}`;
    const rounded = +number.toPrecision(digits);
    if (Math.abs(rounded) >= 1e-4 && Math.abs(rounded) < 1e15) return `${rounded}`;
    return rounded.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }

  // A text that Plotly shows as it stands, without reading tags or templates in it.
  const label = text => `${text}`.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
    .replace(/%\{/g, "%&#123;");

  // The same backwards, in one line.
  const unlabel = text => `${text}`.replace(/<br>/g, " ").replace(/&#123;/g, "{")
    .replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

  // Rows as CSV. A text that a spreadsheet would compute gets an apostrophe before it.
  function csv(rows) {
    const cell = value => {
      if (value == null || Number.isNaN(value)) return "";
      if (typeof value === "number") return `${value}`;
      const text = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
      return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
    };
    return rows.map(row => row.map(cell).join(",") + "\r\n").join("");
  }

  // Give the reader a file. A name of any study becomes one that every system takes.
  function download(name, content, type) {
    const blob = content instanceof Blob ? content : new Blob([content], {type});
    const link = make("a", {href: URL.createObjectURL(blob), download: name.replace(/[^\w.%-]/g, "_")});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // Give a choice its options; as it is where it has them.
  function offer(choice, names) {
    if (names.join("\n") === [...choice.options].map(option => option.value).join("\n")) return;
    choice.replaceChildren(...names.map(name => make("option", {value: name}, name)));
  }

  Object.assign(hpsearch, {make, offer, table, short, label, unlabel, csv, download});
}
