"use strict";
// Switches between scenarios and times, and reads values off the charts. Without it the first scene is shown.
(() => {
  const lang = document.documentElement.lang;
  const bar = document.querySelector(".switch");
  const parts = [...document.querySelectorAll("[data-scenario], [data-time]")];
  const now = { scenario: "0", time: "0" };

  const fits = (own, wanted) => own === undefined || own.split(" ").includes(wanted);

  function show() {
    for (const part of parts) {
      part.hidden = !(fits(part.dataset.scenario, now.scenario) && fits(part.dataset.time, now.time));
    }
  }

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

  const written = (value) => Number(value.toPrecision(3)).toLocaleString(lang, { maximumSignificantDigits: 3 }).replace("-", "−");

  for (const figure of document.querySelectorAll("figure[data-ends]")) {
    const [low, high] = figure.dataset.ends.split(" ").map(Number);
    const wide = "wide" in figure.dataset;
    const below = figure.dataset.below.split(" ").map(Number);
    const slider = figure.querySelector("input");
    const output = figure.querySelector("output");
    const drawing = figure.querySelector("svg");
    const cursor = drawing.querySelector(".cursor");
    const bins = below.length - 1;
    const value_at = (share) => (wide ? low * (high / low) ** share : low + (high - low) * share);
    const below_at = (share) => {
      const bin = Math.min(Math.floor(share * bins), bins - 1);
      return (below[bin] + (below[bin + 1] - below[bin]) * (share * bins - bin)) / 1e4;
    };
    const say = () => {
      const share = slider.value / slider.max;
      const value = `${written(value_at(share))} ${figure.dataset.unit}`.trim();
      const chance = new Intl.NumberFormat(lang, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
      const text = figure.dataset.read
        .replace("{value}", () => value)
        .replace("{chance}", () => chance.format(below_at(share)));
      output.textContent = text;
      slider.setAttribute("aria-valuetext", text);
      for (const end of ["x1", "x2"]) cursor.setAttribute(end, 4 + 312 * share);
    };
    const look = () => {
      cursor.removeAttribute("hidden");
      say();
    };
    const point = (event) => {
      const box = drawing.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width * 320 - 4) / 312;
      slider.value = Math.round(Math.min(Math.max(share, 0), 1) * slider.max);
      look();
    };
    slider.hidden = false;
    say();
    slider.addEventListener("input", look);
    drawing.addEventListener("pointermove", point);
    drawing.addEventListener("pointerdown", point);
  }

  addEventListener("beforeprint", () => {
    for (const closed of document.querySelectorAll("details:not([open])")) closed.open = true;
  });
})();
