"""Entry of the command line. ``--version`` is answered before anything else is loaded."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with the code that ``jamliquor --help`` lists."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from jamliquor.cli.version import version  # noqa: PLC0415 - speed is the point here

        print(f"jamliquor {version()}")
        return
    from jamliquor.cli.main import commands  # noqa: PLC0415

    commands(prog_name="jamliquor")


if __name__ == "__main__":
    main()
