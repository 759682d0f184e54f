"""One call of each kind of work: timed here, and known by its instructions on aarch64.

The same calls, counted under emulation of the board's instruction set, gave ``instructions.toml``; so
what a call takes here and what it should take on a board make the factor for that kind of work.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from jamliquor.codec import codec
from jamliquor.crypto import bandersnatch, ed25519, key_derivation, ring
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import TINY
from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.engine import Access, ExitReason, NativeEngine, Segment
from jamliquor.pvm.program import InvalidProgram
from jamliquor.state.trie import Trie
from jamliquor.types.header import SEAL_SIZE, Header

_AUX = bytes(300)
_TRIE_ENTRIES = 1_000
_TRIE_CHANGES = 30
_GAS = 1_000_000
_RETURN = 0xFFFF0000
_HEAP = 0x20000
_LOOP = """\
loop:
 add_64 r8, r7, r8
 xor r9, r8, r9
 shlo_l_imm_64 r10, r9, 3
 store_u64 r10, 0x20000
 load_u64 r11, 0x20000
 add_imm_64 r7, r7, -1
 branch_ne_imm r7, 0, loop
 jump_ind r0, 0"""
_LOOP_ROUNDS = 20_000
_HEADERS = 500


def yardsticks() -> dict[str, Callable[[], object]]:
    """A call for each kind of work in :mod:`jamliquor.node.edge.clocks`, prepared and warm."""
    found = {**_signatures(), "guest": _guest(), "trie": _trie(), "python": _python()}
    for call in found.values():
        call()
    return found


def measure(repeat: int = 9) -> dict[str, float]:
    """The least milliseconds of processor time of each call: noise only adds."""
    found = {}
    for kind, call in yardsticks().items():
        spans = []
        for _ in range(repeat):
            begun = time.process_time_ns()
            call()
            spans.append(time.process_time_ns() - begun)
        found[kind] = min(spans) / 1e6
    return found


def _signatures() -> dict[str, Callable[[], object]]:
    seeds = [key_derivation.trivial_seed(index) for index in range(TINY.validator_count)]
    secrets = [
        bandersnatch.SecretKey.from_seed(key_derivation.bandersnatch_secret_seed(seed))
        for seed in seeds
    ]
    members = [secret.public for secret in secrets]
    root = ring.commitment(members)
    proofs = [(b"context", b"", secrets[0].prove(members, 0, b"context", b""))]
    signature = secrets[0].sign(b"context", _AUX)
    plain = ed25519.SecretKey.from_seed(seeds[0])
    signed = plain.sign(_AUX)
    return {
        "ring": lambda: ring.verify_batch(root, len(members), proofs),
        "vrf": lambda: bandersnatch.verify(secrets[0].public, b"context", _AUX, signature),
        "ed25519": lambda: ed25519.verify(plain.public, _AUX, signed),
    }


def _guest() -> Callable[[], object]:
    engine = NativeEngine()
    program = engine.compile(assemble(_LOOP))
    if isinstance(program, InvalidProgram):
        raise ValueError(f"not a program: {program}")

    def run() -> None:
        machine = engine.machine(
            program,
            gas=_GAS,
            registers=[_RETURN, 0, 0, 0, 0, 0, 0, _LOOP_ROUNDS, 0, 0, 0, 0, 0],
            memory=(Segment(_HEAP, 4096, Access.WRITE),),
        )
        reason = machine.run()
        if reason is not ExitReason.HALT:
            raise RuntimeError(f"the guest ended with {reason.name}")

    return run


def _trie() -> Callable[[], object]:
    names = [blake2b(index.to_bytes(4, "little"))[:31] for index in range(_TRIE_ENTRIES)]
    trie = Trie.from_entries((name, name + b"\1") for name in names)
    changes: dict[bytes, bytes | None] = dict.fromkeys(names[:_TRIE_CHANGES], b"\2" * 32)
    return lambda: trie.apply(changes)


def _python() -> Callable[[], object]:
    form = codec(Header, TINY)
    signature = bytes(SEAL_SIZE)
    header = Header(bytes(32), bytes(32), bytes(32), 1, None, None, 0, signature, (), signature)

    def run() -> None:
        known = {}
        for slot in range(_HEADERS):
            encoded = form.encode(header._replace(slot=slot))
            known[blake2b(encoded)] = form.decode(encoded)
        if sum(one.slot for one in known.values()) != _HEADERS * (_HEADERS - 1) // 2:
            raise RuntimeError("headers were lost")

    return run


if __name__ == "__main__":
    import sys

    call = yardsticks()[sys.argv[1]]
    for _ in range(int(sys.argv[2])):
        call()
