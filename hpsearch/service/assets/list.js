// All studies, and who lends workers.
"use strict";
{
  const {make, short, site} = hpsearch;
  const {root, request, follow, ago, duration, progress, state} = site;
  const main = document.getElementById("page");
  const ORDER = ["running", "queued", "paused", "failed", "stopped", "finished"];
  const COLUMNS = [
    {key: "name", title: "Study", text: s => s.name, of: s => s.name.toLowerCase(),
      cell: s => make("a", {href: `${root}studies/${encodeURIComponent(s.name)}`}, s.name)},
    {key: "state", title: "State", of: s => ORDER.indexOf(s.state), cell: s => [state(s), s.why && make("span", {class: "why"}, s.why)]},
    {key: "best", title: "Best", of: s => s.best ?? -Infinity,
      cell: s => s.best == null ? "" : `${s.metric} ${short(s.best)}`},
    {key: "progress", title: "Trials", of: s => (s.total ? 1 - (s.trials.complete ?? 0) / s.total : 2), cell: progress},
    {key: "left", title: "Time left", of: s => s.left ?? Infinity, cell: s => s.left == null ? "" : duration(s.left)},
    {key: "priority", title: "Priority", of: s => -s.priority, cell: s => `${s.priority}`},
    {key: "owner", title: "Owner", of: s => s.owner, cell: s => s.owner},
    {key: "since", title: "Since", of: s => -Date.parse(s.since || 0), cell: s => ago(s.since)},
  ];
  let studies = null, agents = [], by = "", backwards = false;

  const said = make("p", {class: "live", role: "status"});
  const search = make("input", {type: "search", placeholder: "Filter by name, state, owner", "aria-label": "Filter studies", oninput: draw});
  const count = make("span", {class: "count", role: "status"});
  const body = make("tbody");
  const heads = COLUMNS.map(column => make("th", {scope: "col"},
    make("button", {onclick: () => sort(column.key)}, column.title, make("span", {class: "turn", "aria-hidden": "true"}))));
  const list = make("div", {class: "frame", tabindex: 0, role: "region", "aria-label": "studies"},
    make("table", {class: "facts trials studies"}, make("caption", {hidden: true}, "Studies"),
      make("thead", {}, make("tr", {}, heads)), body));
  const empty = make("p", {class: "empty"});
  const workers = make("div");
  document.getElementById("site").before(said);
  main.replaceChildren(make("h1", {}, "Studies"), make("div", {class: "tools"}, search, count), list, empty,
    make("h2", {id: "agents"}, "Agents"), workers);

  function sort(key) {
    backwards = by === key && !backwards;
    by = key;
    draw();
  }

  function draw() {
    if (studies === null) return;
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = studies.filter(s => words.every(word =>
      [s.name, s.state, s.owner, s.strategy, s.kind, s.metric].some(text => `${text}`.toLowerCase().includes(word))));
    const column = COLUMNS.find(each => each.key === by);
    if (column) shown.sort((a, b) => (column.of(a) < column.of(b) ? -1 : column.of(a) > column.of(b) ? 1 : 0) * (backwards ? -1 : 1));
    else shown.sort((a, b) => Math.min(1, ORDER.indexOf(a.state) >> 2) - Math.min(1, ORDER.indexOf(b.state) >> 2));
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
    empty.textContent = studies.length ? "No study matches." : "No studies yet: `hpsearch submit STUDY.toml --server URL` sends one.";
    count.textContent = words.length ? `${shown.length} of ${studies.length}` : `${studies.length} ${studies.length === 1 ? "study" : "studies"}`;
  }

  function drawAgents() {
    workers.replaceChildren(agents.length
      ? make("div", {class: "frame", tabindex: 0, role: "region", "aria-label": "agents"},
        make("table", {class: "facts studies"}, make("caption", {hidden: true}, "Agents"),
          make("thead", {}, make("tr", {}, ["Agent", "Workers", "Does", "At work on", "Heard of"].map(text => make("th", {scope: "col"}, text)))),
          make("tbody", {}, agents.map(agent => make("tr", {},
            make("td", {"data-title": "Agent"}, agent.name, agent.draining && make("span", {class: "why"}, "is to end")),
            make("td", {"data-title": "Workers"}, `${agent.workers}`),
            make("td", {"data-title": "Does"}, agent.kinds.join(", ")),
            make("td", {"data-title": "At work on"}, agent.work.length
              ? agent.work.map(each => make("div", {}, make("a", {href: `${root}studies/${encodeURIComponent(each.study)}`}, each.study), ` trial ${each.number ?? each.trial} since `, ago(each.since)))
              : "nothing"),
            make("td", {"data-title": "Heard of"}, agent.seen == null ? "" : `${duration(agent.seen)} ago`))))))
      : make("p", {class: "empty"}, "Nobody lends workers: `hpsearch agent URL` does."));
  }

  async function look() {
    const [found, lent] = await Promise.all([
      request(`${root}v1/studies`), request(`${root}v1/agents`).catch(() => [])]);
    ({studies} = found);
    agents = lent;
    draw();
    drawAgents();
  }

  site.header([]);
  const news = follow(`${root}v1/events`, look, said);
  setInterval(news, 15000);  // who lends workers tells no news
}
