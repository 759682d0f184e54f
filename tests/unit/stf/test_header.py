"""Sections 5, 6.4 and 6.6: every rule of the header, broken one at a time."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import HeaderError
from jamliquor.params import TINY
from jamliquor.stf import header as chapter
from jamliquor.stf.reports import report_hashes
from jamliquor.stf.safrole import NULL_KEYS, Rotated
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import (
    Assurance,
    Credential,
    Disputes,
    Extrinsic,
    Guarantee,
    Preimage,
    TicketEnvelope,
)
from jamliquor.types.header import EpochMark, EpochMarkValidator, Header, Ticket
from jamliquor.types.state import FallbackKeys, TicketKeys, ValidatorKeys
from jamliquor.types.work import AvailabilitySpecification, RefinementContext, WorkReport
from tests.support.validators import validator, validator_keys

SLOT = 3 * TINY.epoch_length + 4
ENTROPY = tuple(bytes((octet,)) * 32 for octet in (1, 2, 3, 4))
ACTIVE = validator_keys(0)
AUTHOR = 2
EMPTY = Extrinsic((), (), (), (), Disputes((), (), ()))
TICKET_INPUT = b"jam_ticket_seal" + ENTROPY[3] + b"\x01"
FALLBACK_INPUT = b"jam_fallback_seal" + ENTROPY[3]


class Case(NamedTuple):
    """What a header is judged on, and the header."""

    rotated: Rotated
    header: Header


def rotation(sealing_keys: TicketKeys | FallbackKeys) -> Rotated:
    return Rotated(SLOT, ENTROPY, ACTIVE, ACTIVE, ACTIVE, bytes(144), sealing_keys, (), None, None)


def fallback(key: bytes) -> FallbackKeys:
    """A slot for ``key`` among slots for nobody."""
    return FallbackKeys(tuple(key if slot == 4 else b"\xee" * 32 for slot in range(12)))


def ticketed(identifier: bytes) -> TicketKeys:
    none = Ticket(b"\xee" * 32, 0)
    return TicketKeys(tuple(Ticket(identifier, 1) if slot == 4 else none for slot in range(12)))


def sign(unsigned: Header, vrf_input: bytes, author: int = AUTHOR) -> Header:
    """The header with both signatures of an author."""
    secret = validator(author).bandersnatch
    output = secret.output(vrf_input)
    header = unsigned._replace(entropy_source=secret.sign(b"jam_entropy" + output, b""))
    return header._replace(seal=secret.sign(vrf_input, chapter.encode(TINY, header).unsigned))


UNSIGNED = Header(
    b"\x0a" * 32,
    b"\x0b" * 32,
    chapter.extrinsic_hash(TINY, EMPTY, ()),
    SLOT,
    None,
    None,
    AUTHOR,
    bytes(96),
    (),
    bytes(96),
)


@pytest.fixture(params=["fallback", "ticket"])
def case(request: pytest.FixtureRequest) -> Case:
    """A header that holds, by the slot's key or by the slot's ticket."""
    if request.param == "fallback":
        return Case(rotation(fallback(ACTIVE[AUTHOR].bandersnatch)), sign(UNSIGNED, FALLBACK_INPUT))
    identifier = validator(AUTHOR).bandersnatch.output(TICKET_INPUT)
    return Case(rotation(ticketed(identifier)), sign(UNSIGNED, TICKET_INPUT))


def judge(rotated: Rotated, header: Header) -> None:
    """The author's rules, signatures included."""
    checks = SignatureChecks()
    unsigned = chapter.encode(TINY, header).unsigned
    chapter.demand_seal(TINY, header, unsigned, rotated, checks)
    checks.verify()


def refusal(rotated: Rotated, header: Header) -> str:
    with pytest.raises(HeaderError) as caught:
        judge(rotated, header)
    return caught.value.code


def test_both_signatures_hold(case: Case) -> None:
    judge(*case)
    output = chapter.entropy_output(case.header)
    vrf_input = TICKET_INPUT if isinstance(case.rotated.sealing_keys, TicketKeys) else FALLBACK_INPUT
    secret = validator(AUTHOR).bandersnatch
    assert output == secret.output(b"jam_entropy" + secret.output(vrf_input))


def test_every_signed_field_is_under_the_seal(case: Case) -> None:
    for changed in (
        case.header._replace(parent=bytes(32)),
        case.header._replace(parent_state_root=bytes(32)),
        case.header._replace(extrinsic_hash=bytes(32)),
        case.header._replace(epoch_mark=EpochMark(*ENTROPY[:2], ((bytes(32), bytes(32)),) * 6)),
        case.header._replace(tickets_mark=(Ticket(bytes(32), 0),) * 12),
        case.header._replace(offenders_mark=(bytes(32),)),
    ):
        assert refusal(case.rotated, changed) == "bad_seal"


def test_a_seal_over_another_entropy(case: Case) -> None:
    rotated = case.rotated._replace(entropy=(*ENTROPY[:3], bytes(32)))
    assert refusal(rotated, case.header) == "bad_seal"


