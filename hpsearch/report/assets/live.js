// A server's page: it looks again when the server says that there is news, once a second at most,
// and only while somebody can see it.
"use strict";
{
  const {make} = hpsearch;
  const GAP = 1000, PATIENCE = 5000;
  const AWAY = "The server does not answer; what is shown may be old.";
  const ENDED = "your login has ended; load this page again to log in";
  const address = name => document.querySelector(`meta[name="hpsearch-${name}"]`)?.content;
  const said = make("p", {class: "live", role: "status"});
  document.getElementById("page").before(said);

  // What goes wrong, by what it goes wrong with; the latest is said, which knows more.
  const troubles = new Map();

  function say(what, text) {
    if (text) troubles.set(what, text);
    else troubles.delete(what);
    const latest = [...troubles.values()].at(-1) ?? "";
    if (said.textContent !== latest) said.textContent = latest;
  }

  // The events of an address, one connection for all who listen. A page that nobody sees holds
  // none: a browser has six of them for a server.
  const streams = new Map();

  function listen(events, hear) {
    if (!events) return;
    const stream = streams.get(events) ?? {hearers: [], source: null};
    stream.hearers.push(hear);
    if (streams.has(events)) return;
    streams.set(events, stream);
    const tell = () => {
      say(events, "");
      stream.hearers.forEach(each => each());
    };
    const connect = () => {
      if (document.hidden) {
        stream.source?.close();
        stream.source = null;
      } else if (!stream.source) {
        const source = stream.source = new EventSource(events);
        source.onmessage = source.onopen = tell;  // also after a server that was away
        source.onerror = () => {
          say(events, AWAY);
          if (source.readyState !== EventSource.CLOSED) return;  // else the browser itself tries again
          stream.source = null;
          stream.hearers.forEach(each => each());  // a request is told why
          setTimeout(connect, PATIENCE);
        };
      }
    };
    document.addEventListener("visibilitychange", connect);
    connect();
  }

  // Calls `look` now, and again whenever there are events. Gives a function that is told of news.
  function follow(events, look) {
    let isNews = true, isBusy = false, last = -GAP;

    async function next() {
      if (isBusy || !isNews || document.hidden) return;
      isBusy = true;
      await new Promise(resolve => setTimeout(resolve, Math.max(0, last + GAP - performance.now())));
      isNews = false;
      let failed = false;
      try {
        await look();
        say(look, "");
      } catch (error) {
        failed = true;
        say(look, `What is shown may be old: ${error.message}. Trying again.`);
        setTimeout(news, error.wait ?? PATIENCE);
      }
      last = performance.now();
      isBusy = false;
      if (!failed) next();
    }

    function news() {
      isNews = true;
      next();
    }

    listen(events, news);
    document.addEventListener("visibilitychange", next);
    next();
    return news;
  }

  // The answer of a request, or an error with the server's sentence, and how long it wants to be
  // left alone.
  async function ask(path, options = {}) {
    const answer = await fetch(path, {cache: "no-cache", ...options, headers: {accept: "application/json", ...options.headers}})
      .catch(() => { throw new Error("the server does not answer"); });
    if (answer.ok) return answer;
    const {detail} = answer.status === 401 && !options.method ? {detail: ENDED} : await answer.json().catch(() => ({}));
    const wait = 1000 * Number(answer.headers.get("retry-after")) || undefined;
    throw Object.assign(new Error(detail ?? `the server answers ${answer.status}`), {status: answer.status, wait});
  }

  let version = null;

  async function lookAtDocument() {
    const answer = await ask(address("document"));
    const tag = answer.headers.get("etag");
    if (tag === null || tag !== version) hpsearch.update(await answer.json());
    version = tag;
  }

  // More of one trial than the document has: panels.
  if (address("trials")) {
    // What the document has is shown all the same.
    hpsearch.askTrial = number => ask(`${address("trials")}${number}`).then(answer => answer.json()).catch(() => []);
  }

  if (address("document")) addEventListener("DOMContentLoaded", () => follow(address("events"), lookAtDocument));
  hpsearch.live = {ask, follow};
}
