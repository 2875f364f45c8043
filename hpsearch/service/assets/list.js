// All studies, and who lends workers.
"use strict";
{
  const {make, short, live, site} = hpsearch;
  const {root, request, sentence, ago, duration, progress, state, link} = site;
  const main = document.getElementById("page");
  const ORDER = ["running", "queued", "paused", "failed", "stopped", "finished"];
  const isOver = study => ORDER.indexOf(study.state) > 3;
  const COLUMNS = [
    {key: "name", title: "Study", of: s => s.name.toLowerCase(), cell: s => make("a", {href: link(s.name)}, s.name)},
    {key: "state", title: "State", of: s => ORDER.indexOf(s.state),
      cell: s => [state(s), s.why && !["running", "finished"].includes(s.state) && make("span", {class: "why"}, sentence(s.why))]},
    {key: "best", title: "Best", of: s => s.best ?? Infinity, cell: s => s.best == null ? "" : `${s.metric} ${short(s.best)}`},
    {key: "progress", title: "Trials", of: s => (s.total ? -Object.values(s.trials).reduce((a, b) => a + b, 0) / s.total : 0), cell: progress},
    {key: "left", title: "Time left", of: s => s.left ?? Infinity, cell: s => s.left == null ? "" : duration(s.left)},
    {key: "priority", title: "Priority", of: s => -s.priority, cell: s => s.priority || ""},
    {key: "owner", title: "Owner", of: s => s.owner, cell: s => s.owner},
    {key: "since", title: "Since", of: s => -Date.parse(s.since || 0), cell: s => ago(s.since)},
  ];
  let studies = null, agents = [], by = "", backwards = false;

  const search = make("input", {type: "search", placeholder: "Filter by name, state, owner", "aria-label": "Filter studies", oninput: draw});
  const count = make("span", {class: "count", role: "status"});
  const body = make("tbody");
  const heads = COLUMNS.map(column => make("th", {scope: "col"},
    make("button", {onclick: () => sort(column.key)}, column.title, make("span", {class: "turn", "aria-hidden": "true"}))));
  // On a phone, where a row is a card, there are no headings to click.
  const order = make("select", {onchange: () => sort(order.value, false)},
    make("option", {value: ""}, "unfinished first"), COLUMNS.map(({key, title}) => make("option", {value: key}, title.toLowerCase())));
  const list = make("div", {class: "frame", tabindex: 0, role: "region", "aria-label": "studies"},
    make("table", {class: "facts trials studies"}, make("caption", {hidden: true}, "Studies"),
      make("thead", {}, make("tr", {}, heads)), body));
  const empty = make("p", {class: "empty"});
  const lenders = make("section", {"aria-labelledby": "agents"});
  main.replaceChildren(make("h1", {}, "Studies"),
    make("div", {class: "tools"}, search, make("label", {class: "choice order"}, "order ", order), count), list, empty, lenders);

  function sort(key, turns = by === key && !backwards) {
    backwards = turns;
    by = order.value = key;
    draw();
  }

  function draw() {
    if (studies === null) return;
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = studies.filter(s => words.every(word =>
      [s.name, s.state, s.owner, s.strategy, s.kind, s.metric].some(text => `${text}`.toLowerCase().includes(word))));
    const column = COLUMNS.find(each => each.key === by);
    if (column) shown.sort((a, b) => (column.of(a) < column.of(b) ? -1 : column.of(a) > column.of(b) ? 1 : 0) * (backwards ? -1 : 1));
    else shown.sort((a, b) => isOver(a) - isOver(b));
    heads.forEach((head, n) => {
      const mine = COLUMNS[n].key === by;
      if (mine) head.setAttribute("aria-sort", backwards ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      head.querySelector(".turn").textContent = mine ? (backwards ? "▼" : "▲") : "";
    });
    const focused = document.activeElement?.closest?.("tbody a")?.textContent;
    body.replaceChildren(...shown.map(study => make("tr", {},
      COLUMNS.map(each => make("td", {"data-title": each.title}, each.cell(study))))));
    if (focused) [...body.querySelectorAll("a")].find(a => a.textContent === focused)?.focus();
    list.hidden = !shown.length;
    empty.hidden = Boolean(shown.length);
    empty.replaceChildren(...(studies.length ? ["No study matches."]
      : ["No studies yet. ", make("code", {}, `hpsearch submit STUDY.toml --server ${new URL(root, location).href.replace(/\/$/, "")}`), " sends one."]));
    count.textContent = words.length ? `${shown.length} of ${studies.length}` : `${studies.length} ${studies.length === 1 ? "study" : "studies"}`;
  }

  const HEADINGS = ["Agent", "Workers", "Does", "At work on", "Heard of"];

  function drawAgents() {
    lenders.hidden = agents === null;  // a token of one study does not tell
    if (agents === null) return;
    const work = ({study, number, since}) => make("div", {},
      make("a", {href: `${link(study)}${number == null ? "" : `#trial=${number}`}`}, study),
      number == null ? "" : ` trial ${number}`, since && [", begun ", ago(since)]);
    const row = agent => [
      [agent.name, agent.draining && make("span", {class: "why"}, "ends once its trials are done")],
      `${agent.workers}`, agent.kinds.join(", "),
      agent.work.length ? agent.work.slice(0, 8).map(work).concat(agent.work.length > 8 ? [`and ${agent.work.length - 8} more`] : []) : "nothing",
      agent.seen == null || agent.name === "this server" ? "" : agent.seen < 5 ? "just now" : `${duration(agent.seen)} ago`];
    lenders.replaceChildren(make("h2", {id: "agents"}, "Agents"), agents.length
      ? make("div", {class: "frame", tabindex: 0, role: "region", "aria-label": "agents"},
        make("table", {class: "facts studies"}, make("caption", {hidden: true}, "Agents"),
          make("thead", {}, make("tr", {}, HEADINGS.map(text => make("th", {scope: "col"}, text)))),
          make("tbody", {}, agents.map(agent => make("tr", {},
            row(agent).map((cell, n) => make("td", {"data-title": HEADINGS[n]}, cell)))))))
      : make("p", {class: "empty"}, "Nobody lends workers. ", make("code", {}, `hpsearch agent ${new URL(root, location).href.replace(/\/$/, "")}`), " does."));
  }

  async function look() {
    ({studies} = await request(`${root}v1/studies`));
    draw();
    if (agents !== null) agents = await request(`${root}v1/agents`).catch(error => {
      if (error.status !== 403) throw error;
      return null;
    });
    drawAgents();
  }

  site.about.then(about => {
    if (about?.you.study != null) agents = null;
    const news = live.follow(`${root}v1/events`, look);
    setInterval(news, 15000);  // who lends workers tells no news
  });
}
