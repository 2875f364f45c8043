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

DARK.addEventListener("change", () => restyle({template: template()}));
addEventListener("beforeprint", () => restyle({template: TEMPLATES.light, width: SHEET}));
addEventListener("afterprint", () =>
  restyle({template: template(), width: null, autosize: true}));
