"""The explorer in Chromium: a moved slider moves the numbers, reset brings them back, nothing leaves the machine."""

import contextlib
import functools
import http.client
import re
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

import demandsim as ds

EVIL = "Utilization <img src=x onerror=alert(1)>"

#: Contrast of every text that is seen against what is painted behind it, its size, and by how much it is cut off.
READABLE = """
() => {
  const shade = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
  };
  const light = (rgb) => rgb
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const above = (node) => node.parentElement ?? node.getRootNode().host;
  const behind = (node) => {
    for (let at = node; at; at = above(at)) {
      const found = shade(getComputedStyle(at).backgroundColor);
      if (found.alpha === 1) return found.rgb;
    }
    return [255, 255, 255];
  };
  const out = [];
  const look = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) look(node.shadowRoot);
      const own = [...node.childNodes].filter((c) => c.nodeType === 3).map((c) => c.textContent.trim()).join("");
      const text = node.matches("textarea, select") ? node.value : own;
      const box = node.getBoundingClientRect();
      if (!text || !box.width || !box.height || node.closest("script, style, noscript, option")) continue;
      const style = getComputedStyle(node);
      // Names of boxes, and on a phone headings of columns, are there for screen readers alone.
      const hidden = getComputedStyle(node.closest("thead, label") ?? node).clipPath !== "none";
      if (style.visibility === "hidden" || hidden) continue;
      const svg = node.closest("svg");
      const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
      const [ink, paper] = [light(shade(svg ? style.fill : style.color).rgb), light(behind(node))];
      const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      const cut = svg ? 0 : node.scrollWidth - Math.max(node.clientWidth, box.width);
      out.push([text.slice(0, 40), contrast, parseFloat(style.fontSize) * scale, cut]);
    }
  };
  look(document.body);
  return out;
}
"""


@contextlib.contextmanager
def served(folder, *words):
    """Run the command: what waits for its address; it ends with Ctrl-C, and without a complaint."""
    command = [sys.executable, "-m", "demandsim", "explore", *words, "--no-browser"]
    running = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)

    # A second reading would wait for ever for a second line.
    said = functools.cache(running.stderr.readline)

    def address():
        found = re.fullmatch(r"(?:serving: |网址：)(http://127\.0\.0\.1:\d+/\?token=[\w-]+)\n", said())
        assert found, said()
        return found[1]

    try:
        yield address
        address()
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
        assert running.returncode == 0
        assert "Traceback" not in errors
        assert "ERROR" not in errors
    finally:
        running.kill()
        running.wait()


@pytest.fixture(scope="module")
def chinese(tmp_path_factory):
    """Begin to serve a page in Chinese, which takes its time while the first tests run."""
    words = ("guosen-2025-01", "--draws", "64", "--locale", "zh")
    with served(tmp_path_factory.mktemp("chinese"), *words) as begun:
        yield begun


@pytest.fixture(scope="module")
def address(tmp_path_factory, chinese):
    """Serve the report's study, one of whose names tries to be markup."""
    folder = tmp_path_factory.mktemp("explorer")
    model = ds.load_study("guosen-2025-01")
    evil = model.assumptions["utilization"].relabelled(long_name=EVIL)
    model.assume(utilization=evil).to_toml(folder / "study.toml")
    with served(folder, "study.toml", "--draws", "256") as begun:
        yield begun()


@pytest.fixture
def shown(watched, address):
    def opened(width=1280, at=None, **settings):
        seen = watched(at or address, width, **settings)
        seen.page.locator(".tiles .value").first.wait_for()
        seen.page.locator(".bars tbody tr").first.wait_for()
        return seen

    return opened


def numbers(page):
    return page.locator("dl.tiles .value").all_inner_texts()


def press(page, name, handle, key, times):
    """Press a key on the focused handle of a slider; the page answers later."""
    page.locator(f".of-{name} .noUi-handle-{handle}").focus()
    for _ in range(times):
        page.keyboard.press(key)


