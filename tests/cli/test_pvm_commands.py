"""``jamliquor pvm`` and ``jamliquor import --trace-service`` as people use them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from jamliquor.data.services import service_code
from tests.support.command import COMMAND, run
from tests.support.vectors import suite

ROOT = Path(__file__).resolve().parents[2]
SIEVE = ROOT / "examples" / "guests" / "sieve.asm"
SERVICES = ROOT / "jamliquor" / "data" / "services"
HALTING = "--registers", "r0=0xffff0000,r7=30", "--memory", "0x20000+4096"


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    path = tmp_path / "echo.pvm"
    path.write_bytes(service_code("echo"))
    return path


def text_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "guest.asm"
    path.write_text(text)
    return path


class TestAssembling:
    def test_there_and_back(self, echo: Path, tmp_path: Path) -> None:
        made = tmp_path / "made.pvm"
        assert run("pvm", "asm", SERVICES / "echo.asm", "-o", made) == (0, "", "")
        assert made.read_bytes() == echo.read_bytes()
        for options in ((), ("--positions",)):
            listing = run("pvm", "disasm", made, *options)
            assert (listing.code, listing.err) == (0, "")
            assert run("pvm", "asm", text_of(tmp_path, listing.out), "-o", made).code == 0
            assert made.read_bytes() == echo.read_bytes()

    def test_through_pipes(self) -> None:
        def piped(data: bytes, *arguments: str) -> bytes:
            command = [*COMMAND, "pvm", *arguments]
            return subprocess.run(command, input=data, capture_output=True, check=True).stdout

        blob = piped(SIEVE.read_bytes(), "asm", "-")
        assert piped(piped(blob, "disasm", "-"), "asm", "-") == blob

    def test_a_wrong_line(self, tmp_path: Path) -> None:
        path = text_of(tmp_path, "trap\nload_imm r1\n")
        for name in ("asm", "disasm", "run", "info"):
            ran = run("pvm", name, path)
            assert (ran.code, ran.out) == (3, "")
            assert ran.err == f"Error: {path}, line 2: load_imm takes 2 operands\n"

    def test_a_place_that_cannot_be_written(self, tmp_path: Path) -> None:
        ran = run("pvm", "asm", SIEVE, "-o", tmp_path / "missing" / "file")
        assert ran.code == 2
        assert "choose another place" in ran.err


class TestInfo:
    def test_text_and_json(self, echo: Path) -> None:
        lines = dict(line.split(None, 1) for line in run("pvm", "info", echo).out.splitlines()[:3])
        assert lines["kind"] == "service code"
        record = json.loads(run("pvm", "info", echo, "--json").out)
        assert record["octets"] == int(lines["octets"]) == len(echo.read_bytes())
        assert record["blake2b"] == lines["blake2b"]
        assert record["imports"]["4 write"] == 1


class TestRun:
    def test_halt(self) -> None:
        ran = run("pvm", "run", SIEVE, *HALTING)
        assert (ran.code, ran.err) == (0, "")
        rows = dict(line.split(None, 1) for line in ran.out.splitlines())
        assert rows["exit"] == "halt"
        assert rows["pc"] == "52 jump_ind r0, 0"
        assert rows["registers"].endswith("r7=0xa")

    @pytest.mark.parametrize("backend", ["native", "reference"])
    def test_trace(self, tmp_path: Path, backend: str) -> None:
        text = "load_imm r1, 5\nstore_u8 r1, 0x20000\nadd_imm_64 r1, r1, 0\necalli 2"
        path = text_of(tmp_path, text)
        memory = "--memory", "0x20000+1"
        ran = run("pvm", "run", path, *memory, "--trace", "--gas", 9, "--backend", backend)
        assert ran.code == 13
        assert ran.out.splitlines() == [
            "1 0 8 load_imm r1, 5 ; r1=0x5",
            "2 3 7 store_u8 r1, 131072 ; [0x20000]=05",
            "3 8 6 add_imm_64 r1, r1, 0",
            "4 10 5 ecalli 2",
            "exit       host-call 2 lookup service=0 hash=unreadable(32)",
            "pc         10 ecalli 2",
            "gas        used 4, left 5",
            "registers  r1=0x5",
        ]
        ran = run("pvm", "run", path, *memory, "--trace", "--backend", backend, "--json")
        *told, last = map(json.loads, ran.out.splitlines())
        assert [step["pc"] for step in told] == [0, 3, 8, 10]
        assert told[1]["memory"] == {"address": 0x20000, "octets": "0x05"}
        assert (last["exit"], last["host_call"]["name"]) == ("host-call", "lookup")

    @pytest.mark.parametrize(
        ("text", "options", "code", "exit_"),
        [
            ("trap", (), 10, "panic"),
            ("jump +0", ("--gas", "7"), 11, "out-of-gas"),
            ("jump +0", ("--gas", "7", "--limit", "7"), 11, "out-of-gas"),
            ("jump +0", ("--gas", "7", "--limit", "3"), 14, "limit"),
            ("jump +0", ("--limit", "0"), 14, "limit"),
            ("load_u8 r1, 0x54321", (), 12, "page-fault at 0x54000"),
            ("ecalli 100", (), 13, "host-call 100 log"),
            ("ecalli 1000", (), 13, "host-call 1000 r7=0 r8=0 r9=0 r10=0 r11=0 r12=0"),
            (".op 0xfe", (), 10, "panic"),
            ("fallthrough", ("--pc", "0xffffffffffffffff"), 10, "panic"),
        ],
    )
    def test_exits(
        self, tmp_path: Path, text: str, options: tuple[str, ...], code: int, exit_: str
    ) -> None:
        path = text_of(tmp_path, text)
        lines = []
        for trace in ((), ("--trace",)):
            ran = run("pvm", "run", path, *options, *trace)
            assert (ran.code, ran.err) == (code, "")
            lines.append([line for line in ran.out.splitlines() if not line[0].isdigit()])
        assert lines[0] == lines[1]
        assert lines[0][0].split(None, 1)[1] == exit_

    def test_standard_programs_return_output(self, tmp_path: Path) -> None:
        path = text_of(tmp_path, ".standard 4096 1\njump_ind r0, 0")
        ran = run("pvm", "run", path, "--argument", "0xc0ffee")
        assert ran.code == 0
        assert ran.out.endswith("output     0xc0ffee\n")
        argument = tmp_path / "argument"
        argument.write_bytes(bytes(300))
        ran = run("pvm", "run", path, "--argument", f"@{argument}")
        assert ran.out.endswith(f"output     0x{bytes(256).hex()}..(300 octets)\n")
        record = json.loads(run("pvm", "run", path, "--argument", f"@{argument}", "--json").out)
        assert record["output"] == "0x" + bytes(300).hex()

    @pytest.mark.parametrize("trace", [(), ("--trace",)])
    def test_log(self, tmp_path: Path, trace: tuple[str, ...]) -> None:
        path = text_of(
            tmp_path,
            """
            .standard 0 0
            .read_only "target" "a " x"1b5b326a" " message"
            load_imm r7, 2
            load_imm r8, READ_ONLY
            load_imm r9, 6
            load_imm r10, READ_ONLY+6
            load_imm r11, 14
            ecalli log
            trap
            """,
        )
        assert run("pvm", "run", path, *trace).code == 13
        ran = run("pvm", "run", path, "--log", *trace)
        assert ran.code == 10
        assert 'log level=info target="target" message="a \\x1b[2j message"\n' in ran.out
        assert "gas        used 17, left" in ran.out
        assert "r7=0xfffffffffffffffe" in ran.out
        ran = run("pvm", "run", path, "--log", "--gas", 15, *trace)
        assert (ran.code, "message" in ran.out) == (11, False)

    @pytest.mark.parametrize(
        "options",
        [
            ("--registers", "r13=1"),
            ("--registers", "7"),
            ("--registers", "r1=x"),
            ("--registers", "r1=0x10000000000000000"),
            ("--argument", "00"),
            ("--argument", "xyz"),
            ("--memory", "0x20000"),
            ("--memory", "0x20001+1"),
            ("--memory", "0x1000+1"),
            ("--memory", "0xfffff000+8192"),
            ("--memory", "0x20000+1=0011"),
            ("--memory", "0x20000+0x10000000"),
            ("--pc", "x"),
            ("--gas", "-1"),
            ("--limit", "-1"),
            ("--kind", "elf"),
        ],
    )
    def test_wrong_usage(self, options: tuple[str, ...]) -> None:
        ran = run("pvm", "run", SIEVE, *options)
        assert (ran.code, ran.out) == (2, "")
        assert "Traceback" not in ran.err

    def test_wrong_files(self, echo: Path, tmp_path: Path) -> None:
        cut = tmp_path / "cut.pvm"
        cut.write_bytes(echo.read_bytes()[:100])
        ran = run("pvm", "run", cut)
        assert (ran.code, ran.out) == (3, "")
        assert "no service code: the blob ends inside the code (byte 100)" in ran.err
        ran = run("pvm", "run", cut, "--kind", "service")
        assert ran.err == f"Error: {cut}, byte 100: no service code: the blob ends inside the code\n"
        (tmp_path / "empty").touch()
        for path in (tmp_path / "missing", tmp_path, tmp_path / "empty"):
            ran = run("pvm", "run", path)
            assert (ran.code, ran.out) == (3, "")
            assert ran.err.startswith(f"Error: {path}: ")


class TestTraceService:
    @pytest.fixture
    def step(self) -> Path:
        root = suite()
        if root is None:
            pytest.skip("JAM_VECTORS is not set")
        return root / "traces" / "storage_light" / "00000002.bin"

    def test_lines(self, step: Path) -> None:
        ran = run("import", step, "--trace-service", 0, "--quiet")
        assert (ran.code, ran.err) == (0, "")
        lines = ran.out.splitlines()
        assert all(line.startswith("2 0 ") and " -> " in line for line in lines)
        assert lines[0] == "2 0 fetch kind=0 first=0 second=0 -> 134 data=0x gas=9999952"
        assert any(line.startswith("2 0 write key=0x645337") and "-> NONE" in line for line in lines)
        assert any('log level=info target="boot" message="Bootstrap Service' in line for line in lines)
        assert run("import", step, "--trace-service", "all", "--quiet").out == ran.out
        assert run("import", step, "--trace-service", 7, "--quiet").out == ""

    def test_json(self, step: Path) -> None:
        ran = run("import", step, "--trace-service", "7", "--trace-service", "0", "--json")
        *calls, summary = map(json.loads, ran.out.splitlines())
        assert summary["outcomes"]["agreed"] == 1
        assert {(call["slot"], call["service"]) for call in calls} == {(2, 0)}
        writes = [call for call in calls if call["call"] == "write"]
        assert writes[0]["arguments"]["value"] == "0x"
        assert writes[0]["result"] == "NONE"

    @pytest.mark.parametrize("name", ["x", "-1", "4294967296"])
    def test_no_service(self, name: str, tmp_path: Path) -> None:
        ran = run("import", tmp_path, "--trace-service", name)
        assert ran.code == 2
        assert "--trace-service" in ran.err
