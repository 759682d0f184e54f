"""Stand-in for the disk store while it is being built: a pickle journal, states by re-execution."""

# mypy: ignore-errors
from __future__ import annotations

import os
import pickle

from jamliquor.chain.importer import Importer
from jamliquor.errors import StoreError
from jamliquor.params import NAMED
from jamliquor.pvm.engine import NativeEngine
from jamliquor.store.memory import MemoryStore


class DiskStore(MemoryStore):
    def __init__(self, path, params, *, genesis=None, keep_states=16):
        self.path = path
        self.genesis = genesis
        self._j = None
        name = None
        if path.exists():
            with path.open("rb") as f:
                name, self.genesis = pickle.load(f)
            if genesis is not None and genesis != self.genesis:
                raise StoreError(
                    f"{path.parent}: holds the chain of genesis 0x{self.genesis.hex()}, not 0x{genesis.hex()}"
                )
            params = NAMED[name]
        if params is None:
            raise StoreError(f"{path.parent}: holds no chain")
        super().__init__(params, keep_states=keep_states)
        if name is None:
            self._j = path.open("xb")
            pickle.dump((params.name, genesis), self._j)
        else:
            self._load()
            self._j = path.open("ab")

    def _load(self):
        importer = Importer(self.params, NativeEngine(), kept_states=10**6)
        with self.path.open("rb") as f:
            pickle.load(f)
            while True:
                try:
                    name, args, kw = pickle.load(f)
                except EOFError:
                    return
                if name == "initialise":
                    s = super().initialise(*args)
                    importer.start(args[0].hash, s)
                elif name == "put":
                    im = importer.import_block(args[1])
                    super().put(args[0], args[1], im.state, {}, **kw)
                else:
                    getattr(super(), name)(*args, **kw)

    def _w(self, name, *args, **kw):
        if self._j:
            pickle.dump((name, args, kw), self._j)
            self._j.flush()

    @property
    def size_on_disk(self):
        return os.stat(self.path).st_size

    def initialise(self, record, entries):
        entries = list(entries)
        r = super().initialise(record, entries)
        self._w("initialise", record, entries)
        return r

    def put(self, record, block, state, changes, *, head=False, durable=True):
        super().put(record, block, state, changes, head=head, durable=durable)
        self._w("put", record, block, head=head)

    def set_head(self, h, *, durable=True):
        super().set_head(h)
        self._w("set_head", h)

    def finalise(self, h, dropped=(), *, durable=True):
        super().finalise(h, dropped)
        self._w("finalise", h, list(dropped))

    def prune_blocks(self, a, b=0, *, limit=256):
        self._w("prune_blocks", a, b, limit=limit)
        return super().prune_blocks(a, b, limit=limit)

    def close(self):
        self._j.close()
