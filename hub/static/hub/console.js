// What the console does beyond showing pages: theme, keys, copying and polling. Every page reads without it.
"use strict";
(() => {
  const root = document.documentElement;
  const THEMES = { auto: "as the system", light: "light", dark: "dark" };

  // -- theme: set before the page is drawn, so that it never flashes; kept for this browser only
  const remembered = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const setTheme = (name) => {
    root.dataset.theme = name in THEMES ? name : "auto";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* private windows may refuse */ }
    const told = document.getElementById("theme-name");
    if (told) told.textContent = THEMES[root.dataset.theme];
  };
  const nextTheme = () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const order = dark ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
    setTheme(order[(order.indexOf(root.dataset.theme) + 1) % 3]);
  };
  setTheme(remembered() || "auto");

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const say = (text) => { const place = document.getElementById("said"); if (place) place.textContent = text; };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      say(text.length > 200 ? `Copied ${text.length} characters` : `Copied ${text}`);
    } catch {
      say(`This browser lets nobody copy here: ${text}`);
    }
  };

  // -- rows: of a stock list, or of any table of class "rows"
  const rows = () => all("#result_list tbody tr, table.rows tbody tr").filter((row) => row.querySelector("a, input"));
  const current = () => document.querySelector("tr.is-current");
  const step = (by) => {
    const list = rows();
    if (!list.length) return;
    const at = list.indexOf(current());
    const to = list[at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.max(0, Math.min(list.length - 1, at + by))];
    list.forEach((row) => row.classList.toggle("is-current", row === to));
    (to.querySelector("th a, td a") || to.querySelector("input")).focus({ preventScroll: true });
    to.scrollIntoView({ block: "nearest" });
  };
  const box = (row) => row && row.querySelector("input[type=checkbox]");
  const idOf = (row) => row && (row.dataset.id || box(row)?.value);
  const press = (selector) => document.querySelector(selector)?.click();

  const KEYS = {
    "/": () => { const jump = document.getElementById("jump"); jump?.focus(); jump?.select(); },
    "?": () => { const keys = document.getElementById("keys"); if (keys && !keys.open) keys.showModal(); },
    j: () => step(1),
    k: () => step(-1),
    x: () => box(current())?.click(),
    n: () => press("a[rel=next]"),
    p: () => press("a[rel=prev]"),
    ".": () => { const id = idOf(current()) || document.querySelector("main [data-id]")?.dataset.id; if (id) copy(id); },
    Enter: () => current()?.querySelector("th a, td a")?.click(),
  };
  const isTyping = (place) => place.isContentEditable || place.matches("textarea, select")
    || (place.matches("input") && !place.matches("[type=checkbox], [type=radio], [type=button], [type=submit]"));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    // What has the focus answers Enter itself.
    if (event.key === "Enter" && event.target.matches("a, button, summary, input")) return;
    const act = KEYS[event.key] || (/^[a-z[\]]$/.test(event.key) && (() => press(`[data-key="${event.key}"]`)));
    if (!act) return;
    if (event.key in KEYS) event.preventDefault();
    act();
  });

  // -- polling: <div data-poll="address" data-every="2000"> holds <span data-live="name">; the answer is
  // {"name": "text", …, "done": true} and `done` ends it. Nothing is asked while nobody looks.
  const SLOWEST = 8000;
  const poll = (place) => {
    const every = Number(place.dataset.every) || 30000;
    let wait = every, seen = Date.now();
    const show = (answer) => {
      all("[data-live]", place).forEach((part) => {
        const value = answer[part.dataset.live];
        if (value === undefined) return;
        if (part.matches("progress")) part.value = value;
        else if (part.dataset.as === "html") part.innerHTML = value; // drawn and escaped by the server
        else part.textContent = value;
      });
    };
    const told = (text) => { const note = place.querySelector("[data-poll-note]"); if (note) note.textContent = text; };
    const ask = async () => {
      if (document.hidden) return again();
      try {
        const answer = await fetch(place.dataset.poll, { redirect: "manual", cache: "no-store", headers: { Accept: "application/json" } });
        if (answer.type === "opaqueredirect") return told("You are logged out; log in to see more.");
        if (!answer.ok) throw new Error(answer.status);
        const content = await answer.json();
        [wait, seen] = [every, Date.now()];
        show(content);
        told("");
        // Its banner and its buttons follow from the state, so that a new one is shown by the page itself.
        if (place.dataset.state && content.state !== place.dataset.state) return location.reload();
        if (content.done) return place.dispatchEvent(new CustomEvent("poll:done", { bubbles: true }));
      } catch {
        wait = Math.max(every, Math.min(SLOWEST, wait * 2));
        told(`Last updated ${Math.round((Date.now() - seen) / 1000)} s ago, retrying.`);
      }
      again();
    };
    const again = () => setTimeout(ask, wait);
    again();
  };

  // Django names its help marks but gives them no role, and a name without a role is told to nobody.
  addEventListener("load", () => setTimeout(() => {
    all(".help-tooltip[aria-label]").forEach((mark) => mark.setAttribute("role", "img"));
  }));

  document.addEventListener("DOMContentLoaded", () => {
    setTheme(root.dataset.theme);
    document.getElementById("theme")?.addEventListener("click", nextTheme);
    document.getElementById("help")?.addEventListener("click", KEYS["?"]);
    document.addEventListener("click", (event) => {
      const asked = event.target.closest("[data-copy]");
      if (asked) copy(asked.dataset.copy);
      const shown = event.target.closest("[data-copy-of]");
      if (shown) copy(document.querySelector(shown.dataset.copyOf)?.textContent || "");
      all("details.person[open], details.choice[open]").filter((each) => !each.contains(event.target)).forEach((each) => { each.open = false; });
    });
    document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    all("[data-poll]").forEach(poll);
  });
})();

