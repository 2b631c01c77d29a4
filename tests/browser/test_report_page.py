"""The report page in Chromium: it renders, switches, reads on a phone, in the dark and from the keyboard."""

import pypdf
import pytest

import demandsim as ds

#: Contrast of every text that is seen against what is painted behind it; and its size.
READABLE = """
() => {
  const shade = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = shade(getComputedStyle(at).backgroundColor);
      if (found.alpha === 1) return found.rgb;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const out = [];
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || node.closest("script, style, noscript, option")) continue;
    const box = node.getBoundingClientRect();
    const look = getComputedStyle(node);
    if (!box.width || !box.height || look.visibility === "hidden") continue;
    const svg = node.closest("svg");
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    const [ink, paper] = [light(shade(svg ? look.fill : look.color).rgb), light(behind(node))];
    const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    out.push([walker.currentNode.textContent.trim().slice(0, 40), contrast, parseFloat(look.fontSize) * scale]);
  }
  return out;
}
"""


#: Contrast of every kind of mark in the charts against the page.
DRAWN = """
() => {
  const light = (text) => text.match(/[\\d.]+/g).slice(0, 3)
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const out = {};
  for (const mark of document.querySelectorAll("svg [class]")) {
    const kind = mark.getAttribute("class");
    if (kind === "grid") continue;
    const look = getComputedStyle(mark);
    const ink = light(mark.tagName === "line" || kind === "trace" ? look.stroke : look.fill);
    const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    out[kind] = Math.min(out[kind] ?? 99, contrast);
  }
  return out;
}
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    file = tmp_path_factory.mktemp("report") / "page.html"
    ds.write_report(ds.load_study("guosen-2025-01"), file, draws=256, seed=1)
    return file.as_uri()


@pytest.fixture(scope="module")
def chinese(tmp_path_factory):
    file = tmp_path_factory.mktemp("chinese") / "page.html"
    ds.write_report(ds.load_study("guosen-2025-01"), file, draws=256, seed=1, locale="zh")
    return file.as_uri()


@pytest.fixture(scope="module")
def yearly(tmp_path_factory):
    """Years, scenarios, a hostile name, and more labels than buttons."""
    from demandsim.distributions.grammar import parse_distribution

    @ds.equation(unit="CNY/year")
    def revenue(price, volume):
        """<b onclick=alert(1)>Revenue</b>: price times volume."""
        return price * volume

    years = tuple(range(2025, 2033))
    volume = parse_distribution(
        f'lognormal(by("year", {[1e9 * 2**i for i in range(8)]}), by("year", {[4e9 * 2**i for i in range(8)]}))',
        {"year": years},
    )
    model = ds.Model(
        [revenue],
        {
            "price": ds.Assumption(
                "lognormal(1, 2, prob=0.9)", unit="CNY/token", long_name="<script>alert(1)</script>"
            ),
            "volume": ds.Assumption(volume, unit="token/year", shared=True),
        },
        scenarios={"scenario": {"a long name of a scenario that a phone has to fold": {}, "$& dear": {"price": 5}}},
    )
    file = tmp_path_factory.mktemp("yearly") / "page.html"
    ds.write_report(model, file, draws=64, seed=1)
    return file.as_uri()


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Enough assumptions to filter, and evidence."""

    @ds.equation(unit="CNY")
    def cost(a, b, c, d, e, f, g, h, i, j, k, l, m):  # noqa: E741
        return a + b + c + d + e + f + g + h + i + j + k + l + m

    assumptions = {
        name: ds.Assumption(
            f"lognormal(median={10 ** (i % 5)}, factor={1.1 + 0.1 * ((7 * i) % 13)})",
            unit="CNY",
            long_name=f"Item {name}",
        )
        for i, name in enumerate("abcdefghijklm")
    }
    assumptions["m"] = ds.Assumption(5, unit="CNY", long_name="Sure item")
    model = ds.Model([cost], assumptions).observe(a="lognormal(median=1.1, factor=1.02)")
    file = tmp_path_factory.mktemp("many") / "page.html"
    ds.write_report(model, file, draws=256, seed=1)
    return file.as_uri()


def column(page, place):
    """What the visible rows of the table of assumptions say in a column."""
    cells = page.locator(f"table.sorts tbody tr:visible > :nth-child({place})")
    return [text.splitlines()[0] for text in cells.all_inner_texts()]


