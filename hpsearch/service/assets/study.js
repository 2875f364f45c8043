// The state of a study above its page, and the buttons that steer it.
"use strict";
{
  const {make, short, site} = hpsearch;
  const {root, fact, request, change, follow, ago, duration, progress, state} = site;
  const name = fact("name"), address = fact("study");
  const said = make("p", {class: "problem", role: "alert"});
  const about = make("p", {class: "about", role: "status"});
  const buttons = make("div", {class: "controls"});
  const retry = make("div", {class: "controls"});
  const bar = make("section", {class: "steer", "aria-label": "state of the study"}, about, buttons, retry, said);
  document.getElementById("page").before(bar);
  let study = null;

  async function act(path, method, body, button) {
    said.textContent = "";
    button.disabled = true;
    try {
      const found = await change(path, method, body);
      if (method === "DELETE") location.href = root;
      else if (found?.name === name) draw(found);
    } catch (error) {
      said.textContent = `${error.message[0].toUpperCase()}${error.message.slice(1)}.`;
    } finally {
      button.disabled = false;
    }
  }

  const button = (text, path, method = "POST", body) =>
    make("button", {"data-key": text, onclick: event => act(`${address}${path}`, method, body, event.currentTarget)}, text);

  function draw(found) {
    study = found;
    const best = study.best == null ? "" : `, best ${study.metric} ${short(study.best)}`;
    about.replaceChildren(state(study), " ", progress(study), ` trials${best}`,
      study.left == null || study.state !== "running" ? "" : `, ${duration(study.left)} left`,
      ...(study.since ? [", ", study.state, " ", ago(study.since)] : []), study.why ? `: ${study.why}` : "");
    const steers = study.submitted ? {
      queued: ["pause", "stop"], running: ["pause", "stop"], paused: ["resume", "stop"],
      stopped: ["resume"], failed: ["resume"], finished: [],
    }[study.state] : [];
    const focused = document.activeElement?.dataset?.key;
    const total = make("input", {type: "number", min: (study.total ?? 0) + 1, value: 2 * (study.total ?? 1), "aria-label": "trials in all", class: "total"});
    buttons.replaceChildren(
      ...steers.map(verb => button(verb[0].toUpperCase() + verb.slice(1), `:${verb}`)),
      ...(study.submitted ? [make("span", {class: "choice"}, "Extend to ", total,
        make("button", {"data-key": "extend", onclick: event => act(`${address}:extend`, "POST", {trials: Number(total.value)}, event.currentTarget)}, "trials"))] : []),
      make("a", {href: `${address}/report`, download: `${name}.html`}, "Report"),
      make("a", {href: `${address}/export?to=csv`, download: `${name}.csv`}, "CSV"));
    if (focused) buttons.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  // A slot that failed can be tried again from its trial's page.
  async function offerRetry() {
    retry.replaceChildren();
    const asked = new URLSearchParams(location.hash.slice(1)).get("trial");
    if (!asked || !study?.submitted) return;
    const trial = await request(`${address}/trials/${encodeURIComponent(asked)}`).catch(() => null);
    if (trial?.state !== "failed" || trial.slot == null) return;
    const again = make("button", {"data-key": "retry",
      onclick: event => act(`${root}v1/trials/${trial.trial}:retry`, "POST", undefined, event.currentTarget)},
    `Try trial ${asked} again`);
    const page = document.querySelector("dialog.trial[open]");
    if (page) page.append(make("p", {class: "controls"}, again));
    else retry.replaceChildren(again);
  }

  async function look() {
    draw(await request(address));
  }

  addEventListener("hashchange", offerRetry);
  site.header([make("span", {}, name)]);
  const status = make("p", {class: "live", role: "status"});
  document.getElementById("site").before(status);
  follow(fact("events"), look, status);
  setInterval(() => study?.state === "running" && look().catch(() => {}), 5000);
}