// -- deliveries: counts on the tabs, ticked rows, filters that narrow, live tail --------------------------------
(() => {
  const ask = async (address) => {
    const answer = await fetch(address, { redirect: "manual", cache: "no-store", headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status || "logged out"));
    return answer.json();
  };
  const say = (text) => { const place = document.getElementById("said"); if (place) place.textContent = text; };
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  const count = async (tabs) => {
    try {
      const { counts } = await ask(tabs.dataset.counts);
      all("[data-count]", tabs).forEach((place) => { place.textContent = counts[place.dataset.count] || ""; });
    } catch { /* tabs read as well without numbers */ }
  };

  const choosing = (form) => {
    const boxes = () => all("tbody input[type=checkbox]", form);
    const whole = document.getElementById("choose-all");
    const show = () => {
      const ticked = boxes().filter((box) => box.checked).length;
      all("[data-chosen]", form).forEach((place) => { place.textContent = ticked || ""; });
      if (!whole) return;
      whole.checked = ticked > 0 && ticked === boxes().length;
      whole.indeterminate = ticked > 0 && !whole.checked;
    };
    whole?.addEventListener("change", () => { boxes().forEach((box) => { box.checked = whole.checked; }); show(); });
    form.addEventListener("change", show);
    show();
  };

  const narrow = (field) => field.addEventListener("input", () => {
    const part = field.value.trim().toLowerCase();
    all("li", field.parentElement).forEach((each) => { each.hidden = !each.textContent.toLowerCase().includes(part); });
  });

  // Written into the page they would be most of it, so they come when they are first looked for.
  const choices = (list) => list.closest("details").addEventListener("toggle", async () => {
    if (list.children.length) return;
    try {
      const found = await ask(list.dataset.choices);
      const here = new URL(location.href);
      ["before", "after"].forEach((name) => here.searchParams.delete(name));
      list.replaceChildren(...found.choices.map(([name, id]) => {
        here.searchParams.set(list.dataset.param, id);
        const [item, link] = [document.createElement("li"), document.createElement("a")];
        [link.href, link.textContent] = [here.href, name];
        item.append(link);
        return item;
      }));
    } catch { say("The list could not be loaded; open it again to retry."); }
  });

  const EVERY_MS = 2000, LONGEST_MS = 300000, MOST_ROWS = 200;
  const tail = (button) => {
    const rows = document.getElementById("rows");
    let after = button.dataset.after, ends = 0, timer = 0;
    if (!rows) { button.hidden = true; return; }
    const stop = (why) => { clearTimeout(timer); button.setAttribute("aria-pressed", "false"); if (why) say(why); };
    const look = async () => {
      if (Date.now() > ends) return stop("Live tail stopped after 5 minutes.");
      if (!document.hidden && !rows.matches(":hover")) {
        try {
          const address = new URL(button.dataset.newer, location.href);
          address.searchParams.set("after", after);
          const found = await ask(address);
          if (found.count) {
            all("tr.is-new", rows).forEach((row) => row.classList.remove("is-new"));
            rows.insertAdjacentHTML("afterbegin", found.rows);
            all("tr", rows).slice(0, found.count).forEach((row) => row.classList.add("is-new"));
            all("tr", rows).slice(MOST_ROWS).forEach((row) => row.remove());
            after = found.after;
          }
        } catch (error) { return stop(`Live tail stopped: ${error.message}.`); }
      }
      timer = setTimeout(look, EVERY_MS);
    };
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-pressed") === "true") return stop("");
      ends = Date.now() + LONGEST_MS;
      button.setAttribute("aria-pressed", "true");
      look();
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    all("[data-counts]").forEach(count);
    all("form#chosen").forEach(choosing);
    all("input.narrow").forEach(narrow);
    all("[data-choices]").forEach(choices);
    all("#tail").forEach(tail);
  });
})();

