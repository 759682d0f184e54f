"""Sends a recorded exchange to our conformance target again and again; tells speed and memory.

    python scripts/soak_fuzz_target.py $JAM_VECTORS/jam-conformance-0.7.2/fuzz-proto/forks

Exits with 1 when an answer differs from the record, when the last thousand blocks take more than a
tenth longer (median) than the first thousand, or when memory grows by 1 MB or more in 10 000 blocks.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

IMPORT_BLOCK, STATE_ROOT, ERROR = 3, 2, 255
SAMPLES = 50
MOST_SLOWDOWN = 1.10
MOST_GROWTH = 1e6


def exchange(folder: Path) -> list[tuple[bytes, bytes]]:
    """Recorded requests and answers, without their lengths."""
    found = []
    for path in sorted(folder.glob("*_fuzzer_*.bin")):
        [answer] = folder.glob(f"{path.name[:8]}_target_*.bin")
        found.append((path.read_bytes(), answer.read_bytes()))
    return found


def ask(sock: socket.socket, request: bytes) -> bytes:
    """One request and its answer."""
    sock.sendall(len(request).to_bytes(4, "little") + request)
    answer = b""
    while len(answer) < 4 or len(answer) < 4 + int.from_bytes(answer[:4], "little"):
        answer += sock.recv(1 << 16)
    return answer[4:]


def resident(pid: int) -> int:
    """Resident octets of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the target is gone")


def soak(
    sock: socket.socket, pid: int, said: list[tuple[bytes, bytes]], blocks: int
) -> dict[str, float]:
    """Send ``blocks`` blocks, each round beginning with the recorded state."""
    times = array("f")
    memory: list[tuple[int, int]] = []
    ask(sock, said[0][0])
    while len(times) < blocks:
        for request, expected in said[1:]:
            begun = time.perf_counter()
            answer = ask(sock, request)
            taken = time.perf_counter() - begun
            if answer[0] != expected[0] or (answer[0] == STATE_ROOT and answer != expected):
                raise SystemExit(f"block {len(times)}: {answer.hex()} instead of {expected.hex()}")
            if request[0] == IMPORT_BLOCK:
                times.append(taken * 1000)
        if len(times) * SAMPLES // blocks >= len(memory):
            memory.append((len(times), resident(pid)))
    return figures(times, memory)


def figures(times: array[float], memory: list[tuple[int, int]]) -> dict[str, float]:
    """Medians in milliseconds, memory in octets; growth from the first tenth on."""
    settled = memory[len(memory) // 10 :]
    growth = statistics.linear_regression(*zip(*settled, strict=True)).slope * 10_000
    return {
        "blocks": len(times),
        "first_thousand_ms": round(statistics.median(times[:1000]), 4),
        "last_thousand_ms": round(statistics.median(times[-1000:]), 4),
        "rss_first_bytes": memory[0][1],
        "rss_last_bytes": memory[-1][1],
        "growth_per_10000_blocks_bytes": round(growth),
    }


def main() -> int:
    """Run the target and the exchange; print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("exchange", type=Path)
    parser.add_argument("--blocks", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/s"
        command = [sys.executable, "-m", "jamliquor", "fuzz", "--socket", path, "--data", folder]
        target = subprocess.Popen([*command, "--log-level", "error"], stdout=subprocess.PIPE)
        try:
            assert target.stdout is not None
            target.stdout.readline()
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(path)
                found = soak(sock, target.pid, exchange(given.exchange), given.blocks)
        finally:
            target.terminate()
            target.wait()
    print(json.dumps(found, indent=2))
    slower = found["last_thousand_ms"] > MOST_SLOWDOWN * found["first_thousand_ms"]
    return int(slower or found["growth_per_10000_blocks_bytes"] >= MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
