"""What the ``fetch`` host call can show a guest, by kind (appendix B.5)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final

from jamliquor.chain_spec import encode_params
from jamliquor.codec import codec
from jamliquor.codec.runtime import encode_natural
from jamliquor.params import ChainParams
from jamliquor.types.accumulation import AccumulationInput
from jamliquor.types.work import RefinementContext, WorkItem, WorkPackage

__all__ = ["FetchSource", "item_summary"]

_ITEM_SUMMARY: Final = struct.Struct("<I32sQQHHHI")


def item_summary(item: WorkItem) -> bytes:
    """Function S: a work item without its variable parts, 62 octets."""
    return _ITEM_SUMMARY.pack(
        item.service,
        item.code_hash,
        item.refine_gas,
        item.accumulate_gas,
        item.export_count,
        len(item.imports),
        len(item.extrinsics),
        len(item.payload),
    )


class FetchSource:
    """The values an invocation offers; a part that it does not have is None.

    Attributes:
        entropy: 32 octets; the accumulator when accumulating, zeroes when refining.
        auth_trace: the authorizer's output.
        item_index: which work item is refined.
        imports: the imported segments of every work item.
        extrinsics: the extrinsic blobs of every work item.
        inputs: what a service accumulates.
    """

    __slots__ = (
        "_inputs",
        "auth_trace",
        "entropy",
        "extrinsics",
        "imports",
        "inputs",
        "item_index",
        "package",
        "params",
    )

    def __init__(
        self,
        params: ChainParams,
        *,
        package: WorkPackage | None = None,
        entropy: bytes | None = None,
        auth_trace: bytes | None = None,
        item_index: int | None = None,
        imports: Sequence[Sequence[bytes]] | None = None,
        extrinsics: Sequence[Sequence[bytes]] | None = None,
        inputs: Sequence[AccumulationInput] | None = None,
    ) -> None:
        self.params = params
        self.package = package
        self.entropy = entropy
        self.auth_trace = auth_trace
        self.item_index = item_index
        self.imports = imports
        self.extrinsics = extrinsics
        self.inputs = inputs
        self._inputs: list[bytes] | None = None

    def value(self, kind: int, first: int, second: int) -> bytes | None:
        """The octets of a kind, with up to two indices; None if there is no such thing."""
        return _KINDS[kind](self, first, second) if kind < len(_KINDS) else None

    def encoded_inputs(self) -> list[bytes]:
        """The inputs encoded one by one; done once, when a guest first asks."""
        if self._inputs is None:
            encode = codec(AccumulationInput, self.params).encode
            self._inputs = [encode(item) for item in self.inputs or ()]
        return self._inputs


Reader = Callable[[FetchSource, int, int], bytes | None]


def _nested(rows: Sequence[Sequence[bytes]] | None, row: int | None, at: int) -> bytes | None:
    if rows is None or row is None or row >= len(rows) or at >= len(rows[row]):
        return None
    return rows[row][at]


def _package(source: FetchSource, _first: int, _second: int) -> bytes | None:
    package = source.package
    return None if package is None else codec(WorkPackage, source.params).encode(package)


def _configuration(source: FetchSource, _first: int, _second: int) -> bytes | None:
    return None if source.package is None else source.package.auth_configuration


def _token(source: FetchSource, _first: int, _second: int) -> bytes | None:
    return None if source.package is None else source.package.auth_token


def _context(source: FetchSource, _first: int, _second: int) -> bytes | None:
    if source.package is None:
        return None
    return codec(RefinementContext, source.params).encode(source.package.context)


def _summaries(source: FetchSource, _first: int, _second: int) -> bytes | None:
    if source.package is None:
        return None
    items = source.package.items
    return encode_natural(len(items)) + b"".join(map(item_summary, items))


def _summary(source: FetchSource, first: int, _second: int) -> bytes | None:
    if source.package is None or first >= len(source.package.items):
        return None
    return item_summary(source.package.items[first])


def _payload(source: FetchSource, first: int, _second: int) -> bytes | None:
    if source.package is None or first >= len(source.package.items):
        return None
    return source.package.items[first].payload


def _inputs(source: FetchSource, _first: int, _second: int) -> bytes | None:
    if source.inputs is None:
        return None
    return encode_natural(len(source.inputs)) + b"".join(source.encoded_inputs())


def _input(source: FetchSource, first: int, _second: int) -> bytes | None:
    if source.inputs is None or first >= len(source.inputs):
        return None
    return source.encoded_inputs()[first]


_KINDS: Final[tuple[Reader, ...]] = (
    lambda source, _first, _second: encode_params(source.params),
    lambda source, _first, _second: source.entropy,
    lambda source, _first, _second: source.auth_trace,
    lambda source, first, second: _nested(source.extrinsics, first, second),
    lambda source, first, _second: _nested(source.extrinsics, source.item_index, first),
    lambda source, first, second: _nested(source.imports, first, second),
    lambda source, first, _second: _nested(source.imports, source.item_index, first),
    _package,
    _configuration,
    _token,
    _context,
    _summaries,
    _summary,
    _payload,
    _inputs,
    _input,
)