// -- overview: its changing part is fetched whole; nothing is asked while nobody looks ----------------------------
(() => {
  const refresh = (place) => {
    const every = Number(place.dataset.every), note = document.querySelector("[data-as-of]");
    let seen = Date.now(), asked = seen, fails = 0, timer = 0;
    const say = (text, late) => {
      if (!note) return;
      if (note.textContent !== text) note.textContent = text;
      note.classList.toggle("is-late", Boolean(late));
    };
    // What was open stays open, and what had the focus has it again.
    const put = (html) => {
      const held = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      const open = [...place.querySelectorAll("details")].map((each) => each.open);
      place.classList.remove("card");
      place.innerHTML = html;
      [...place.querySelectorAll("details")].forEach((each, at) => { each.open = Boolean(open[at]); });
      if (held) [...place.querySelectorAll("a")].find((each) => each.getAttribute("href") === held)?.focus({ preventScroll: true });
    };
    const again = () => { clearTimeout(timer); timer = setTimeout(ask, fails ? Math.min(every, 2000 * 2 ** fails) : every); };
    const ask = async () => {
      if (document.hidden) return;
      asked = Date.now();
      try {
        const answer = await fetch(place.dataset.refresh, { redirect: "manual", cache: "no-store" });
        if (answer.type === "opaqueredirect") return say("You are logged out; log in to see more.", true);
        if (!answer.ok) throw new Error(answer.status);
        put(await answer.text());
        [seen, fails] = [Date.now(), 0];
        say("Updated just now");
      } catch {
        fails = Math.min(fails + 1, 4);
        say(`Last updated ${Math.round((Date.now() - seen) / 1000)} s ago, retrying`, true);
      }
      again();
    };
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && Date.now() - asked >= every) ask(); else if (!document.hidden) again();
    });
    if (place.querySelector("[role=alert]")) fails = 1; else say("Updated just now");
    again();
  };
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-refresh]").forEach(refresh));
})();

// -- one delivery: for some seconds after a replay the next attempt appears by itself ---------------------------
(() => {
  const EVERY_MS = 1000, LONGEST_MS = 15000, PARTS = ["h1", ".facts", ".timeline"];
  const watch = (address) => {
    const ends = Date.now() + LONGEST_MS;
    const look = async () => {
      try {
        const answer = await fetch(address, { redirect: "manual", cache: "no-store" });
        if (!answer.ok) return;
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        const goesOn = fresh.querySelector("[data-watch]"); // looked for first: what is new is moved over here
        PARTS.forEach((part) => {
          const [here, there] = [document, fresh].map((page) => page.querySelector(`#content ${part}`));
          if (here && there && here.innerHTML !== there.innerHTML) here.replaceWith(there);
        });
        if (goesOn && Date.now() < ends) setTimeout(look, EVERY_MS);
      } catch { /* the page reads as well as it was */ }
    };
    setTimeout(look, EVERY_MS);
  };
  document.addEventListener("DOMContentLoaded", () => {
    const place = document.querySelector("[data-watch]");
    if (place) watch(place.dataset.watch);
  });
})();

// -- a replay that can be undone: its seconds run down, then the way back goes away, and that is said -------------
(() => {
  const OVER = "The replay can no longer be undone.";
  const close = (place) => {
    const around = place.parentElement, said = document.getElementById("said");
    const had = place.contains(document.activeElement);
    place.remove();
    if (had) { around.tabIndex = -1; around.focus({ preventScroll: true }); } // or the next Tab would begin at the top
    if (said && said.textContent !== OVER) said.textContent = OVER;
  };
  const run = (place) => {
    const ends = performance.now() + Number(place.dataset.leftMs), number = place.querySelector("[data-left]");
    const tick = () => {
      const left = ends - performance.now();
      if (left <= 0) return close(place);
      if (number) number.textContent = String(Math.ceil(left / 1000));
      setTimeout(tick, left % 1000 || 1000);
    };
    tick();
  };
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-left-ms]").forEach(run));
})();
