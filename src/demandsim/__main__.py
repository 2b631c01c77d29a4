"""``python -m demandsim`` is the command line."""

from demandsim.cli import main

main()
