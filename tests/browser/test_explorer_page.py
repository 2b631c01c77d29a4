"""The explorer in Chromium: a moved slider moves the numbers, reset brings them back, nothing leaves the machine."""

import re
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

import demandsim as ds

EVIL = "Utilization <img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Serve the report's study, one of whose names tries to be markup."""
    folder = tmp_path_factory.mktemp("explorer")
    model = ds.load_study("guosen-2025-01")
    evil = model.assumptions["utilization"].relabelled(long_name=EVIL)
    model.assume(utilization=evil).to_toml(folder / "study.toml")
    words = [sys.executable, "-m", "demandsim", "explore", "study.toml", "--no-browser", "--draws", "256"]
    running = subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        yield re.fullmatch(r"serving: (http://127\.0\.0\.1:\d+/)\n", running.stderr.readline()).group(1)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
        assert running.returncode == 0
        assert "Traceback" not in errors
        assert "ERROR" not in errors
    finally:
        running.kill()
        running.wait()


@pytest.fixture
def shown(watched, address):
    def opened(width=1280, **settings):
        seen = watched(address, width, **settings)
        seen.page.locator(".tiles .value").first.wait_for()
        seen.page.locator(".bars tbody tr").first.wait_for()
        return seen

    return opened


def numbers(page):
    return page.locator("dl.tiles .value").all_inner_texts()


def press(page, name, handle, key, times):
    """Press an arrow key on the focused handle of a slider, and wait until the page has answered."""
    page.locator(f".of-{name} .noUi-handle-{handle}").focus()
    for _ in range(times):
        page.keyboard.press(key)


def until(page, test, what):
    """Wait until a test of the page holds."""
    for _ in range(100):
        if test():
            return
        page.wait_for_timeout(50)
    raise AssertionError(what)


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
    assert seen.problems == []


def test_arrow_keys_move_a_slider_and_the_numbers_and_reset_brings_them_back(shown):
    seen = shown()
    page, before = seen.page, numbers(seen.page)
    title = page.locator(".of-utilization .bk-slider-title")
    said, swings = title.inner_text(), page.locator(".bars").inner_text()
    press(page, "utilization", "upper", "ArrowRight", 12)
    until(page, lambda: numbers(page)[0] != before[0] and "beta(" in command(page), "a moved slider changes nothing")
    until(page, lambda: page.locator(".bars").inner_text() != swings, "the tornado stands still")
    cards, margin, revenue, chance = numbers(page)
    assert title.inner_text() != said
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
    assert numbers(page) != before
    assert seen.problems == []


def test_scenarios_and_results_are_chosen_and_texts_copied(shown, address):
    seen = shown(permissions=["clipboard-read", "clipboard-write"])
    page, before = seen.page, numbers(seen.page)
    page.get_by_label("Scenario").select_option("1000T")
    until(page, lambda: numbers(page)[0] != before[0], "the scenario changes nothing")
    page.get_by_label("Result to look at").select_option("Cards needed")
    until(
        page, lambda: "Cards needed, base" in page.locator(".bars caption").inner_text(), "another result is asked for"
    )
    assert page.locator("figure h3").first.inner_text().startswith("Cards needed")
    press(page, "daily-tokens", "upper", "ArrowLeft", 5)
    until(page, lambda: "--set 'daily_tokens@1000T=" in command(page), "the command misses what was moved")
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
    tile, grip = page.locator("dl.tiles .value").first.bounding_box(), handle.bounding_box()
    # The numbers stay at the top while a slider under them is moved.
    assert 0 <= tile["y"] < 740
    assert tile["y"] + tile["height"] < grip["y"] < 740
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert seen.problems == []
