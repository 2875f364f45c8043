// Draws every figure from the JSON in its element; `drawn` is done when all are.
"use strict";
const TEMPLATES = JSON.parse(document.getElementById("templates").textContent);
const DARK = matchMedia("(prefers-color-scheme: dark)");
const CONFIG = {responsive: true, displaylogo: false, displayModeBar: false, doubleClick: "reset"};
const FIGURES = [...document.querySelectorAll(".figure")];

// A figure wider than this does not fit a sheet of paper.
const SHEET = 660;

const template = () => TEMPLATES[DARK.matches ? "dark" : "light"];

async function draw(div) {
  const {data, layout} = JSON.parse(div.querySelector("script").textContent);
  await Plotly.newPlot(div, data, {...layout, template: template()}, CONFIG);
  await fit(div);
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

async function drawAll() {
  for (const div of FIGURES) {
    await draw(div);
    await new Promise(resolve => setTimeout(resolve));  // so that the page scrolls meanwhile
  }
  done = performance.now();
  return FIGURES;
}

let done;  // milliseconds since the page began to load
const drawn = drawAll();

function restyle(change) {
  return Promise.all(FIGURES.filter(div => div.layout).map(div => Plotly.relayout(div, change)));
}

addEventListener("resize", () => drawn.then(() => FIGURES.forEach(fit)));
DARK.addEventListener("change", () => restyle({template: template()}));
addEventListener("beforeprint", () => restyle({template: TEMPLATES.light, width: SHEET}));
addEventListener("afterprint", () =>
  restyle({template: template(), width: null, autosize: true}));
