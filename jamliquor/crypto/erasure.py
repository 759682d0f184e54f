"""Erasure coding (appendix H): chunks for the validators, any third of which give the data back.

A chunk is a row of words of 2 octets. The first W_E / 2 chunks are the data itself; the chain has V
chunks in all (342 of 1023 on the full chain, 2 of 6 on the tiny one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jamliquor._native import check, ffi, lib
from jamliquor.params import ChainParams

__all__ = ["encode", "encode_joined", "originals", "padded", "recover", "recover_many"]

Octets = bytes | bytearray | memoryview


def originals(params: ChainParams) -> int:
    """How many chunks hold the data, and how many are enough to recover it."""
    return params.erasure_piece_size // 2


def padded(data: bytes, size: int) -> bytes:
    """Function P: the data with zeros up to a multiple of ``size`` octets (section 14.4)."""
    return data.ljust(-(-len(data) // size) * size, b"\0")


def encode_joined(params: ChainParams, data: Octets) -> bytearray:
    """Function C: the chunks of V validators, one after the other, all of one length.

    Args:
        data: of a whole number of pieces (W_E octets each); :func:`padded` makes it so.

    Raises:
        ValueError: the data have another length, or no code has these parameters.
    """
    size = _checked_size(params, data)
    chunks = bytearray(size // originals(params) * params.validator_count)
    chunks[:size] = data
    _encode(params, data, memoryview(chunks)[size:])
    return chunks


def encode(params: ChainParams, data: Octets) -> list[memoryview]:
    """Function C: a chunk for each validator; the first are views of the data, nothing is copied.

    Raises:
        ValueError: as :func:`encode_joined`.
    """
    width = _checked_size(params, data) // originals(params)
    further = memoryview(bytearray(width * (params.validator_count - originals(params))))
    _encode(params, data, further)
    return [
        part[at * width : (at + 1) * width].toreadonly()
        for part, count in (
            (memoryview(data), originals(params)),
            (further, params.validator_count - originals(params)),
        )
        for at in range(count)
    ]


def recover(params: ChainParams, chunks: Mapping[int, Octets]) -> bytes:
    """Function R: the data from enough chunks by their validators' indices.

    Nothing tells a wrong chunk: compare each with its commitment first. More chunks than needed are
    allowed; those that hold the data are preferred.

    Raises:
        ValueError: too few chunks, an index that no validator has, or chunks of different lengths
            or of no whole number of words.
    """
    count = originals(params)
    if len(chunks) < count:
        raise ValueError(f"{len(chunks)} chunks where {count} are needed")
    indices = sorted(chunks)
    if indices[0] < 0 or indices[-1] >= params.validator_count:
        raise ValueError(f"chunk {indices[-1] if indices[0] >= 0 else indices[0]} belongs to nobody")
    chosen = indices[:count]
    rows = [chunks[index] for index in chosen]
    width = len(rows[0])
    if width % 2 or any(len(row) != width for row in rows):
        raise ValueError("chunks of whole words, all of one length, belong here")
    if chosen[-1] == count - 1:
        return b"".join(rows)
    data = bytearray(count * width)
    held = [ffi.from_buffer(row) for row in rows]
    check(
        lib.jam_erasure_recover(
            count,
            params.validator_count,
            ffi.new("uint8_t *[]", held),
            ffi.new("uint32_t[]", chosen),
            ffi.from_buffer(data),
            len(data),
        )
    )
    return bytes(data)


def recover_many(params: ChainParams, chunks: Mapping[int, Sequence[Octets]]) -> list[bytes]:
    """Function R for several data of one size whose chunks came from the same validators.

    What a recovery costs beside the data, most of it for a segment, is spent once.

    Args:
        chunks: by validator, a chunk of each of the data in their order.

    Raises:
        ValueError: as :func:`recover`, or validators gave different numbers of chunks.
    """
    rows = {index: list(given) for index, given in chunks.items()}
    first = next(iter(rows.values()), [])
    width = len(first[0]) if first else 0
    if any(len(row) != len(first) or any(len(part) != width for part in row) for row in rows.values()):
        raise ValueError("chunks of one length, as many from each, belong here")
    together = memoryview(recover(params, {index: b"".join(row) for index, row in rows.items()}))
    stride = width * len(first)
    return [
        b"".join([together[at : at + width] for at in range(start, len(together), stride)])
        for start in range(0, stride, width or 1)
    ]


def _checked_size(params: ChainParams, data: Octets) -> int:
    if len(data) % params.erasure_piece_size:
        raise ValueError(f"{len(data)} octets are no multiple of {params.erasure_piece_size}")
    return len(data)


def _encode(params: ChainParams, data: Octets, further: memoryview) -> None:
    """Write the chunks behind the originals."""
    check(
        lib.jam_erasure_encode(
            originals(params),
            params.validator_count,
            ffi.from_buffer(data),
            len(data),
            ffi.from_buffer(further),
            len(further),
        )
    )
