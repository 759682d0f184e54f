"""Key files: a validator's seed under a passphrase (``docs/key-files.md`` has the format).

A file that others can read is refused. Python's strings cannot be wiped, so a seed or passphrase is
held no longer than it takes to make the native handles, and only in a process that leaves no core
dump (:func:`no_core_dumps`).
"""

from __future__ import annotations

import errno
import os
import resource
import secrets
import shlex
import stat
import struct
from pathlib import Path
from typing import Final, NamedTuple

from jamliquor.author.keys import ValidatorSecret
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import HostError, JamliquorError

__all__ = [
    "KeyFile",
    "KeyFileError",
    "WrongPassphrase",
    "create",
    "decode",
    "encode",
    "load",
    "no_core_dumps",
    "parse_seed",
    "read",
    "read_passphrase",
    "read_seed",
    "unlock",
]

MEMORY_KIB: Final = 16 * 1024
"""What Argon2id takes, and the most that a file may ask for: a board has no more to spare."""

PASSES: Final = 8
"""Passes of Argon2id over its memory: 0.05 s on a desktop core, half a second on an edge core."""

_MAX_PASSES: Final = 64
_MAX_PASSPHRASE: Final = 1024

# Magic, version, passes, memory in KiB, salt, nonce, public keys (Ed25519, Bandersnatch).
_HEADER: Final = struct.Struct("<8sHHI16s24s32s32s")
_MAGIC: Final = b"jamkeys\n"
_VERSION: Final = 1
_BOX: Final = 32 + 16
_CHECKSUM: Final = 16
SIZE: Final = _HEADER.size + _BOX + _CHECKSUM
"""Octets of a key file."""

_PR_SET_DUMPABLE: Final = 4


