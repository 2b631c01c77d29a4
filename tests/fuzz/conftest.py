"""The harness is run as scripts by test_fuzz.py; nothing else in this folder is a test."""

collect_ignore = ["borders.py", "mutating.py", "run.py"]
