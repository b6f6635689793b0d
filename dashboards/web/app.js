// The live page: ticks come in over one event stream, numbers and a chart go out. It knows the fields of a tick (the
// README lists them) and nothing of how they come about. Nothing is asked of the service but the stream itself.
"use strict";

(() => {
  const HISTORY_MS = 300_000;
  // Without a tick for this long the connection counts as lost, whatever the socket says.
  const SILENCE_MS_MAX = 3_000;
  // A stream that the service refused (too many are open) is asked for again after this long.
  const RETRY_MS = 3_000;
  // Between two ticks further apart than this, nothing is known: the chart leaves a gap.
  const GAP_MS = 2_000;
  const ALT_TEXT_EVERY_MS = 5_000;
  // Colours and patterns; pool number seven looks like the first again, but keeps its name beside it.
  const LOOKS = 6;
  const MARKS = ["elevated", "high", "critical"];
  const MIB = 1024 * 1024;

  const byId = (id) => document.getElementById(id);

  // ---- Words and numbers

  const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

  function bytesParts(bytes) {
    let value = bytes, unit = 0;
    while (Math.abs(value) >= 1000 && unit < UNITS.length - 1) { value /= 1024; unit += 1; }
    const digits = unit === 0 || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
    return [value.toFixed(digits), UNITS[unit]];
  }

  const known = (value) => value !== null && value !== undefined;
  // A number and its unit stay on one line.
  const bytesText = (bytes) => known(bytes) ? bytesParts(bytes).join("\u00a0") : "–";
  const count = (n) => known(n) ? n.toLocaleString("en-US") : "–";
  // Rounded down: 99.98 % is not 100 %.
  const percent = (ratio, digits = 0) =>
    known(ratio) ? `${(Math.floor(ratio * 100 * 10 ** digits) / 10 ** digits).toFixed(digits)}\u00a0%` : "–";
  const clock = (date) => date.toLocaleTimeString("en-GB");

  function ago(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    return s < 1 ? "just now" : s < 120 ? `${s} s ago` : `${Math.floor(s / 60)} min ago`;
  }

  function make(tag, attributes = {}, ...children) {
    const svg = ["svg", "g", "path", "line", "rect", "circle", "text", "pattern", "defs"].includes(tag);
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  // A number as people read it, with the number itself beside it.
  function setBytes(element, bytes) {
    element.dataset.value = known(bytes) ? String(bytes) : "";
    if (!known(bytes)) { setText(element, "–"); return; }
    const [value, unit] = bytesParts(bytes);
    if (element.classList.contains("figure")) element.replaceChildren(value, make("small", {}, unit));
    else setText(element, `${value}\u00a0${unit}`);
  }

  function setRatio(element, ratio) {
    element.dataset.value = known(ratio) ? String(ratio) : "";
    if (!known(ratio)) { setText(element, "–"); return; }
    const [value, unit] = percent(ratio, 1).split("\u00a0");
    if (element.classList.contains("figure")) element.replaceChildren(value, make("small", {}, unit));
    else setText(element, `${value}\u00a0${unit}`);
  }

  // ---- What is known

  let title = "Ebbpool";
  const history = [];   // the last five minutes, oldest first
  const poolNames = []; // in the order in which they were first seen: a pool keeps its look
  const look = (name) => poolNames.indexOf(name) % LOOKS;

  function remember(memory, pools) {
    const last = history.at(-1);
    // Time that runs backwards is another process: what came before is not its past.
    if (last && memory.at_ms < last.at_ms) { history.length = 0; poolNames.length = 0; }
    for (const pool of pools) if (!poolNames.includes(pool.name)) poolNames.push(pool.name);
    history.push({
      at_ms: memory.at_ms,
      usage: memory.valid ? memory.usage_bytes : null,
      limit: memory.limit_bytes,
      marks: memory.watermarks,
      other: memory.other_bytes,
      state: memory.state,
      pools: new Map(pools.map((pool) => [pool.name, { idle: pool.idle_bytes, lent: pool.lent_bytes }])),
    });
    while (history[0].at_ms < memory.at_ms - HISTORY_MS) history.shift();
  }

  // ---- Numbers

  const LIMIT_SOURCES = {
    "cgroup-v1": "cgroup v1", "cgroup-v2": "cgroup v2", "hybrid": "cgroup v1 and v2", "process": "process",
    "simulated": "simulated",
  };
  const MODES = {
    enforce: "acts on its decisions",
    observe: "says what it would do and touches nothing",
    off: "switched off",
  };

  function showState(memory) {
    const badge = byId("state");
    if (badge.dataset.value !== memory.state) {
      badge.dataset.value = memory.state;
      setText(badge, memory.state);
    }
    const decision = memory.last_decision;
    setText(byId("reason"), decision ? decision.reason : "No decision yet.");
    setText(byId("reason-when"), decision ? `${ago(memory.at_ms - decision.at_ms)}, in state ${decision.state}` : "");
    setText(byId("mode"), memory.mode);
    byId("mode").title = MODES[memory.mode] ?? "";
    setText(byId("policy"), `policy ${memory.policy}`);
    setText(byId("source"), `source ${LIMIT_SOURCES[memory.source] ?? memory.source}`);
    byId("simulated").hidden = memory.limit_kind !== "simulated";
    const share = memory.limit_bytes && known(memory.usage_bytes) ? memory.usage_bytes / memory.limit_bytes : null;
    title = known(share) ? `${percent(share)} ${memory.state} · Ebbpool` : `${memory.state} · Ebbpool`;
  }

  function showFigures(memory, pools) {
    const { usage_bytes: usage, limit_bytes: limit } = memory;
    setBytes(byId("usage-bytes"), usage);
    const share = limit && known(usage) ? usage / limit : null;
    setText(byId("usage-note"), 
      known(share) ? `${percent(share, 1)} of the limit` : known(usage) ? "no limit to compare with" : "no valid reading");
    byId("gauge-fill").style.width = `${100 * Math.min(share ?? 0, 1)}%`;
    for (const mark of MARKS) {
      const at = limit && memory.watermarks ? memory.watermarks[mark] / limit : null;
      byId(`gauge-${mark}`).style.display = known(at) ? "block" : "none";
      byId(`gauge-${mark}`).style.left = `${100 * (at ?? 0)}%`;
    }

    setBytes(byId("limit-bytes"), limit);
    const kind = byId("limit-note");
    kind.dataset.value = memory.limit_kind;
    setText(kind, {
      simulated: "simulated limit: nothing will be killed",
      real: `real limit, ${LIMIT_SOURCES[memory.source] ?? memory.source}`,
      none: "no limit",
    }[memory.limit_kind] ?? memory.limit_kind);

    setBytes(byId("idle-bytes"), memory.pools_idle_bytes);
    setText(byId("idle-note"), known(memory.budget_bytes) ? `of a budget of ${bytesText(memory.budget_bytes)}` : "no budget");
    setBytes(byId("lent-bytes"), memory.pools_lent_bytes);
    setText(byId("lent-note"), `peak ${bytesText(memory.lent_peak_bytes)}`);

    const rated = pools.filter((pool) => known(pool.hit_ratio));
    const lowest = rated.reduce((low, pool) => !low || pool.hit_ratio < low.hit_ratio ? pool : low, null);
    setRatio(byId("hit-ratio"), lowest?.hit_ratio);
    setText(byId("hit-note"), lowest ? `${rated.length > 1 ? "lowest: " : ""}${lowest.name}` : "no gets yet");
  }

  // The rest, in the order of the page: name of the field, label, text.
  const MORE = [
    ["pressure", "Pressure", (v) => known(v) ? v.toFixed(2) : "–"],
    ["rss_bytes", "Resident", bytesText],
    ["peak_bytes", "Peak usage", bytesText],
    ["other_bytes", "Not in pools", bytesText],
    ["grant_bytes", "Grant left", (v) => known(v) ? bytesText(v) : "no limit"],
    ["grant_exceeded_total", "Grant exceeded", count],
    ["reclaimed_bytes_total", "Reclaimed", bytesText],
    ["decisions_total", "Decisions", count],
    ["knob_reversals", "Knob reversals", count],
    ["oom_kills", "OOM kills", count],
  ];

  function showMore(memory) {
    const list = byId("more");
    if (!list.hasChildNodes()) {
      for (const [field, label] of MORE) {
        const value = make("dd", { "data-testid": field.replaceAll("_", "-") });
        list.append(make("div", {}, make("dt", {}, label), value));
      }
    }
    MORE.forEach(([field, , text], i) => {
      const value = list.children[i].lastChild;
      value.dataset.value = known(memory[field]) ? String(memory[field]) : "";
      setText(value, text(memory[field]));
    });
  }

  // ---- Pools

  // What a capacity beyond all memory means is "no bound".
  const UNBOUNDED_BYTES = 2 ** 46;
  const POOL_CELLS = [
    ["idle_bytes", "Idle", setBytes],
    ["lent_bytes", "Lent", setBytes],
    ["capacity_bytes", "Capacity", (cell, v) => {
      setBytes(cell, v);
      if (v >= UNBOUNDED_BYTES) setText(cell, "unbounded");
    }],
    ["hit_ratio", "Hit rate", setRatio],
    ["lost_estimate", "Lost, estimate", (cell, v) => {
      cell.dataset.value = known(v) ? String(v) : "";
      cell.classList.toggle("lost", v > 0);
      setText(cell, v > 0 ? `${count(v)} lost` : known(v) ? "none" : "–");
    }],
  ];

  function swatch(kind, name) {
    const icon = make("svg", { class: "swatch", viewBox: "0 0 22 14", "aria-hidden": "true" });
    if (kind === "usage") {
      icon.append(make("line", { class: "swatch-line", x1: 0, x2: 22, y1: 7, y2: 7 }));
      return icon;
    }
    const area = make("rect", { width: 22, height: 14, rx: 3 });
    if (kind === "other") area.setAttribute("class", "area-other");
    else area.setAttribute("fill", `url(#${kind}-${look(name)})`);
    icon.append(area, make("rect", { class: "swatch-edge", x: .5, y: .5, width: 21, height: 13, rx: 3 }));
    return icon;
  }

  function showPools(pools) {
    byId("pools-empty").hidden = pools.length > 0;
    const rows = byId("pool-rows");
    const names = pools.map((pool) => pool.name);
    if (rows.dataset.names !== names.join("\n")) {
      rows.dataset.names = names.join("\n");
      rows.replaceChildren(...pools.map((pool) => make("tr", { "data-pool": pool.name },
        make("th", { scope: "row" }, make("span", { class: "pool-name" }, swatch("lent", pool.name), pool.name)),
        ...POOL_CELLS.map(([field, label]) =>
          make("td", { class: "number", "data-label": label, "data-testid": `pool-${field.replaceAll("_", "-")}` })))));
    }
    pools.forEach((pool, row) => POOL_CELLS.forEach(([field, , show], cell) =>
      show(rows.children[row].children[cell + 1], pool[field])));
  }

  // ---- Set by hand

  const left = (s) => !known(s) ? "until it is taken back" : s < 120 ? `${s} s left` : `${Math.ceil(s / 60)} min left`;

  function showOverrides(overrides) {
    byId("overrides-card").hidden = overrides.length === 0;
    byId("overrides").replaceChildren(...overrides.map((set) => make("li",
      { "data-override": `${set.pool} ${set.knob}`, "data-left-s": known(set.left_s) ? String(set.left_s) : "" },
      make("strong", {}, set.pool), ` ${Object.entries(set.fields).map((field) => field.join(" ")).join(", ")} `,
      make("span", { class: "tag" }, left(set.left_s)), make("span", { class: "quiet" }, ` ${set.reason}`))));
  }

  // ---- Canaries

  const SIDES = [
    ["gets", "Gets", count],
    ["hit_ratio", "Hit rate", (v) => percent(v, 1)],
    ["create_ratio", "Creates by gets", (v) => percent(v, 1)],
    ["evict_ratio", "Evictions by gets", (v) => percent(v, 1)],
    ["create_p99_ms", "Create, p99", (v) => known(v) ? `${v < 0.1 ? v.toFixed(4) : v.toFixed(1)}\u00a0ms` : "–"],
    ["idle_bytes_per_get_s", "Idle for a get a second", bytesText],
    ["lent_objects", "Lent, objects", count],
    ["idle_bytes", "Idle", bytesText],
    ["capacity_bytes", "Capacity", (v) => v >= UNBOUNDED_BYTES ? "unbounded" : bytesText(v)],
    ["capacity_objects", "Capacity, objects", count],
  ];

  // Which rounds led to the verdict, in words.
  function because({ verdict, rounds, rounds_needed, evidence }) {
    if (verdict === "too_little_data") return `${rounds} rounds with enough gets on both sides, ${rounds_needed} are needed`;
    const name = { missed: "misses", evicted: "evictions" };
    const parts = evidence.map((e) => `more ${name[e.figure]} in ${e.against}, fewer in ${e.in_favour}`);
    return `of ${rounds} rounds: ${parts.join("; ")}; ${evidence[0].needed} decide`;
  }

  function canaryTable(canary) {
    const cell = (side, [field, , text]) => make("td", {
      class: "number", "data-testid": `canary-${side}-${field.replaceAll("_", "-")}`,
      "data-value": known(canary[side][field]) ? String(canary[side][field]) : "",
    }, text(canary[side][field]));
    const head = ["", "Stable", "Canary"].map((text) => make("th", { scope: "col", class: "number" }, text));
    return make("table", { class: "sides" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...SIDES.map((row) =>
      make("tr", {}, make("th", { scope: "row" }, row[1]), cell("stable", row), cell("canary", row)))));
  }

  function showCanaries(canaries) {
    byId("canaries-card").hidden = canaries.length === 0;
    byId("canaries").replaceChildren(...canaries.map((canary) => make("article",
      { "data-canary": canary.pool, "data-percent": String(canary.percent), "data-verdict": canary.verdict },
      make("p", {}, make("strong", {}, canary.pool), ` ${Number(canary.percent.toFixed(2))}\u00a0% of gets `,
        make("span", { class: `tag verdict-${canary.verdict}` }, canary.verdict.replaceAll("_", " ")),
        make("span", { class: "quiet" }, ` ${because(canary)}`)),
      make("p", { class: "quiet" }, `Share by ${canary.author}: ${canary.reason}`,
        known(canary.left_s) ? `, ${left(canary.left_s)}` : ""),
      canaryTable(canary))));
  }

  // ---- Chart

  const svg = byId("chart");
  const frame = byId("chart-frame");
  let windowMs = 120_000;
  let cursor = null;      // the sample under the pointer, or null for the latest
  let drawRequested = false;

  // Each pool's look is a motif; lent is the motif on solid colour, idle is the motif in colour on the ground.
  const MOTIFS = [
    "M-2 2L2 -2M0 8L8 0M6 10L10 6", "M2 2h.01M6 6h.01", "M-2 6L2 10M0 0L8 8M6 -2L10 2",
    "M0 2H8M0 6H8", "M0 4H8M4 0V8", "M2 0V8M6 0V8",
  ];

  function patterns() {
    const defs = make("defs");
    MOTIFS.forEach((d, i) => {
      const round = { "stroke-linecap": "round", ...(d.includes("h.01") ? { "stroke-width": "2.6" } : {}) };
      const size = { width: 8, height: 8 };
      const frame = (kind) => ({ id: `${kind}-${i}`, class: `pool-${i}`, patternUnits: "userSpaceOnUse", ...size });
      defs.append(
        make("pattern", frame("lent"), make("rect", { class: "lent-ground", ...size }), make("path", { class: "lent-motif", d, ...round })),
        make("pattern", frame("idle"), make("rect", { class: "idle-ground", ...size }), make("rect", { class: "idle-tint", ...size }),
          make("path", { class: "idle-motif", d, ...round })),
      );
    });
    return defs;
  }

  const layers = { grid: make("g"), areas: make("g"), lines: make("g"), labels: make("g"), strip: make("g"), cursor: make("g") };
  svg.append(patterns(), ...Object.values(layers));

  // Beneath the usage line, from the bottom: what is not in pools, then what they lent, and on top what they hold idle
  // and could give back.
  function stack() {
    return [
      { kind: "other", key: "other", label: "not in pools", of: (s) => s.other ?? 0 },
      ...poolNames.map((name) => (
        { kind: "lent", name, key: `lent ${name}`, label: `${name} lent`, of: (s) => s.pools.get(name)?.lent ?? 0 })),
      ...poolNames.map((name) => (
        { kind: "idle", name, key: `idle ${name}`, label: `${name} idle`, of: (s) => s.pools.get(name)?.idle ?? 0 })),
    ];
  }

  // Runs of samples without a gap in time or an invalid reading.
  function runs(samples) {
    const all = [];
    let run = [];
    for (const s of samples) {
      const gap = run.length > 0 && s.at_ms - run.at(-1).at_ms > GAP_MS;
      if (gap || !known(s.usage)) { if (run.length > 1) all.push(run); run = []; }
      if (known(s.usage)) run.push(s);
    }
    if (run.length > 1) all.push(run);
    return all;
  }

  function stepFor(max, lines) {
    let step = MIB / 4;
    while (max / step > lines) step *= 2;
    return step;
  }

  const point = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  const path = (points) => points.length ? `M${points.join("L")}` : "";

  function draw() {
    drawRequested = false;
    const latest = history.at(-1);
    const width = frame.clientWidth, height = frame.clientHeight;
    if (!latest || width < 120) return;
    byId("chart-empty").hidden = true;
    const wide = width >= 560;
    const box = { left: 58, right: width - (wide ? 132 : 74), top: 10, bottom: height - 44 };
    const from = latest.at_ms - windowMs;
    // One sample before the window, so that its left edge is drawn through.
    const first = Math.max(0, history.findIndex((s) => s.at_ms >= from) - 1);
    const samples = history.slice(first);
    const parts = stack();

    const total = (s) => Math.max(s.usage ?? 0, parts.reduce((sum, part) => sum + part.of(s), 0));
    const highest = Math.max(MIB, ...samples.map((s) => Math.max(total(s), s.limit ?? 0)));
    const step = stepFor(highest * 1.06, wide ? 6 : 4);
    const top = highest * 1.06;
    const x = (ms) => box.left + (Math.max(ms, from) - from) / windowMs * (box.right - box.left);
    const y = (bytes) => box.bottom - bytes / top * (box.bottom - box.top);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);

    drawGrid(box, step, top, x, y, latest.at_ms, wide);
    const segments = runs(samples);
    drawAreas(segments, parts, x, y, box, wide);
    drawLines(segments, samples, x, y, box, wide, latest);
    drawStrip(samples, x, box);
    const chosen = cursor && cursor.at_ms >= from ? cursor : null;
    layers.cursor.replaceChildren();
    if (chosen) {
      const at = x(chosen.at_ms);
      layers.cursor.append(make("line", { class: "cursor-line", x1: at, x2: at, y1: box.top, y2: box.bottom + 12 }));
    }
    showLegend(chosen ?? latest, chosen, latest, parts);
    svg.dataset.points = String(segments.reduce((n, run) => n + run.length, 0));
  }

  function drawGrid(box, step, top, x, y, now, wide) {
    const lines = [];
    for (let bytes = 0; bytes <= top; bytes += step) {
      lines.push(make("line", { class: "grid-line", x1: box.left, x2: box.right, y1: y(bytes), y2: y(bytes) }));
      lines.push(make("text", { x: box.left - 8, y: y(bytes) + 4, "text-anchor": "end" }, bytes === 0 ? "0" : bytesText(bytes).replace(/\.0+(?=\D)/, "")));
    }
    const every = windowMs / (wide ? 4 : 2);
    for (let back = 0; back <= windowMs; back += every) {
      const at = x(now - back);
      const anchor = back === 0 ? "end" : back === windowMs ? "start" : "middle";
      const minutes = back / 60_000;
      const text = back === 0 ? "now" : `−${back < 60_000 ? `${back / 1000} s` : `${minutes % 1 ? minutes.toFixed(2).replace(/0$/, "") : minutes} min`}`;
      lines.push(make("text", { x: at, y: box.bottom + 32, "text-anchor": anchor }, text));
    }
    layers.grid.replaceChildren(...lines);
  }

  function drawAreas(segments, parts, x, y, box, wide) {
    const base = new Map();
    const shapes = [], labels = [];
    for (const part of parts) {
      let d = "", edge = "";
      for (const run of segments) {
        const lower = run.map((s) => base.get(s) ?? 0);
        const upper = run.map((s, i) => { const sum = lower[i] + part.of(s); base.set(s, sum); return sum; });
        const points = (values) => run.map((s, i) => point(x(s.at_ms), y(values[i])));
        d += `${path([...points(upper), ...points(lower).reverse()])}Z`;
        edge += path(points(upper));
      }
      const fill = part.kind === "other" ? { class: "area-other" } : { fill: `url(#${part.kind}-${look(part.name)})` };
      shapes.push(make("path", { ...fill, d, "data-area": part.key }), make("path", { class: "area-edge", d: edge }));
      // A name where there is room for one along its whole length; the legend has them all.
      const LABEL_PX = 8 + part.label.length * 7;
      const end = x(segments.at(-1)?.at(-1).at_ms ?? 0);
      const under = segments.at(-1)?.filter((s) => end - x(s.at_ms) <= LABEL_PX) ?? [];
      const ceiling = Math.max(...under.map((s) => y(base.get(s))));
      const floor = Math.min(...under.map((s) => y(base.get(s) - part.of(s))));
      if (wide && under.length && end - x(segments.at(-1)[0].at_ms) > LABEL_PX && floor - ceiling >= 12) {
        labels.push(make("text", { class: "area-label", x: end - 8, y: (floor + ceiling) / 2 + 4, "text-anchor": "end" }, part.label));
      }
    }
    layers.areas.replaceChildren(...shapes, ...labels);
  }

  function drawLines(segments, samples, x, y, box, wide, latest) {
    const lines = [];
    const level = (of, className) => {
      let d = "", before = null;
      for (const s of samples) {
        const value = of(s);
        if (known(value)) d += before === null ? `M${point(x(s.at_ms), y(value))}` : `L${point(x(s.at_ms), y(before))}L${point(x(s.at_ms), y(value))}`;
        before = known(value) ? value : null;
      }
      if (d) lines.push(make("path", { class: `mark ${className}`, d }));
    };
    for (const mark of MARKS) level((s) => s.marks?.[mark], `mark-${mark}`);
    level((s) => s.limit, "mark-limit");
    lines.push(make("path", {
      class: "usage-line", "data-testid": "usage-line",
      d: segments.map((run) => path(run.map((s) => point(x(s.at_ms), y(s.usage))))).join(""),
    }));
    layers.lines.replaceChildren(...lines);

    const wanted = [];
    if (known(latest.limit)) wanted.push({ name: "limit", bytes: latest.limit });
    if (latest.marks) for (const mark of MARKS) wanted.push({ name: mark, bytes: latest.marks[mark] });
    if (known(latest.usage)) wanted.push({ name: "usage", bytes: latest.usage });
    layers.labels.replaceChildren(...placeLabels(wanted, y, box).flatMap(({ name, bytes, at }) => {
      const text = wide ? `${name} ${bytesText(bytes)}` : name;
      return [
        make("line", { class: "leader", x1: box.right + 2, x2: box.right + 10, y1: y(bytes), y2: at }),
        make("text", { class: `mark-label label-${name}`, x: box.right + 14, y: at + 4 }, text),
      ];
    }));
  }

  // Labels stand at their line's height, pushed apart where lines are close, and within the box.
  function placeLabels(labels, y, box) {
    const LINE_PX = 14;
    labels.sort((a, b) => b.bytes - a.bytes);
    labels.forEach((label, i) => { label.at = Math.max(y(label.bytes), i ? labels[i - 1].at + LINE_PX : box.top); });
    let floor = box.bottom + 4;
    for (const label of labels.toReversed()) { label.at = Math.min(label.at, floor); floor = label.at - LINE_PX; }
    return labels;
  }

  // The state over time, in words where there is room.
  function drawStrip(samples, x, box) {
    const rects = [];
    for (let i = 0; i < samples.length;) {
      let end = i + 1;
      while (end < samples.length && samples[end].state === samples[i].state && samples[end].at_ms - samples[end - 1].at_ms <= GAP_MS) end += 1;
      const reaches = end < samples.length && samples[end].at_ms - samples[end - 1].at_ms <= GAP_MS ? end : end - 1;
      const left = x(samples[i].at_ms), width = Math.max(0, x(samples[reaches].at_ms) - left);
      rects.push(make("rect", { class: `strip-${samples[i].state}`, x: left, y: box.bottom + 5, width, height: 12 }));
      const letters = samples[i].state.length * 6.2 + 8;
      const text = width > letters ? samples[i].state : width > 12 ? samples[i].state[0].toUpperCase() : "";
      if (text) rects.push(make("text", { class: `strip-label label-on-${samples[i].state}`, x: left + width / 2, y: box.bottom + 14.5, "text-anchor": "middle" }, text));
      i = end;
    }
    layers.strip.replaceChildren(...rects);
  }

  function showLegend(sample, isChosen, latest, parts) {
    setText(byId("legend-when"), isChosen ? ago(latest.at_ms - sample.at_ms) : "Now");
    const list = byId("legend");
    const entries = [{ kind: "usage", key: "usage", label: "usage", of: (s) => s.usage }, ...parts.toReversed()];
    const keys = entries.map((entry) => entry.key).join("\n");
    if (list.dataset.keys !== keys) {
      list.dataset.keys = keys;
      list.replaceChildren(...entries.map((entry) => make("li", { "data-series": entry.key }, swatch(entry.kind, entry.name), `${entry.label} `, make("b"))));
    }
    entries.forEach((entry, i) => setText(list.children[i].lastChild, bytesText(entry.of(sample))));
  }

  let describedAtMs = -Infinity;

  // What the chart shows, in a sentence, for those who do not see it.
  function describe() {
    const latest = history.at(-1);
    if (performance.now() - describedAtMs < ALT_TEXT_EVERY_MS) return;
    describedAtMs = performance.now();
    const from = history.find((s) => s.at_ms >= latest.at_ms - windowMs && known(s.usage));
    const limit = known(latest.limit) ? ` of a limit of ${bytesText(latest.limit)}` : ", without a limit";
    const idle = poolNames.map((name) => `${name} ${bytesText(latest.pools.get(name)?.idle)} idle and ${bytesText(latest.pools.get(name)?.lent)} lent`);
    setText(byId("chart-text"),
      `Usage ${bytesText(latest.usage)}${limit}, state ${latest.state}. ${idle.join("; ")}. Not in pools: ${bytesText(latest.other)}. ` +
      (from && latest.at_ms - from.at_ms >= GAP_MS ? `${ago(latest.at_ms - from.at_ms)} usage was ${bytesText(from.usage)}.` : ""));
  }

  // Where the arrow keys went, for those who do not see the line move.
  function readOut() {
    const latest = history.at(-1);
    if (!latest) return;
    const sample = cursor ?? latest;
    setText(byId("chart-readout"),
      `${cursor ? ago(latest.at_ms - sample.at_ms) : "Now"}: usage ${bytesText(sample.usage)}, state ${sample.state}`);
  }

  function requestDraw() {
    if (drawRequested) return;
    drawRequested = true;
    requestAnimationFrame(draw);
  }

  function pointAt(clientX) {
    const latest = history.at(-1);
    if (!latest) return;
    const bounds = frame.getBoundingClientRect();
    const right = bounds.width - (bounds.width >= 560 ? 132 : 74);
    const ms = latest.at_ms - (1 - (clientX - bounds.left - 58) / (right - 58)) * windowMs;
    cursor = ms >= latest.at_ms ? null : history.reduce((near, s) => Math.abs(s.at_ms - ms) < Math.abs(near.at_ms - ms) ? s : near);
    requestDraw();
  }

  frame.addEventListener("pointermove", (event) => pointAt(event.clientX));
  frame.addEventListener("pointerleave", () => { cursor = null; requestDraw(); });
  frame.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -4, ArrowRight: 4, PageUp: -40, PageDown: 40 }[event.key];
    if (event.key === "Escape" || event.key === "End") cursor = null;
    else if (move && history.length) {
      const at = (cursor ? history.indexOf(cursor) : history.length - 1) + move;
      cursor = at >= history.length - 1 ? null : history[Math.max(0, at)];
    } else return;
    event.preventDefault();
    readOut();
    requestDraw();
  });
  for (const button of document.querySelectorAll("[data-window-s]")) {
    button.addEventListener("click", () => {
      windowMs = Number(button.dataset.windowS) * 1000;
      for (const other of document.querySelectorAll("[data-window-s]")) other.setAttribute("aria-pressed", String(other === button));
      requestDraw();
    });
  }
  new ResizeObserver(requestDraw).observe(frame);

  // ---- The stream

  let stream = null;
  let retryTimer = null;
  let heardAtMs = performance.now();
  let lostSince = null;
  let invalidReason = null;

  function showConnection() {
    const notice = byId("notice");
    document.title = lostSince ? "connection lost · Ebbpool" : title;
    if (lostSince) {
      document.body.dataset.connection = "lost";
      setText(byId("link-state"), "connection lost");
      notice.dataset.kind = "lost";
      setText(notice, `Connection lost since ${clock(lostSince)} (${ago(Date.now() - lostSince)}). Trying again.`);
    } else if (history.length) {
      document.body.dataset.connection = "live";
      setText(byId("link-state"), "live");
      notice.dataset.kind = "invalid";
      setText(notice, invalidReason ?? "");
    }
    notice.hidden = !lostSince && !invalidReason;
  }

  function lose() {
    lostSince ??= new Date();
    showConnection();
  }

  function onTick(event) {
    let tick;
    try {
      tick = JSON.parse(event.data);
    } catch {
      lose();
      return;
    }
    const { memory, pools, overrides = [], canaries = [] } = tick;
    heardAtMs = performance.now();
    lostSince = null;
    invalidReason = memory.valid ? null : `No valid reading of memory: ${memory.invalid_reason ?? "no reason given"}`;
    remember(memory, pools);
    document.body.classList.remove("untold");
    showState(memory);
    showFigures(memory, pools);
    showMore(memory);
    showPools(pools);
    showOverrides(overrides);
    showCanaries(canaries);
    showConnection();
    describe();
    byId("tick").dataset.value = String(memory.tick);
    setText(byId("tick"), `tick ${count(memory.tick)}, ${count(Math.floor(memory.at_ms / 1000))} s after the start`);
    requestDraw();
  }

  function connect() {
    stream?.close();
    stream = new EventSource("/v1/events");
    stream.addEventListener("tick", onTick);
    stream.addEventListener("error", () => {
      lose();
      // The browser tries again by itself after a broken connection, but not after a refusal.
      if (stream.readyState === EventSource.CLOSED) {
        clearTimeout(retryTimer);
        retryTimer = setTimeout(connect, RETRY_MS);
      }
    });
  }

  setInterval(() => {
    if (performance.now() - heardAtMs > SILENCE_MS_MAX) lose();
    else if (lostSince) showConnection();
  }, 500);
  connect();
})();
