"""The harness is run as scripts by test_fuzz.py; nothing else in this folder is a test."""

from pathlib import Path

collect_ignore = sorted(file.name for file in Path(__file__).parent.glob("*.py") if not file.name.startswith("test_"))
