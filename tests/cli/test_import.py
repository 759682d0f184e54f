"""``jamliquor import`` on the public traces and on changed copies of them."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path

import pytest

from jamliquor.chain_spec import encode_params
from jamliquor.codec import codec
from jamliquor.conformance.vectors import CONFORMANCE
from jamliquor.params import TINY
from jamliquor.state import keys
from jamliquor.types.trace import TraceStep
from tests.support.command import run, run_on_terminal
from tests.support.traces import raw_state
from tests.support.vectors import suite

STEP = codec(TraceStep, TINY)


@pytest.fixture(scope="module")
def fallback() -> Path:
    root = suite()
    if root is None:
        pytest.skip("JAM_VECTORS is not set")
    return root / "traces" / "fallback"


@pytest.fixture
def short(fallback: Path, tmp_path: Path) -> Path:
    """A copy of the first five steps, to be changed."""
    folder = tmp_path / "short"
    folder.mkdir()
    for name in ("genesis", *(f"{number:08}" for number in range(1, 6))):
        shutil.copy(fallback / f"{name}.bin", folder)
    return folder


def change(folder: Path, number: int, **parts: object) -> None:
    """Replace parts of a recorded step."""
    path = folder / f"{number:08}.bin"
    path.write_bytes(STEP.encode(read(folder, number)._replace(**parts)))


def read(folder: Path, number: int) -> TraceStep:
    return STEP.decode((folder / f"{number:08}.bin").read_bytes())


def with_wrong_time(step: TraceStep) -> object:
    """The posterior state of a step with another slot, and the root that this state has."""
    time_key = keys.component(keys.TIME)
    entries = [(k, b"\x63\0\0\0" if k == time_key else v) for k, v in step.posterior.entries]
    return raw_state(entries)


def test_chain_from_its_genesis(fallback: Path) -> None:
    ran = run("import", fallback)
    assert ran.code == 0 and ran.err == ""
    lines = dict(line.split(maxsplit=1) for line in ran.out.splitlines())
    assert lines["blocks"] == "100 of 100: 100 agreed, 0 refused as recorded"
    assert lines["slots"] == "1 to 100" and lines["chain"] == "tiny"
    assert lines["result"] == "everything agrees with the record"
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("each", [True, False])
def test_report(short: Path, tmp_path: Path, each: bool) -> None:
    path = tmp_path / "report.json"
    ran = run("import", short, "--report", path, "--json", *(["--each"] if each else []))
    assert ran.code == 0
    report = json.loads(path.read_text())
    assert report["totals"] == json.loads(ran.out)
    assert [block["slot"] for block in report["blocks"]] == [1, 2, 3, 4, 5]
    for number, block in enumerate(report["blocks"], 1):
        assert block["root"] == "0x" + read(short, number).posterior.state_root.hex()
        assert block["hash"] == "0x" + _hash_by_the_next(short, number) or number == 5
        assert block["ms"] > 0 and block["tickets"] == 0 and block["outcome"] == "agreed"
    totals = report["totals"]
    assert totals["ms"]["median"] <= totals["ms"]["p90"] <= totals["ms"]["p99"]
    assert 5e6 < totals["peak_rss_bytes"] < 128e6
    assert sorted(item.name for item in tmp_path.iterdir()) == ["report.json", "short"]


def _hash_by_the_next(folder: Path, number: int) -> str:
    return read(folder, number + 1).block.header.parent.hex() if number < 5 else ""


def test_report_replaces_another(short: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    assert run("import", short, "--quiet", "--report", path).code == 0
    assert json.loads(path.read_text())["totals"]["blocks"] == 5


def test_quiet_says_nothing_when_all_agrees(short: Path) -> None:
    assert run("import", short, "--quiet") == (0, "", "")


def test_steps_by_files_and_folders_together(short: Path, fallback: Path) -> None:
    ran = run("import", short / "00000003.bin", short / "00000005.bin", short, "--json")
    assert ran.code == 0 and json.loads(ran.out)["blocks"] == 7


def test_folder_without_a_genesis_is_imported_by_steps(short: Path) -> None:
    (short / "genesis.bin").unlink()
    (short / "00000003.bin").unlink()
    assert "4 agreed" in run("import", short).out


def test_chain_named_and_by_file(short: Path, tmp_path: Path) -> None:
    assert run("import", short, "--chain", "tiny").code == 0
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"id": "ours", "protocol_parameters": encode_params(TINY).hex()}))
    ran = run("import", short, "--chain", spec, "--json")
    assert ran.code == 0 and json.loads(ran.out)["chains"] == ["ours"]


def test_mismatch_ends_a_chain_and_says_what_differs(short: Path) -> None:
    change(short, 3, posterior=with_wrong_time(read(short, 3)))
    ran = run("import", short)
    assert ran.code == 5
    assert re.search(
        r"^MISMATCH 00000003.bin of short, slot 3:.*"
        r"^  time \(C11\)\n    expected  99\n    computed  3\n.*blocks left out: 2$",
        ran.out,
        re.MULTILINE | re.DOTALL,
    )
    assert "blocks   3 of 5: 2 agreed, 0 refused as recorded, 1 mismatch" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_steps_by_themselves_go_on_after_a_mismatch(short: Path) -> None:
    change(short, 3, posterior=with_wrong_time(read(short, 3)))
    ran = run("import", "--each", short, "--json")
    record = json.loads(ran.out)
    assert ran.code == record["exit_code"] == 5
    assert record["outcomes"]["agreed"] == 4 and record["outcomes"]["mismatch"] == 1
    [failure] = record["failures"]
    assert failure["differences"] == [
        {
            "entry": "time (C11)",
            "fields": [{"field": "", "expected": "99", "actual": "3"}],
        }
    ]
    assert "MISMATCH" in ran.err


def test_recorded_state_that_has_another_root(short: Path) -> None:
    step = read(short, 3)
    change(short, 3, posterior=step.posterior._replace(state_root=b"\x22" * 32))
    ran = run("import", short)
    assert ran.code == 3 and "posterior.state_root" in ran.err


def test_block_that_should_have_been_accepted(short: Path) -> None:
    step = read(short, 4)
    head = step.block.header._replace(seal=bytes(96))
    change(short, 4, block=step.block._replace(header=head))
    ran = run("import", short)
    assert ran.code == 4
    assert re.search(r"^REFUSED 00000004.bin.*^  error     header: \w+", ran.out, re.M | re.S)
    assert "blocks left out: 1" in ran.out


def test_block_that_should_have_been_refused(short: Path) -> None:
    change(short, 2, posterior=read(short, 2).prior)
    ran = run("import", "--each", short)
    assert ran.code == 5 and "ACCEPTED 00000002.bin" in ran.out and "4 agreed" in ran.out


def test_refused_block_leaves_the_chain_as_it_was(short: Path) -> None:
    step = read(short, 3)
    head = step.block.header._replace(seal=bytes(96))
    refused = step._replace(block=step.block._replace(header=head), posterior=step.prior)
    (short / "00000003.bin").rename(short / "00000013.bin")
    (short / "00000004.bin").rename(short / "00000014.bin")
    (short / "00000005.bin").rename(short / "00000015.bin")
    (short / "00000003.bin").write_bytes(STEP.encode(refused))
    ran = run("import", short)
    assert ran.code == 0 and "6 of 6: 5 agreed, 1 refused as recorded" in ran.out


def test_step_that_does_not_continue_the_chain(short: Path) -> None:
    (short / "00000003.bin").unlink()
    ran = run("import", short)
    assert ran.code == 3 and "--each" in ran.err and "00000004.bin" in ran.err


def test_step_on_another_state_than_the_chain_has(short: Path) -> None:
    change(short, 3, prior=raw_state([]), posterior=read(short, 3).posterior)
    assert "prior.state_root" in (ran := run("import", short)).err and ran.code == 3


def test_conformance_traces_with_a_genesis(fallback: Path) -> None:
    root = suite(CONFORMANCE)
    assert root is not None
    ran = run("import", root / "traces" / "1766479507_9966")
    assert ran.code == 0 and "2 refused as recorded" in ran.out


def test_terminal_gets_one_line_that_changes(fallback: Path) -> None:
    ran = run_on_terminal("import", *[fallback] * 5)
    assert ran.code == 0
    pieces = re.findall(r"\r\x1b\[K([^\r]+)(?=\r)", ran.out)
    assert pieces and all(len(piece) < 80 for piece in pieces)
    assert re.search(r"fallback +\d+/500 \[#*-*\] +\d+ blocks/s  ETA \d+:\d\d", ran.out)
    summary = ran.out.rpartition("\x1b[K")[2]
    assert summary.startswith("chain    tiny\r\n")


def test_narrow_terminal(fallback: Path) -> None:
    ran = run_on_terminal("import", *[fallback] * 3, columns=40)
    pieces = re.findall(r"\r\x1b\[K([^\r]+)(?=\r)", ran.out)
    assert pieces and all(len(piece) < 40 for piece in pieces)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle(fallback: Path, tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "report.json"
    ran = run_on_terminal(
        "import", *[fallback] * 50, "--report", path, when=lambda seen: "/5000" in seen, send=number
    )
    assert ran.code == 130 and "Traceback" not in ran.out
    assert "result   stopped" in ran.out
    report = json.loads(path.read_text())
    assert report["totals"]["interrupted"] and 0 < report["totals"]["blocks"] < 5000
    assert len(report["blocks"]) == report["totals"]["blocks"]


def test_profile_tells_the_parts(short: Path, tmp_path: Path) -> None:
    ran = run("import", short, "--profile", "--json")
    profile = json.loads(ran.out)["profile"]
    assert profile["blocks"] == 5 and {"signatures", "trie", "decode block"} <= set(profile["parts"])
    assert sum(part["share"] for part in profile["parts"].values()) == pytest.approx(1, abs=0.01)
    kept = run("import", short, "--db", tmp_path / "db", "--profile", "--json")
    parts = json.loads(kept.out)["profile"]["parts"]
    assert {"signatures", "store", "tree, finality, log"} <= set(parts)
    table = run("import", short, "--profile").out.split("\n\n")[1].splitlines()
    assert table[0].split()[0] == "part" and table[-1].startswith("whole block")