def tiles(page):
    return page.locator(".tiles:visible dd.value").all_inner_texts()


def test_it_renders_without_a_complaint_and_asks_for_nothing(watched, report):
    seen = watched(report)
    assert seen.page.locator("h1").inner_text().startswith("AI inference demand")
    assert seen.page.locator("figure svg:visible").count() >= 6
    assert seen.page.locator("table:visible").count() >= 8
    seen.page.wait_for_timeout(200)
    assert seen.problems == []
    assert seen.requests == [report]


def test_the_policy_forbids_connections(watched, report):
    seen = watched(report)
    blocked = seen.page.evaluate("() => fetch('https://example.org/').then(() => false, () => true)")
    assert blocked
    assert any("Content Security Policy" in problem for problem in seen.problems)


def test_the_switch_changes_every_section(watched, report):
    page = watched(report).page
    before = tiles(page)
    places = page.locator(".place:visible").all_inner_texts()
    assert set(places) == {"Scenario 100T"}
    page.get_by_label("1000T").check()
    after = tiles(page)
    assert len(before) == len(after) == 3
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert page.locator(".place:visible").all_inner_texts() == ["Scenario 1000T"] * len(places)
    assert page.locator("#told").inner_text() == "Showing 1000T"
    # The assumption that the scenario changes follows as well.
    assert page.get_by_text("lognormal(median=1e15, factor=2, prob=0.9)").is_visible()
    assert not page.get_by_text("lognormal(median=1e14, factor=2, prob=0.9)").is_visible()


def test_keyboard_alone_switches_and_reads_values(watched, report):
    page = watched(report).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("input[name=scenario]").first.focus()
    before = tiles(page)
    page.keyboard.press("ArrowRight")
    assert tiles(page) != before
    figure = page.locator("figure:visible").first
    slider = figure.get_by_role("slider")
    slider.focus()
    said = figure.locator("output").inner_text()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    moved = figure.locator("output").inner_text()
    assert moved != said
    assert slider.get_attribute("aria-valuetext") == moved
    page.keyboard.press("Home")
    assert figure.locator("output").inner_text().endswith("0.4%")
    page.keyboard.press("End")
    assert figure.locator("output").inner_text().endswith("99.6%")


def test_headings_sort_from_the_keyboard(watched, many):
    page = watched(many).page
    given = column(page, 1)
    assert len(given) == 13
    heads = page.locator("table.sorts thead th")
    spread = page.locator("table.sorts thead").get_by_role("button", name="Spread")
    spread.focus()
    page.keyboard.press("Enter")
    assert heads.nth(3).get_attribute("aria-sort") == "descending"
    shown = [1.0 if text == "–" else float(text.removeprefix("× ")) for text in column(page, 4)]
    assert shown == sorted(shown, reverse=True)
    assert len(set(shown)) > 5
    assert column(page, 1)[-1] == "Sure item"
    page.keyboard.press("Space")
    assert heads.nth(3).get_attribute("aria-sort") == "ascending"
    assert column(page, 1)[0] == "Sure item"
    page.keyboard.press("Enter")
    assert heads.nth(3).get_attribute("aria-sort") is None
    assert column(page, 1) == given
    # By size and not by letters: 1,000 and 10,000 after 5 and 100.
    page.locator("table.sorts thead").get_by_role("button", name="Point").click()
    points = [float(text.split()[0].replace(",", "")) * (1e3 if "thousand" in text else 1) for text in column(page, 2)]
    assert points == sorted(points, reverse=True)
    page.locator("table.sorts thead").get_by_role("button", name="Assumption").click()
    assert column(page, 1) == sorted(given)
    assert page.locator("table.sorts [aria-sort]").count() == 1


def test_a_box_filters_many_assumptions(watched, many, report):
    page = watched(many).page
    box = page.get_by_role("searchbox", name="Filter the assumptions")
    box.fill("SURE")
    assert column(page, 1) == ["Sure item"]
    status = page.locator("#assumptions [role=status]")
    assert status.inner_text() == "1 of 13 shown"
    box.fill("nothing of this kind")
    assert column(page, 1) == []
    assert status.inner_text() == "No assumption contains this."
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(column(page, 1)) == 13
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert column(page, 1) == []
    box.fill("")
    assert len(column(page, 1)) == 13
    # Of few there is nothing to filter.
    assert watched(report).page.get_by_role("searchbox").count() == 0


