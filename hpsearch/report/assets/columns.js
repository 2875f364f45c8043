// All trials of a study, as the document has them: columns of typed arrays.
"use strict";
{
  const TYPES = {
    i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array,
    f4: Float32Array, f8: Float64Array,
  };

  const LOSSES = ["training loss", "validation loss"];

  // The place of the greatest value of a curve; 0 is that of the least, and what is above is none.
  const TOP = 65534;

  // What stands for an array in the document: numbers in base64, or plain ones.
  function unpacked(spec) {
    if (spec == null) return [];
    if (!spec.bdata) return spec;
    const bytes = Uint8Array.from(atob(spec.bdata), character => character.charCodeAt(0));
    const flat = new (TYPES[spec.dtype])(bytes.buffer);
    if (!spec.shape) return flat;
    const width = Number(`${spec.shape}`.split(",").pop());
    return Array.from({length: flat.length / width}, (_, n) => flat.slice(n * width, (n + 1) * width));
  }

  class Column {
    constructor({key, name, role, type, log, values}) {
      Object.assign(this, {key, name, role, type, log, texts: values.texts});
      this.values = unpacked(values.codes ?? values);
      this.isWhole = !this.isText && !values.dtype.startsWith("f");
    }

    get isText() { return this.type === "text"; }

    isMissing(row) { return this.isText ? this.values[row] === 0 : Number.isNaN(this.values[row]); }

    // What a reader sees of a trial.
    text(row) {
      if (this.isText) return this.texts[this.values[row]];
      if (this.isMissing(row)) return "";
      if (this.type === "time") return new Date(this.values[row]).toISOString().slice(0, 19).replace("T", " ");
      return hpsearch.short(this.values[row]);
    }

    // What a file gets: a number in all its digits.
    exact(row) {
      return this.type === "number" ? this.values[row] : this.text(row);
    }

    // Whether the trials of these rows have more than one value.
    differs(rows) {
      const first = this.values[rows[0]];
      return rows.some(row => !Object.is(this.values[row], first));
    }
  }

  class Trials {
    constructor(spec) {
      Object.assign(this, spec);
      this.columns = spec.columns.map(column => new Column(column));
      this.byKey = new Map(this.columns.map(column => [column.key, column]));
      this.numbers = this.byKey.get("number").values;
      this.rows = new Map(Array.from(this.numbers, (number, row) => [number, row]));
      this.curveNames = Object.keys(spec.curves);
      this.score = this.byKey.get("score");
      this.state = this.byKey.get("state");
      this.read = {};
    }

    // The curves of losses, and those of the score.
    get lossCurves() {
      return this.curveNames.filter(name => LOSSES.includes(name) && name !== this.score?.name);
    }

    get scoreCurves() { return this.curveNames.filter(name => !this.lossCurves.includes(name)); }

    get parameters() { return this.columns.filter(column => column.role === "parameter"); }

    get all() { return Array.from({length: this.count}, (_, row) => row); }

    isComplete(row) {
      return this.state.text(row) === "complete" && Number.isFinite(this.score?.values[row]);
    }

    // A trial's curve: {steps, values}; null where it has none.
    curve(name, row) {
      const read = this.read[name] ??= this.readCurves(this.curves[name]);
      const begin = read.begins[row], length = read.lengths[row];
      if (!length) return null;
      const steps = read.steps?.slice(begin, begin + length) ?? Array.from({length}, (_, n) => n + 1);
      const [low, high] = [read.low, read.high].map(ends => ends[read.order[row]]);
      const values = Array.from(read.places.slice(begin, begin + length),
        at => at > TOP ? NaN : low * (1 - at / TOP) + high * (at / TOP));
      return {steps: Array.from(steps), values};
    }

    readCurves(spec) {
      const arrays = Object.entries(spec).map(([name, numbers]) => [name, numbers && unpacked(numbers)]);
      const read = Object.fromEntries(arrays);
      let begin = 0, before = 0;
      read.begins = Array.from(read.lengths, length => (begin += length) - length);
      read.order = Array.from(read.lengths, length => length ? before++ : -1);
      return read;
    }

    // What tells the settings of one trial from those of another.
    settings(row) { return this.parameters.map(column => `${column.values[row]}`).join("\n"); }
  }

  Object.assign(hpsearch, {unpacked, Trials});
}
