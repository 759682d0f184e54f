"""One call of each kind of work: timed here, and known by its instructions on aarch64.

The same calls, counted under emulation of the board's instruction set, gave ``instructions.toml``; so
what a call takes here and what it should take on a board make the factor for that kind of work.
"""

from __future__ import annotations

from collections.abc import Callable

from jamliquor.codec import codec
from jamliquor.crypto import bandersnatch, ed25519, key_derivation
from jamliquor.crypto.bench import ring_proof
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
GUEST_INSTRUCTIONS = 7 * _LOOP_ROUNDS + 1
"""How many of them the yardstick ``guest`` runs."""
_HEADERS = 500
_LARGE_LINES = 32_000
HOST_CALLS = 100
"""How many of them the operation ``host_call`` makes."""


def yardsticks() -> dict[str, Callable[[], object]]:
    """A call for each kind of work in :mod:`jamliquor.node.edge.clocks`, prepared and warm."""
    found = {**_signatures(), "guest": _guest(), "trie": _trie(), "python": _python()}
    for call in found.values():
        call()
    return found


def operations() -> dict[str, Callable[[], object]]:
    """Calls that have a budget of their own, prepared and warm."""
    secret = bandersnatch.SecretKey.from_seed(b"edge")
    members = [secret.public, *(one.public for one in _secrets()[1:])]
    blob = _large()
    calls = _host_calls()
    found: dict[str, Callable[[], object]] = {
        "sign": lambda: secret.sign(b"context", _AUX),
        "prove": lambda: secret.prove(members, 0, b"context", b""),
        "compile": lambda: NativeEngine().compile(blob),
        "host_call": calls,
    }
    for call in found.values():
        call()
    return found


def measure(
    now: Callable[[], int],
    unit: float,
    calls: dict[str, Callable[[], object]],
    repeat: int = 9,
) -> dict[str, float]:
    """The least that each call takes by a clock, in a unit of it: what disturbs only adds."""
    found = {}
    for kind, call in calls.items():
        spans = []
        for _ in range(repeat):
            begun = now()
            call()
            spans.append(now() - begun)
        found[kind] = round(min(spans) / unit, 6)
    return found


def _secrets() -> list[bandersnatch.SecretKey]:
    seeds = [key_derivation.trivial_seed(index) for index in range(TINY.validator_count)]
    return [
        bandersnatch.SecretKey.from_seed(key_derivation.bandersnatch_secret_seed(seed))
        for seed in seeds
    ]


def _signatures() -> dict[str, Callable[[], object]]:
    secret = _secrets()[0]
    signature = secret.sign(b"context", _AUX)
    plain = ed25519.SecretKey.from_seed(key_derivation.trivial_seed(0))
    signed = plain.sign(_AUX)
    return {
        "ring": ring_proof(),
        "vrf": lambda: bandersnatch.verify(secret.public, b"context", _AUX, signature),
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


def _large() -> bytes:
    """A program of about 100 KB."""
    lines = ["jump_ind r0, 0"]
    for index in range(_LARGE_LINES):
        target, first, second = index % 13, (index * 5 + 1) % 13, (index * 7 + 2) % 13
        lines.append(f"add_64 r{target}, r{first}, r{second}")
        if index % 10 == 9:
            lines.append("fallthrough")
    lines.append("trap")
    return assemble("\n".join(lines))


def _host_calls() -> Callable[[], object]:
    """A hundred exits to the host and back, none of which does anything there."""
    engine = NativeEngine()
    program = engine.compile(assemble("loop:\n ecalli 100\n jump loop"))
    if isinstance(program, InvalidProgram):
        raise ValueError(f"not a program: {program}")
    machine = engine.machine(program, gas=1 << 60, registers=[_RETURN] + [0] * 12)

    def run() -> None:
        for _ in range(HOST_CALLS):
            if machine.run() is not ExitReason.HOST_CALL:
                raise RuntimeError("the guest did not call")
            machine.gas -= 10

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

    call = {**yardsticks(), **operations()}[sys.argv[1]]
    for _ in range(int(sys.argv[2])):
        call()
