"""Chain specifications as a person handles them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from jamliquor.chain_spec import ChainSpec
from jamliquor.codec import codec
from jamliquor.conformance.traces import read_genesis
from jamliquor.params import TINY
from jamliquor.types.header import Header
from tests.support.command import run
from tests.support.vectors import vectors


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    path = tmp_path / "dev.json"
    code = tmp_path / "code"
    code.write_bytes(b"\0code")
    ran = run("chain-spec", "new", path, "--id", "dev", "--dev", "--service", 3, code, 1000)
    assert ran.code == 0, ran.err
    return path


def _change(path: Path, change: dict[str, Any]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def test_new_show_check(dev: Path) -> None:
    assert run("chain-spec", "check", dev) == (0, "sound\n", "")
    record = json.loads(run("chain-spec", "show", dev, "--json").out)
    # What the community documents for six development accounts.
    assert record["genesis"] == "0x2531a16fa6717458a12d8252381223aad7cd9f9a75e07adb3a413b8320da62bf"
    assert record["id"] == "dev"
    assert [service["id"] for service in record["services"]] == [3]
    assert record["parameters"]["validator_count"] == 6
    shown = run("chain-spec", "show", dev)
    assert shown.code == 0
    for value in (record["genesis"], record["state_root"], record["validators"][5]["name"]):
        assert value in shown.out


def test_own_validators_and_parameters(tmp_path: Path) -> None:
    validators = [json.loads(run("keys", "derive", "--index", at, "--json").out) for at in range(8)]
    keys, path = tmp_path / "keys.json", tmp_path / "own.json"
    keys.write_text(json.dumps(validators))
    arguments = ("chain-spec", "new", path, "--id", "own", "--validators", keys)
    ran = run(*arguments)
    assert (ran.code, ran.err.splitlines()[-1]) == (2, "Error: 8 validators where 6 belong")
    node = validators[7]["name"] + "@[::1]:4000"
    assert run(*arguments, "--set", "validator_count=8", "--bootnode", node).code == 0
    record = json.loads(run("chain-spec", "show", path, "--json").out)
    assert [each["ed25519"] for each in record["validators"]] == [
        each["ed25519"] for each in validators
    ]
    assert record["bootnodes"] == [node]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "take either --dev or --validators"),
        (("--dev", "--set", "epoch_size=3"), "no parameter 'epoch_size'; there are: item_deposit"),
        (("--dev", "--set", "epoch_length"), "is not NAME=NUMBER"),
        (("--dev", "--set", "epoch_length=0"), "epoch_length: cannot be zero"),
        (("--dev", "--set", "core_count=65536"), "too large"),
        (("--dev", "--set", "epoch_length=600"), "5 validators cannot fill 600 slots"),
        (("--dev", "--bootnode", "me@here"), "belongs here"),
        (("--dev", "--authorizer", "00"), "64 hexadecimal digits"),
        (("--dev", "--service", "0", "/nowhere", "1"), "/nowhere: cannot be read"),
        (("--validators", "/nowhere"), "/nowhere: cannot be read"),
    ],
)
def test_what_no_chain_is_made_of(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    path = tmp_path / "new.json"
    ran = run("chain-spec", "new", path, "--id", "new", *arguments)
    assert ran.code in (2, 3)
    assert reason in ran.err
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{}", "a JSON list"),
        ("[", "not JSON"),
        ('[{"bandersnatch": "00"}]', "[0].bandersnatch: 32 octets in hex belong here"),
        ("[7]", "[0].bandersnatch: 32 octets"),
    ],
)
def test_lists_of_validators(tmp_path: Path, content: str, reason: str) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(content)
    ran = run("chain-spec", "new", tmp_path / "new.json", "--id", "new", "--validators", keys)
    assert ran.code == 3
    assert reason in ran.err


def test_nothing_is_overwritten(dev: Path) -> None:
    before = dev.read_bytes()
    ran = run("chain-spec", "new", dev, "--id", "dev", "--dev")
    assert (ran.code, dev.read_bytes()) == (3, before)


def test_check_tells_everything_that_is_wrong(dev: Path) -> None:
    state = json.loads(dev.read_text())["genesis_state"]
    del state["01" + "00" * 30], state["0b" + "00" * 30]
    _change(dev, {"genesis_state": state})
    ran = run("chain-spec", "check", dev)
    assert ran.code == 3
    assert [line.split(":")[0] for line in ran.out.splitlines()] == [
        "genesis_state, authorization pools (C1)",
        "genesis_state, time (C11)",
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"genesis_header": "zz"}, "genesis_header: not hexadecimal"),
        ({"genesis_header": "00"}, "genesis_header."),
        ({"genesis_state": {"00": ""}}, "genesis_state.00: a key of 1 octets"),
        ({"bootnodes": ["x"]}, "bootnodes[0]: <name>@<ip>:<port> belongs here"),
        ({"id": None}, "id: a string belongs here"),
    ],
)
def test_damaged_files(dev: Path, change: dict[str, Any], reason: str) -> None:
    _change(dev, change)
    for command in ("check", "show"):
        ran = run("chain-spec", command, dev)
        assert ran.code == 3
        (line,) = (ran.out + ran.err).splitlines()
        assert reason in line


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "not JSON"), ('{"id": 1, "id": 2}', "the key 'id' occurs twice"), ("[" * 100000, "not JSON")],
)
def test_what_is_no_json(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    ran = run("chain-spec", "check", path)
    assert ran.code == 3
    assert reason in ran.err and len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("folder", vectors("traces/fallback"))
def test_import_from_a_specification(folder: Path, tmp_path: Path) -> None:
    """A trace without a genesis of its own, on top of that of a file."""
    stored = read_genesis(folder / "genesis.bin", TINY)
    header = codec(Header, TINY).encode(stored.header)
    spec = ChainSpec(TINY, header, dict(stored.state.entries()))
    path, trace = tmp_path / "spec.json", tmp_path / "trace"
    path.write_text(json.dumps(spec.record()))
    trace.mkdir()
    for number in range(1, 5):
        shutil.copy(folder / f"{number:08}.bin", trace)
    assert run("import", trace, "--chain", path).code == 0
    # Only a chain notices that a block is missing; a step by itself brings its own state.
    (trace / "00000003.bin").unlink()
    ran = run("import", trace, "--chain", path)
    assert ran.code == 3
    assert "no earlier block is its parent" in ran.err
    assert run("import", trace, "--chain", path, "--each").code == 0
    assert run("import", trace).code == 0
    # What is not built on the genesis stands by itself.
    (trace / "00000001.bin").unlink()
    assert run("import", trace, "--chain", path).code == 0
