"""Items for blocks, from a folder and a socket: judged, bounded, and put into the pools."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jamliquor.author import tickets
from jamliquor.author.pools import NotPooled
from jamliquor.author.statements import gather_assurances, gather_verdict
from jamliquor.codec import codec
from jamliquor.node.inbox import Inbox, Item, encode_item, frame, open_inbox
from jamliquor.params import TINY
from jamliquor.types.block import Block
from jamliquor.types.extrinsic import Disputes, Preimage, TicketEnvelope
from tests.support.maker import Made, Maker, own_genesis
from tests.support.target import fresh_socket
from tests.support.validating import Clock, Validator

SECONDS = TINY.slot_seconds


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def head(maker: Maker) -> Made:
    """A block after which core 0 holds a report."""
    report = maker.report(maker.root, 0)
    return maker.make(maker.root, 1, guarantees=[maker.guarantee(maker.root, report, 1)])


@pytest.fixture(scope="module")
def wanted(maker: Maker, head: Made) -> list[Item]:
    """One item of each kind for the block after the head; nobody waits for the preimage."""
    ahead = maker.outlook(head.hash, 2)
    running = tickets.contest(ahead)
    ticket = tickets.prove(running, maker.keyring, tickets.candidates(TINY, running, maker.keyring)[0])
    guarantee = maker.guarantee(head.hash, maker.report(head.hash, 1), 2)
    verdict = gather_verdict(ahead, b"r" * 32, TINY.one_third, maker.keyring)
    assurance = gather_assurances(ahead, head.hash, maker.keyring)[0]
    return [ticket, Preimage(7, b"data"), guarantee, assurance, Disputes((verdict,), (), ())]


@pytest.fixture
def clock() -> Clock:
    return Clock(1.0 * SECONDS)


@pytest.fixture
def validator(tmp_path: Path, head: Made, clock: Clock) -> Iterator[Validator]:
    made = Validator(0, clock, tmp_path / "db", first=own_genesis())
    made.node.receive(head.encoded, "test")
    yield made
    made.signer.close()
    made.node.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "wanted"
    path.mkdir()
    return path


def file_of(items: list[Item]) -> bytes:
    return b"".join(frame(encode_item(TINY, item)) for item in items)


def opened(path: Path, validator: Validator) -> Inbox:
    return open_inbox(path, TINY, validator.author.pool, validator.lines.append)


def test_items_of_every_kind_reach_their_pools_and_a_block(
    folder: Path, validator: Validator, wanted: list[Item], clock: Clock
) -> None:
    (folder / "one.items").write_bytes(file_of(wanted))
    (folder / "two.items.part").write_bytes(b"not yet")
    inbox = opened(folder, validator)
    inbox.poll(1)
    assert (inbox.taken, inbox.refused) == (4, 1)
    [line] = [line for line in validator.lines if "refused" in line]
    assert line.startswith("one.items: preimage refused: preimage_unneeded")
    # A file goes when all of it was judged.
    inbox.poll(1)
    assert [path.name for path in folder.iterdir()] == ["two.items.part"]
    pools = validator.pools
    each = (pools.tickets, pools.preimages, pools.guarantees, pools.assurances, pools.disputes)
    assert [len(pool) for pool in each] == [1, 0, 1, 1, 1]
    # Of the slots that follow, some are this validator's.
    while not validator.sent:
        validator.author.tick()
        clock.now += 1
    extrinsic = codec(Block, TINY).decode(validator.sent[0][1]).extrinsic
    assert extrinsic.disputes.verdicts == wanted[4].verdicts  # type: ignore[union-attr]


def test_over_a_socket_each_item_has_an_answer(validator: Validator, wanted: list[Item]) -> None:
    path = fresh_socket()
    inbox = opened(path, validator)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        peer.sendall(file_of(wanted[:2]) + frame(b"") + frame(b"\x09abc") + frame(b"\0abc"))
        for _ in range(3):
            inbox.poll(1)
        answers = peer.recv(1 << 16).decode().splitlines()
    inbox.close()
    path.parent.rmdir()
    assert answers[0] == "ticket taken"
    assert answers[1].startswith("preimage refused: preimage_unneeded: service 7")
    assert answers[2:4] == ["item refused: undecodable: no such kind"] * 2
    assert answers[4].startswith("ticket refused: undecodable: ")


@pytest.mark.parametrize(
    "data", [b"\xff", b"\xff\xff\xff\xff", b"\x05\0\0\0abc", bytes((16 << 20) + 1)]
)
def test_a_file_that_breaks_off_is_set_aside(
    folder: Path, validator: Validator, wanted: list[Item], data: bytes
) -> None:
    good = file_of(wanted[:1])
    (folder / "one.items").write_bytes(data if len(data) > 100 else good + data)
    inbox = opened(folder, validator)
    inbox.poll(1)
    inbox.poll(1)
    assert inbox.taken == (len(data) < 100)
    assert [path.name for path in folder.iterdir()] == ["one.broken"]
    assert sum("breaks off or is too large" in line for line in validator.lines) == 1


def test_things_that_are_no_files_are_left_alone(
    folder: Path, validator: Validator, wanted: list[Item]
) -> None:
    (folder / "a.items").mkdir()
    (folder / "b.items").symlink_to(folder / "nowhere")
    (folder / "c.items").write_bytes(file_of(wanted[:1]))
    inbox = opened(folder, validator)
    for _ in range(3):
        inbox.poll(1)
    assert (inbox.taken, inbox.refused) == (1, 0)
    folder.rename(folder.with_name("gone"))
    for _ in range(3):
        inbox.poll(1)
    assert sum("cannot be listed" in line for line in validator.lines) == 1


def test_a_flood_of_false_tickets_is_bounded_work(
    folder: Path, validator: Validator, wanted: list[Item], clock: Clock
) -> None:
    ticket = wanted[0]
    assert isinstance(ticket, TicketEnvelope)
    false: list[Item] = [
        TicketEnvelope(0, number.to_bytes(2, "little") + ticket.proof[2:]) for number in range(600)
    ]
    (folder / "flood.items").write_bytes(file_of(false))
    (folder / "later.items").write_bytes(file_of([ticket]))
    inbox = opened(folder, validator)
    looked = []
    while not looked or looked[-1] != inbox.refused:
        looked.append(inbox.refused)
        inbox.poll(1)
        assert inbox.refused - looked[-1] <= 64
    # All of them in one slot: few are verified, few are told of, and the true one has to wait.
    assert inbox.refused == 601 and inbox.taken == 0
    assert sum("refused" in line for line in validator.lines) == 8
    assert validator.pools.tickets.counts.refused == 601
    (folder / "again.items").write_bytes(file_of([ticket]))
    clock.now += SECONDS
    inbox.poll(2)
    assert inbox.taken == 1 and "593 more refused in slot 1" in " ".join(validator.lines)


def test_work_stops_when_time_is_up(
    folder: Path, wanted: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(1000))
    monkeypatch.setattr("jamliquor.node.inbox.time.monotonic", lambda: next(moments) * 0.15)
    (folder / "one.items").write_bytes(file_of(wanted[:1] * 9))
    asked: list[Item] = []
    pool: Callable[[Item], None] = asked.append
    inbox = open_inbox(folder, TINY, pool, lambda line: None)
    inbox.poll(1)
    assert len(asked) == 2
    inbox.poll(1)
    assert len(asked) == 4


def test_what_a_pool_refuses_is_counted(folder: Path, wanted: list[Item]) -> None:
    def pool(item: Item) -> None:
        raise NotPooled("full", "no room")

    lines: list[str] = []
    (folder / "one.items").write_bytes(file_of(wanted))
    inbox = open_inbox(folder, TINY, pool, lines.append)
    inbox.poll(1)
    assert inbox.refused == 5 and lines[2] == "one.items: guarantee refused: full: no room"
