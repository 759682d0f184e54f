"""The two recorded exchanges of the conformance protocol, message by message."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from jamliquor.codec import codec
from jamliquor.conformance import messages
from jamliquor.conformance.disk_chain import DiskHome
from jamliquor.conformance.messages import MessageReader, PeerInfo, Version
from jamliquor.conformance.session import REQUESTS, Session
from jamliquor.conformance.vectors import CONFORMANCE
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from tests.support.target import unframed
from tests.support.vectors import vectors

# Recorded texts and what we call the same rule. Where a block breaks several rules, the one found
# first depends on the order of the checks, which the paper leaves open: the record verifies seals
# first, we verify all signatures together after the rules that cost less.
KINDS = {
    "block header verification failure: UnexpectedAuthor": {"header: unexpected_author"},
    "block header verification failure: InvalidAuthorIndex": {"header: bad_author_index"},
    "block header verification failure: InvalidEpochMark": {"header: bad_epoch_mark"},
    "block header verification failure: SafroleInitializationFailed": {"safrole: bad_slot"},
    "block header verification failure: BadSealSignature": {
        "header: bad_seal",
        "reports: future_report_slot",
        "reports: report_epoch_before_last",
    },
    "invalid parent state root": {"header: bad_parent_state_root"},
    "is not part of the finalized chain": {"safrole: bad_slot"},
    "preimages error: preimage not required": {"preimages: preimage_unneeded"},
    "reports error: bad validator index": {"reports: bad_validator_index"},
    "reports error: report refers to slot in the future": {
        "reports: future_report_slot",
        "reports: too_many_dependencies",
        "reports: missing_work_results",
    },
    "assurances error: not sorted or unique assurers": {"assurances: not_sorted_or_unique_assurers"},
    "block execution failure: bad signature batch": {
        "safrole: bad_ticket_attempt",
        "reports: dependency_missing",
    },
}


@pytest.mark.parametrize("peer", vectors("fuzz-proto/*/00000000_fuzzer_peer_info.bin", CONFORMANCE))
@pytest.mark.parametrize("on_disk", [False, True])
def test_recorded_exchange(peer: Path, on_disk: bool, tmp_path: Path) -> None:
    with DiskHome(tmp_path / "home", TINY) if on_disk else nullcontext() as home:
        session = Session(TINY, NativeEngine(), "jamliquor", Version(0, 1, 0), home)
        check_exchange(session, peer)


def check_exchange(session: Session, peer: Path) -> None:
    """Every answer as recorded."""
    reader = MessageReader(TINY, REQUESTS)
    roots = errors = 0
    for request in sorted(peer.parent.glob("*_fuzzer_*.bin")):
        octets = request.read_bytes()
        reader.feed(messages.frame(octets[0], octets[1:]))
        message = reader.next()
        assert message is not None
        answer = unframed(b"".join(session.answer(message)))
        reader.trusted = True
        [expected] = peer.parent.glob(f"{request.name[:8]}_target_*.bin")
        match expected.read_bytes()[0]:
            case messages.PEER_INFO:
                check_handshake(answer, expected)
            case messages.STATE_ROOT:
                assert answer == expected.read_bytes(), request.name
                roots += 1
            case messages.ERROR:
                check_kind(answer, json.loads(expected.with_suffix(".json").read_text()))
                errors += 1
    assert (roots, errors) == ((33, 68) if peer.parent.name == "forks" else (101, 0))
    assert (session.imported, session.refused) == (roots - 1, errors)


def check_handshake(answer: bytes, expected: Path) -> None:
    """Same protocol and JAM version as recorded; every recorded feature is offered."""
    ours, theirs = (codec(PeerInfo, TINY).decode(it[1:]) for it in (answer, expected.read_bytes()))
    assert answer[0] == messages.PEER_INFO
    assert (ours.version, ours.jam_version) == (theirs.version, theirs.jam_version)
    assert ours.features & theirs.features == theirs.features


def check_kind(answer: bytes, recorded: dict[str, Any]) -> None:
    assert answer[0] == messages.ERROR
    text = codec(bytes, TINY).decode(answer[1:]).decode()
    [ours] = [codes for kind, codes in KINDS.items() if kind in recorded["error"]]
    assert any(text.startswith(code) for code in ours), (recorded["error"], text)
