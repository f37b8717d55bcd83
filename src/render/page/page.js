"use strict";
(() => {
  const parts = ["target", "facts", "webhooks", "history"];
  const find = (id) => document.getElementById(id);
  const words = find("words");
  const say = (text) => {
    const live = find("live");
    if (live.textContent !== text) live.textContent = text;
    live.className = text === "Live" ? "" : "bad";
  };

  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = document.querySelectorAll("#webhooks tbody tr");
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      if (!row.hidden) count += 1;
    }
    let shown = wanted.length > 0 ? `${count} of ${rows.length} shown` : "";
    if (wanted.length > 0 && count === 0) shown = `None of ${rows.length} matches`;
    if (find("shown").textContent !== shown) find("shown").textContent = shown;
    find("filter").hidden = rows.length === 0;
    if (rows.length > 0) find("webhooks-table").hidden = count === 0;
  };

  find("filter").addEventListener("submit", (event) => event.preventDefault());
  words.addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== words && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      words.focus();
    } else if (event.key === "Escape" && words.value !== "") {
      words.value = "";
      filter();
    }
  });
  // A browser may restore the text of the field.
  filter();

  let version = document.body.dataset.version;
  if (version === undefined) return;

  let isLoading = false;
  let isStale = false;
  const load = async () => {
    isStale = true;
    if (isLoading) return;
    isLoading = true;
    try {
      while (isStale) {
        isStale = false;
        const response = await fetch("./", { cache: "no-store" });
        if (!response.ok) throw new Error(response.statusText);
        // Without the head: the policy of this page does not permit the style of the next one.
        const text = await response.text();
        const next = new DOMParser().parseFromString(text.slice(text.indexOf("<body")), "text/html");
        const focused = document.activeElement?.id;
        for (const id of parts) find(id).replaceWith(document.adoptNode(next.getElementById(id)));
        if (focused) find(focused)?.focus({ preventScroll: true });
        document.title = `${find("target").textContent} · hookctl`;
        version = next.body.dataset.version;
        filter();
      }
      say("Live");
    } catch {
      say("Not connected");
    } finally {
      isLoading = false;
    }
  };

  const events = new EventSource("events");
  events.addEventListener("open", () => say("Live"));
  events.addEventListener("error", () => say("Not connected"));
  events.addEventListener("pass", (event) => {
    if (event.data !== version) load();
  });
})();
