
// The page: tabs, filters, keys, theme, print.

const PANELS = ["changes", "steps", "graph", "inputs"].filter(byId);

function show(panel) {
  for (const id of PANELS) {
    byId(id).classList.toggle("off", id !== panel);
    const tab = byId("tab-" + id);
    tab.setAttribute("aria-selected", String(id === panel));
    tab.tabIndex = id === panel ? 0 : -1;
  }
  if (panel === "changes") draw();
}

function setTheme(theme) {
  if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
  byId("theme").textContent = "Theme: " + theme;
  memory.set("theme", theme);
}

function nextTheme() {
  const all = ["auto", "light", "dark"];
  setTheme(all[(all.indexOf(root.dataset.theme || "auto") + 1) % all.length]);
}

function setMode(mode) {
  view.mode = mode;
  memory.set("mode", mode);
  for (const button of document.querySelectorAll("[data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  refresh();
}

// Applies the filters, and says what they leave.
function refresh() {
  rebuild();
  const all = DATA.changes.length;
  byId("status").textContent = view.found === all ? plural(all, "change") : number(view.found) + " of " + plural(all, "change");
  byId("none").hidden = view.found > 0 || all === 0;
  const filtered = view.query || view.actions.size || view.scope !== null;
  byId("reset").hidden = !filtered;
  for (const button of document.querySelectorAll("[data-action]")) {
    button.setAttribute("aria-pressed", String(view.actions.has(Number(button.dataset.action))));
  }
  for (const button of document.querySelectorAll("[data-scope]")) {
    const scope = button.dataset.scope;
    const on = scope === "all" ? view.scope === null : String(view.scope) === scope;
    if (on) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
  }
  draw();
}

function setScope(scope) {
  view.scope = scope;
  const start = byId("filters").getBoundingClientRect().top;
  if (start < 0) window.scrollBy(0, start);
  refresh();
}

function reset() {
  view.query = "";
  view.scope = null;
  view.actions.clear();
  byId("search").value = "";
  refresh();
}

function openAll(wanted) {
  view.open.clear();
  if (wanted) DATA.changes.forEach((_, index) => view.open.add(index));
  else view.shut.clear();
  refresh();
}

// A table without its schema, where no other has that name.
function shortGroup(group) {
  const short = group.name.slice(group.name.lastIndexOf(".") + 1);
  const alike = DATA.groups.filter((other) => other.kind === "Rows" && other.name.endsWith("." + short));
  return group.kind === "Rows" && alike.length === 1 ? short : group.name;
}

function navigation() {
  const counts = new Map();
  DATA.changes.forEach((change) => {
    const kind = DATA.groups[change.g].kind;
    counts.set(kind, (counts.get(kind) || 0) + 1);
    counts.set(change.g, (counts.get(change.g) || 0) + 1);
  });
  const item = (scope, label, count, style, short) =>
    el("li", {}, el("button", { type: "button", class: style, "data-scope": scope === null ? "all" : scope, title: label, onclick: () => setScope(scope) },
      el("span", {}, short || label), el("span", { class: "count" }, number(count))));
  const items = [item(null, "All changes", DATA.changes.length, "all")];
  let kind = null;
  DATA.groups.forEach((group, index) => {
    if (group.kind !== kind) items.push(item(group.kind, group.kind, counts.get(group.kind), "kind"));
    kind = group.kind;
    if (group.name) items.push(item(index, group.name, counts.get(index), "one", shortGroup(group)));
  });
  return el("nav", { class: "side", "aria-label": "Resources" }, el("ul", {}, items));
}

function filters() {
  const counts = DATA.actions.map(() => 0);
  DATA.changes.forEach((change) => { counts[change.a] += 1; });
  const chips = DATA.actions.map(({ symbol, word, tone }, index) => counts[index] === 0 ? null :
    el("button", { type: "button", class: "chip " + tone, "data-action": index, "aria-pressed": "false", onclick: () => {
      if (!view.actions.delete(index)) view.actions.add(index);
      refresh();
    } }, el("b", {}, symbol), word, el("span", { class: "count" }, number(counts[index]))));
  const mode = (name, label) =>
    el("button", { type: "button", "data-mode": name, "aria-pressed": "false", onclick: () => setMode(name) }, label);
  return el("div", { class: "filters", id: "filters" },
    el("div", { class: "find" },
      el("input", { type: "search", id: "search", placeholder: "Search names, values, reasons", "aria-label": "Search the changes",
        "aria-keyshortcuts": "/", autocomplete: "off", spellcheck: "false", oninput: (event) => { view.query = event.target.value; refresh(); } }),
      el("div", { class: "modes", role: "group", "aria-label": "Differences" }, mode("split", "Side by side"), mode("inline", "Inline")),
      el("div", { class: "modes", role: "group", "aria-label": "Lines" },
        el("button", { type: "button", onclick: () => openAll(true) }, "Open all"),
        el("button", { type: "button", onclick: () => openAll(false) }, "Close all"))),
    el("div", { class: "chips", role: "group", "aria-label": "Actions" }, chips,
      el("span", { id: "status", role: "status" }),
      el("button", { type: "button", id: "reset", class: "plainly", hidden: true, onclick: reset }, "Show all")));
}

// A node of the graph leads to its changes.
function linkGraph() {
  for (const node of document.querySelectorAll("#graph [data-address]")) {
    const change = DATA.changes.find((candidate) => candidate.n === node.dataset.address);
    if (!change) continue;
    const lead = () => {
      reset();
      view.actions.add(change.a);
      show("changes");
      setScope(change.g);
    };
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "link");
    node.addEventListener("click", lead);
    node.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); event.stopPropagation(); lead(); } });
  }
}

