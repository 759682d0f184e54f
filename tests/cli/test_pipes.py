"""Archives that come through standard input and named pipes, however slowly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.archives import write_archive
from tests.support.command import COMMAND, run, run_on_terminal
from tests.support.maker import Made, Maker
from tests.support.service import until


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def main(maker: Maker) -> list[Made]:
    return maker.line(maker.root, range(1, 31))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, maker: Maker, main: list[Made]) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "chain.jam", maker, main)


@contextmanager
def importing(db: Path, octets: bytes, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """An import that has got so much, and waits for more."""
    with subprocess.Popen(
        [*COMMAND, "import", "-", "--db", str(db), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(octets)
        process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


def with_half_of(archive: Path, main: list[Made], slot: int) -> bytes:
    """The archive up to the middle of the block of a slot."""
    octets = archive.read_bytes()
    return octets[: octets.index(main[slot - 1].encoded) + 100]


def catches(process: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def head(db: Path) -> int:
    ran = run("inspect", "head", db, "--json")
    assert ran.code == 0, ran.err
    return int(json.loads(ran.out)["head"]["slot"])


def test_questions_are_answered_while_nothing_comes(
    tmp_path: Path, archive: Path, main: list[Made]
) -> None:
    octets = with_half_of(archive, main, 20)
    with importing(tmp_path / "db", octets, "--json") as process:
        until((tmp_path / "db" / "control").exists)
        until(lambda: head(tmp_path / "db") == 19)
        out, _ = process.communicate(archive.read_bytes()[len(octets) :], timeout=30)
        assert process.returncode == 0 and json.loads(out)["head"]["slot"] == 30
    assert not (tmp_path / "db" / "control").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_while_nothing_comes(
    tmp_path: Path, archive: Path, main: list[Made], number: signal.Signals
) -> None:
    db = tmp_path / "db"
    with importing(db, with_half_of(archive, main, 20), "--json") as process:
        until((db / "control").exists)
        until(lambda: head(db) == 19)
        process.send_signal(number)
        assert process.wait(10) == 130
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["head"]["slot"] == 19
    ran = run("events", "tail", db, "--json")
    assert ran.code == 0 and '"stopped"' in ran.out
    assert run("import", archive, "--db", db).code == 0 and head(db) == 30


def test_it_can_be_stopped_before_the_genesis(tmp_path: Path, archive: Path) -> None:
    db = tmp_path / "db"
    for some in (0, 20, 3000):
        with importing(db, archive.read_bytes()[:some]) as process:
            if some == 3000:
                until((db / "chain.db").exists)
            else:
                until(lambda: catches(process.pid, signal.SIGTERM))
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 130
            assert process.stderr is not None
            assert process.stderr.read() == b"Error: stopped\n"
    assert run("import", archive, "--db", db).code == 0 and head(db) == 30


def test_a_named_pipe(tmp_path: Path, archive: Path) -> None:
    pipe, db = tmp_path / "pipe", tmp_path / "db"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=[archive.read_bytes()], daemon=True).start()
    ran = run("import", pipe, "--db", db)
    assert ran.code == 0 and head(db) == 30, ran.err


def test_standard_input_that_is_none(tmp_path: Path) -> None:
    db = tmp_path / "db"
    ran = run("import", "-", "--db", db, before=("sh", "-c", 'exec "$@" <&-', "sh", *COMMAND))
    assert ran.code == 3 and "standard input: is closed" in ran.err
    ran = run_on_terminal("import", "-", "--db", db)
    assert ran.code == 3 and "standard input: is a terminal" in ran.out
    assert not db.exists()