def test_a_phone_sorts_by_a_list(watched, many):
    page = watched(many, 375).page
    assert page.locator("table.sorts thead button:visible").count() == 0
    page.get_by_label("Sort by").select_option("Assumption")
    assert column(page, 1) == sorted(column(page, 1))
    page.get_by_label("Sort by").select_option("the order of the study")
    assert column(page, 1)[-1] == "Sure item"


def test_sorting_follows_the_scenario(watched, report):
    page = watched(report).page
    page.get_by_label("1000T").check()
    page.locator("table.sorts thead").get_by_role("button", name="Point").click()
    assert column(page, 2)[0] == "1,000 tn tokens/day"


def test_back_is_as_it_was(watched, report):
    page = watched(report).page
    page.locator("#headline summary").click()
    before = page.locator("main").inner_text()
    page.get_by_label("1000T").check()
    assert page.locator("#headline details").get_attribute("open") is not None
    assert page.locator("main").inner_text() != before
    page.get_by_label("100T", exact=True).check()
    assert page.locator("main").inner_text() == before


def test_the_command_is_copied(watched, report):
    page = watched(report).page
    command = page.locator("#replay").inner_text()
    fake = (
        "Object.defineProperty(navigator, 'clipboard', { value: { writeText: (text) => { window.copied = text; } } })"
    )
    page.evaluate(fake)
    page.get_by_role("button", name="Copy").click()
    assert page.evaluate("window.copied") == command
    page = watched(report).page
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Selected: press Ctrl+C").wait_for()
    assert page.evaluate("String(getSelection())") == command


def test_everything_has_a_name_for_a_screen_reader(watched, many):
    page = watched(many).page
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    nameless = """() => [...document.querySelectorAll("button, input, select, svg[role=img], section, th")]
      .filter((one) => !one.ariaLabel && !one.labels?.length && !one.getAttribute("aria-labelledby"))
      .filter((one) => !one.textContent.trim())
      .map((one) => one.outerHTML)"""
    assert page.evaluate(nameless) == []
    assert page.get_by_role("region", name="What the evidence changes").count() == 1
    # Whatever takes the focus shows it.
    for _ in range(40):
        page.keyboard.press("Tab")
        seen = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate("document.activeElement === document.body") or page.evaluate(seen) == "solid"


def test_pointing_at_a_chart_reads_it(watched, report):
    page = watched(report).page
    figure = page.locator("figure:visible").first
    drawing = figure.locator("svg")
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    said = []
    for share in (0.2, 0.5, 0.8):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        said.append(float(figure.locator("output").inner_text().rsplit(" ", 1)[1].rstrip("%")))
    assert said == sorted(said)
    assert said[0] < said[2]


@pytest.mark.parametrize("which", ["report", "yearly", "many"])
def test_nothing_is_wider_than_the_screen(watched, request, which):
    page = watched(request.getfixturevalue(which)).page
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    found = {}
    for width in (320, 375, 768, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        found[width] = page.evaluate(wide)
    assert {width: more for width, more in found.items() if more > 0} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("which", "width"), [("report", 375), ("report", 1280), ("many", 1280)])
def test_every_text_is_large_and_clear_enough(watched, request, which, scheme, width):
    page = watched(request.getfixturevalue(which), width, color_scheme=scheme).page
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = page.evaluate(READABLE)
    assert len(found) > 200
    assert [text for text, contrast, _ in found if contrast < 4.5] == []
    assert [text for text, _, size in found if size < 12] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_drawn_is_clear_enough(watched, report, scheme):
    page = watched(report, color_scheme=scheme).page
    found = page.evaluate(DRAWN)
    assert {"tail", "inside", "low", "high", "diamond", "median", "axis"} <= set(found)
    assert {kind: contrast for kind, contrast in found.items() if contrast < 3} == {}


def test_dark_is_dark(watched, report):
    colours = {
        scheme: watched(report, color_scheme=scheme).page.evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert colours == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}


