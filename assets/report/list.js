
// The list: a tree of kinds, groups and changes, of which only what is in sight is in the document. Heights of open
// rows are measured when they are first drawn; what stands above the window does not move when they turn out otherwise.

const HEIGHTS = { kind: 40, group: 34, change: 34, open: 150 };
const BEYOND = 12;

const view = {
  rows: [], index: new Map(), tops: [0], drawn: new Map(), measured: new Map(),
  open: new Set(), shut: new Set(), actions: new Set(), scope: null, query: "", mode: "split",
  active: null, found: 0,
};
let list;

const keyOf = (row) => row.kind !== undefined ? "k" + row.kind : row.group !== undefined ? "g" + row.group : "c" + row.change;

// The rows that the filters leave, without what is folded away.
function rebuild() {
  const words = folded(view.query).split(/\s+/).filter(Boolean);
  const rows = [];
  let kind = null, kindRow = null, group = -1, groupRow = null;
  view.found = 0;
  DATA.changes.forEach((change, index) => {
    if (view.actions.size && !view.actions.has(change.a)) return;
    const data = DATA.groups[change.g];
    if (view.scope !== null && view.scope !== change.g && view.scope !== data.kind) return;
    if (words.length && !words.every((word) => haystack(change).includes(word))) return;
    view.found += 1;
    if (data.kind !== kind) {
      kind = data.kind;
      kindRow = { kind, count: 0, level: 1 };
      rows.push(kindRow);
    }
    kindRow.count += 1;
    if (change.g !== group) {
      group = change.g;
      groupRow = data.name ? { group, count: 0, level: 2 } : null;
      if (groupRow && !view.shut.has("k" + kind)) rows.push(groupRow);
    }
    if (groupRow) groupRow.count += 1;
    if (view.shut.has("k" + kind) || view.shut.has("g" + group)) return;
    rows.push({ change: index, level: data.name ? 3 : 2 });
  });
  view.rows = rows;
  view.index = new Map(rows.map((row, i) => [keyOf(row), i]));
  if (!view.index.has(view.active)) view.active = rows.length ? keyOf(rows[0]) : null;
  for (const node of view.drawn.values()) node.remove();
  view.drawn.clear();
  place(0);
}

function height(row) {
  const key = keyOf(row);
  if (row.change === undefined) return row.kind !== undefined ? HEIGHTS.kind : HEIGHTS.group;
  if (!view.open.has(row.change)) return HEIGHTS.change;
  return view.measured.get(key + view.mode) || HEIGHTS.open;
}

// Sums the heights from a row on.
function place(from) {
  const tops = view.tops;
  tops.length = view.rows.length + 1;
  for (let i = from; i < view.rows.length; i += 1) tops[i + 1] = tops[i] + height(view.rows[i]);
  list.style.height = tops[view.rows.length] + "px";
}

// The first row that ends below a place.
function rowAt(y) {
  let low = 0, high = view.rows.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (view.tops[middle + 1] > y) high = middle; else low = middle + 1;
  }
  return low;
}

// Draws what is in sight.
function draw() {
  if (!view.rows.length) return;
  for (let turn = 0; turn < 4; turn += 1) {
    const top = -list.getBoundingClientRect().top;
    const first = Math.max(0, rowAt(top) - BEYOND);
    const last = Math.min(view.rows.length - 1, rowAt(top + window.innerHeight) + BEYOND);
    const wanted = new Map();
    for (let i = first; i <= last; i += 1) wanted.set(keyOf(view.rows[i]), i);
    // The focused row stays, or the focus would be lost.
    if (view.active !== null) wanted.set(view.active, view.index.get(view.active));
    for (const [key, node] of view.drawn) {
      if (!wanted.has(key)) { node.remove(); view.drawn.delete(key); }
    }
    for (const [key, i] of wanted) {
      let node = view.drawn.get(key);
      if (!node) {
        node = rowNode(view.rows[i], key);
        view.drawn.set(key, node);
        list.append(node);
      }
      node.style.top = view.tops[i] + "px";
      node.tabIndex = key === view.active ? 0 : -1;
      node.classList.toggle("active", key === view.active);
    }
    if (!measure(wanted, top)) return;
  }
}

