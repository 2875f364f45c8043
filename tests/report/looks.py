"""What a reader of a page sees, as JavaScript that finds it out."""

from __future__ import annotations

__all__ = ["CUT_OFF", "LETTERS_A_LINE"]

CUT_OFF = """FIGURES.flatMap(div => {
  const frame = div.getBoundingClientRect();
  const texts = div.querySelectorAll("[class$=title], .xtick text, .ytick text");
  return [...texts].filter(text => {
    const box = text.getBoundingClientRect();
    return box.width && (box.left < frame.left - 2 || box.right > frame.right + 2
      || box.top < frame.top - 2 || box.bottom > frame.bottom + 2);
  }).map(text => `${div.id}: ${text.textContent}`);
})"""
"""Names of axes and ticks that do not end within their figure."""

LETTERS_A_LINE = """[...document.querySelectorAll("td")].filter(td => td.textContent.length > 60)
  .map(td => {
    const range = document.createRange();
    range.selectNodeContents(td);
    const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
    return td.textContent.length / lines.size;
  })"""
"""For each sentence in a table, how many letters its lines have on average."""