class KeyFileError(JamliquorError):
    """A key or passphrase file cannot be used.

    Attributes:
        reason: what is wrong, in words.
        advice: what to do about it.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(f"{reason}; {advice}" if advice else reason)
        self.reason = reason
        self.advice = advice


class WrongPassphrase(KeyFileError):
    """The file is whole, but this passphrase does not open it."""

    def __init__(self) -> None:
        super().__init__("the passphrase does not open it")


class KeyFile(NamedTuple):
    """A key file before it is opened.

    Attributes:
        header: everything before the box, which the box is bound to.
        passes: of Argon2id.
        memory_kib: of Argon2id.
        salt: 16 octets.
        nonce: 24 octets.
        ed25519: public key, 32 octets.
        bandersnatch: public key, 32 octets.
        box: the encrypted seed and its authenticator, 48 octets.
    """

    header: bytes
    passes: int
    memory_kib: int
    salt: bytes
    nonce: bytes
    ed25519: bytes
    bandersnatch: bytes
    box: bytes


def encode(
    seed: bytes,
    passphrase: bytes,
    *,
    salt: bytes,
    nonce: bytes,
    passes: int = PASSES,
    memory_kib: int = MEMORY_KIB,
) -> bytes:
    """The octets of a key file.

    Args:
        seed: 32 octets, from which both keys derive (JIP-5).
        passphrase: as typed, in UTF-8.
        salt: 16 octets, and ``nonce`` 24, never used before.

    Raises:
        ValueError: a length is wrong.
        ImportError: PyNaCl is not installed.
    """
    from nacl.bindings import crypto_secretbox  # noqa: PLC0415 - 4 MB for those who sign

    secret = ValidatorSecret.from_seed(seed)
    header = _HEADER.pack(
        _MAGIC,
        _VERSION,
        passes,
        memory_kib,
        salt,
        nonce,
        secret.ed25519.public,
        secret.bandersnatch.public,
    )
    box = crypto_secretbox(seed, nonce, _box_key(header, passphrase, salt, passes, memory_kib))
    return header + box + _checksum(header + box)


def decode(data: bytes) -> KeyFile:
    """The parts of a key file, without opening it.

    Raises:
        KeyFileError: this is no key file, it is damaged, or it asks for too much.
    """
    if data[: len(_MAGIC)] != _MAGIC:
        raise KeyFileError("not a key file", "make one with: jamliquor keys new")
    if len(data) != SIZE:
        raise KeyFileError(f"{len(data)} octets where a key file has {SIZE}", "use a backup of it")
    if data[-_CHECKSUM:] != _checksum(data[:-_CHECKSUM]):
        raise KeyFileError("damaged: its checksum differs", "use a backup of it")
    _, version, passes, memory, salt, nonce, ed25519, bandersnatch = _HEADER.unpack_from(data)
    if version != _VERSION:
        raise KeyFileError(f"version {version} of the format", "use a newer release of jamliquor")
    if not 1 <= passes <= _MAX_PASSES or not 8 <= memory <= MEMORY_KIB:
        reason = f"asks for {passes} passes over {memory} KiB"
        raise KeyFileError(reason, f"at most {_MAX_PASSES} over {MEMORY_KIB} are allowed")
    box = data[_HEADER.size : -_CHECKSUM]
    header = data[: _HEADER.size]
    return KeyFile(header, passes, memory, salt, nonce, ed25519, bandersnatch, box)


def unlock(file: KeyFile, passphrase: bytes) -> bytes:
    """The seed, 32 octets. :func:`load` suits those who only sign.

    Raises:
        WrongPassphrase: it does not open the file.
        ImportError: PyNaCl is not installed.
    """
    from nacl.bindings import crypto_secretbox_open  # noqa: PLC0415
    from nacl.exceptions import CryptoError  # noqa: PLC0415

    key = _box_key(file.header, passphrase, file.salt, file.passes, file.memory_kib)
    try:
        return crypto_secretbox_open(file.box, file.nonce, key)
    except CryptoError:
        raise WrongPassphrase from None


def load(path: Path, passphrase: bytes) -> ValidatorSecret:
    """The secrets of a key file, as native handles.

    Raises:
        KeyFileError: the file cannot be used (:class:`WrongPassphrase` among the reasons).
        OSError: it cannot be read.
        ImportError: PyNaCl is not installed.
    """
    return ValidatorSecret.from_seed(unlock(read(path), passphrase))


def read(path: Path) -> KeyFile:
    """A key file from the disk, not opened.

    Raises:
        KeyFileError: others can read it, or it is no key file.
        OSError: it cannot be read.
    """
    return decode(_read_private(path, SIZE + 1))


def read_passphrase(path: Path) -> bytes:
    """The passphrase in a file, without the line's end.

    Raises:
        KeyFileError: others can read the file, or it holds no passphrase.
        OSError: it cannot be read.
    """
    data = _read_private(path, _MAX_PASSPHRASE + 3)
    passphrase = data.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase or len(passphrase) > _MAX_PASSPHRASE or b"\n" in passphrase:
        raise KeyFileError(f"one line of at most {_MAX_PASSPHRASE} octets belongs in it")
    return passphrase


def read_seed(path: Path) -> bytes:
    """The seed in a text file: 64 hexadecimal digits.

    Raises:
        KeyFileError: others can read the file, or it holds something else.
        OSError: it cannot be read.
    """
    data = _read_private(path, 80)
    try:
        return parse_seed(data.decode())
    except ValueError:
        raise KeyFileError("64 hexadecimal digits belong in it") from None


def parse_seed(text: str) -> bytes:
    """The seed that somebody typed: 64 hexadecimal digits, with ``0x`` or without.

    Raises:
        ValueError: it is something else; the text is not repeated.
    """
    digits = text.strip().removeprefix("0x")
    # Not fromhex alone: its error would hold the seed, and it allows spaces.
    if len(digits) != 64 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise ValueError("a seed has 64 hexadecimal digits")
    return bytes.fromhex(digits)


def create(path: Path, seed: bytes, passphrase: bytes) -> KeyFile:
    """Write a new key file, which appears whole or not at all; nothing is ever overwritten.

    Raises:
        FileExistsError: there is something at that place.
        KeyFileError: its file system keeps no links, and so no modes either.
        OSError: the place cannot be written.
        ImportError: PyNaCl is not installed.
    """
    if path.exists():
        raise FileExistsError(errno.EEXIST, "File exists", str(path))
    data = encode(seed, passphrase, salt=secrets.token_bytes(16), nonce=secrets.token_bytes(24))
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        _place(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return decode(data)


def _place(scratch: Path, path: Path) -> None:
    """Give a finished file its name: a rename would replace what came there in the meantime."""
    try:
        os.link(scratch, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
            raise
        advice = "choose a place that is not a memory card's boot partition"
        raise KeyFileError("its file system keeps no links and modes", advice) from None


def no_core_dumps() -> None:
    """Forbid core dumps of this process, and the user's other processes to look into it.

    Raises:
        HostError: the system refuses.
    """
    import ctypes  # noqa: PLC0415 - for those who hold secrets

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise HostError(f"core dumps cannot be forbidden: {os.strerror(ctypes.get_errno())}")


def _read_private(path: Path, limit: int) -> bytes:
    """At most ``limit`` octets of a file that nobody else can read."""
    with path.open("rb") as file:
        # Of the open file: its name may stand for another one by now.
        status = os.fstat(file.fileno())
        if status.st_uid not in (os.geteuid(), 0):
            raise KeyFileError("it belongs to another user", "make your own")
        if stat.S_IMODE(status.st_mode) & 0o077:
            shown = shlex.quote(str(path))
            raise KeyFileError("others can read it", f"run: chmod 600 {shown}")
        return file.read(limit)


def _box_key(header: bytes, passphrase: bytes, salt: bytes, passes: int, memory_kib: int) -> bytes:
    """The key of the box: from the passphrase, and bound to the header."""
    from nacl.bindings import (  # noqa: PLC0415
        crypto_pwhash_alg,
        crypto_pwhash_ALG_ARGON2ID13,
    )

    stretched = crypto_pwhash_alg(
        32, passphrase, salt, passes, memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13
    )
    return blake2b(stretched + header)


def _checksum(data: bytes) -> bytes:
    return blake2b(data)[:_CHECKSUM]
