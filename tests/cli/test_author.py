"""``jamliquor author`` as a person drives it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from jamliquor.node.inbox import encode_item, frame
from jamliquor.params import TINY
from jamliquor.types.extrinsic import TicketEnvelope
from tests.support.command import COMMAND, run

PASSPHRASE = "correct horse"


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chain") / "dev.json"
    assert run("chain-spec", "new", path, "--id", "dev", "--dev").code == 0
    return path


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def key_file(folder: Path, *source: object) -> Path:
    path = folder / "validator.key"
    passphrase = private(folder / "passphrase", PASSPHRASE)
    made = run("keys", "import", path, *source, "--passphrase-file", passphrase)
    assert made.code == 0, made.err
    return path


def author(spec: object, folder: Path, *arguments: object) -> tuple[str, ...]:
    given = ("author", "--chain", spec, "--db", folder / "db", "--out", folder / "blocks", *arguments)
    return tuple(map(str, given))


def test_validators_that_share_a_folder_share_a_chain(spec: Path, tmp_path: Path) -> None:
    processes = []
    for name in ("alice", "bob"):
        options = ("--slots", "3", "--db", tmp_path / name, "--snapshot-every", "9")
        arguments = author(spec, tmp_path, "--dev", name, *options)
        processes.append(subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True))
    told = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    made = sorted(path.name for path in (tmp_path / "blocks").glob("*.block"))
    for name, text in zip(("alice", "bob"), told, strict=True):
        assert "ticket 1 of 3 is proved" in text and "snapshot of slot" in text
        log = run("events", "scan", tmp_path / name, "--kind", "authored").out
        assert len(log.splitlines()) == text.count(": block 0x")
    assert sum(text.count(": block 0x") for text in told) == len(made)


def test_a_key_file_opens_it(spec: Path, tmp_path: Path) -> None:
    keys = key_file(tmp_path, "--dev", "carol")
    arguments = ("--keys", keys, "--passphrase-file", tmp_path / "passphrase", "--slots", "1")
    ran = run(*author(spec, tmp_path, *arguments))
    assert ran.code == 0, ran.err
    assert "validator 0x" in ran.err


def test_items_come_through_a_folder(spec: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    wanted.mkdir()
    false = [TicketEnvelope(number % 4, bytes([number]) * 784) for number in range(200)]
    flood = b"".join(frame(encode_item(TINY, item)) for item in false)
    (wanted / "flood.items").write_bytes(flood)
    ran = run(*author(spec, tmp_path, "--dev", "david", "--slots", "1", "--extrinsics", wanted))
    assert ran.code == 0, ran.err
    assert "flood.items: ticket refused: " in ran.err
    assert "extrinsics: 0 taken, 200 refused" in ran.err and "Traceback" not in ran.err
    assert list(wanted.iterdir()) == []


def test_a_wrong_passphrase(spec: Path, tmp_path: Path) -> None:
    keys = key_file(tmp_path, "--dev", "carol")
    wrong = private(tmp_path / "wrong", "wrong horse")
    ran = run(*author(spec, tmp_path, "--keys", keys, "--passphrase-file", wrong))
    assert ran.code == 3
    assert "passphrase does not open it" in ran.err
    assert not (tmp_path / "db").exists()


def test_a_key_of_another_chain(spec: Path, tmp_path: Path) -> None:
    keys = key_file(tmp_path, "--seed-file", private(tmp_path / "seed", "ab" * 32))
    ran = run(*author(spec, tmp_path, "--keys", keys, "--passphrase-file", tmp_path / "passphrase"))
    assert ran.code == 3
    assert "no validator of this chain" in ran.err


def test_a_chain_without_a_genesis(tmp_path: Path) -> None:
    ran = run(*author("tiny", tmp_path, "--dev", "alice"))
    assert ran.code == 3
    assert "holds no genesis" in ran.err


def test_a_clock_that_the_chain_contradicts(tmp_path: Path) -> None:
    """The chain's blocks are years old, so the clock may be ahead, unless somebody says it is not."""
    chain = tmp_path / "chain.jam"
    made = run("devnet", "--fast", "--slots", "3", "--tickets", "0", "--quiet", "--out", chain)
    assert made.code == 0, made.err
    assert run("import", chain, "--db", tmp_path / "db").code == 0
    refused = run(*author(chain, tmp_path, "--dev", "alice"))
    assert refused.code == 6
    assert "s old: set the clock" in refused.err
    resumed = run(*author(chain, tmp_path, "--dev", "alice", "--resume", "--slots", "1"))
    assert resumed.code == 0, resumed.err


def test_a_second_process_in_the_same_directory(spec: Path, tmp_path: Path) -> None:
    arguments = author(spec, tmp_path, "--dev", "alice")
    first = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True)
    assert first.stderr is not None
    try:
        assert "validator" in first.stderr.readline()
        second = run(*arguments)
        assert second.code == 6
        assert "another process uses this directory" in second.err
    finally:
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)
    assert first.returncode == 130


@pytest.mark.parametrize("given", [(), ("--dev", "alice", "--keys", "file")])
def test_one_key_and_no_more(given: tuple[str, ...], tmp_path: Path) -> None:
    ran = run(*author("dev.json", tmp_path, *given))
    assert ran.code == 2
    assert "either --keys FILE or --dev NAME" in ran.err
