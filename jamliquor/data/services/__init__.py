"""Example services, kept as text in the assembler's language (:mod:`jamliquor.pvm.source`)."""

from __future__ import annotations

from importlib import resources
from typing import Final

from jamliquor.pvm.image import Image
from jamliquor.pvm.source import build

__all__ = ["NAMES", "service_code", "service_image", "service_text"]

NAMES: Final = ("echo", "key_value", "preimages", "transfers")
"""The services; what each does stands at the head of its text."""


def service_text(name: str) -> str:
    """The text of a service.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    return _text(f"{name}.asm")


def service_image(name: str) -> Image:
    """The service, assembled."""
    return build(service_text(name), _text)


def service_code(name: str) -> bytes:
    """The code preimage of a service: metadata and standard program. Its hash is the code hash."""
    return service_image(name).encode()


def _text(file: str) -> str:
    return (resources.files(__name__) / file).read_text(encoding="utf-8")