def test_the_entropy_signature_is_over_the_seals_output(case: Case) -> None:
    secret = validator(AUTHOR).bandersnatch
    other = case.header._replace(entropy_source=secret.sign(b"jam_entropy" + bytes(32), b""))
    vrf_input = TICKET_INPUT if isinstance(case.rotated.sealing_keys, TicketKeys) else FALLBACK_INPUT
    resealed = other._replace(seal=secret.sign(vrf_input, chapter.encode(TINY, other).unsigned))
    assert refusal(case.rotated, resealed) == "bad_entropy_source"


def test_signatures_of_noise(case: Case) -> None:
    assert refusal(case.rotated, case.header._replace(seal=b"\xff" * 96)) in (
        "bad_seal",
        "unexpected_ticket_seal",
    )
    with pytest.raises(HeaderError) as caught:
        chapter.entropy_output(case.header._replace(entropy_source=b""))
    assert caught.value.code == "bad_entropy_source"
    short = case.header._replace(seal=b"")
    with pytest.raises(HeaderError) as caught:
        chapter.demand_seal(TINY, short, b"", case.rotated, SignatureChecks())
    assert caught.value.code == "bad_seal"


@pytest.mark.parametrize("author_index", [6, 7, 65535])
def test_an_author_out_of_range(case: Case, author_index: int) -> None:
    header = case.header._replace(author_index=author_index)
    assert refusal(case.rotated, header) == "bad_author_index"


def test_the_slot_belongs_to_another_key() -> None:
    rotated = rotation(fallback(ACTIVE[3].bandersnatch))
    assert refusal(rotated, sign(UNSIGNED, FALLBACK_INPUT)) == "unexpected_author"
    # The slot's owner cannot be claimed by its index alone.
    assert refusal(rotated, sign(UNSIGNED._replace(author_index=3), FALLBACK_INPUT)) == "bad_seal"


def test_the_ticket_is_of_another_validator() -> None:
    rotated = rotation(ticketed(validator(3).bandersnatch.output(TICKET_INPUT)))
    assert refusal(rotated, sign(UNSIGNED, TICKET_INPUT)) == "unexpected_ticket_seal"
    # Nor does the right secret help under the wrong index.
    assert refusal(rotated, sign(UNSIGNED, TICKET_INPUT, author=3)) == "bad_seal"


def test_the_other_kind_of_seal() -> None:
    identifier = validator(AUTHOR).bandersnatch.output(TICKET_INPUT)
    by_ticket, by_key = sign(UNSIGNED, TICKET_INPUT), sign(UNSIGNED, FALLBACK_INPUT)
    assert refusal(rotation(ticketed(identifier)), by_key) == "unexpected_ticket_seal"
    assert refusal(rotation(fallback(ACTIVE[AUTHOR].bandersnatch)), by_ticket) == "bad_seal"


def test_an_offenders_null_key_seals_nothing(case: Case) -> None:
    nulled = (*ACTIVE[:AUTHOR], NULL_KEYS, *ACTIVE[AUTHOR + 1 :])
    rotated = case.rotated._replace(active=nulled)
    assert refusal(rotated, case.header) == "null_author"
    assert refusal(rotated._replace(sealing_keys=fallback(bytes(32))), case.header) == "null_author"


# No point at all; a point of the curve outside the subgroup; the identity; a point of order two.
UNUSABLE = (
    b"\xff" * 32,
    bytes.fromhex("702d7c3a64472f846f454a711935bb448672fd8e07e0d243231479a55b3994c0"),
    b"\x01" + bytes(31),
    bytes.fromhex("00000000fffffffffe5bfeff02a4bd5305d8a10908d83933487d9d2953a7ed73"),
)


@pytest.mark.parametrize("key", UNUSABLE)
def test_a_key_that_cannot_verify(case: Case, key: bytes) -> None:
    broken: ValidatorKeys = ACTIVE[AUTHOR]._replace(bandersnatch=key)
    active = (*ACTIVE[:AUTHOR], broken, *ACTIVE[AUTHOR + 1 :])
    rotated = case.rotated._replace(active=active)
    if isinstance(rotated.sealing_keys, FallbackKeys):
        rotated = rotated._replace(sealing_keys=fallback(key))
    assert refusal(rotated, case.header) == "bad_seal"


