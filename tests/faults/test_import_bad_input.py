"""Files that are not what they should be: one clear line, exit code 3, nothing written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jamliquor.params import FULL
from jamliquor.types.trace import RawState
from tests.support.command import Ran, run
from tests.support.traces import genesis_file, minimal_state, step_file


def refused(place: Path, *arguments: object, code: int = 3) -> str:
    """The one line that a bad source gets; checks that nothing else was said or written."""
    report = place / "report.json"
    before = sorted(os.listdir(place))
    ran: Ran = run("import", *arguments, "--report", report)
    assert ran.code == code, ran
    assert ran.out == ""
    assert sorted(os.listdir(place)) == before
    assert "Traceback" not in ran.err
    if code == 3:
        assert ran.err.count("\n") == 1 and ran.err.startswith("Error: ")
    return ran.err


def bad_file(place: Path, content: bytes, *arguments: object) -> str:
    path = place / "00000001.bin"
    path.write_bytes(content)
    line = refused(place, path, *arguments)
    assert str(path) in line
    return line


@pytest.mark.parametrize("kept", [5, 40, 100, 2_100, 2_200])
def test_truncated_file(tmp_path: Path, kept: int) -> None:
    whole = step_file()
    line = bad_file(tmp_path, whole[:kept])
    assert "byte" in line and "fetch" in line


def test_octets_behind_the_end(tmp_path: Path) -> None:
    line = bad_file(tmp_path, step_file() + b"abc")
    assert "3 octets behind the end" in line


def test_folder_without_steps(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert "holds no steps" in refused(tmp_path, tmp_path)


def test_folder_of_traces(tmp_path: Path) -> None:
    (tmp_path / "fallback").mkdir()
    assert "name one of its 1 folders" in refused(tmp_path, tmp_path)


def test_other_chain_spec_than_the_one_named(tmp_path: Path) -> None:
    line = bad_file(tmp_path, step_file(), "--chain", "full")
    assert "6 validators" in line and "'full' has 1023" in line and "--chain" in line
    assert "prior.entries[0].value" in line


def test_chain_spec_that_is_neither_tiny_nor_full(tmp_path: Path) -> None:
    state = minimal_state(FULL)
    cut = RawState(state.state_root, (state.entries[0]._replace(value=bytes(336 * 12)),))
    assert "12 validators" in bad_file(tmp_path, step_file(prior=cut))


def test_prior_root_that_its_entries_do_not_have(tmp_path: Path) -> None:
    prior = minimal_state()._replace(state_root=b"\x11" * 32)
    line = bad_file(tmp_path, step_file(prior=prior))
    assert "prior.state_root" in line and "11" * 32 in line and "damaged" in line


def test_genesis_root_that_its_entries_do_not_have(tmp_path: Path) -> None:
    content = bytearray(genesis_file())
    content[-1] ^= 1
    (tmp_path / "genesis.bin").write_bytes(content)
    (tmp_path / "00000001.bin").write_bytes(step_file())
    line = refused(tmp_path, tmp_path)
    assert "genesis.bin" in line and "state.state_root" in line


def test_state_without_a_component(tmp_path: Path) -> None:
    prior = RawState(bytes(32), ())
    line = bad_file(tmp_path, step_file(prior=prior))
    assert "no such entry" in line and "time" in line


def test_entry_twice(tmp_path: Path) -> None:
    state = minimal_state()
    twice = RawState(state.state_root, (*state.entries, state.entries[1]))
    assert "twice" in bad_file(tmp_path, step_file(prior=twice))


def test_huge_length_prefix(tmp_path: Path) -> None:
    # Root, one entry, its key, then a value of 2 GiB.
    content = bytes(32) + b"\x01" + bytes(31) + b"\xf0\x00\x00\x00\x80" + bytes(1000)
    line = bad_file(tmp_path, content)
    assert "2147483648 octets announced, 1000 left" in line and "prior.entries[0].value" in line


def test_huge_count(tmp_path: Path) -> None:
    line = bad_file(tmp_path, bytes(32) + b"\xff" + b"\xff" * 8 + bytes(1000))
    assert "entries announced" in line


def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "00000001.bin"
    path.write_bytes(step_file())
    path.chmod(0)
    if os.access(path, os.R_OK):
        # The superuser reads everything, except what the kernel itself refuses.
        path.unlink()
        path = Path("/proc/self/mem")
    line = refused(tmp_path, path)
    assert "cannot be read" in line and str(path) in line


def test_empty_file(tmp_path: Path) -> None:
    assert "empty" in bad_file(tmp_path, b"")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG image"),
        (b'{"pre_state": {"state_root": "0x00"}, "block": {}}' * 3, "a text"),
        (b"\x1f\x8b\x08" + bytes(50), "a gzip archive"),
    ],
)
def test_something_else(tmp_path: Path, content: bytes, kind: str) -> None:
    line = bad_file(tmp_path, content)
    assert f"this is {kind}" in line and ".bin" in line


def test_random_octets(tmp_path: Path) -> None:
    content = bytes((7 * index * index + 131) % 256 for index in range(5000))
    assert "byte" in bad_file(tmp_path, content)


def test_path_that_does_not_exist(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path, tmp_path / "nowhere")


def test_device(tmp_path: Path) -> None:
    assert "not a file" in refused(tmp_path, "/dev/null")


def test_genesis_given_as_a_step(tmp_path: Path) -> None:
    (tmp_path / "genesis.bin").write_bytes(genesis_file())
    assert "name its folder" in refused(tmp_path, tmp_path / "genesis.bin")


def test_debug_shows_where_in_the_code(tmp_path: Path) -> None:
    ran = run("import", "--debug", tmp_path / "nowhere")
    assert ran.code == 3 and "Traceback" in ran.err


@pytest.mark.parametrize("place", ["missing/report.json", ""])
def test_report_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    step = tmp_path / "00000001.bin"
    step.write_bytes(b"never looked at")
    ran = run("import", step, "--report", tmp_path / place)
    assert ran.code == 2 and "cannot write" in ran.err
    assert os.listdir(tmp_path) == ["00000001.bin"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("not json", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "protocol_parameters"),
        ('{"id": "x", "protocol_parameters": "zz"}', "not hexadecimal"),
        ('{"id": "x", "protocol_parameters": "00ff"}', "2 octets where release 0.7.2 has 134"),
        ('{"id": "x", "protocol_parameters": "' + "00" * 134 + '"}', "core_count"),
    ],
)
def test_chain_spec_file(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "00000001.bin").write_bytes(step_file())
    spec = tmp_path / "spec.json"
    spec.write_text(content)
    assert told in refused(tmp_path, tmp_path / "00000001.bin", "--chain", spec)


def test_chain_that_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "00000001.bin").write_bytes(step_file())
    assert "--chain" in refused(tmp_path, tmp_path, "--chain", "smal", code=2)
