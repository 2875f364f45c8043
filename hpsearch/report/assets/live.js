// A server's page: it fetches its document, and again when the server says that there is news: once
// a second at most, and only while somebody can see it.
"use strict";
{
  const {make} = hpsearch;
  const GAP = 1000, PATIENCE = 5000;
  const address = name => document.querySelector(`meta[name="hpsearch-${name}"]`)?.content;
  const said = make("p", {class: "live", role: "status"});
  document.getElementById("page").before(said);
  let isNews = true, isBusy = false, last = 0, version = null;

  async function look() {
    if (isBusy || !isNews || document.hidden) return;
    isBusy = true;
    await new Promise(resolve => setTimeout(resolve, Math.max(0, last + GAP - performance.now())));
    isNews = false;
    try {
      const answer = await fetch(address("document"), {headers: {accept: "application/json"}, cache: "no-cache"});
      if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
      const tag = answer.headers.get("etag");
      if (tag === null || tag !== version) hpsearch.update(await answer.json());
      version = tag;
      said.textContent = "";
    } catch (error) {
      said.textContent = `What is shown may be old: ${error.message}. Trying again.`;
      isNews = true;
      setTimeout(look, PATIENCE);
    }
    last = performance.now();
    isBusy = false;
    if (isNews && !said.textContent) look();
  }

  // More of one trial than the document has: panels.
  if (address("trials")) {
    hpsearch.askTrial = async number => {
      try {
        const answer = await fetch(`${address("trials")}${number}`, {headers: {accept: "application/json"}});
        return answer.ok ? await answer.json() : [];
      } catch {  // what the document has is shown all the same
        return [];
      }
    };
  }

  const news = () => { isNews = true; look(); };

  // A page that nobody sees holds no connection: a browser has six of them for a server.
  let events = null;

  function listen() {
    if (document.hidden) {
      events?.close();
      events = null;
    } else if (!events) {
      events = new EventSource(address("events"));
      events.onmessage = news;
      events.onopen = news;  // also after a server that was away
      events.onerror = () => {
        said.textContent = "The server does not answer; what is shown may be old.";
        if (events.readyState !== EventSource.CLOSED) return;  // else the browser itself tries again
        events = null;
        setTimeout(listen, PATIENCE);
      };
    }
  }

  if (address("events")) {
    document.addEventListener("visibilitychange", listen);
    listen();
  }
  document.addEventListener("visibilitychange", look);
  addEventListener("DOMContentLoaded", look);
}