def test_without_javascript_the_first_scenario_is_there(watched, report):
    page = watched(report, java_script_enabled=False).page
    assert len(tiles(page)) == 3
    assert page.locator(".switch").is_hidden()
    assert page.locator("noscript").inner_text().startswith("This page shows Scenario 100T")
    assert page.locator("figure input").count() == 0
    assert page.locator("table.sorts tbody tr:visible").count() == 9
    assert page.locator("button").count() == 0


@pytest.fixture
def printed(watched, tmp_path):
    """The text of each sheet of A4 that a page prints on."""

    def of(address):
        page = watched(address).page
        page.pdf(path=tmp_path / "page.pdf", format="A4")
        return page, [sheet.extract_text() for sheet in pypdf.PdfReader(tmp_path / "page.pdf").pages]

    return of


@pytest.mark.parametrize("study", ["report", "chinese", "yearly", "many"])
def test_it_prints_on_few_pages_with_no_heading_alone(request, printed, study):
    page, sheets = printed(request.getfixturevalue(study))
    assert len(sheets) <= 8
    if "\0" in "".join(sheets):
        pytest.skip("text cannot be read back from paper where no font of the system has its characters")
    headings = page.locator("h2, h3, caption, thead th").all_text_contents()
    bare = {"".join(text.split()) for text in headings}
    lines = [["".join(line.split()) for line in text.splitlines() if line.strip()] for text in sheets]
    numbers = [f"{i + 1}/{len(sheets)}" for i in range(len(sheets))]
    summary, *rest = [[line for line in sheet if line not in numbers] for sheet in lines]
    assert [sheet[-1] for sheet in (summary, *rest) if sheet[-1] in bare] == []
    # The summary has a page of its own.
    after = "".join(page.locator("#headline h2").text_content().split())
    assert after == rest[0][0]
    assert after not in summary


@pytest.mark.parametrize("study", ["report", "many"])
def test_a_phone_draws_all_rows_of_a_table_on_one_scale(request, watched, study):
    page = watched(request.getfixturevalue(study), 390).page
    for table in page.locator("table.bars").all():
        boxes = [bar.bounding_box() for bar in table.locator("svg.bar").all()]
        assert len({(round(box["x"]), round(box["width"])) for box in boxes}) == 1
        assert boxes[0]["width"] > 300


def test_on_paper_there_are_no_controls_and_what_is_folded_stays_away(watched, report):
    page = watched(report, color_scheme="dark").page
    page.locator("#headline summary").click()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".switch, nav, figure input, output").filter(visible=True).count() == 0
    assert page.locator("details").filter(visible=True).count() == 1
    assert page.get_by_text("Mean token rate").filter(visible=True).count() >= 1
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_years_are_chosen_and_hostile_names_do_nothing(watched, yearly):
    seen = watched(yearly)
    page = seen.page
    assert page.locator(".place:visible").first.inner_text().endswith(", 2025")
    before = tiles(page)
    page.locator("select[name=time]").select_option("2032")
    assert page.locator(".place:visible").first.inner_text().endswith(", 2032")
    assert tiles(page) != before
    page.get_by_label("$& dear").check()
    assert page.locator("#told").inner_text() == "Showing $& dear, 2032"
    assert page.locator("#fans figure:visible").count() == 1
    page.get_by_text("<b onclick=alert(1)>Revenue</b>").filter(visible=True).first.click()
    assert page.get_by_text("<script>alert(1)</script>").filter(visible=True).count() == 1
    assert seen.problems == []
    assert seen.requests == [yearly]


@pytest.mark.parametrize(
    ("study", "scheme"), [("report", "light"), ("chinese", "dark"), ("yearly", "dark"), ("many", "light")]
)
def test_axe_finds_nothing_wrong(request, watched, axe, study, scheme):
    page = watched(request.getfixturevalue(study), color_scheme=scheme).page
    assert axe(page) == []
    # It would, were there anything.
    page.evaluate("document.querySelector('svg[role=img]').removeAttribute('aria-label')")
    assert [(rule, impact) for rule, impact, _ in axe(page)] == [("svg-img-alt", "serious")]


def test_axe_finds_nothing_wrong_on_a_phone_with_everything_open(watched, axe, report):
    page = watched(report, 390).page
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert axe(page) == []
