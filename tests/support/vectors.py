"""The public vectors as test parameters.

``JAM_VECTORS`` unset, the tests that need vectors skip with a reason; set, a missing vector is a
failure.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest

from jamliquor.conformance.vectors import VECTORS
from jamliquor.conformance.vectors import suite as find

suite = functools.cache(find)


def vectors(pattern: str, name: str = VECTORS) -> list[Any]:
    """Parameters for one test per file that matches ``pattern`` below the suite's folder.

    Without vectors the list holds one skipped parameter, so that the reason is reported.
    """
    root = suite(name)
    if root is None:
        return [pytest.param(None, marks=pytest.mark.skip(reason="JAM_VECTORS is not set"))]
    found = sorted(root.glob(pattern))
    if not found:
        raise FileNotFoundError(f"no vector matches {pattern} below {root}")
    return [pytest.param(path, id=str(path.relative_to(root))) for path in found]
