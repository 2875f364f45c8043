// What the reader has chosen: in the address, so that a link leads to the same view.
//
// The fragment has names and values, as #filter=state:complete&sort=-seconds. What is of one section
// of several has the section's place behind its name: filter.2 is of the second.
"use strict";
{
  const listeners = [];
  let chosen = read();

  function read() {
    const text = location.hash.slice(1);
    // A plain anchor leads to an element.
    const pairs = text && !text.includes("=") ? [["at", decoded(text)]] : text.split("&").filter(Boolean)
      .map(pair => pair.split(/=(.*)/s).slice(0, 2).map(part => decoded(part ?? "")));
    return new Map(pairs);
  }

  function decoded(text) {
    try {
      return decodeURIComponent(text.replace(/\+/g, "%20"));
    } catch {  // a link that was cut in the middle of a letter
      return text;
    }
  }

  const encoded = text => encodeURIComponent(text).replace(/%(3A|2C|7C|2F|3B)/gi, sign => ({
    "%3A": ":", "%2C": ",", "%7C": "|", "%2F": "/", "%3B": ";",
  })[sign.toUpperCase()] ?? sign).replace(/%20/g, "+");

  const nameOf = (key, section) => section ? `${key}.${section + 1}` : key;

  // The fragment with some changes; an empty value is none.
  function link(changes, section = 0) {
    const next = new Map(chosen);
    for (const [key, value] of Object.entries(changes)) {
      if (value === "" || value == null || value === false) next.delete(nameOf(key, section));
      else next.set(nameOf(key, section), value === true ? "1" : `${value}`);
    }
    return [`#${[...next].map(pair => pair.map(encoded).join("=")).join("&")}`, next];
  }

  hpsearch.view = {
    get: (key, section = 0) => chosen.get(nameOf(key, section)) ?? "",
    href: (changes, section) => link(changes, section)[0],

    // Choose; what opens something else becomes a step that the browser's "back" takes back.
    set(changes, section, {step = false} = {}) {
      const [hash, next] = link(changes, section);
      if (hash === (location.hash || "#")) return;
      chosen = next;
      history[step ? "pushState" : "replaceState"](null, "", hash);
      listeners.forEach(listener => listener());
    },

    listen: listener => listeners.push(listener),
  };

  addEventListener("popstate", () => {
    chosen = read();
    listeners.forEach(listener => listener());
  });
}