def until(page, test, what):
    """Wait until a test of the page holds: half a minute, which only a machine that is busy with other things needs."""
    for _ in range(600):
        if test():
            return
        page.wait_for_timeout(50)
    raise AssertionError(what)


def place(page, selector):
    """Where the first of some elements is; one that is just being replaced has no place."""
    found = page.locator(selector).first
    until(page, lambda: found.bounding_box() is not None, f"no {selector}")
    return found.bounding_box() or place(page, selector)


def assert_readable(page):
    found = page.evaluate(READABLE)
    assert len(found) > 150
    assert [text for text, contrast, _, _ in found if contrast < 4.5] == []
    assert [text for text, _, size, _ in found if size < 12] == []
    assert [text for text, _, _, cut in found if cut > 1] == []


def handle(page, name, end):
    """How a screen reader announces a handle."""
    found = page.locator(f".of-{name} .noUi-handle-{end}")
    return found.get_attribute("aria-label"), found.get_attribute("aria-valuetext")


def at_rest(page, name, assumption, unit=1):
    """Whether the command asks for the high end at which a handle rests; the page follows a fast hand in steps."""
    found = re.search(rf"{assumption}=\w+[(][0-9.e]+, ([0-9.e]+)", command(page))
    announced = float(handle(page, name, "upper")[1].replace(",", "")) * unit
    return found is not None and float(found[1]) == pytest.approx(announced, rel=5e-3)


def command(page):
    return page.get_by_label("As a command").input_value()


