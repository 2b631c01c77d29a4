"""Chromium for the pages: found, or brought by the first way that works.

    python tests/browser/chromium.py

One on the path (or named by CHROMIUM); the one that playwright keeps; what `playwright install chromium` downloads; the
package manager of the system, where this user may ask it. Where none works, what to do is said.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
#: Package managers that have a Chromium, with what to ask them; only an administrator may.
MANAGERS = {
    "apt-get": [["update", "-qq"], ["install", "-qq", "--no-install-recommends", "chromium"]],
    "dnf": [["install", "-q", "-y", "chromium"]],
    "apk": [["add", "-q", "chromium"]],
    "pacman": [["-S", "--noconfirm", "--needed", "chromium"]],
}
ADVICE = "install Chromium or Chrome (on Debian: apt install chromium), or set CHROMIUM to the path of one"


def found():
    """Path of a Chromium, or None."""
    named = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    return named or downloaded()


def downloaded():
    """Path of playwright's own Chromium, or None."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def run(command, seconds):
    """Run a command of an installer; whether it ended well and in time."""
    print("trying:", *command, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, timeout=seconds).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def bring():
    """Path of a Chromium, installed if there is none, or None."""
    path = found()
    if path is not None:
        return path
    if run([sys.executable, "-m", "playwright", "install", "chromium"], 240) and (path := downloaded()):
        return path
    for manager, steps in MANAGERS.items():
        may = shutil.which(manager) and hasattr(os, "geteuid") and os.geteuid() == 0
        if may and all(run([manager, *step], 600) for step in steps) and (path := found()):
            return path
    return None


def main():
    path = bring()
    if path is None:
        print(f"no Chromium: {ADVICE}; without it the tests of pages fail", file=sys.stderr)
        # The other tests run all the same.
        return 0
    print("Chromium:", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
