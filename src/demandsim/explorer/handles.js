// Handles that a screen reader can tell apart: each is given its name, and its value as people read it. Bokeh heads a
// slider "Name: low .. high" and draws that anew whenever a handle moves; to its handles it gives no name at all.
document.documentElement.lang = lang;
document.querySelector("[data-root-id]").setAttribute("role", "main");
const known = new WeakSet();

function tell(root) {
  const title = root.querySelector(".bk-slider-title");
  const value = title.querySelector(".bk-slider-value");
  if (value && !value.dataset.ends) {
    const ends = value.textContent.split(" .. ");
    value.dataset.ends = JSON.stringify(ends);
    title.dataset.name = title.firstChild.textContent.replace(/: $/, "");
    title.firstChild.textContent = title.dataset.name + colon;
    if (ends.length > 1) value.textContent = to.replace("{low}", ends[0]).replace("{high}", ends[1]);
  }
  const ends = JSON.parse(value?.dataset.ends ?? "[]");
  root.querySelectorAll(".noUi-handle").forEach((handle, i) => {
    const label = ends.length > 1 ? [low_end, high_end][i] : "{name}";
    const said = { "aria-label": label.replace("{name}", title.dataset.name), "aria-valuetext": ends[i] ?? "" };
    for (const [key, text] of Object.entries(said)) {
      if (handle.getAttribute(key) !== text) handle.setAttribute(key, text);
    }
  });
}

function scan(root) {
  for (const node of root.querySelectorAll("*")) {
    const inner = node.shadowRoot;
    if (!inner) continue;
    if (inner.querySelector(".bk-slider-title") && !known.has(inner)) {
      known.add(inner);
      new MutationObserver(() => tell(inner))
        .observe(inner, { subtree: true, childList: true, attributeFilter: ["aria-valuetext"] });
      tell(inner);
      for (let home = node.getRootNode(); home !== document; home = home.host.getRootNode()) watch(home);
    }
    scan(inner);
  }
}

// Another scenario brings other sliders: they stand where the first ones stood, and are drawn a little later.
function watch(home) {
  if (known.has(home)) return;
  known.add(home);
  new MutationObserver(() => [0, 100, 1000].forEach((wait) => setTimeout(scan, wait, home))).observe(home, { childList: true });
}

scan(document);
