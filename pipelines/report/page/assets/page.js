// The page's behavior: the leaderboard's table, the browser of images, the theme.
const find = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element with attributes and children; text children are text, never markup. */
function make(name, attributes = {}, ...children) {
  const element = name.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function toast(words) {
  const element = find("#toast");
  element.textContent = words;
  element.classList.add("on");
  setTimeout(() => element.classList.remove("on"), 2500);
}

// --- theme ---------------------------------------------------------------------------------------

function setUpTheme() {
  const button = find("#theme");
  const themes = ["auto", "light", "dark"];
  const show = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    button.value = theme;
  };
  let stored = "auto";
  try { stored = localStorage.getItem("pomai-theme") ?? "auto"; } catch { /* no storage */ }
  show(themes.includes(stored) ? stored : "auto");
  button.hidden = false;
  button.addEventListener("click", () => {
    show(themes[(themes.indexOf(button.value) + 1) % themes.length]);
    try { localStorage.setItem("pomai-theme", button.value); } catch { /* no storage */ }
  });
}

// --- leaderboard ---------------------------------------------------------------------------------

const WIDEST = 18; // columns shown at first

function setUpTable() {
  const table = find(".board");
  const body = table.tBodies[0];
  const boxes = all("#table-tools .chips input");
  find("#table-tools").hidden = false;
  find("#detail").hidden = false;

  const showGroups = () => {
    const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    for (const cell of all("[data-group]", table)) cell.hidden = !shown.has(cell.dataset.group);
  };
  const count = (group) => all(`.heads [data-group="${group}"]`, table).length;
  let columns = boxes.reduce((sum, box) => sum + count(box.value), 0);
  for (const box of [...boxes].reverse()) { // the last data sets first, never tasks or costs
    if (columns <= WIDEST || !box.parentElement.textContent.includes("Fusion")) continue;
    if (boxes.filter((other) => other.checked && other.parentElement.textContent.includes("Fusion")).length < 2) break;
    box.checked = false;
    columns -= count(box.value);
  }
  boxes.forEach((box) => box.addEventListener("change", showGroups));
  showGroups();

  find("#filter").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const row of body.rows) row.hidden = !row.dataset.method.toLowerCase().includes(wanted);
  });
  all(".heads th", table).forEach((head, index) => {
    find("button", head).addEventListener("click", () => sortRows(table, head, index));
  });
  for (const button of all("[data-copy]")) {
    button.addEventListener("click", () => copy(tableAs[button.dataset.copy](shownTable(table))));
  }
  setUpCells(table, body);
}

function sortRows(table, head, index) {
  const lowFirst = index === 0 || head.dataset.lower === "1";
  const before = head.getAttribute("aria-sort");
  const usual = lowFirst ? "ascending" : "descending";
  const order = before === usual ? (lowFirst ? "descending" : "ascending") : usual;
  all("[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const key = (row) => (index === 0 ? row.dataset.method : row.cells[index].dataset.value);
  const compare = (a, b) => {
    if (index === 0) return sign * key(a).localeCompare(key(b));
    if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === "");
    return sign * (Number(key(a)) - Number(key(b)));
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}

/** One cell at a time takes part in the tab order; arrow keys move on. */
function setUpCells(table, body) {
  const cells = () => [...body.rows].filter((row) => !row.hidden).map((row) => all("td:not([hidden])", row));
  const detail = find("#detail");
  const tell = (event) => {
    const cell = event.target.closest("tbody td");
    if (cell) detail.textContent = cell.title;
  };
  const first = cells()[0]?.[0];
  if (first) first.tabIndex = 0;
  table.addEventListener("pointerover", tell);
  table.addEventListener("focusin", tell);
  table.addEventListener("click", tell);
  table.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const from = event.target.closest("tbody td");
    if (!step || !from) return;
    const rows = cells();
    const row = rows.findIndex((items) => items.includes(from));
    const to = rows[row + step[0]]?.[rows[row].indexOf(from) + step[1]];
    event.preventDefault();
    event.stopPropagation();
    if (!to) return;
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  });
}

