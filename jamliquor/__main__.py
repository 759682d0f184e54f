"""Entry of the command line. ``--version`` is answered before anything else is loaded.

Without arguments, ``JAM_FUZZ`` in the environment asks for the conformance target: official runs
start it that way.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with the code that ``jamliquor --help`` lists."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from jamliquor.cli.version import version  # noqa: PLC0415 - speed is the point here

        print(f"jamliquor {version()}")
        return
    from jamliquor.cli.main import commands  # noqa: PLC0415

    wish = os.environ.get("JAM_FUZZ", "").lower()
    fuzz = len(sys.argv) == 1 and wish not in ("", "0", "false", "no", "off")
    commands(["fuzz"] if fuzz else None, prog_name="jamliquor")


if __name__ == "__main__":
    main()