// Takes the heights of open rows as drawn; answers whether one differs from what was thought.
function measure(wanted, top) {
  let from = -1, above = 0;
  for (const [key, i] of wanted) {
    const row = view.rows[i];
    if (row.change === undefined || !view.open.has(row.change)) continue;
    const real = view.drawn.get(key).offsetHeight;
    const change = real - height(row);
    if (!change) continue;
    if (view.tops[i] + height(row) <= top) above += change;
    view.measured.set(key + view.mode, real);
    from = from < 0 ? i : Math.min(from, i);
  }
  if (from < 0) return false;
  place(from);
  if (above) window.scrollBy(0, above);
  return true;
}

function badge(action) {
  const { symbol, word, tone } = DATA.actions[action];
  return el("span", { class: "badge " + tone }, el("b", {}, symbol), word);
}

function rowNode(row, key) {
  const props = { role: "treeitem", "aria-level": row.level, "data-key": key, tabindex: -1 };
  if (row.change === undefined) {
    const shut = view.shut.has(key);
    const group = row.group === undefined ? null : DATA.groups[row.group];
    const label = group ? el("code", {}, group.name) : el("strong", {}, row.kind);
    const whole = group && !view.query && !view.actions.size;
    return el("div", { ...props, class: "row " + (group ? "group" : "kind"), "aria-expanded": String(!shut) },
      el("div", { class: "line" }, el("span", { class: "caret", "aria-hidden": "true" }), label,
        el("span", { class: "note" }, whole ? group.tally : number(row.count))));
  }
  const change = DATA.changes[row.change];
  const open = view.open.has(row.change);
  const told = preview(change);
  const note = el("span", { class: "note" });
  if (typeof told === "string") note.append(told);
  else note.append(...(told[1] ? [told[1] + ": "] : []), el("del", {}, told[0][0]), el("span", { class: "arrow" }, " → "), el("ins", {}, told[0][1]));
  return el("div", { ...props, class: "row item l" + row.level + (open ? " open" : ""), "aria-expanded": String(open) },
    el("div", { class: "line" }, el("span", { class: "caret", "aria-hidden": "true" }), badge(change.a),
      el("code", { class: "what" }, shortName(change)), change.s ? el("span", { class: "title" }, change.s) : null, note),
    open ? detail(change, view.mode) : null);
}

// Opens or shuts a row.
function toggle(key, wanted) {
  const row = view.rows[view.index.get(key)];
  if (!row) return;
  const set = row.change === undefined ? view.shut : view.open;
  const item = row.change === undefined ? key : row.change;
  const isOpen = row.change === undefined ? !set.has(item) : set.has(item);
  if (wanted === isOpen) return;
  const add = row.change === undefined ? isOpen : !isOpen;
  if (add) set.add(item); else set.delete(item);
  view.active = key;
  if (row.change === undefined) rebuild();
  else {
    const node = view.drawn.get(key);
    if (node) { node.remove(); view.drawn.delete(key); }
    place(view.index.get(key));
  }
  draw();
  focusActive();
}

function focusActive() {
  const node = view.drawn.get(view.active);
  if (node) node.focus({ preventScroll: true });
}

// Moves the focus to a row and brings it into sight.
function go(index) {
  if (!view.rows.length) return;
  const i = Math.max(0, Math.min(view.rows.length - 1, index));
  view.active = keyOf(view.rows[i]);
  const start = list.getBoundingClientRect().top;
  const [top, bottom] = [start + view.tops[i], start + view.tops[i] + HEIGHTS.change];
  const head = byId("filters").getBoundingClientRect().bottom + 8;
  if (top < head) window.scrollBy(0, top - head);
  else if (bottom > window.innerHeight - 16) window.scrollBy(0, bottom - window.innerHeight + 16);
  draw();
  focusActive();
}

const activeIndex = () => view.active === null ? -1 : view.index.get(view.active);

function parentOf(index) {
  for (let i = index - 1; i >= 0; i -= 1) if (view.rows[i].level < view.rows[index].level) return i;
  return index;
}
