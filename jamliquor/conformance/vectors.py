"""Where the public vectors are: named by ``JAM_VECTORS``, unpacked once into a cache folder.

``JAM_VECTORS`` names a folder with the two published archives (``*.tar.xz``) or with their unpacked
contents. The cache lies below ``XDG_CACHE_HOME`` (``~/.cache``), in a folder for each archive.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path

VECTORS = "jam-test-vectors-0.7.2"
CONFORMANCE = "jam-conformance-0.7.2"


def suite(name: str = VECTORS) -> Path | None:
    """Folder of one unpacked suite, or None when ``JAM_VECTORS`` is not set.

    Raises:
        FileNotFoundError: ``JAM_VECTORS`` is set, but the suite is not there.
        OSError: the archive cannot be read, or the cache cannot be written.
    """
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
                # A rename is atomic: two runs that unpack at once cannot see half a suite.
                (Path(scratch) / name).rename(cache / name)
            except OSError:
                if not (cache / name).is_dir():
                    raise
    return cache / name
