
// What an open change shows.

// The pieces of a difference: "=both", "-old", "+new".
function pieces(row, side) {
  const out = [];
  for (const piece of row) {
    const text = piece.slice(1);
    if (piece[0] === "=") out.push(text);
    else if (piece[0] === "-" && side !== "new") out.push(el("del", {}, text));
    else if (piece[0] === "+" && side !== "old") out.push(el("ins", {}, text));
  }
  return out;
}

function diffRow(row, mode) {
  const path = row[0] && row[0][0] === "." ? row[0].slice(1) : null;
  const rest = path === null ? row : row.slice(1);
  const label = path === null ? [] : [el("span", { class: "path" }, path)];
  const signs = rest.map((piece) => piece[0]);
  const context = signs.every((sign) => sign === "=") ? " context" : "";
  if (mode === "inline") {
    const parts = pieces(rest, "both");
    // A value that is replaced whole reads better with a sign between.
    if (rest.length === 2 && signs[0] === "-" && signs[1] === "+") parts.splice(1, 0, el("span", { class: "arrow" }, " → "));
    return [el("div", { class: "cell both" + context }, label, parts)];
  }
  const cell = (side, sign) => {
    const empty = !rest.some((piece) => piece[0] === "=" || piece[0] === sign);
    return el("div", { class: "cell " + side + (empty ? " empty" : context) }, empty ? [] : label, pieces(rest, side));
  };
  return [cell("old", "-"), cell("new", "+")];
}

function fieldsView(fields, mode) {
  const box = el("div", { class: "fields " + mode });
  if (mode === "split") {
    box.append(el("div", { class: "head" }), el("div", { class: "head" }, "Before"), el("div", { class: "head" }, "After"));
  }
  for (const [name, rows] of fields) {
    rows.forEach((row, i) => {
      const cells = [el("div", { class: "name" }, i ? "" : name), ...diffRow(row, mode)];
      if (i === 0) for (const cell of cells) cell.classList.add("first");
      box.append(...cells);
    });
  }
  return box;
}

function valuesView(values, tone) {
  const box = el("div", { class: "fields values " + tone });
  for (const [name, value] of values) {
    const word = typeof value !== "string";
    box.append(el("div", { class: "name first" }, name), el("div", { class: "cell first" + (word ? " word" : "") }, word ? value[0] : value));
  }
  return box;
}

function pointsView(points) {
  const signs = { kept: ["=", "kept"], copy: ["»", "vectors copied"], embed: ["+", "to embed"] };
  const chips = points.chunks.map(([source, tokens, id, from], i) =>
    el("li", { class: "chunk " + source, title: "point " + id + (from ? ", vectors of point " + from : "") },
      el("b", {}, signs[source][0] + " chunk " + (i + 1)),
      el("span", {}, signs[source][1] + (tokens ? ", ~" + plural(tokens, "token") : "")),
      el("code", {}, id.length > 13 ? id.slice(0, 8) + "…" : id)));
  const gone = points.gone.map((id) =>
    el("li", { class: "chunk gone", title: "point " + id }, el("b", {}, "- point"), el("span", {}, "to delete"),
      el("code", {}, id.length > 13 ? id.slice(0, 8) + "…" : id)));
  return [el("p", { class: "sum" }, points.sum), el("ul", { class: "chunks" }, chips, gone)];
}

function linesView(lines) {
  return lines.map(([depth, mark, parts]) =>
    el("div", { class: "told d" + Math.min(depth, 3) }, mark ? el("b", {}, mark + " ") : null,
      parts.map(([tone, text]) => el("span", { class: "t-" + tone }, text))));
}

function detail(change, mode) {
  const why = (change.w || []).map((place) => DATA.reasons[place]).join("; ");
  const box = el("div", { class: "detail" });
  const about = el("div", { class: "because" });
  if (why) about.append(el("span", {}, el("i", {}, "why "), why));
  if (change.at) about.append(el("span", {}, el("i", {}, "at "), el("code", {}, change.at)));
  if (shortName(change) !== change.n) about.append(el("span", {}, el("i", {}, "address "), el("code", {}, change.n)));
  box.append(about);
  if (change.fields) box.append(fieldsView(change.fields, mode));
  if (change.values) box.append(valuesView(change.values, change.x ? "old" : "new"));
  if (change.move) box.append(fieldsView([["lifecycle", [["-" + change.move[0], "+" + change.move[1]]]]], mode));
  if (change.points) box.append(...pointsView(change.points));
  if (change.lines && change.lines.length) box.append(el("div", { class: "lines" }, linesView(change.lines)));
  return box;
}
