// What the server's pages share: requests with the reader's token, and the line at their top.
"use strict";
{
  const {make, live} = hpsearch;
  const STORED = "hpsearch-token";
  const fact = name => document.querySelector(`meta[name="hpsearch-${name}"]`)?.content;
  const root = fact("root");
  const token = () => sessionStorage.getItem(STORED);

  // A server's sentence as the first words of a page: `names` in it as code.
  function sentence(text) {
    const whole = `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
    return whole.split("`").map((part, n) => n % 2 ? make("code", {}, part) : part);
  }

  // The answer of a request; only what changes something needs the token itself.
  async function request(path, method = "GET", body) {
    if (method === "GET") return (await live.ask(path)).json();
    const headers = {"content-type": "application/json", "idempotency-key": crypto.randomUUID?.() ?? `${Math.random()}`.slice(2)};
    if (token()) headers.authorization = `Bearer ${token()}`;
    const answer = await live.ask(path, {method, headers, body: JSON.stringify(body ?? {})});
    return answer.status === 204 ? null : answer.json();
  }

  // The same for what changes something: a token is asked for where one is missing or too weak.
  async function change(path, method = "POST", body) {
    for (;;) {
      try {
        return await request(path, method, body);
      } catch (error) {
        if (![401, 403].includes(error.status) || !await askToken(error)) throw error;
      }
    }
  }

  function askToken({message, status}) {
    const why = status === 401 && !token() ? "a login is good for reading; to change something, this tab needs a token" : message;
    return new Promise(resolve => {
      const field = make("input", {type: "password", name: "token", autocomplete: "current-password", required: true, id: "token"});
      const form = make("form", {method: "dialog"},
        make("h2", {id: "token-title"}, "A token is needed"),
        make("p", {}, sentence(why)),
        make("input", {name: "name", value: "hpsearch", autocomplete: "username", hidden: true}),
        make("p", {}, make("label", {for: "token"}, "Token "), field),
        make("p", {class: "controls"}, make("button", {value: "ok"}, "Go on"),
          make("button", {value: "", formnovalidate: true}, "Cancel")));
      const dialog = make("dialog", {class: "trial ask", "aria-labelledby": "token-title"}, form);
      dialog.addEventListener("close", () => {
        const given = dialog.returnValue === "ok" && field.value.trim();
        if (given) sessionStorage.setItem(STORED, given);
        dialog.remove();
        resolve(Boolean(given));
      });
      document.body.append(dialog);
      dialog.showModal();
      field.focus();
    });
  }

  // A time that is read at a glance, the exact one beside it.
  function ago(text) {
    const moment = new Date(text), seconds = Math.max(0, (Date.now() - moment) / 1000);
    if (!text || Number.isNaN(seconds)) return "";
    const [count, unit] = seconds < 60 ? [seconds, "s"] : seconds < 3600 ? [seconds / 60, "min"]
      : seconds < 172800 ? [seconds / 3600, "h"] : [seconds / 86400, "days"];
    return make("time", {datetime: text, title: moment.toLocaleString()}, `${Math.floor(count)} ${unit} ago`);
  }

  // As precise as a forecast can be.
  function duration(seconds) {
    if (seconds < 57.5) return `${Math.max(5, 5 * Math.round(seconds / 5))} s`;
    return seconds < 5970 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
  }

  // Trials done of all, as a bar and as words.
  function progress(study, noun = "") {
    const ended = ["complete", "pruned", "failed"].reduce((sum, state) => sum + (study.trials[state] ?? 0), 0);
    const total = Math.max(study.total ?? 0, ended), failed = study.trials.failed ?? 0;
    const words = `${ended.toLocaleString("en")} of ${total.toLocaleString("en")}${noun}${failed ? ` (${failed.toLocaleString("en")} failed)` : ""}`;
    return make("span", {class: "progress"},
      make("progress", {max: total || 1, value: ended, "aria-label": `trials of ${study.name}`}), words);
  }

  const state = study => make("span", {class: `state ${study.state}`}, study.state);

  const link = name => `${root}studies/${encodeURIComponent(name)}`;

  // The line at the top of every page; gives what the server tells of itself and of who reads.
  async function header() {
    const nav = make("nav", {"aria-label": "pages"}, make("a", {href: root}, "hpsearch"),
      fact("name") && make("span", {"aria-current": "page"}, fact("name")));
    document.getElementById("site").append(nav);
    const about = await request(`${root}v1/server`).catch(() => null);
    if (!about) return null;
    const {name, scope, study} = about.you;
    nav.append(make("span", {class: "who"},
      make("a", {href: `${root}docs`}, "API"),
      study == null && make("a", {href: `${root}optuna/`}, "Optuna"),
      name !== "local" && [make("span", {}, `${name} (${scope})`),
        make("form", {method: "post", action: `${root}logout`}, make("button", {onclick: () => sessionStorage.removeItem(STORED)}, "Log out"))]));
    return about;
  }

  hpsearch.site = {root, fact, request, change, sentence, ago, duration, progress, state, link, about: header()};
}
