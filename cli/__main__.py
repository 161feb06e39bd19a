"""``python -m labeling.cli``: the command without its entry-point script."""

from . import main

main()
