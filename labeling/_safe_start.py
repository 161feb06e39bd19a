"""``python -m labeling.cli`` among strangers' files: take the current folder off the path before it is searched.

Python puts it first on the path of a program that is started with ``-m``. Imports only what Python has loaded already.
A folder that holds this package itself stays: who could plant something there could change the package.
"""

import os
import sys

_COMMAND = "labeling.cli"

if (
    sys.argv[:1] == ["-m"]  # while Python looks for the module, it is this (Python 3.11, Command line and environment)
    and _COMMAND in " ".join(sys.orig_argv)
    and not sys.flags.safe_path
    and os.path.realpath(sys.path[0]) == os.path.realpath(os.curdir)
    and os.path.realpath(sys.path[0]) != os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120
):
    del sys.path[0]
