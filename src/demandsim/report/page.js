"use strict";
// Switches between scenarios and times, reads values off the charts, sorts and filters the assumptions, copies the
// command. Without it the first scene is shown, and every table stands as the study has it.
(() => {
  const lang = document.documentElement.lang;
  const { words, steps, parts } = JSON.parse(document.getElementById("told-by-script").textContent);
  const say = (key, values) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const made = (name, attributes = {}, text = "") => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.textContent = text;
    return node;
  };

  // Other scenes are told as what differs from the first: a text, then where the first goes on and how far. Places are
  // counted in characters, of which some are two units of a string.
  const letters = {};
  function scene(name, key) {
    const { first, base, scenes } = parts[name];
    if (key === first) return base;
    letters[name] ??= /[\ud800-\udfff]/.test(base) ? [...base] : base;
    const cut = (start, length) => [...letters[name].slice(start, start + length)].join("");
    return scenes[key].map((piece, i, all) => (i % 3 === 0 ? piece : i % 3 === 1 ? cut(piece, all[i + 1] ?? 0) : "")).join("");
  }

  const now = { scenario: "0", time: "0" };
  const shown = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.first]));
  function show() {
    for (const [name, part] of Object.entries(parts)) {
      const key = part.follows.map((what) => now[what]).join(" ");
      if (shown[name] === key) continue;
      const box = document.querySelector(`[data-part="${name}"]`);
      const open = [...box.querySelectorAll("details")].map((one) => one.open);
      box.innerHTML = scene(name, key);
      [...box.querySelectorAll("details")].forEach((one, i) => (one.open = open[i] ?? false));
      shown[name] = key;
      equip(box);
    }
    for (const part of document.querySelectorAll("span[data-scenario]")) {
      part.hidden = !part.dataset.scenario.split(" ").includes(now.scenario);
    }
  }

  const bar = document.querySelector(".switch");
  if (bar) {
    bar.hidden = false;
    const told = document.getElementById("told");
    const controls = [...bar.querySelectorAll("input, select")];
    const read = () => {
      for (const control of controls) {
        if (control.type !== "radio" || control.checked) now[control.name] = control.value;
      }
      show();
    };
    for (const control of controls) {
      control.addEventListener("change", () => {
        read();
        const labels = controls
          .filter((one) => one.type !== "radio" || one.checked)
          .map((one) => (one.type === "radio" ? one.dataset.label : one.selectedOptions[0].textContent));
        told.textContent = told.dataset.said.replace("{place}", () => labels.join(told.dataset.comma));
      });
    }
    read();
  }

  // A slider under each distribution.
  const written = (value) => Number(value.toPrecision(3)).toLocaleString(lang, { maximumSignificantDigits: 3 }).replace("-", "−");
  const share_of = new Intl.NumberFormat(lang, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  function slide(figure) {
    const [low, high] = figure.dataset.ends.split(" ").map(Number);
    const wide = "wide" in figure.dataset;
    // What each bin adds to the probability, in hundredths of a percent.
    let sum = 0;
    const below = figure.dataset.below.split(" ").map((more) => (sum += Number(more)));
    const drawing = figure.querySelector("svg");
    const cursor = document.createElementNS(drawing.namespaceURI, "line");
    for (const [key, value] of Object.entries({ class: "cursor", y1: 4, y2: 108, visibility: "hidden" })) cursor.setAttribute(key, value);
    drawing.append(cursor);
    const slider = made("input", { type: "range", min: 0, max: steps, "aria-label": figure.dataset.slide });
    slider.value = figure.dataset.start;
    const output = made("output");
    drawing.after(slider, output);
    const bins = below.length - 1;
    const value_at = (share) => (wide ? low * (high / low) ** share : low + (high - low) * share);
    const below_at = (share) => {
      const bin = Math.min(Math.floor(share * bins), bins - 1);
      return (below[bin] + (below[bin + 1] - below[bin]) * (share * bins - bin)) / 1e4;
    };
    const tell = () => {
      const share = slider.value / steps;
      const value = `${written(value_at(share))} ${figure.dataset.unit}`.trim();
      output.textContent = say("read", { value, chance: share_of.format(below_at(share)) });
      slider.setAttribute("aria-valuetext", output.textContent);
      for (const end of ["x1", "x2"]) cursor.setAttribute(end, 4 + 312 * share);
    };
    const look = () => {
      cursor.setAttribute("visibility", "visible");
      tell();
    };
    const point = (event) => {
      const box = drawing.getBoundingClientRect();
      const share = (((event.clientX - box.left) / box.width) * 320 - 4) / 312;
      slider.value = Math.round(Math.min(Math.max(share, 0), 1) * steps);
      look();
    };
    tell();
    slider.addEventListener("input", look);
    drawing.addEventListener("pointermove", point);
    drawing.addEventListener("pointerdown", point);
  }
  const equip = (box) => box.querySelectorAll("figure[data-ends]").forEach(slide);

  // Headings become buttons that sort; of many rows a box above filters.
  const FEW = 12;
  function sortable(table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    const tools = made("div", { class: "tools" });
    const choice = made("select");
    const label = made("label", { class: "narrow" }, `${words.sort_by} `);
    label.append(choice);
    tools.append(label);
    choice.append(made("option", { value: "-1" }, words.as_given));
    const text = (cell) => [...cell.childNodes].map((node) => (node.hidden ? "" : node.innerText ?? node.textContent)).join(" ");
    const key = (row, column) => {
      const cell = row.cells[column];
      if (heads[column].dataset.sorts !== "number") return text(cell).trim();
      const carried = [...cell.querySelectorAll("[data-sort]")].find((one) => !one.closest("[hidden]"));
      return Number(carried.dataset.sort);
    };
    const sort = (column, down) => {
      const compare = (one, other) => (typeof one === "number" ? one - other : one.localeCompare(other, lang));
      const keyed = rows.map((row, i) => [column < 0 ? i : key(row, column), row]);
      keyed.sort((one, other) => (down ? -1 : 1) * compare(one[0], other[0]));
      body.append(...keyed.map(([, row]) => row));
      heads.forEach((head, i) => {
        if (i === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      choice.value = column;
    };
    heads.forEach((head, column) => {
      const button = made("button", { type: "button" }, head.textContent);
      choice.append(made("option", { value: column }, head.textContent));
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        // The largest number first, the first letter first; a third press gives the order of the study back.
        const number = head.dataset.sorts === "number";
        const was = head.getAttribute("aria-sort");
        if (!was) sort(column, number);
        else if ((was === "descending") === number) sort(column, !number);
        else sort(-1, false);
      });
    });
    choice.addEventListener("change", () => sort(Number(choice.value), heads[choice.value]?.dataset.sorts === "number"));
    if (rows.length > FEW) {
      const box = made("input", { type: "search", autocomplete: "off" });
      const found = made("span", { role: "status", class: "quiet" });
      const wanted = made("label", {}, `${words.filter} `);
      wanted.append(box);
      tools.append(wanted, found);
      const filter = () => {
        const query = box.value.trim().toLocaleLowerCase(lang);
        for (const row of rows) row.hidden = !row.textContent.toLocaleLowerCase(lang).includes(query);
        const kept = rows.filter((row) => !row.hidden).length;
        found.textContent = !query ? "" : kept ? say("filtered", { shown: kept, total: rows.length }) : words.none_found;
      };
      box.addEventListener("input", filter);
      addEventListener("beforeprint", () => rows.forEach((row) => (row.hidden = false)));
      addEventListener("afterprint", filter);
    }
    table.before(tools);
  }

  function copyable(pre) {
    const button = made("button", { type: "button", class: "copy" }, words.copy);
    const said = made("span", { role: "status", class: "quiet" });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(pre.textContent);
        said.textContent = words.copied;
      } catch {
        getSelection().selectAllChildren(pre);
        said.textContent = words.copy_by_hand;
      }
    });
    pre.after(button, said);
  }

  equip(document);
  document.querySelectorAll("table.sorts").forEach(sortable);
  copyable(document.getElementById("replay"));
})();
