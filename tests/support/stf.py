"""Reading the ``stf`` vectors: the binary files, by the declared types of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from jamliquor.codec import codec
from jamliquor.params import NAMED, ChainParams
from tests.support.vectors import vectors

T = TypeVar("T")


def stf_vectors(chapter: str) -> list[Any]:
    """One parameter for each vector of a chapter, tiny and full."""
    return vectors(f"stf/{chapter}/*/*.bin")


def load(path: Path, kind: type[T]) -> tuple[ChainParams, T]:
    """The parameters that a vector's folder names, and the vector decoded as ``kind``."""
    params = NAMED[path.parent.name]
    return params, codec(kind, params).decode(path.read_bytes())
