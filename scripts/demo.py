"""``make demo``: validates the public safrole chain with the installed command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jamliquor.conformance.vectors import VECTORS, suite

HOW = "set JAM_VECTORS to a folder that holds the public vectors ({}.tar.xz), then run make demo again"


def main() -> None:
    """Replace this process by ``jamliquor import`` on the chain, or say what is missing."""
    try:
        root = suite()
    except OSError as error:
        sys.exit(_missing(f"{error}"))
    if root is None:
        sys.exit(_missing("the demo needs the public test vectors"))
    command = Path(sys.executable).parent / "jamliquor"
    os.execv(command, [str(command), "import", str(root / "traces" / "safrole")])


def _missing(what: str) -> int:
    print(f"demo: {what}: {HOW.format(VECTORS)}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    main()
