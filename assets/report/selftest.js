
// With #selftest in the address the page tries itself and writes what it saw into data-selftest.

function selftest() {
  const seen = {};
  const text = (selector) => [...document.querySelectorAll(selector)].map((node) => node.textContent);
  const press = (key) => (document.activeElement || document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const all = DATA.changes.length;
  seen.changes = all;
  seen.drawn = view.drawn.size;
  seen.status = byId("status").textContent;
  const [chip] = document.querySelectorAll("[data-action]");
  if (chip) {
    chip.click();
    seen.filtered = view.found;
    seen.filteredOnly = view.rows.every((row) => row.change === undefined || DATA.changes[row.change].a === Number(chip.dataset.action));
    chip.click();
  }
  seen.unfiltered = view.found;
  press("/");
  seen.searchFocused = document.activeElement === byId("search");
  const last = DATA.changes[all - 1];
  if (last) {
    byId("search").value = last.n;
    byId("search").dispatchEvent(new Event("input", { bubbles: true }));
    seen.foundByName = view.rows.some((row) => row.change === all - 1);
    seen.found = view.found;
  }
  press("Escape");
  seen.listFocused = Boolean(document.activeElement.closest("#list"));
  press("Escape");
  seen.afterReset = view.found;
  press("j");
  const before = activeIndex();
  press("j");
  press("j");
  press("k");
  seen.moved = activeIndex() - before;
  press("End");
  seen.atEnd = activeIndex() === view.rows.length - 1 && document.activeElement.dataset.key === view.active;
  const was = view.open.size;
  press("Enter");
  seen.toggled = Math.abs(view.open.size - was);
  seen.details = document.querySelectorAll(".detail").length > 0;
  press("Home");
  const mode = view.mode;
  press("d");
  seen.modeSwitched = view.mode !== mode;
  press("d");
  press("?");
  seen.help = byId("keys").open;
  byId("keys").close();
  press("t");
  seen.theme = root.dataset.theme || "auto";
  const light = getComputedStyle(document.body).backgroundColor;
  press("t");
  seen.themes = light !== getComputedStyle(document.body).backgroundColor;
  press("t");
  show("steps");
  seen.tabs = byId("changes").classList.contains("off") && !byId("steps").classList.contains("off");
  show("changes");
  Object.assign(seen, scrolled());
  printed();
  seen.printed = document.querySelectorAll("#printed .row").length;
  byId("printed").remove();
  const node = document.querySelector("#graph [data-address]");
  if (node) {
    node.dispatchEvent(new Event("click"));
    seen.graphLeads = view.rows.some((row) => row.change !== undefined && DATA.changes[row.change].n === node.dataset.address);
    reset();
  }
  seen.wide = root.scrollWidth - root.clientWidth;
  seen.scripts = document.scripts.length;
  seen.foreign = text("img, iframe, object, embed, #app a, #app script, link").length;
  root.dataset.selftest = JSON.stringify(seen);
}

// Scrolls from top to bottom in a hundred steps; each has to be drawn before the next.
function scrolled() {
  let slowest = 0, most = 0, holes = 0;
  const end = root.scrollHeight - window.innerHeight;
  for (let i = 0; i <= 100; i += 1) {
    window.scrollTo(0, end * i / 100);
    const from = performance.now();
    draw();
    list.getBoundingClientRect();
    slowest = Math.max(slowest, performance.now() - from);
    most = Math.max(most, view.drawn.size);
    const box = list.getBoundingClientRect();
    const middle = Math.max(box.top, Math.min(box.bottom - 1, window.innerHeight / 2));
    const there = [...view.drawn.values()].some((node) => {
      const { top, bottom } = node.getBoundingClientRect();
      return top <= middle && middle <= bottom;
    });
    if (box.height && !there) holes += 1;
  }
  window.scrollTo(0, 0);
  draw();
  return { slowest: Math.round(slowest), most, holes };
}

start();
if (location.hash === "#selftest") selftest();
