"""Where the public test vectors are, unpacked once into a cache folder.

``JAM_VECTORS`` names a folder with the two published archives (``*.tar.xz``) or with their unpacked
contents. Unset, the tests that need vectors skip with a reason; set, a missing vector is a failure.
"""

from __future__ import annotations

import functools
import os
import tarfile
import tempfile
from pathlib import Path

import pytest

SUITES = ("jam-test-vectors-0.7.2", "jam-conformance-0.7.2")


@functools.cache
def suite(name: str = SUITES[0]) -> Path | None:
    """Folder of one unpacked suite, or None when ``JAM_VECTORS`` is not set."""
    setting = os.environ.get("JAM_VECTORS")
    if not setting:
        return None
    source = Path(setting).resolve()
    if (source / name).is_dir():
        return source / name
    archive = source / f"{name}.tar.xz"
    if not archive.is_file():
        raise FileNotFoundError(f"JAM_VECTORS={setting} has neither {name}/ nor {name}.tar.xz")
    return _unpacked(archive, name)


def _unpacked(archive: Path, name: str) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    stat = archive.stat()
    cache = Path(base) / "jamliquor" / "vectors" / f"{stat.st_size}-{int(stat.st_mtime)}"
    if not (cache / name).is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            with tarfile.open(archive) as tar:
                tar.extractall(scratch, filter="data")
            try:
                # A rename is atomic: two test runs that unpack at once cannot see half a suite.
                (Path(scratch) / name).rename(cache / name)
            except OSError:
                if not (cache / name).is_dir():
                    raise
    return cache / name


def vectors(pattern: str, name: str = SUITES[0]) -> list[object]:
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
