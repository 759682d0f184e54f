"""What can be asked about the chain in a directory, and the answers.

Every answer is a record of plain values, bounded in size and in the work that it takes: whoever
imports blocks may give one between two of them. What is longer comes in pieces: ``next`` of an answer
holds the arguments that lead to the following piece, or None when there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.errors import JamliquorError, StoreError
from jamliquor.node.snapshotting import PlaceTaken
from jamliquor.params import ChainParams
from jamliquor.state import keys
from jamliquor.state.state import State
from jamliquor.state.trie import KEY_BYTES
from jamliquor.store.interface import Store
from jamliquor.types.block import Block
from jamliquor.types.header import Header

if TYPE_CHECKING:
    from jamliquor.node.node import Node
    from jamliquor.node.snapshotting import Taking

__all__ = ["BadQuestion", "Record", "Subject", "answer", "identity_of", "writes"]

Record = dict[str, Any]

# A piece of a list ends after so many rows, so many octets that were read, or so much time.
_ROWS: Final = 64
_OCTETS: Final = 64 << 10
_SECONDS: Final = 0.05
# A larger value is not part of a row; it comes by itself, in pieces of `_OCTETS`.
_INLINE: Final = 16 << 10
# Blocks that become final in one step.
_FINALISED_AT_ONCE: Final = 32

_LAST: Final = (1 << 32) - 1
_HASH_DIGITS: Final = 64


class BadQuestion(JamliquorError):
    """Something was asked for that is not there, or not as it has to be.

    Attributes:
        reason: what is wrong, in words.
        about: the argument of the command line that named it; empty if it was none.
    """

    def __init__(self, reason: str, about: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.about = about


class Subject(NamedTuple):
    """What the questions are about.

    Attributes:
        genesis: hash of the chain's first header.
        node: the node that runs on the store, or None where none does.
    """

    params: ChainParams
    genesis: bytes
    store: Store
    node: Node | None = None


class _Question(NamedTuple):
    """How a question is answered.

    Attributes:
        arguments: names and types of what may be given; numbers have 32 bits, texts come from people.
        by_node: whether only a running node can answer it.
        writes: whether it changes the chain, so that a disk that fails is the node's concern.
    """

    answer: Callable[..., Record]
    arguments: Mapping[str, type]
    by_node: bool = False
    writes: bool = False


def answer(subject: Subject, question: str, arguments: Mapping[str, Any]) -> Record:
    """The answer to a question, or the first piece of it.

    Args:
        question: one of the names in the table at the end of this file.
        arguments: as the table says; one that is left out, or None, has its default.

    Raises:
        BadQuestion: there is no such question, argument, block, state or service.
        StoreError: the disk failed; or something that must be there is missing.
    """
    asked = _QUESTIONS.get(question)
    if asked is None:
        raise BadQuestion(f"there is no question {question!r:.40} in this release")
    given = {name: value for name, value in arguments.items() if value is not None}
    for name, value in given.items():
        if type(value) is not asked.arguments.get(name) or not _fits(value):
            raise BadQuestion(f"the question {question!r} has no argument {name}={value!r:.40}")
    if asked.by_node and subject.node is None:
        raise BadQuestion(f"only a running node can do this: {question}")
    return asked.answer(subject, **given)


def _fits(value: Any) -> bool:
    return not isinstance(value, int) or 0 <= value <= _LAST


def writes(question: str) -> bool:
    """Whether a question changes the chain."""
    asked = _QUESTIONS.get(question)
    return asked is not None and asked.writes


def _head(subject: Subject) -> Record:
    store = subject.store
    record: Record = {"chain": subject.params.name, "genesis": "0x" + subject.genesis.hex()}
    for name, block_hash in (
        ("head", store.head),
        ("finalised", store.finalised),
        ("base", store.base),
    ):
        record[name] = _short(_required(store, block_hash))
    record["store_bytes"] = store.size_on_disk
    return record


def _block(subject: Subject, wanted: str | None = None) -> Record:
    found = _chosen(subject, wanted)
    header = codec(Header, subject.params).decode(found.header)
    body = subject.store.block(found.hash)
    record = {**_short(found), "author_index": header.author_index}
    record["sealed_by"] = "ticket" if found.ticketed else "fallback key"
    record["epoch_mark"] = header.epoch_mark is not None
    record["tickets_mark"] = header.tickets_mark is not None
    record["offenders"] = ["0x" + key.hex() for key in header.offenders_mark]
    record["extrinsic_hash"] = "0x" + header.extrinsic_hash.hex()
    record["octets"] = None if body is None else len(body)
    if body is not None:
        extrinsic = codec(Block, subject.params).decode(body).extrinsic
        for name, part in extrinsic._asdict().items():
            parts = part if name == "disputes" else (part,)
            record[name] = sum(len(items) for items in parts)
    return record


def _state(
    subject: Subject,
    at: str | None = None,
    first: str = "",
    last: str = "",
    values: bool = False,
) -> Record:
    begin, end = _key(first, "--from"), _key(last, "--to")
    record = _chosen(subject, at)
    rows: list[Record] = []
    octets = 0
    following: bytes | None = None
    for key, value in _state_after(subject.store, record).trie.items(begin, _ROWS + 1):
        if end and key[: len(end)] > end:
            break
        if len(rows) == _ROWS or octets >= _OCTETS:
            following = key
            break
        row: Record = {"key": "0x" + key.hex(), "octets": len(value), "is": keys.describe(key)}
        if values and len(value) <= _INLINE:
            row["value"] = "0x" + value.hex()
        rows.append(row)
        octets += len(value)
    block = "0x" + record.hash.hex()
    more = None if following is None else {"at": block, "first": following.hex()}
    return {"block": block, "rows": rows, "next": more}


def _value(subject: Subject, at: str | None = None, key: str = "", offset: int = 0) -> Record:
    wanted = _key(key, "KEY")
    state = _state_after(subject.store, _chosen(subject, at))
    value = state.trie.get(wanted) if len(wanted) == KEY_BYTES else None
    if value is None:
        raise BadQuestion(f"the state has no entry {key}", "KEY")
    end = offset + _OCTETS
    return {
        "octets": value[offset:end].hex(),
        "next": {"offset": end} if end < len(value) else None,
    }


def _service(subject: Subject, service: int = 0, at: str | None = None) -> Record:
    account = _state_after(subject.store, _chosen(subject, at)).account(service)
    if account is None:
        raise BadQuestion(f"there is no service {service} in that state", "ID")
    record = {
        name: "0x" + value.hex() if isinstance(value, bytes) else value
        for name, value in account._asdict().items()
    }
    return {"service": service, **record}


def _history(subject: Subject, first: int = 0, last: int = _LAST, after: str | None = None) -> Record:
    store = subject.store
    head, final = _required(store, store.head), _required(store, store.finalised)
    place = None if after is None else _place(after)
    low = first if place is None else place[0]
    best = _best(subject, head, max(low, final.slot + 1))

    def row(record: BlockRecord) -> Record:
        is_best = record.slot <= final.slot or record.hash in best
        body = store.block(record.hash) is not None
        return {**_short(record), "best": is_best, "body": body}

    return _listed(_records(store, first, last, place), row)


def _tree(subject: Subject, after: str | None = None) -> Record:
    store = subject.store
    head, final = store.head, _required(store, store.finalised)
    place = None if after is None else _place(after)

    def records() -> Iterator[BlockRecord]:
        if place is None:
            yield final
        yield from _records(store, final.slot + 1, _LAST, place)

    def row(record: BlockRecord) -> Record:
        return {**_short(record), "best": record.hash == head}

    return _listed(records(), row)


def _finalise(subject: Subject, wanted: str = "head") -> Record:
    node = subject.node
    assert node is not None, "a question that writes"
    try:
        chosen = node.head if wanted == "head" else bytes.fromhex(wanted.removeprefix("0x"))
        settled = node.tree.preview(chosen).settled
    except ValueError:
        raise BadQuestion(f"{wanted!r} is no hash", "--finalise") from None
    except KeyError:
        final = node.finalised.hex()
        reason = f"{wanted} does not descend from the final block 0x{final}"
        raise BadQuestion(reason, "--finalise") from None
    before = node.pruned
    if settled:
        node.finalise(settled[:_FINALISED_AT_ONCE][-1].hash)
    more = {"wanted": "0x" + chosen.hex()} if len(settled) > _FINALISED_AT_ONCE else None
    return {**_pruned(node, before), "next": more}


def _prune(subject: Subject, keep_blocks: int | None = None) -> Record:
    node = subject.node
    assert node is not None, "a question that writes"
    before = node.pruned
    finished = keep_blocks is None or node.prune_behind(keep_blocks)
    more = None if finished else {"keep_blocks": keep_blocks}
    return {**_pruned(node, before), "store_bytes": subject.store.size_on_disk, "next": more}


def _pruned(node: Node, before: tuple[int, int]) -> Record:
    final = node.tree.root
    return {
        "finalised": {"hash": "0x" + final.hash.hex(), "slot": final.slot},
        "bodies": node.pruned[0] - before[0],
        "records": node.pruned[1] - before[1],
    }


def identity_of(folder: Path) -> str:
    """What tells a folder from all others, by whatever name it is reached.

    Raises:
        OSError, ValueError: it cannot be reached.
    """
    found = folder.stat()
    return f"{found.st_dev}:{found.st_ino}"


def _snapshot(
    subject: Subject, path: str | None = None, folder: str = "", block: str | None = None
) -> Record:
    node = subject.node
    assert node is not None, "a question for nodes"
    base = _required(subject.store, subject.store.base)
    if block is not None and block.removeprefix("0x") != base.hash.hex():
        raise StoreError(
            f"a running node writes the state on disk alone, now that of slot {base.slot}, "
            f"0x{base.hash.hex()}: stop it first, for another block"
        )
    try:
        taking = node.begin_snapshot(None if path is None else _reached(path, folder))
    except PlaceTaken as error:
        return {"begun": False, "file": str(error.path.absolute())}
    return {"begun": True, **_told(taking)}


def _reached(text: str, folder: str) -> Path:
    """The path of a new file in the folder that who asks sees there."""
    path = Path(text)
    if not path.is_absolute():
        raise BadQuestion(f"{text!r:.80} is no absolute path", "FILE")
    try:
        seen = identity_of(path.parent)
        # Not every text can be a name.
        with suppress(FileNotFoundError):
            path.lstat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise StoreError(f"{text!r:.80}: the running node cannot write there: {reason}") from None
    if seen != folder:
        raise StoreError(
            f"{path.parent}: the running node sees another folder there (PrivateTmp=, a container?): "
            "leave FILE out, or stop the node first"
        )
    return path


def _snapshot_progress(subject: Subject, file: str = "", stop: bool = False) -> Record:
    node = subject.node
    assert node is not None, "a question for nodes"
    taking = node.asked_snapshot(Path(file))
    if taking is None:
        raise BadQuestion("the running node knows of no such snapshot, or not any more", "FILE")
    if stop:
        taking.break_off()
    return _told(taking)


def _told(taking: Taking) -> Record:
    (done, total), written, error = taking.entries, taking.written, taking.error
    return {
        "file": str(taking.path.absolute()),
        "block": "0x" + taking.record.hash.hex(),
        "slot": taking.record.slot,
        "entries": done if written is None else written.entries,
        "total": total,
        "resumed": 0 if written is None else written.resumed,
        "octets": 0 if written is None else written.octets,
        "ended": taking.settled,
        "finished": written is not None and written.finished,
        "error": None if error is None else str(error) or type(error).__name__,
    }


def _short(record: BlockRecord) -> Record:
    return {
        "hash": "0x" + record.hash.hex(),
        "parent": "0x" + record.parent.hex(),
        "slot": record.slot,
        "number": record.number,
        "state_root": "0x" + record.state_root.hex(),
        "ticketed": record.ticketed,
    }


def _required(store: Store, block_hash: bytes | None) -> BlockRecord:
    record = None if block_hash is None else store.record(block_hash)
    if record is None:
        shown = "none" if block_hash is None else "0x" + block_hash.hex()
        raise StoreError(f"the record of block {shown} is missing")
    return record


def _chosen(subject: Subject, wanted: str | None) -> BlockRecord:
    """The block that a hash or a slot names; of several in a slot, the one of the best chain."""
    store = subject.store
    head = _required(store, store.head)
    if wanted is None:
        return head
    if wanted.isdecimal() and len(wanted) < _HASH_DIGITS:
        slot = int(wanted)
        found = store.at_slot(slot) if slot <= _LAST else []
        # Only blocks that are not final have others beside them, so that the way is short.
        best = _best(subject, head, slot) if len(found) > 1 else set()
        chosen = next((one for one in found if one in best), found[0] if found else None)
        if chosen is None:
            raise BadQuestion(f"no block of slot {wanted} is known", "HASH|SLOT")
        return _required(store, chosen)
    try:
        record = store.record(bytes.fromhex(wanted.removeprefix("0x")))
    except ValueError:
        raise BadQuestion(f"{wanted!r} is neither a hash nor a slot", "HASH|SLOT") from None
    if record is None:
        raise BadQuestion(f"block {wanted} is not known", "HASH|SLOT")
    return record


def _state_after(store: Store, record: BlockRecord) -> State:
    state = store.state(record.hash)
    if state is None:
        base = _required(store, store.base)
        raise BadQuestion(
            f"the state after slot {record.slot} is not kept (the oldest is that of slot {base.slot})",
            "--at",
        )
    return state


def _best(subject: Subject, head: BlockRecord, first_slot: int) -> set[bytes]:
    """Hashes of the best chain, from the head down to a slot above the final block's."""
    # A node has these records in memory.
    record_of = subject.store.record if subject.node is None else subject.node.tree.record
    found: set[bytes] = set()
    step: BlockRecord | None = head
    while step is not None and step.slot >= first_slot:
        found.add(step.hash)
        step = record_of(step.parent)
    return found


