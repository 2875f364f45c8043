// Files of a panel: its figures as one PNG on white, its numbers as CSV.
"use strict";
{
  const {unpacked, unlabel, csv, download, figures} = hpsearch;
  const WIDTH = 800, SCALE = 2, HEAD = 44;

  function picture(plot) {
    const {data, layout} = figures.dressed(plot, figures.template("light"));
    const {height} = layout;
    return Plotly.toImage({data, layout: {...layout, paper_bgcolor: "white", width: WIDTH, height}},
      {format: "png", width: WIDTH, height, scale: SCALE});
  }

  async function png(name, title, plots) {
    const images = [];
    for (const plot of plots) {
      const image = new Image();
      image.src = await picture(plot);
      await image.decode();
      images.push(image);
    }
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH * SCALE;
    canvas.height = images.reduce((sum, image) => sum + image.height, HEAD * SCALE);
    const brush = canvas.getContext("2d");
    brush.fillStyle = "white";
    brush.fillRect(0, 0, canvas.width, canvas.height);
    brush.fillStyle = "#1c1e21";
    brush.font = `600 ${18 * SCALE}px system-ui, sans-serif`;
    brush.fillText(title, 12 * SCALE, 28 * SCALE, canvas.width - 24 * SCALE);
    let top = HEAD * SCALE;
    for (const image of images) {
      brush.drawImage(image, 0, top);
      top += image.height;
    }
    download(`${name}.png`, await new Promise(resolve => canvas.toBlob(resolve)));
  }

  const title = (axis, fallback) => unlabel(axis?.title?.text ?? axis?.title ?? "") || fallback;

  // A line for each point of each trace; a map has one for each of its cells.
  function rowsOf(plots) {
    const rows = [];
    plots.forEach(({figure: {data, layout}}, n) => {
      rows.push(["figure", "trace", title(layout.xaxis, "x"), title(layout.yaxis, "y"), "z", "text"]);
      for (const trace of data) {
        const name = unlabel(trace.name ?? "");
        const [x, y, z] = [trace.x, trace.y, trace.z].map(unpacked), text = trace.text ?? [];
        if (z.length) {
          z.forEach((line, j) => Array.from(line).forEach((value, i) =>
            rows.push([n + 1, name, x[i] ?? i, y[j] ?? j, value, ""])));
          continue;
        }
        for (let i = 0; i < Math.max(x.length, y.length); i++) {
          if (x[i] == null && y[i] == null) continue;
          if (Number.isNaN(x[i]) || Number.isNaN(y[i])) continue;
          rows.push([n + 1, name, x[i], y[i], null, Array.isArray(text) ? unlabel(text[i] ?? "") : unlabel(text)]);
        }
      }
    });
    return rows;
  }

  // The numbers of figures, and then tables, one below the other.
  function numbers(name, plots, tables) {
    const parts = [rowsOf(plots), ...tables.map(({caption, headings, rows}) => [[caption], headings, ...rows])];
    const rows = parts.filter(part => part.length).flatMap((part, n) => n ? [[], ...part] : part);
    download(`${name}.csv`, csv(rows), "text/csv");
  }

  hpsearch.files = {png, numbers};
}
