// The state of a study above its page, the buttons that steer it, and what is under way.
"use strict";
{
  const {make, table, short, figures, label, view, live, site} = hpsearch;
  const {root, fact, request, change, sentence, ago, duration, progress, state} = site;
  const MOST_RUNNING = 20;
  const name = fact("name"), address = fact("study");
  const said = make("p", {class: "problem", role: "alert"});
  const about = make("p", {class: "about"});
  const buttons = make("div", {class: "controls"});
  const retry = make("p", {class: "controls retry"});
  const count = make("summary"), under = make("div");
  const running = make("details", {class: "running", hidden: true, ontoggle: () => drawRunning()}, count, under);
  const bar = make("section", {class: "steer", "aria-label": "state of the study"}, about, buttons, said, running);
  document.getElementById("page").before(bar);
  let study = null, trials = [], maySteer = false;
  let looked = null;  // the trial for which a button was offered, or not

  async function act(path, body, button, after = draw) {
    said.textContent = "";
    button.disabled = true;
    try {
      after(await change(path, "POST", body));
      news();
    } catch (error) {
      const place = button.closest("dialog") ? retry : said;  // below a dialog nobody sees anything
      place.replaceChildren(...(place === retry ? [button] : []), ...sentence(error.message));
    } finally {
      button.disabled = false;
    }
  }

  const STEERS = {
    queued: ["pause", "stop"], running: ["pause", "stop"], paused: ["resume", "stop"],
    stopped: ["resume"], failed: ["resume"], finished: [],
  };

  function draw(found) {
    study = found;
    const best = study.best == null ? "" : `, best ${study.metric} ${short(study.best)}`;
    about.replaceChildren(state(study), " ", progress(study, " trials"), best,
      study.left == null ? "" : `, about ${duration(study.left)} left`,
      ...(study.since ? [", ", study.state === "running" ? "started" : study.state, " ", ago(study.since)] : []),
      ...(study.why ? [": ", ...sentence(study.why)] : []));
    // Buttons that stay keep what is in focus, and what is typed.
    const key = JSON.stringify([study.state, study.total, study.submitted, maySteer]);
    if (buttons.dataset.of === key) return;
    const focused = document.activeElement?.dataset?.key;
    const total = make("input", {type: "number", required: true, min: (study.total ?? 0) + 1, max: 1000000, step: 1, value: 2 * (study.total ?? 1), class: "total"});
    const extend = make("form", {class: "choice", onsubmit: event => {
      event.preventDefault();
      act(`${address}:extend`, {trials: Number(total.value)}, event.submitter);
    }}, make("label", {class: "choice"}, "Trials in all ", total), make("button", {"data-key": "extend"}, "Extend"));
    buttons.dataset.of = key;
    buttons.replaceChildren(
      ...(maySteer && study.submitted ? [...STEERS[study.state].map(verb => make("button", {"data-key": verb,
        onclick: event => act(`${address}:${verb}`, undefined, event.currentTarget)}, verb[0].toUpperCase() + verb.slice(1))), extend] : []),
      ...(Object.keys(study.trials).length ? [make("a", {href: `${address}/report`, download: `${name}.html`}, "Report"),
        make("a", {href: `${address}/export?to=csv`, download: `${name}.csv`}, "CSV")] : []));
    if (focused) buttons.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  // Trials that somebody has just now, and their values on the way.
  function drawRunning() {
    running.hidden = !trials.length;
    const shown = trials.slice(0, MOST_RUNNING), metric = study.metric || "value";
    const words = `${trials.length.toLocaleString("en")} ${trials.length === 1 ? "trial" : "trials"} under way`;
    count.textContent = trials.length > shown.length ? `${words}, ${shown.length} of them shown` : words;
    if (!running.open) return;
    const set = trial => Object.entries(trial.configuration)
      .map(([key, value]) => `${key} ${typeof value === "number" ? short(value) : value}`).join(", ");
    const rows = shown.map(trial => {
      const [step, value] = trial.reports.at(-1) ?? [];
      return [`${trial.number}`, trial.holder, trial.started ? ago(trial.started).textContent : "",
        step === undefined ? "" : `${short(value)} at ${step}`, set(trial)];
    });
    const figure = {
      data: shown.filter(trial => trial.reports.length).map(({number, reports}) => ({
        type: "scatter", mode: reports.length > 1 ? "lines" : "markers", name: `trial ${number}`,
        x: reports.map(([step]) => step), y: reports.map(([, value]) => value),
      })),
      layout: {height: 260, showlegend: true, xaxis: {title: {text: "step"}}, yaxis: {title: {text: label(metric)}}},
    };
    under.replaceChildren(
      table({caption: "Under way", headings: ["trial", "who has it", "began", `${metric} so far`, "configuration"], rows}),
      // Figures are dressed as the study's document says.
      ...(figure.data.length && figures.template("light") ? [figures.place("under-way", figure, {label: "Values of trials under way"})] : []));
    figures.sweep();
    figures.drawAll();
  }

  // A slot that failed can be tried again, from its trial's page.
  async function offerRetry() {
    const asked = view.get("trial");
    const key = [asked, study?.trials.failed, maySteer].join(" ");
    if (key === looked) return;
    looked = key;
    retry.remove();
    if (!/^\d+$/.test(asked) || !maySteer || !study?.submitted || !study.trials.failed) return;
    const trial = await request(`${address}/trials/${asked}`).catch(() => null);
    const page = document.querySelector("dialog.trial[open]");
    if (key !== looked || trial?.state !== "failed" || trial.slot == null) return;
    if (!page) {  // the document is still being drawn
      looked = null;
      return;
    }
    const button = make("button", {"data-key": "retry", onclick: () => act(`${root}v1/trials/${trial.trial}:retry`, undefined, button, found => {
      retry.replaceChildren("Its slot is tried again, by a new trial.");
      draw(found);
    })}, "Try this slot again");
    retry.replaceChildren(button);
    page.querySelector("h2").after(retry);
  }

  async function look() {
    draw(await request(address));
    const isOn = ["running", "paused"].includes(study.state);
    trials = isOn ? (await request(`${address}/running`)).trials : [];
    drawRunning();
    await offerRetry();
  }

  let news = () => {};
  view.listen(offerRetry);
  site.about.then(known => {
    maySteer = ["submit", "admin"].includes(known?.you.scope);
    news = live.follow(fact("events"), look);
    setInterval(() => study?.state === "running" && news(), 5000);  // reports tell no news
  });
}
