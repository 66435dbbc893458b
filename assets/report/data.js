// The plan's data, and small tools. Foreign text becomes part of the page only through `el`, as text.

const DATA = JSON.parse(document.getElementById("plan-data").textContent);
const root = document.documentElement;
const byId = (id) => document.getElementById(id);

// Makes an element. Children are elements or texts; a text stays a text.
function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null) node.append(child);
  }
  return node;
}

const number = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const plural = (n, noun) => number(n) + " " + noun + (n === 1 ? "" : "s");

// Letters without their marks, so that "Dieu" finds "Điều".
const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").replace(/[đĐ]/g, "d").toLowerCase();

// What is kept between visits; a page from a file may not be allowed to.
const memory = {
  get(name) {
    try { return localStorage.getItem("enact." + name); } catch { return null; }
  },
  set(name, value) {
    try { localStorage.setItem("enact." + name, value); } catch { /* forgotten then */ }
  },
};

// The name under which a change stands in its group: the address without what the group says already.
function shortName(change) {
  const group = DATA.groups[change.g];
  for (const head of ["row." + group.name + "[", "lifecycle["]) {
    if (change.n.startsWith(head) && change.n.endsWith("]")) {
      const inside = change.n.slice(head.length, -1);
      try { return JSON.parse(inside); } catch { return inside; }
    }
  }
  return change.n;
}

// One line that says what changes, for a closed row.
function preview(change) {
  if (change.move) return [change.move];
  if (change.points) return change.points.sum;
  if (change.fields) {
    const [first] = change.fields;
    if (change.fields.length === 1 && first[1].length === 1 && first[1][0].length === 2) {
      return [[first[1][0][0].slice(1), first[1][0][1].slice(1)], first[0]];
    }
    return change.fields.map((field) => field[0]).join(", ");
  }
  if (change.values) return plural(change.values.length, "column");
  return "";
}

// Everything that a search looks through, made when it is first needed.
function haystack(change) {
  if (change.hay === undefined) {
    const group = DATA.groups[change.g];
    const words = [change.n, change.s, change.at, group.kind, group.name, DATA.actions[change.a].word];
    for (const reason of change.w || []) words.push(DATA.reasons[reason]);
    for (const [name, rows] of change.fields || []) words.push(name, ...rows.map((row) => row.map((p) => p.slice(1)).join("")));
    for (const [name, value] of change.values || []) words.push(name, typeof value === "string" ? value : value[0]);
    if (change.move) words.push(...change.move);
    if (change.points) words.push(change.points.sum, ...change.points.gone, ...change.points.chunks.map((c) => c[2]));
    for (const line of change.lines || []) words.push(...line[2].map((part) => part[1]));
    change.hay = folded(words.filter(Boolean).join("\n"));
  }
  return change.hay;
}
