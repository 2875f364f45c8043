// What the server's pages share: requests with the reader's token, news, and the line at their top.
"use strict";
{
  const {make} = hpsearch;
  const STORED = "hpsearch-token", GAP = 1000, PATIENCE = 5000;
  const fact = name => document.querySelector(`meta[name="hpsearch-${name}"]`)?.content;
  const root = fact("root");

  const token = () => sessionStorage.getItem(STORED);

  // The answer of a request, or an error with the server's sentence.
  async function request(path, method = "GET", body) {
    const headers = {accept: "application/json"};
    if (method !== "GET") {
      headers["content-type"] = "application/json";
      headers["idempotency-key"] = crypto.randomUUID?.() ?? `${Math.random()}`.slice(2);
      if (token()) headers.authorization = `Bearer ${token()}`;
    }
    const answer = await fetch(path, {
      method, headers, cache: "no-cache", body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
    });
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    const problem = await answer.json().catch(() => ({detail: `the server answers ${answer.status}`}));
    throw Object.assign(new Error(problem.detail), {status: answer.status});
  }

  // The same for what changes something: a token is asked for where one is missing or too weak.
  async function change(path, method = "POST", body) {
    for (let again = false; ; again = true) {
      try {
        return await request(path, method, body);
      } catch (error) {
        if (![401, 403].includes(error.status) || !await askToken(error.message, again)) throw error;
      }
    }
  }

  function askToken(why) {
    return new Promise(resolve => {
      const field = make("input", {type: "password", name: "token", autocomplete: "current-password", required: true, id: "token"});
      const form = make("form", {method: "dialog"},
        make("h2", {id: "token-title"}, "A token is needed"),
        make("p", {}, `${why[0].toUpperCase()}${why.slice(1)}.`),
        make("p", {}, make("label", {for: "token"}, "Token "), field),
        make("p", {class: "controls"}, make("button", {value: "ok"}, "Go on"),
          make("button", {value: "", formnovalidate: true}, "Cancel")));
      const dialog = make("dialog", {class: "trial", "aria-labelledby": "token-title"}, form);
      dialog.addEventListener("close", () => {
        const given = dialog.returnValue === "ok" && field.value.trim();
        if (given) sessionStorage.setItem(STORED, given);
        dialog.remove();
        resolve(Boolean(given));
      });
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  // Calls `look` now, and again whenever there is news: once a second at most, and only while
  // somebody can see the page. What goes wrong is said in `said`.
  function follow(address, look, said) {
    let isNews = true, isBusy = false, last = -GAP;
    async function next() {
      if (isBusy || !isNews || document.hidden) return;
      isBusy = true;
      await new Promise(resolve => setTimeout(resolve, Math.max(0, last + GAP - performance.now())));
      isNews = false;
      try {
        await look();
        said.textContent = "";
      } catch (error) {
        said.textContent = `What is shown may be old: ${error.message}.`;
        isNews = true;
        setTimeout(next, PATIENCE);
      }
      last = performance.now();
      isBusy = false;
      if (isNews && !said.textContent) next();
    }
    const news = () => { isNews = true; next(); };
    const events = new EventSource(address);
    events.onmessage = events.onopen = news;
    events.onerror = () => { said.textContent = "The server does not answer; what is shown may be old."; };
    document.addEventListener("visibilitychange", next);
    next();
    return news;
  }

  // A time that is read at a glance, the exact one beside it.
  function ago(text) {
    const moment = new Date(text), seconds = Math.max(0, (Date.now() - moment) / 1000);
    if (!text || Number.isNaN(seconds)) return "";
    const [count, unit] = seconds < 60 ? [seconds, "s"] : seconds < 3600 ? [seconds / 60, "min"]
      : seconds < 172800 ? [seconds / 3600, "h"] : [seconds / 86400, "days"];
    return make("time", {datetime: text, title: moment.toLocaleString()}, `${Math.floor(count)} ${unit} ago`);
  }

  function duration(seconds) {
    if (seconds == null) return "";
    if (seconds < 90) return `${Math.round(seconds)} s`;
    return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
  }

  // Trials done of all, as a bar and as words.
  function progress(study) {
    const ended = ["complete", "pruned", "failed"].reduce((sum, state) => sum + (study.trials[state] ?? 0), 0);
    const total = Math.max(study.total ?? 0, ended);
    const words = `${ended.toLocaleString("en")} of ${total.toLocaleString("en")}`;
    return make("span", {class: "progress"},
      make("progress", {max: total || 1, value: ended, "aria-label": `trials of ${study.name}`}), words);
  }

  const state = study => make("span", {class: `state ${study.state}`}, study.state);

  async function header(trail) {
    const line = make("nav", {class: "site", "aria-label": "pages"},
      make("a", {href: root}, "hpsearch"), ...trail);
    document.getElementById("site").append(line);
    const about = await request(`${root}v1/server`).catch(() => null);
    if (!about) return;
    const {you} = about;
    line.append(make("span", {class: "who"},
      make("a", {href: `${root}docs`}, "API"),
      make("a", {href: `${root}optuna/`}, "Optuna"),
      ...(you.name === "local" ? [] : [make("span", {}, `${you.name} (${you.scope})`),
        make("form", {method: "post", action: `${root}logout`}, make("button", {onclick: () => sessionStorage.removeItem(STORED)}, "Log out"))])));
  }

  hpsearch.site = {root, fact, request, change, follow, ago, duration, progress, state, header};
}