/** What the table shows: groups with their width, heads, and rows of cells with their rank. */
function shownTable(table) {
  const visible = (items) => items.filter((cell) => !cell.hidden);
  const text = (cell) => cell.textContent.trim().replace(/\s+/g, " ");
  return {
    groups: visible(all(".groups th", table)).map((cell) => [text(cell), cell.colSpan]),
    heads: visible(all(".heads th:not(.method)", table)).map((cell) => [text(find("button", cell).firstChild), cell.dataset.lower === "1"]),
    rows: [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => ({
      method: row.dataset.method,
      cells: visible(all("td", row)).map((cell) => ({ text: text(cell), rank: cell.dataset.rank, value: cell.dataset.value })),
    })),
  };
}

const latexText = (words) => words.replace(/[\\{}$&#^_%~]/g, (found) => ({ "\\": "\\textbackslash{}", "^": "\\textasciicircum{}", "~": "\\textasciitilde{}" }[found] ?? `\\${found}`))
  .replaceAll("±", "$\\pm$").replaceAll("≈", "$\\approx$").replaceAll("–", "--");

const tableAs = {
  latex({ groups, heads, rows }) {
    let column = 2;
    const rules = groups.map(([, width]) => `\\cmidrule(lr){${column}-${(column += width) - 1}}`);
    const cell = ({ text, rank }) => ({ 1: `\\textbf{${latexText(text)}}`, 2: `\\underline{${latexText(text)}}` }[rank] ?? latexText(text));
    return [
      "% needs \\usepackage{booktabs}",
      `\\begin{tabular}{l${"r".repeat(heads.length)}}`,
      "\\toprule",
      `${groups.map(([name, width]) => ` & \\multicolumn{${width}}{c}{${latexText(name)}}`).join("")} \\\\`,
      rules.join(" "),
      `Method${heads.map(([name, lower]) => ` & ${latexText(name)} $\\${lower ? "down" : "up"}arrow$`).join("")} \\\\`,
      "\\midrule",
      ...rows.map((row) => `${latexText(row.method)}${row.cells.map((item) => ` & ${cell(item)}`).join("")} \\\\`),
      "\\bottomrule",
      "\\end{tabular}",
    ].join("\n");
  },
  csv({ groups, heads, rows }) {
    const titles = groups.flatMap(([name, width]) => Array(width).fill(name));
    const quote = (words) => (/[",\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words);
    const lines = [["method", ...heads.map(([name], index) => `${titles[index]}: ${name}`)]];
    for (const row of rows) lines.push([row.method, ...row.cells.map((cell) => cell.value)]);
    return lines.map((line) => line.map(quote).join(",")).join("\n");
  },
  markdown({ heads, rows }) {
    const safe = (words) => words.replaceAll("|", "\\|");
    const mark = ({ text, rank }) => (rank === "1" ? `**${safe(text)}**` : safe(text));
    return [
      `| method | ${heads.map(([name, lower]) => `${safe(name)} ${lower ? "↓" : "↑"}`).join(" | ")} |`,
      `|---|${"---:|".repeat(heads.length)}`,
      ...rows.map((row) => `| ${safe(row.method)} | ${row.cells.map(mark).join(" | ")} |`),
    ].join("\n");
  },
};

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch { // the browser does not allow it: let the reader do it
    find("#copied textarea").value = text;
    find("#copied").showModal();
    find("#copied textarea").select();
  }
}

// --- images --------------------------------------------------------------------------------------

const SOURCES = ["source: infrared", "source: visible"];
const OVERLAYS = {
  truth: "Truth", found: "Detections", labels: "Predicted labels", errors: "Label errors",
};
const STEP = 1.5;
const MOST = 24; // zoom

class Browser {
  constructor(element) {
    this.element = element;
    this.sources = all("script.gallery");
    this.cache = new Map();
    this.zoom = { x: 0, y: 0, z: 1 };
    this.mode = "slider";
    const names = this.sources.map((_, index) => this.gallery(index).name);
    find("#set").append(...names.map((name, index) => make("option", { value: index }, name)));
    this.listen();
    this.open(0);
    this.followHash();
  }

  gallery(index) { // parsed when it is needed
    if (!this.cache.has(index)) this.cache.set(index, JSON.parse(this.sources[index].textContent));
    return this.cache.get(index);
  }

  get methods() { return [...SOURCES, ...this.data.rows]; }

  open(index) {
    this.data = this.gallery(index);
    find("#set").value = index;
    const metrics = Object.keys(this.data.metrics);
    const options = (names) => names.map((name, place) => make("option", { value: place }, name));
    find("#metric").replaceChildren(make("option", { value: "" }, "name"), ...metrics.map((name) => make("option", { value: name }, name)));
    find("#of").replaceChildren(...options(this.data.rows));
    find("#less").replaceChildren(make("option", { value: "" }, "nothing"), ...options(this.data.rows));
    for (const [place, select] of [[1, "#left"], [this.methods.length - 1, "#right"]]) {
      find(select).replaceChildren(...options(this.methods));
      find(select).value = place;
    }
    find("#of").value = this.data.rows.length - 1;
    this.showOverlayChoices();
    this.current = this.data.scenes[0];
    this.arrange();
  }

  /** The images in the chosen order, those whose name is searched for. */
  arrange() {
    const metric = find("#metric").value;
    for (const select of ["#of", "#less", "#order"]) find(select).disabled = metric === "";
    const wanted = find("#find").value.trim().toLowerCase();
    const scenes = this.data.scenes.map((scene, index) => ({ scene, quality: this.quality(index, metric) }));
    if (metric) {
      const sign = find("#order").value === "worst" ? 1 : -1;
      scenes.sort((a, b) => (a.quality === null) - (b.quality === null) || sign * (a.quality - b.quality));
    }
    this.list = scenes.filter(({ scene }) => scene.n.toLowerCase().includes(wanted));
    if (metric && this.list.length) this.current = this.list[0].scene;
    else if (this.list.length && !this.list.some(({ scene }) => scene === this.current)) this.current = this.list[0].scene;
    this.showStrip(metric);
    this.show();
  }

  /** A method's value on an image, or its advantage over another's: higher is better. */
  quality(index, metric) {
    if (!metric) return null;
    const values = this.data.metrics[metric];
    const own = values[Number(find("#of").value)]?.[index] ?? null;
    const less = find("#less").value;
    const other = less === "" ? 0 : values[Number(less)]?.[index] ?? null;
    if (own === null || other === null) return null;
    return (own - other) * (this.data.lower.includes(metric) ? -1 : 1);
  }

  showStrip(metric) {
    const sign = this.data.lower.includes(metric) ? -1 : 1;
    find("#strip").replaceChildren(...this.list.map(({ scene, quality }) => {
      const value = metric && quality !== null ? `${(sign * quality).toPrecision(3)}  ` : "";
      const image = make("img", { src: `thumbs/${scene.i[1]}.webp`, alt: "", loading: "lazy", decoding: "async" });
      const button = make("button", { type: "button", title: scene.n }, image, make("span", {}, value + scene.n));
      button.addEventListener("click", () => this.select(scene));
      return make("li", {}, button);
    }));
  }

  select(scene) {
    this.current = scene;
    this.show();
    history.replaceState(null, "", `#image=${encodeURIComponent(this.data.name)}/${encodeURIComponent(scene.n)}`);
  }

  step(by) {
    const index = this.list.findIndex(({ scene }) => scene === this.current);
    const next = this.list[(index + by + this.list.length) % this.list.length];
    if (next) this.select(next.scene);
  }

  show() {
    const position = this.list.findIndex(({ scene }) => scene === this.current);
    const night = this.current.night ? ", night" : "";
    find("#scene").textContent = `${this.current.n}${night} (${position + 1} of ${this.list.length})`;
    all("#strip button").forEach((button, index) => {
      if (index === position) {
        button.setAttribute("aria-current", "true");
        const strip = find("#strip");
        strip.scrollLeft = button.offsetLeft - strip.offsetLeft - strip.clientWidth / 2 + button.clientWidth / 2;
      } else button.removeAttribute("aria-current");
    });
    this.index = this.data.scenes.indexOf(this.current);
    this.showGrid();
    this.showStage();
    this.showLegend();
    this.applyZoom();
  }

  showGrid() {
    const panes = this.methods.map((method, place) => {
      const file = this.current.i[place];
      const again = place < SOURCES.length && this.current.i.indexOf(file, SOURCES.length) > 0;
      if (!file || again) return null; // a method returns this source as it is
      const window = make("div", { class: "window", style: `aspect-ratio:${this.current.w}/${this.current.h}` }, this.view(place, false));
      this.makeMovable(window);
      return make("figure", { class: "pane" }, window, make("figcaption", {}, method, ...this.values(place - SOURCES.length)));
    });
    find("#grid").replaceChildren(...panes.filter(Boolean));
  }

  /** An image with its overlays; `place` counts infrared and visible first. */
  view(place, full) {
    const scene = this.current;
    const file = scene.i[place];
    const view = make("div", { class: "view" });
    if (!file) return view;
    const source = full ? `images/${file}.png` : `thumbs/${file}.webp`;
    view.append(make("img", { src: source, "data-full": `images/${file}.png`, alt: `${this.methods[place]}, image ${scene.n}`, draggable: "false" }));
    const row = place - SOURCES.length;
    for (const name of this.shownLabels(row)) view.append(make("img", { src: `labels/${name}.png`, alt: "", draggable: "false" }));
    const boxes = this.boxes(row);
    if (boxes) view.append(boxes);
    return view;
  }

  shownLabels(row) {
    const labels = this.current.l;
    if (!labels) return [];
    const own = labels.r[row];
    const names = [];
    if (this.has("truth")) names.push(labels.t);
    if (this.has("labels") && own) names.push(own[0]);
    if (this.has("errors") && own) names.push(own[1]);
    return names;
  }

  boxes(row) {
    const boxes = this.current.b;
    if (!boxes) return null;
    const { w, h } = this.current;
    const size = Math.max(w, h) / 40;
    const svg = make("svg:svg", { class: "boxes", viewBox: `0 0 ${w} ${h}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const draw = ([label, x, y, width, height], kind, words) => {
      svg.append(make("svg:rect", { class: kind, x, y, width, height }));
      const above = y - size * 0.3 < size ? y + size : y - size * 0.3;
      svg.append(make("svg:text", { class: `${kind}-text`, x, y: above, "font-size": size }, words));
    };
    const own = boxes.r[row];
    boxes.t.forEach((box, index) => {
      const lost = own?.m.includes(index) && this.has("found");
      if (lost) draw(box, "miss", `missed: ${this.data.classes[box[0]]}`);
      else if (this.has("truth")) draw(box, "truth", own && this.has("found") ? "" : this.data.classes[box[0]]);
    });
    if (own && this.has("found")) {
      for (const box of own.d) draw(box, box[6] ? "hit" : "alarm", `${this.data.classes[box[0]]} ${box[5]} %`);
    }
    return svg;
  }

  values(row) {
    if (row < 0) return [];
    const chosen = find("#metric").value;
    const items = Object.entries(this.data.metrics).map(([name, rows]) => {
      const here = rows.map((values) => values[this.index] ?? null);
      const value = here[row] ?? null;
      const known = here.filter((other) => other !== null);
      const best = this.data.lower.includes(name) ? Math.min(...known) : Math.max(...known);
      const css = [name === chosen && "chosen", value !== null && value === best && known.length > 1 && "best"].filter(Boolean).join(" ");
      return make("div", { class: css }, make("dt", {}, name), make("dd", {}, value === null ? "–" : String(value)));
    });
    return items.length ? [make("dl", { class: "values" }, ...items)] : [];
  }

  showStage() {
    const stage = find("#stage");
    const [left, right] = ["#left", "#right"].map((select) => Number(find(select).value));
    const bottom = this.view(left, true);
    const top = this.view(right, true);
    stage.style.aspectRatio = `${this.current.w}/${this.current.h}`;
    stage.dataset.mode = this.mode;
    stage.dataset.shown = "right";
    stage.replaceChildren(
      make("div", { class: "layer" }, bottom),
      make("div", { class: "layer top" }, top),
      make("div", { class: "divider" }),
      make("span", { class: "name left" }, this.methods[left]),
      make("span", { class: "name right" }, this.methods[right]),
    );
    this.showPair(left, right);
    find("#slider-field").hidden = this.mode !== "slider";
    find("#flip").hidden = this.mode !== "blink";
    find("#gain-field").hidden = this.mode !== "difference";
    clearInterval(this.blinking);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (this.mode === "blink" && !still) this.blinking = setInterval(() => this.flip(), 700);
  }

  /** The values of the two images side by side, the better one bold. */
  showPair(left, right) {
    const metrics = Object.entries(this.data.metrics);
    const places = [left, right].filter((place) => metrics.some(([, rows]) => rows[place - SOURCES.length]?.length));
    const head = make("tr", {}, make("td"), ...places.map((place) => make("th", { scope: "col" }, this.methods[place])));
    const body = metrics.map(([name, rows]) => {
      const lower = this.data.lower.includes(name);
      const values = places.map((place) => rows[place - SOURCES.length]?.[this.index] ?? null);
      const [one, other] = values;
      const better = values.length < 2 || values.includes(null) || one === other ? -1 : Number((other > one) !== lower);
      const cells = values.map((value, side) => make("td", {}, make(side === better ? "b" : "span", {}, value === null ? "–" : String(value))));
      return make("tr", {}, make("th", { scope: "row" }, `${name} ${lower ? "↓" : "↑"}`), ...cells);
    });
    find("#pair").replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
    find("#pair").hidden = !places.length;
  }

  flip() {
    const stage = find("#stage");
    stage.dataset.shown = stage.dataset.shown === "left" ? "right" : "left";
  }

  /** Put the divider of the slider at so many percent. */
  cut(percent) {
    const place = Math.min(100, Math.max(0, percent));
    find("#slider").value = place;
    find("#stage").style.setProperty("--cut", `${place}%`);
  }

  has(overlay) { return Boolean(find(`#overlays input[value="${overlay}"]`)?.checked); }

  showOverlayChoices() {
    const possible = [];
    if (this.data.classes.length) possible.push("truth", "found");
    if (this.data.labels.length) possible.push("truth", "labels", "errors");
    const kept = new Set(["truth", "found", "labels", "errors"].filter((name) => this.has(name)));
    const choices = [...new Set(possible)].map((name) => make("label", { class: "chip" },
      make("input", { type: "checkbox", value: name, checked: kept.has(name) }), " ", make("span", {}, OVERLAYS[name])));
    find("#overlays").replaceChildren(make("legend", {}, "Overlays"), ...choices);
    find("#overlays").hidden = !choices.length;
  }

  showLegend() {
    const items = [];
    const item = (css, color, words) => items.push(make("span", {}, make("i", { class: css, style: color }), words));
    if (this.current.b && this.has("truth")) item("line", "border-color:var(--soft)", "object of the truth");
    if (this.current.b && this.has("found")) {
      item("line", "border-color:var(--hit)", "hit (solid), with its confidence");
      item("line", "border-color:var(--alarm);border-style:dashed", "false alarm (dashed)");
      item("line", "border-color:var(--miss);border-style:dotted", "missed object (dotted)");
    }
    if (this.current.l && (this.has("truth") || this.has("labels"))) {
      for (const [name, color] of this.data.labels) item("", `background:${color}`, name);
    }
    if (this.current.l && this.has("errors")) item("", "background:#ff2d55", "pixel of another class than the truth");
    if (this.current.b && this.has("found")) items.push(make("span", {}, this.data.runs.found));
    if (this.current.l && (this.has("labels") || this.has("errors"))) items.push(make("span", {}, this.data.runs.labels));
    find("#legend").replaceChildren(...items.filter((item) => item.textContent));
  }

  // Every view has the same position: three variables of the browser's element move them all.
  applyZoom() {
    const { x, y, z } = this.zoom;
    for (const [name, value] of [["--x", x], ["--y", y], ["--z", z]]) this.element.style.setProperty(name, value);
    this.element.classList.toggle("sharp", z >= 4);
    this.element.classList.toggle("zoomed", z > 1);
    find("#zoom-reset").textContent = `${Math.round(100 * z)} %`;
    if (z > 1) for (const image of all("#grid .view > img[data-full]")) if (image.src !== image.dataset.full) image.src = image.dataset.full;
  }

  /** Zoom so that what is at the shares `from` of the view comes to the shares `to`. */
  zoomBy(factor, from = [0.5, 0.5], to = from) {
    const z = Math.min(MOST, Math.max(1, this.zoom.z * factor));
    const ratio = z / this.zoom.z;
    this.move({ z, x: to[0] - (from[0] - this.zoom.x) * ratio, y: to[1] - (from[1] - this.zoom.y) * ratio });
  }

  /** Two fingers went from two places to two others, all in shares of the view. */
  pinch(before, after) {
    const { w, h } = this.current;
    const spread = ([a, b]) => Math.hypot((a[0] - b[0]) * w, (a[1] - b[1]) * h);
    const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    if (spread(before) > 0) this.zoomBy(spread(after) / spread(before), middle(before), middle(after));
  }

  move({ x, y, z }) {
    const inside = (value) => Math.min(0, Math.max(1 - z, value));
    this.zoom = { x: inside(x), y: inside(y), z };
    this.applyZoom();
  }

  makeMovable(element, onDrag = () => {}) {
    const shares = (event) => {
      const box = element.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    element.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls the page
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 200), shares(event));
    }, { passive: false });
    element.addEventListener("dblclick", (event) => this.zoomBy(2, shares(event)));
    element.addEventListener("touchstart", (event) => {
      if (event.touches.length > 1) event.preventDefault(); // two fingers do not scroll the page
    }, { passive: false });
    const held = new Map(); // pointer -> where it is
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      held.set(event.pointerId, shares(event));
      if (this.zoom.z === 1 && event.pointerType === "mouse") onDrag(shares(event)[0]);
    });
    element.addEventListener("pointermove", (event) => {
      if (!held.has(event.pointerId)) return;
      const before = [...held.values()];
      held.set(event.pointerId, shares(event));
      const after = [...held.values()];
      if (held.size > 1) this.pinch(before, after);
      else if (this.zoom.z > 1) this.zoomBy(1, before[0], after[0]);
      else onDrag(after[0][0]);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      element.addEventListener(end, (event) => held.delete(event.pointerId));
    }
  }

  listen() {
    const on = (selector, type, action) => find(selector).addEventListener(type, action);
    on("#set", "change", (event) => { this.open(Number(event.target.value)); });
    on("#find", "input", () => this.arrange());
    for (const select of ["#metric", "#of", "#less", "#order"]) on(select, "change", () => this.arrange());
    for (const select of ["#left", "#right"]) on(select, "change", () => { this.showStage(); this.applyZoom(); });
    on("#previous", "click", () => this.step(-1));
    on("#next", "click", () => this.step(1));
    on("#zoom-in", "click", () => this.zoomBy(STEP));
    on("#zoom-out", "click", () => this.zoomBy(1 / STEP));
    on("#zoom-reset", "click", () => this.move({ x: 0, y: 0, z: 1 }));
    on("#flip", "click", () => { clearInterval(this.blinking); this.flip(); });
    on("#slider", "input", (event) => this.cut(Number(event.target.value)));
    on("#gain", "input", (event) => find("#stage").style.setProperty("--gain", event.target.value));
    on("#overlays", "change", () => this.show());
    on("#modes", "change", (event) => { this.mode = event.target.value; this.showStage(); });
    this.makeMovable(find("#stage"), (share) => this.cut(100 * share));
    addEventListener("hashchange", () => this.followHash());
    this.element.addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
      const action = {
        ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1),
        "+": () => this.zoomBy(STEP), "-": () => this.zoomBy(1 / STEP), 0: () => this.move({ x: 0, y: 0, z: 1 }),
      }[event.key];
      if (action) { event.preventDefault(); action(); }
    });
  }

  /** A link to an image: #image=<data set>/<name>. */
  followHash() {
    const found = location.hash.match(/^#image=([^/]+)\/(.+)$/);
    if (!found) return;
    const [set, name] = found.slice(1).map((part) => decodeURIComponent(part));
    const index = this.sources.findIndex((_, place) => this.gallery(place).name === set);
    if (index < 0) return;
    if (this.gallery(index) !== this.data) this.open(index);
    const scene = this.data.scenes.find((other) => other.n === name);
    if (scene) { this.current = scene; this.show(); }
  }

  /** Show a method of the leaderboard on the right-hand side. */
  showMethod(method) {
    const place = this.methods.indexOf(method);
    if (place >= 0) find("#right").value = place;
    this.showStage();
    this.applyZoom();
    find("#images").scrollIntoView();
  }
}

// A method's name in the table leads to its images.
function linkMethods(browser) {
  for (const row of find(".board").tBodies[0].rows) {
    const head = row.cells[0];
    const name = [...head.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    const parts = row.dataset.method.split(/(?<=[_.-])/); // a long name breaks between its words
    const words = parts.flatMap((part, place) => (place ? [make("wbr"), part] : [part]));
    const button = make("button", { type: "button", title: "Show its images" }, ...words);
    button.addEventListener("click", () => browser.showMethod(row.dataset.method));
    name.replaceWith(button, " ");
  }
}

document.documentElement.classList.add("scripted");
setUpTheme();
setUpTable();
if (find("#browser")) {
  find("#browser").hidden = false;
  linkMethods(new Browser(find("#browser")));
}
performance.mark("ready");