MARK = EpochMark(ENTROPY[0], ENTROPY[1], (EpochMarkValidator(b"\x05" * 32, b"\x06" * 32),) * 6)
WON = tuple(Ticket(bytes((number,)) * 32, 0) for number in range(12))
OFFENDERS = (b"\x07" * 32, b"\x08" * 32)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"epoch_mark": None}, "bad_epoch_mark"),
        ({"epoch_mark": MARK._replace(entropy=ENTROPY[1])}, "bad_epoch_mark"),
        ({"epoch_mark": MARK._replace(tickets_entropy=ENTROPY[0])}, "bad_epoch_mark"),
        ({"epoch_mark": MARK._replace(validators=MARK.validators[1:])}, "bad_epoch_mark"),
        ({"tickets_mark": None}, "bad_tickets_mark"),
        ({"tickets_mark": WON[::-1]}, "bad_tickets_mark"),
        ({"tickets_mark": (*WON[:-1], WON[-1]._replace(attempt=1))}, "bad_tickets_mark"),
        ({"offenders_mark": ()}, "bad_offenders_mark"),
        ({"offenders_mark": OFFENDERS[::-1]}, "bad_offenders_mark"),
        ({"offenders_mark": (*OFFENDERS, bytes(32))}, "bad_offenders_mark"),
    ],
)
def test_markers(changes: dict[str, object], code: str | None) -> None:
    rotated = rotation(fallback(bytes(32)))._replace(epoch_mark=MARK, tickets_mark=WON)
    header = UNSIGNED._replace(epoch_mark=MARK, tickets_mark=WON, offenders_mark=OFFENDERS)
    header = header._replace(**changes)
    if code is None:
        chapter.check_markers(header, rotated, OFFENDERS)
        return
    with pytest.raises(HeaderError) as caught:
        chapter.check_markers(header, rotated, OFFENDERS)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"epoch_mark": MARK}, "bad_epoch_mark"),
        ({"tickets_mark": WON}, "bad_tickets_mark"),
        ({"offenders_mark": OFFENDERS}, "bad_offenders_mark"),
    ],
)
def test_markers_nobody_asked_for(changes: dict[str, object], code: str) -> None:
    with pytest.raises(HeaderError) as caught:
        chapter.check_markers(UNSIGNED._replace(**changes), rotation(fallback(bytes(32))), ())
    assert caught.value.code == code


def test_the_state_of_the_parent() -> None:
    chapter.check_parent_state_root(UNSIGNED, b"\x0b" * 32)
    with pytest.raises(HeaderError) as caught:
        chapter.check_parent_state_root(UNSIGNED, bytes(32))
    assert caught.value.code == "bad_parent_state_root"


REPORT = WorkReport(
    AvailabilitySpecification(b"\x01" * 32, 7, b"\x02" * 32, b"\x03" * 32, 1),
    RefinementContext(*(bytes((n,)) * 32 for n in range(4)), 5, ()),
    1,
    b"\x04" * 32,
    9,
    b"trace",
    (),
    (),
)
LOADED = Extrinsic(
    (TicketEnvelope(1, b"\x05" * 784),),
    (Preimage(3, b"data"),),
    (Guarantee(REPORT, SLOT, (Credential(0, b"\x06" * 64), Credential(5, b"\x07" * 64))),),
    (Assurance(b"\x08" * 32, b"\x03", 4, b"\x09" * 64),),
    Disputes((), (), ()),
)


def test_the_extrinsic_hash_holds_reports_by_their_hash() -> None:
    """Written out octet by octet, as equation 5.6 has it."""
    report_hash = blake2b(codec(WorkReport, TINY).encode(REPORT))
    credentials = b"\x02\x00\x00" + b"\x06" * 64 + b"\x05\x00" + b"\x07" * 64
    parts = (
        b"\x01\x01" + b"\x05" * 784,
        b"\x01\x03\x00\x00\x00\x04data",
        b"\x01" + report_hash + SLOT.to_bytes(4, "little") + credentials,
        b"\x01" + b"\x08" * 32 + b"\x03\x04\x00" + b"\x09" * 64,
        b"\x00\x00\x00",
    )
    expected = blake2b(b"".join(blake2b(part) for part in parts))
    assert report_hashes(TINY, LOADED.guarantees) == (report_hash,)
    assert chapter.extrinsic_hash(TINY, LOADED, (report_hash,)) == expected


def test_the_extrinsic_must_be_the_headers() -> None:
    chapter.check_extrinsic(TINY, UNSIGNED, EMPTY, ())
    with pytest.raises(HeaderError) as caught:
        chapter.check_extrinsic(TINY, UNSIGNED, LOADED, report_hashes(TINY, LOADED.guarantees))
    assert caught.value.code == "bad_extrinsic_hash"


def test_a_header_is_named_by_all_its_octets() -> None:
    octets = codec(Header, TINY).encode(UNSIGNED)
    assert chapter.encode(TINY, UNSIGNED) == (blake2b(octets), octets[:-96])


def test_a_refused_marker_says_whether_one_was_expected() -> None:
    mark = EpochMark(*ENTROPY[:2], ((bytes(32), bytes(32)),) * 6)
    tickets = (Ticket(bytes(32), 0),) * 12
    due = rotation(fallback(bytes(32)))._replace(epoch_mark=mark, tickets_mark=tickets)
    right = UNSIGNED._replace(epoch_mark=mark, tickets_mark=tickets)
    nothing = due._replace(epoch_mark=None, tickets_mark=None)
    for rotated, header, offenders, detail in (
        (due, right._replace(epoch_mark=None), (), "expected"),
        (due, right._replace(tickets_mark=None), (), "expected"),
        (nothing, UNSIGNED._replace(epoch_mark=mark), (), "not expected"),
        (nothing, UNSIGNED._replace(tickets_mark=tickets), (), "not expected"),
        (due, right, (bytes(32),), "1 keys expected"),
    ):
        with pytest.raises(HeaderError) as caught:
            chapter.check_markers(header, rotated, offenders)
        assert caught.value.detail == detail
