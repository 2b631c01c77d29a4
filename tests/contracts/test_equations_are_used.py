"""What ships is used: a shipped equation stands in a study, an example or the code of a page, or it goes."""

import re
import tomllib
from pathlib import Path

import pytest

from demandsim.equations import shipped

ROOT = Path(__file__).parent.parent.parent
#: Where every equation is listed, whether anything uses it or not.
LISTS = {ROOT / "docs" / "reference"}


def pages():
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [page for page in found if not LISTS & set(page.parents)]


def code():
    """What readers run: equations of studies, examples, and the Python blocks of pages."""
    for study in (ROOT / "src" / "demandsim" / "studies").glob("*.toml"):
        yield " ".join(tomllib.loads(study.read_text(encoding="utf-8"))["equations"])
    for example in (ROOT / "examples").glob("*.py"):
        yield example.read_text(encoding="utf-8")
    for page in pages():
        yield from re.findall(r"^ *```python\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


NAMED = {match for text in code() for match in re.findall(r"\b[a-z_]+\.[a-z_]+\b", text)}


@pytest.mark.parametrize("reference", sorted(shipped()))
def test_a_shipped_equation_is_used(reference):
    assert reference in NAMED, f"no study, example or page uses '{reference}': use it, or remove it with its tests"
