"""Costs around the interpreter: ``python benchmarks/pvm/calls.py [standard program]``.

Prints the round trip of a host call (run, read its number, set two registers, run) and what it takes
to begin a standard program, decoded already and not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.engine import ExitReason, NativeEngine, load_standard
from jamliquor.pvm.program import InvalidProgram, StandardProgram, encode_standard

ROUNDS = 200_000


def round_trip() -> float:
    """Microseconds a host call."""
    engine = NativeEngine()
    program = engine.compile(assemble("again: ecalli 5\n jump again"))
    assert not isinstance(program, InvalidProgram)
    machine = engine.machine(program, gas=1 << 40)
    start = time.perf_counter()
    for _ in range(ROUNDS):
        assert machine.run() is ExitReason.HOST_CALL
        assert machine.exit_argument == 5
        machine.set_registers((7, 1), (8, 2))
    return (time.perf_counter() - start) / ROUNDS * 1e6


def best(action: Callable[[], object], repeats: int) -> float:
    """Microseconds of the fastest of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times) * 1e6


def sample() -> bytes:
    """A standard program with about 100 KB of code and 64 KB of data."""
    body = "add_imm_64 r7, r7, 100\n store_ind_u64 r1, r7, 8\n branch_ne_imm r7, 1, start\n"
    code = assemble("start:\n" + body * 9500)
    return encode_standard(StandardProgram(bytes(1 << 15), b"\1" * (1 << 15), 4, 1 << 16, code))


def main() -> None:
    """Print the figures."""
    print(f"host call round trip {round_trip():8.2f} us")
    blob = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else sample()
    engine = NativeEngine()
    warm = best(lambda: load_standard(engine, blob, b"argument", 0, 100, b"key"), 200)
    cold = best(lambda: load_standard(NativeEngine(), blob, b"argument", 0, 100, b"key"), 20)
    print(f"start of {len(blob)} bytes, decoded {warm:8.1f} us, cold {cold:8.1f} us")
    print(f"decoded form {engine.cache_counters.size} bytes")


if __name__ == "__main__":
    main()
