"""What the tests of this folder share stands in `workbooks`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

collect_ignore = ["books.py", "workbooks.py"]