def _place(text: str) -> tuple[int, bytes]:
    """Slot and hash of the last row of a piece."""
    slot, _, block_hash = text.partition(":")
    try:
        place = int(slot), bytes.fromhex(block_hash)
    except ValueError:
        place = -1, b""
    if not 0 <= place[0] <= _LAST:
        raise BadQuestion(f"{text!r} is no place in a list")
    return place


def _records(
    store: Store, first: int, last: int, place: tuple[int, bytes] | None
) -> Iterator[BlockRecord]:
    """Records by slot and hash, behind a place if one is given."""
    for record in store.records(first if place is None else place[0], last):
        if place is None or (record.slot, record.hash) > place:
            yield record


def _listed(records: Iterator[BlockRecord], row: Callable[[BlockRecord], Record]) -> Record:
    """One piece of a list of blocks, at least one row if there is any."""
    end = time.monotonic() + _SECONDS
    rows: list[Record] = []
    for record in records:
        rows.append(row(record))
        if len(rows) == _ROWS or time.monotonic() >= end:
            return {"rows": rows, "next": {"after": f"{record.slot}:{record.hash.hex()}"}}
    return {"rows": rows, "next": None}


def _key(text: str, option: str) -> bytes:
    try:
        key = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise BadQuestion(f"{text!r} is not hexadecimal", option) from None
    if len(key) > KEY_BYTES:
        raise BadQuestion("a state key has 31 octets", option)
    return key


_QUESTIONS: Final[dict[str, _Question]] = {
    "head": _Question(_head, {}),
    "block": _Question(_block, {"wanted": str}),
    "state": _Question(_state, {"at": str, "first": str, "last": str, "values": bool}),
    "value": _Question(_value, {"at": str, "key": str, "offset": int}),
    "service": _Question(_service, {"service": int, "at": str}),
    "history": _Question(_history, {"first": int, "last": int, "after": str}),
    "tree": _Question(_tree, {"after": str}),
    "finalise": _Question(_finalise, {"wanted": str}, by_node=True, writes=True),
    "prune": _Question(_prune, {"keep_blocks": int}, by_node=True, writes=True),
    "snapshot": _Question(_snapshot, {"path": str, "folder": str, "block": str}, by_node=True),
    "snapshot_progress": _Question(_snapshot_progress, {"file": str, "stop": bool}, by_node=True),
}
