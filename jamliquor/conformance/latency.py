"""Times of imports, summed up in the fields that the public performance reports have."""

from __future__ import annotations

import math
from array import array

_PERCENTILES = (50, 75, 90, 99)


class Latencies:
    """Milliseconds of imports, four octets each."""

    def __init__(self) -> None:
        self._milliseconds = array("f")

    def add(self, milliseconds: float) -> None:
        """Count one import."""
        self._milliseconds.append(milliseconds)

    def __len__(self) -> int:
        return len(self._milliseconds)

    def record(self) -> dict[str, float]:
        """Minimum, maximum, mean, percentiles by nearest rank, and standard deviation; or nothing."""
        ordered = sorted(self._milliseconds)
        count = len(ordered)
        if not count:
            return {}
        mean = math.fsum(ordered) / count
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in ordered) / count)
        found = {"import_min": ordered[0], "import_max": ordered[-1], "import_mean": mean}
        for percent in _PERCENTILES:
            found[f"import_p{percent}"] = ordered[-(-count * percent // 100) - 1]
        found["import_std_dev"] = deviation
        return {name: round(value, 3) for name, value in found.items()}
