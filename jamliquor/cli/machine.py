"""What the operating system tells about this machine and this process (Linux)."""

from __future__ import annotations

import gc
import platform
import resource
from pathlib import Path

_FEATURES = ("adx", "avx2", "avx512f", "bmi2", "sse4_1", "neon", "asimd", "aes", "sha2", "sha_ni")


def peak_rss() -> int:
    """Peak resident octets of this process, plus those of its largest finished child."""
    # VmHWM, not ru_maxrss: that one starts with the size of whoever forked this process.
    own = _status("VmHWM")
    if own is None:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def _status(name: str) -> int | None:
    return _kilobytes(Path("/proc/self/status"), name)


def _kilobytes(path: Path, name: str) -> int | None:
    try:
        for line in path.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def memory() -> tuple[int | None, int | None]:
    """Octets of memory available and installed, or None where the system does not say."""
    meminfo = Path("/proc/meminfo")
    return _kilobytes(meminfo, "MemAvailable"), _kilobytes(meminfo, "MemTotal")


def processor() -> tuple[str, int, list[str]]:
    """Name of the processor, number of its cores in use, and those of its features that matter."""
    model, board, flags, cores = "", "", set[str](), 0
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            key = key.strip().lower()
            if key in ("flags", "features"):
                flags.update(value.split())
            elif key == "processor":
                cores += 1
            elif key == "model name":
                model = value.strip()
            elif key == "model":
                board = value.strip()
    except OSError:
        pass
    found = [feature for feature in _FEATURES if feature in flags]
    return model or board or platform.machine(), cores or 1, found


def settle() -> None:
    """Have the garbage collector pass over all that exists: modules and tables live to the end.

    Looking through them takes milliseconds, and would come in the middle of some block.
    """
    gc.freeze()
