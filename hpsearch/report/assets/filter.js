// What selects trials: a line of text that a reader can write, brushing writes, and a link carries.
//
//   learning_rate:0.01..0.1     between two numbers, ends included; either may be left out
//   activation:relu|elu         one of these texts; "in quotes" where there are spaces
//   trial:3|17                  one of these numbers
//   diverged                    a word that stands anywhere in a trial
//   -state:complete             a minus: all but these
"use strict";
{
  const TERM = /(-?)(?:("(?:[^"\\]|\\.)*"|[^\s":]+):((?:"(?:[^"\\]|\\.)*"|[^\s"])*)|("(?:[^"\\]|\\.)*"|\S+))/g;
  const PART = /"(?:[^"\\]|\\.)*"|[^|]+/g;
  const RANGE = /^(-?[\d.e+-]*?\d?)\.\.(-?[\d.e+-]*)$/i;

  const bare = text => text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text;
  const quoted = text =>
    text !== "" && /^[^\s":|\\-][^\s":|\\]*$/.test(text) && !text.includes("..") ? text
      : `"${text.replace(/["\\]/g, "\\$&")}"`;

  // The terms of a line. A name that no column has is a problem, which is told in a sentence.
  function parse(line, trials) {
    const terms = [], problems = [];
    for (const [whole, minus, name, value, word] of line.matchAll(TERM)) {
      if (name === undefined) {
        terms.push({whole, not: minus === "-", word: bare(word).toLowerCase()});
        continue;
      }
      const column = trials.columns.find(each => each.name === bare(name));
      if (!column) {
        problems.push(`There is no ${bare(name)}; there are ${trials.columns.map(each => each.name).join(", ")}.`);
        continue;
      }
      const term = {whole, not: minus === "-", column};
      const range = !column.isText && RANGE.exec(value);
      if (range) {
        const [low, high] = [range[1], range[2]].map(end => end === "" ? NaN : Number(end));
        if ((range[1] && Number.isNaN(low)) || (range[2] && Number.isNaN(high))) {
          problems.push(`${value} is no range of numbers; write one as 0.1..0.5.`);
          continue;
        }
        Object.assign(term, {low: range[1] ? low : -Infinity, high: range[2] ? high : Infinity});
      } else {
        term.texts = (value.match(PART) ?? []).map(bare);
      }
      terms.push(term);
    }
    return {terms, problems};
  }

  function fits(term, trials, row) {
    if (term.word !== undefined) {
      return trials.columns.some(column => column.isText && column.text(row).toLowerCase().includes(term.word));
    }
    const {column} = term;
    if (term.texts) {
      return term.texts.some(text => column.isText ? column.text(row) === text
        : column.values[row] === Number(text) || column.text(row) === text);
    }
    const value = column.values[row];
    return value >= term.low && value <= term.high;
  }

  // The rows that all terms fit, and what is wrong with the line; null rows without any term.
  function select(line, trials) {
    const {terms, problems} = parse(line, trials);
    if (!terms.length) return {rows: null, terms, problems};
    const rows = trials.all.filter(row => terms.every(term => fits(term, trials, row) !== term.not));
    return {rows, terms, problems};
  }

  // The line with other terms for some columns: each {column, low, high} or {column, texts}, or
  // {column} alone to be rid of those that there are.
  function replaced(line, trials, changes) {
    const gone = new Set(changes.map(change => change.column));
    const kept = parse(line, trials).terms.filter(term => term.not || !gone.has(term.column));
    return [...kept.map(term => term.whole), ...changes.filter(says).map(write)].join(" ");
  }

  const says = change => change.texts?.length || Number.isFinite(change.low) || Number.isFinite(change.high);

  function write({column, low, high, texts}) {
    const end = (value, whole) => !Number.isFinite(value) ? ""
      : column.isWhole ? `${whole(value)}` : hpsearch.short(value);
    const values = texts ? texts.map(quoted).join("|") : `${end(low, Math.ceil)}..${end(high, Math.floor)}`;
    return `${quoted(column.name)}:${values}`;
  }

  hpsearch.filter = {select, replaced, write};
}