function start() {
  list = el("div", { id: "list", role: "tree", "aria-label": "Changes", onclick: clicked });
  const none = el("p", { id: "none", hidden: true }, "No change matches. ");
  byId("app").append(navigation(), el("div", { class: "body" }, filters(), none, list));
  byId("app").hidden = byId("tabs").hidden = byId("tools").hidden = false;
  root.classList.add("script");
  // Few changes are shown open; of many, those that destroy.
  DATA.changes.forEach((change, index) => {
    if (DATA.changes.length <= 40 || (change.x && DATA.changes.length <= 2000) || change.lines) view.open.add(index);
  });
  view.mode = window.innerWidth < 700 ? "inline" : memory.get("mode") === "inline" ? "inline" : "split";
  setTheme(memory.get("theme") || "auto");
  for (const id of PANELS) byId("tab-" + id).addEventListener("click", () => show(id));
  byId("theme").addEventListener("click", nextTheme);
  byId("help").addEventListener("click", () => byId("keys").showModal());
  byId("tabs").addEventListener("keydown", tabKey);
  document.addEventListener("keydown", pressed);
  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  };
  window.addEventListener("scroll", soon, { passive: true });
  window.addEventListener("resize", () => { view.measured.clear(); place(0); soon(); });
  window.addEventListener("beforeprint", printed);
  window.addEventListener("afterprint", () => { const copy = byId("printed"); if (copy) copy.remove(); });
  linkGraph();
  setMode(view.mode);
  const wanted = location.hash.slice(1);
  show(PANELS.includes(wanted) ? wanted : "changes");
  // The part is shown where it always is, not scrolled to.
  if (PANELS.includes(wanted)) window.addEventListener("load", () => requestAnimationFrame(() => window.scrollTo(0, 0)));
}

function clicked(event) {
  const line = event.target.closest(".line");
  const row = event.target.closest(".row");
  if (line && row) toggle(row.dataset.key);
}

function tabKey(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const at = PANELS.findIndex((id) => byId("tab-" + id) === document.activeElement);
  const next = PANELS[(at + step + PANELS.length) % PANELS.length];
  show(next);
  byId("tab-" + next).focus();
  event.preventDefault();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  const target = event.target;
  if (target.matches && target.matches("input, textarea, select")) {
    if (event.key === "Escape") { target.blur(); go(activeIndex()); event.preventDefault(); }
    if (event.key === "Enter" || event.key === "ArrowDown") { go(activeIndex()); event.preventDefault(); }
    return;
  }
  const inList = target.closest && target.closest("#list");
  if (target.matches && target.matches("button, a, summary") && ["Enter", " "].includes(event.key)) return;
  const at = activeIndex();
  const keys = {
    "/": () => { show("changes"); byId("search").focus(); byId("search").select(); },
    "?": () => byId("keys").showModal(),
    j: () => go(inList ? at + 1 : at), k: () => go(inList ? at - 1 : at),
    d: () => { setMode(view.mode === "split" ? "inline" : "split"); if (inList) focusActive(); },
    t: nextTheme,
    Escape: reset,
  };
  if (inList) Object.assign(keys, {
    ArrowDown: keys.j, ArrowUp: keys.k,
    Enter: () => toggle(view.active), " ": () => toggle(view.active),
    ArrowRight: () => toggle(view.active, true),
    ArrowLeft: () => {
      const row = view.rows[at];
      const open = row.change === undefined ? !view.shut.has(keyOf(row)) : view.open.has(row.change);
      if (open) toggle(view.active, false); else go(parentOf(at));
    },
    Home: () => go(0), End: () => go(view.rows.length - 1),
  });
  const tab = "1234".indexOf(event.key);
  if (tab >= 0 && PANELS[tab]) show(PANELS[tab]);
  else if (keys[event.key]) keys[event.key]();
  else return;
  event.preventDefault();
}

// Paper has no scroll: what the filters leave is written out, as far as a person would read.
function printed() {
  const most = 3000;
  const copy = el("div", { id: "printed" });
  view.rows.slice(0, most).forEach((row) => copy.append(rowNode(row, keyOf(row))));
  if (view.rows.length > most) copy.append(el("p", {}, plural(view.rows.length - most, "line") + " are left out on paper."));
  byId("changes").append(copy);
}