def test_the_page_shows_the_study_and_asks_nobody_else(shown):
    seen = shown()
    page = seen.page
    assert "AI inference demand" in page.locator("h1").inner_text()
    assert page.locator(".noUi-target").count() == 9
    assert page.locator("figure svg[role=img]").count() == 7
    assert page.locator(".bars tbody tr").count() == 9
    assert len(numbers(page)) == 4
    # A name in a study is text, whatever it looks like.
    assert page.get_by_text(EVIL).count() >= 1
    assert page.locator("img").count() == 0
    assert {urlsplit(url).hostname for url in seen.requests if not url.startswith("blob:")} == {"127.0.0.1"}
    assert_readable(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert seen.problems == []


def test_arrow_keys_move_a_slider_and_the_numbers_and_reset_brings_them_back(shown):
    seen = shown()
    page, before = seen.page, numbers(seen.page)
    title = page.locator(".of-utilization .bk-slider-title")
    said, swings = title.inner_text(), page.locator(".bars").inner_text()
    assert handle(page, "utilization", "upper") == (f"{EVIL}, high end", "0.619")
    press(page, "utilization", "upper", "ArrowRight", 12)
    until(page, lambda: numbers(page)[0] != before[0] and "beta(" in command(page), "a moved slider changes nothing")
    until(page, lambda: page.locator(".bars").inner_text() != swings, "the tornado stands still")
    # Where the handle came to rest is where the model has it, however fast it was moved.
    until(page, lambda: at_rest(page, "utilization", "utilization"), "a move is lost")
    cards, margin, revenue, chance = numbers(page)
    assert title.inner_text() != said
    assert title.inner_text() == f"{EVIL}: 0.289 to {handle(page, 'utilization', 'upper')[1]}"
    assert float(cards.split()[0]) < float(before[0].split()[0])
    assert (margin, chance) != (before[1], before[3])
    # What the slider does not touch does not move.
    assert revenue == before[2]
    assert re.search(r"--scenario 100T --set 'utilization=beta\(0\.2\d+, 0\.6\d+, prob=0\.9\)' --seed 1", command(page))

    page.get_by_role("button", name="Reset").click()
    until(page, lambda: numbers(page) == before, "reset does not bring the numbers back")
    assert title.inner_text() == said
    assert "--set" not in command(page)
    until(page, lambda: page.locator(".bars").inner_text() == swings, "reset does not bring the tornado back")
    assert seen.problems == []


def test_an_impossible_interval_is_said_beside_its_slider(shown):
    seen = shown()
    page, before = seen.page, numbers(seen.page)
    press(page, "paid-share", "lower", "PageUp", 30)
    alert = page.locator("p.problem[role=alert]")
    alert.wait_for()
    assert "Impossible: the low end must be below the high end" in alert.inner_text()
    assert "Results stand still: Paid share" in page.locator(".status[role=alert]").inner_text()
    press(page, "paid-share", "lower", "Home", 1)
    until(page, lambda: alert.count() == 0, "the error stays when the interval is possible again")
    until(page, lambda: numbers(page) != before, "results stand still when the interval is possible again")
    assert seen.problems == []


def test_scenarios_and_results_are_chosen_and_texts_copied(shown, address):
    seen = shown(permissions=["clipboard-read", "clipboard-write"])
    page, before = seen.page, numbers(seen.page)
    page.get_by_label("Scenario").select_option("1000T")
    until(page, lambda: numbers(page)[0] != before[0], "the scenario changes nothing")
    named = ("Tokens a day (tn tokens/day), low end", "500")
    until(page, lambda: handle(page, "daily-tokens", "lower") == named, "new sliders have no names")
    page.get_by_label("Result to look at").select_option("Cards needed")
    until(
        page, lambda: "Cards needed, base" in page.locator(".bars caption").inner_text(), "another result is asked for"
    )
    first = page.locator("figure h3").first
    until(page, lambda: first.inner_text().startswith("Cards needed"), "the distributions are about another result")
    press(page, "daily-tokens", "upper", "ArrowLeft", 5)
    until(page, lambda: at_rest(page, "daily-tokens", "daily_tokens@1000T", 1e12), "the command misses what was moved")
    page.get_by_role("button", name="Copy command").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == command(page)
    assert seen.problems == []


def test_a_phone_shows_sliders_and_numbers_together(shown):
    seen = shown(width=375, height=740, has_touch=True, is_mobile=True)
    page, before = seen.page, numbers(seen.page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    handle = page.locator(".of-useful-life .noUi-handle-upper")
    handle.scroll_into_view_if_needed()
    press(page, "useful-life", "upper", "ArrowRight", 9)
    until(page, lambda: numbers(page) != before, "a moved slider changes nothing on a phone")
    tile, grip = place(page, "dl.tiles .value"), place(page, ".of-useful-life .noUi-handle-upper")
    # The numbers stay at the top while a slider under them is moved.
    assert 0 <= tile["y"] < 740
    assert tile["y"] + tile["height"] < grip["y"] < 740
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert seen.problems == []


def test_in_chinese_and_in_the_dark_everything_fits_and_is_clear(shown, chinese):
    address = chinese()
    asked = urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", asked.port, timeout=30)
    connection.request("GET", f"/?{asked.query}")
    answer = connection.getresponse()
    source = answer.read().decode()
    connection.close()
    assert answer.status == 200
    assert not re.findall(r"""(?:src|href)=["']https?://""", source)

    seen = shown(width=390, height=800, at=address, color_scheme="dark")
    page = seen.page
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    press(page, "utilization", "upper", "ArrowRight", 3)
    until(page, lambda: page.locator(".note.moved").count() == 1, "a moved slider does not say so")
    press(page, "paid-share", "lower", "PageUp", 30)
    page.locator("p.problem[role=alert]").wait_for()
    assert "结果暂不更新" in page.locator(".status[role=alert]").inner_text()
    assert handle(page, "daily-tokens", "lower") == ("日均 token 量（万亿 token/日），下限", "50.0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert_readable(page)
    assert seen.problems == []


def test_numbers_are_typed_pinned_and_found_again_in_the_address_by_keyboard_alone(shown):
    seen = shown()
    page, before = seen.page, numbers(seen.page)
    box = page.get_by_role("textbox", name=f"{EVIL}, high end")

    def tab_to(wanted):
        for _ in range(80):
            page.keyboard.press("Tab")
            if wanted.evaluate("(one) => one === one.getRootNode().activeElement"):
                return
        raise AssertionError("no way by the Tab key")

    tab_to(box)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("0.5")
    page.keyboard.press("Enter")
    until(page, lambda: "beta(0.2889, 0.5, prob=0.9)" in command(page), "a typed number changes nothing")
    assert handle(page, "utilization", "upper") == (f"{EVIL}, high end", "0.5")
    until(page, lambda: float(numbers(page)[0].split()[0]) > float(before[0].split()[0]), "results stand still")
    # Where the focus was, it stays.
    assert box.evaluate("(one) => one === one.getRootNode().activeElement")
    tab_to(page.get_by_role("button", name="Pin as A, to compare"))
    page.keyboard.press("Enter")
    page.get_by_text("A and B side by side").wait_for()
    tab_to(page.locator(".of-useful-life .noUi-handle-lower"))
    still = numbers(page)
    page.keyboard.press("ArrowRight")
    until(page, lambda: "useful_life" in page.url, "the address does not say what was set")
    # The address is sooner there than the results.
    until(page, lambda: numbers(page) != still, "results stand still")
    pinned = page.locator(".bars.four").inner_text()

    # Reloaded, the page is as it was; whoever has no token still has nothing.
    shown_before, asked_before = numbers(page), command(page)
    page.reload()
    page.locator(".bars.four tbody tr").first.wait_for()
    assert (numbers(page), command(page)) == (shown_before, asked_before)
    assert page.locator(".bars.four").inner_text() == pinned
    assert page.evaluate("fetch('/?state=%7B%7D').then((answer) => answer.status)") == 403
    with page.expect_download() as got:
        page.get_by_role("button", name="Save as a file").click()
    assert got.value.suggested_filename == "state.json"
    assert '"utilization":[0.2889,0.5]' in got.value.path().read_text()
    assert [problem for problem in seen.problems if "403" not in problem] == []


def test_a_state_of_something_else_in_the_address_is_said(shown, address):
    page = shown(at=f"{address}&state=%3Cimg%20src%3Dx%3E").page
    assert "cannot be read, so this is the study" in page.locator(".status[role=alert]").inner_text()
    assert page.locator("img").count() == 0


#: In every frame: whether the tornado has rows, and how much of it is in view.
FRAMES = """
() => {
  const deep = (root) => root.querySelector("table.bars")
    ?? [...root.querySelectorAll("*")].map((one) => one.shadowRoot && deep(one.shadowRoot)).find(Boolean);
  window.frames_seen = [];
  const look = () => {
    const table = deep(document), box = table?.getBoundingClientRect();
    window.frames_seen.push([table?.tBodies[0].rows.length ?? 0, box?.top ?? -1, innerHeight - (box?.top ?? 1e9)]);
    requestAnimationFrame(look);
  };
  look();
}
"""


def test_the_tornado_stays_in_view_while_a_handle_moves(shown):
    page = shown().page
    swings = page.locator(".bars").inner_text()
    page.evaluate(FRAMES)
    press(page, "utilization", "upper", "ArrowRight", 15)
    until(page, lambda: page.locator(".bars").inner_text() != swings, "the tornado stands still")
    page.wait_for_timeout(300)
    seen = page.evaluate("window.frames_seen")
    assert len(seen) > 10
    assert {rows for rows, _, _ in seen} == {9}
    # It neither jumps nor leaves, and most of it is seen.
    assert len({round(top) for _, top, _ in seen}) == 1
    assert min(room for _, _, room in seen) > 350


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(shown, axe, scheme):
    page = shown(color_scheme=scheme).page
    page.get_by_role("button", name="Pin as A, to compare").click()
    page.get_by_text("A and B side by side").wait_for()
    press(page, "paid-share", "lower", "PageUp", 30)
    page.locator("p.problem[role=alert]").wait_for()
    assert axe(page) == []


def test_axe_finds_nothing_wrong_in_chinese_on_a_phone(shown, chinese, axe):
    assert axe(shown(width=390, at=chinese(), is_mobile=True, has_touch=True).page) == []
