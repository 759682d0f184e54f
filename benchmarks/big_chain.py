"""Makes a chain whose blocks touch uniformly random keys of a large service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from jamliquor.author.draws import Draws
from jamliquor.author.genesis import Genesis
from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.node.devnet import Devnet, Options
from jamliquor.node.devnet_work import SERVICES, Workload
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state import keys
from jamliquor.state.accounts import STORAGE_OCTETS
from jamliquor.state.state import State
from jamliquor.store.disk import DiskStore
from jamliquor.types.header import Header
from jamliquor.types.state import ServiceAccount

VALUE_OCTETS: Final = 280

_SERVICE: Final = SERVICES["key_value"]
_KEY_OCTETS: Final = 8
_BALANCE: Final = 10**15
_PUTS: Final = 102
"""Keys that the reports of a block set together."""

_OPTIONS: Final = Options(tickets=0, work="key-value")


class Beginning(NamedTuple):
    """The first block of the chain, and what its state is made of."""

    record: BlockRecord
    size: int

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """The state's entries, in bounded memory but for the order of the keys."""
        yield from _others(self.size)
        yield from _storage(self.size)


def _key(index: int) -> bytes:
    return index.to_bytes(_KEY_OCTETS, "little")


def _storage(size: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of the service, in order of their state keys."""
    ordered = sorted((keys.storage(_SERVICE, _key(index)), index) for index in range(size))
    for key, index in ordered:
        yield key, _value(index)


def _value(index: int) -> bytes:
    return blake2b(index.to_bytes(8, "little")) * (VALUE_OCTETS // 32) + bytes(VALUE_OCTETS % 32)


def _others(size: int) -> Iterator[tuple[bytes, bytes]]:
    """All other entries: the components and services of a development network."""
    for key, value in Devnet(_OPTIONS).genesis.state.items():
        yield key, _grown(value, size) if key == keys.service(_SERVICE) else value


def _grown(record: bytes, size: int) -> bytes:
    """The service's record with the footprint of so many entries, and a balance that bears it."""
    account = codec(ServiceAccount, TINY).decode(record)
    octets = account.octets + size * (STORAGE_OCTETS + _KEY_OCTETS + VALUE_OCTETS)
    grown = account._replace(items=account.items + size, octets=octets, balance=_BALANCE)
    return codec(ServiceAccount, TINY).encode(grown)


class _Workload(Workload):
    """Reports that set uniformly random entries of the service to new values."""

    def __init__(self, size: int) -> None:
        draws = Draws(_OPTIONS.seed)
        super().__init__(NativeEngine(), draws, _OPTIONS.work, rate=1.0, items=1)
        self._size = size

    def _key_value(self, *place: int) -> bytes:
        commands = []
        for number in range(_PUTS // TINY.core_count):
            key = _key(self._draws.below(self._size, "which", *place, number))
            value = self._draws.octets(VALUE_OCTETS, "value", *place, number)
            head = bytes((1, len(key))) + len(value).to_bytes(2, "little")
            commands.append(head + key + value)
        return b"".join(commands)


class _Network(Devnet):
    """A development network that begins with a large service."""

    def __init__(self, size: int) -> None:
        self._size = size
        super().__init__(_OPTIONS)
        self._workload = _Workload(size)

    def _genesis(self) -> Genesis:
        begun = super()._genesis()
        record = begun.state.get(keys.service(_SERVICE))
        assert record is not None, "the genesis has every example service"
        trie = begun.state.trie.apply({keys.service(_SERVICE): _grown(record, self._size)})
        trie = trie.apply(dict(_storage(self._size)))
        return begun._replace(state=State(self.params, trie))


def beginning(home: Path) -> Beginning:
    """What the chain of a folder begins with."""
    about = json.loads((home / "chain.json").read_text())
    header = bytes.fromhex(about["header"])
    root = bytes.fromhex(about["root"])
    return Beginning(BlockRecord(blake2b(header), bytes(32), 0, 0, root, False, header), about["size"])


def final_root(home: Path) -> str:
    """Root of the state after the last block, in hexadecimal digits."""
    return str(json.loads((home / "chain.json").read_text())["final"])


def block_files(home: Path) -> list[Path]:
    """The blocks in their order."""
    return sorted((home / "blocks").iterdir())


def _make(home: Path, size: int, blocks: int) -> None:
    """Write the blocks, and fill a store with the state before them."""
    (home / "blocks").mkdir(parents=True)
    network = _Network(size)
    header = codec(Header, TINY).encode(network.genesis.header)
    about = {"size": size, "header": header.hex(), "root": network.genesis.state.root.hex()}
    for number, happening in enumerate(network.run(blocks)):
        assert happening.octets is not None, "no slot is skipped"
        (home / "blocks" / f"{number:06}.bin").write_bytes(happening.octets)
    about["final"] = network.node.head_record.state_root.hex()
    (home / "chain.json").write_text(json.dumps(about))
    begun = beginning(home)
    store = DiskStore(home / "db", TINY)
    store.initialise(begun.record, begun.entries())
    store.close()


if __name__ == "__main__":
    _make(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
