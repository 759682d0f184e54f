"""Key files: the format stays what it is, and nothing but the right file opens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from jamliquor.crypto.hashing import blake2b
from jamliquor.crypto.key_derivation import trivial_seed
from jamliquor.node import keystore
from jamliquor.node.keystore import KeyFileError, WrongPassphrase

_SALT, _NONCE = bytes(range(16)), bytes(range(16, 40))
_PASSPHRASE = b"correct horse battery staple"
_FULL = bytes.fromhex(
    "6a616d6b6579730a0100080000400000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    "2021222324252627ad93247bd01307550ec7acd757ce6fb805fcf73db364063265b30a949e90d933dee6d555b82024f1"
    "ccf8a1e37e60fa60fd40b1958c4bb3006af78647950e1b911aedb0c5ae941f035a5c6a092122a509fa3d2d588faa3332"
    "1a6f039a9e8df85486dc7e6b2753374b1099b42b3717ba9567f2399545c0d56bcffefe21fdac361f"
)
_LIGHT = bytes.fromhex(
    "6a616d6b6579730a0100010008000000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    "2021222324252627ad93247bd01307550ec7acd757ce6fb805fcf73db364063265b30a949e90d933dee6d555b82024f1"
    "ccf8a1e37e60fa60fd40b1958c4bb3006af78647950e1b911c0d7ebb4d6ea66bc6a27221a54416b8cbcf7b56de246e9a"
    "0269a6bcc8d3f13cbdb6c37608ce6d9f11a3e1f1259bdfb720c6356fb0825cca4c72ac73f06d5ccd"
)
"""The seed of Bob, with the parameters of new files and with the least that Argon2id takes."""


def test_format() -> None:
    seed = trivial_seed(1)
    assert keystore.encode(seed, _PASSPHRASE, salt=_SALT, nonce=_NONCE) == _FULL
    light = keystore.encode(seed, _PASSPHRASE, salt=_SALT, nonce=_NONCE, passes=1, memory_kib=8)
    assert light == _LIGHT
    for data in (_FULL, _LIGHT):
        assert len(data) == keystore.SIZE
        assert keystore.unlock(keystore.decode(data), _PASSPHRASE) == seed


@settings(max_examples=40, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), passphrase=st.binary(min_size=1), other=st.binary())
def test_only_its_passphrase_opens_a_file(seed: bytes, passphrase: bytes, other: bytes) -> None:
    data = keystore.encode(seed, passphrase, salt=_SALT, nonce=_NONCE, passes=1, memory_kib=8)
    assert seed not in data
    file = keystore.decode(data)
    assert keystore.unlock(file, passphrase) == seed
    if other != passphrase:
        with pytest.raises(WrongPassphrase):
            keystore.unlock(file, other)


@pytest.mark.parametrize("at", range(keystore.SIZE))
def test_a_flipped_bit_is_told_from_a_wrong_passphrase(at: int) -> None:
    flipped = _LIGHT[:at] + bytes([_LIGHT[at] ^ 1]) + _LIGHT[at + 1 :]
    with pytest.raises(KeyFileError, match="damaged" if at >= 8 else "not a key file"):
        keystore.decode(flipped)


@pytest.mark.parametrize("at", range(10, keystore.SIZE - 16, 7))
def test_the_box_is_bound_to_everything_before_it(at: int) -> None:
    # Whoever changes a file on purpose also writes the checksum.
    body = _LIGHT[:at] + bytes([_LIGHT[at] ^ 1]) + _LIGHT[at + 1 : -16]
    try:
        file = keystore.decode(body + blake2b(body)[:16])
    except KeyFileError as error:
        assert "passes over" in str(error)
    else:
        with pytest.raises(WrongPassphrase):
            keystore.unlock(file, _PASSPHRASE)


@pytest.mark.parametrize(
    ("passes", "memory_kib"), [(0, 8), (65, 8), (1, 7), (1, keystore.MEMORY_KIB + 1)]
)
def test_a_file_cannot_ask_for_more_than_a_board_has(passes: int, memory_kib: int) -> None:
    body = (
        _LIGHT[:10] + passes.to_bytes(2, "little") + memory_kib.to_bytes(4, "little") + _LIGHT[16:-16]
    )
    with pytest.raises(KeyFileError, match="asks for"):
        keystore.decode(body + blake2b(body)[:16])


@pytest.mark.parametrize("length", [0, 7, 8, keystore.SIZE - 1, keystore.SIZE + 1])
def test_other_lengths(length: int) -> None:
    with pytest.raises(KeyFileError):
        keystore.decode((_LIGHT + b"\0")[:length])


def test_a_later_version() -> None:
    body = _LIGHT[:8] + b"\2\0" + _LIGHT[10:-16]
    with pytest.raises(KeyFileError, match="version 2"):
        keystore.decode(body + blake2b(body)[:16])


def test_created_files_are_private_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    made = keystore.create(path, trivial_seed(3), _PASSPHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keystore.read(path) == made
    assert keystore.load(path, _PASSPHRASE).ed25519.public == made.ed25519
    with pytest.raises(FileExistsError):
        keystore.create(path, trivial_seed(4), _PASSPHRASE)
    assert keystore.read(path) == made
    assert os.listdir(tmp_path) == ["a.key"]


def test_two_files_share_nothing(tmp_path: Path) -> None:
    a, b = (keystore.create(tmp_path / name, trivial_seed(3), _PASSPHRASE) for name in "ab")
    assert (a.salt, a.nonce, a.box) != (b.salt, b.nonce, b.box)
    assert a.salt != b.salt and a.nonce != b.nonce


@pytest.mark.parametrize("step", ["fsync", "link"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def stop(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, step, stop)
    with pytest.raises(type(error)):
        keystore.create(tmp_path / "a.key", trivial_seed(3), _PASSPHRASE)
    assert os.listdir(tmp_path) == []


def test_a_file_that_came_in_the_meantime_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sync = tmp_path / "a.key", os.fsync

    def race(descriptor: int) -> None:
        path.write_bytes(b"other")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", race)
    with pytest.raises(FileExistsError):
        keystore.create(path, trivial_seed(3), _PASSPHRASE)
    assert path.read_bytes() == b"other"


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(KeyFileError, match="no links and modes"):
        keystore.create(tmp_path / "a.key", trivial_seed(3), _PASSPHRASE)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_files_that_others_can_use_are_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "it's a file"
    path.write_bytes(_LIGHT)
    path.chmod(mode)
    for use in (keystore.read, keystore.read_passphrase, keystore.read_seed):
        with pytest.raises(KeyFileError) as caught:
            use(path)
        # The advice is a command that can be pasted.
        subprocess.run(str(caught.value.advice).removeprefix("run: "), shell=True, check=True)
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(mode)


@pytest.mark.parametrize(
    ("content", "passphrase"),
    [
        (b"a b\n", b"a b"),
        (b"a b", b"a b"),
        (b"a\r\n", b"a"),
        (b" a ", b" a "),
        (b"x" * 1024, b"x" * 1024),
    ],
)
def test_passphrase_files(tmp_path: Path, content: bytes, passphrase: bytes) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(content)
    path.chmod(0o600)
    assert keystore.read_passphrase(path) == passphrase


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb", b"x" * 1025, b"x" * 2000])
def test_what_is_no_passphrase(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="one line"):
        keystore.read_passphrase(path)


@pytest.mark.parametrize("text", ["0x" + "ab" * 32, "AB" * 32 + "\n"])
def test_typed_seeds(text: str) -> None:
    assert keystore.parse_seed(text) == b"\xab" * 32


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "zz" * 32, "ab " * 21 + "a"])
def test_what_is_no_seed(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        keystore.parse_seed(text)
    path = tmp_path / "seed"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="64 hexadecimal digits") as caught:
        keystore.read_seed(path)
    assert caught.value.__suppress_context__


def test_no_core_dumps() -> None:
    code = (
        "import os, resource; from jamliquor.node.keystore import no_core_dumps; no_core_dumps();"
        "print(resource.getrlimit(resource.RLIMIT_CORE), os.stat('/proc/self/environ').st_uid)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Files below /proc of a process that cannot be dumped belong to root.
    assert ran.stdout.split(") ") == ["(0, 0", "0\n"]
