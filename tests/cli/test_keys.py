"""Keys as a person handles them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from jamliquor.crypto.key_derivation import trivial_seed
from tests.support.command import run, run_on_terminal

_SEED = "f92d680ea3f0ac06307795490d8a03c5c0d4572b5e0a8cffec87e1294855d9d1"
_ED25519 = "0x11a695f674de95ff3daaff9a5b88c18448b10156bf88bc04200e48d5155c7243"
_BANDERSNATCH = "0x299bdfd8d615aadd9e6c58718f9893a5144d60e897bc9da1f3d73c935715c650"
_PASSPHRASE = "correct horse"


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    return _private(tmp_path / "passphrase", _PASSPHRASE + "\n")


@pytest.fixture
def kept(tmp_path: Path, passphrase: Path) -> Path:
    """A key file of JIP-5's last vector."""
    seed, path = _private(tmp_path / "seed", _SEED), tmp_path / "a.key"
    ran = run("keys", "import", path, "--seed-file", seed, "--passphrase-file", passphrase)
    assert ran.code == 0, ran.err
    assert _SEED not in ran.out + ran.err
    return path


def _private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_new_keys_differ_and_show_what_they_are(tmp_path: Path, passphrase: Path) -> None:
    records = []
    for name in "ab":
        path = tmp_path / name
        made = run("keys", "new", path, "--passphrase-file", passphrase, "--json")
        assert made.code == 0, made.err
        shown = run("keys", "show", path, "--json", "--passphrase-file", passphrase)
        assert shown.out == made.out
        records.append(json.loads(made.out))
    assert records[0]["ed25519"] != records[1]["ed25519"]
    assert records[0]["bandersnatch"] != records[1]["bandersnatch"]


def test_imported_keys(kept: Path) -> None:
    shown = run("keys", "show", kept)
    assert shown.code == 0
    assert _ED25519 in shown.out and _BANDERSNATCH in shown.out


def test_development_accounts() -> None:
    by_name = run("keys", "derive", "--dev", "bob")
    assert by_name.out == run("keys", "derive", "--index", 1).out
    assert "dee6d555b82024f1ccf8a1e37e60fa60fd40b1958c4bb3006af78647950e1b91" in by_name.out
    assert run("keys", "derive", "--dev", "mallory").code == 2


def test_wrong_passphrase(kept: Path, tmp_path: Path) -> None:
    wrong = _private(tmp_path / "wrong", "incorrect horse")
    ran = run("keys", "show", kept, "--unlock", "--passphrase-file", wrong)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"Error: {kept}: the passphrase does not open it\n"


@pytest.mark.parametrize("which", ["key", "passphrase"])
def test_modes(kept: Path, passphrase: Path, which: str) -> None:
    path = kept if which == "key" else passphrase
    path.chmod(0o644)
    ran = run("keys", "show", kept, "--passphrase-file", passphrase)
    assert ran.code == 3
    assert f"others can read it; run: chmod 600 {path}" in ran.err


def test_nothing_is_overwritten(kept: Path, passphrase: Path) -> None:
    before = kept.read_bytes()
    ran = run("keys", "new", kept, "--passphrase-file", passphrase)
    assert ran.code == 3
    assert "never overwritten" in ran.err
    assert kept.read_bytes() == before


def test_without_a_terminal_nothing_is_asked(kept: Path, tmp_path: Path) -> None:
    for arguments in (
        ("new", tmp_path / "b.key"),
        ("import", tmp_path / "b.key"),
        ("derive",),
        ("show", kept, "--unlock"),
        ("export", kept, "--reveal-secret"),
    ):
        ran = run("keys", *arguments)
        assert ran.code == 2, ran
        assert "terminal" in ran.err
    assert not (tmp_path / "b.key").exists()


def test_short_passphrases(tmp_path: Path) -> None:
    short = _private(tmp_path / "short", "1234567")
    ran = run("keys", "new", tmp_path / "b.key", "--passphrase-file", short)
    assert ran.code == 2
    assert "at least 8" in ran.err


def test_typed_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "typed.key"
    typed = [("Passphrase:", _PASSPHRASE), ("Repeat", _PASSPHRASE)]
    ran = run_on_terminal("keys", "import", path, "--dev", "alice", answers=typed)
    assert ran.code == 0, ran.out
    assert _PASSPHRASE not in ran.out
    ran = run_on_terminal("keys", "show", path, "--unlock", answers=typed)
    assert ran.code == 0, ran.out


def test_ctrl_c_at_the_prompt_leaves_nothing(tmp_path: Path) -> None:
    ran = run_on_terminal("keys", "new", tmp_path / "b.key", when=lambda seen: "Passphrase" in seen)
    assert ran.code == 130
    assert os.listdir(tmp_path) == []


def test_export_asks(kept: Path, passphrase: Path) -> None:
    arguments = ("keys", "export", kept, "--passphrase-file", passphrase)
    refused = run_on_terminal(*arguments, answers=[("?", "y")])
    assert refused.code == 2
    declined = run_on_terminal(*arguments, "--reveal-secret", answers=[("?", "n")])
    assert declined.code == 130
    assert _SEED not in refused.out + declined.out
    done = run_on_terminal(*arguments, "--reveal-secret", answers=[("?", "y")])
    assert done.code == 0
    assert _SEED in done.out


def test_trouble_prints_no_secret(tmp_path: Path) -> None:
    seed = _private(tmp_path / "seed", _SEED + "0")
    ran = run("keys", "derive", "--seed-file", seed, "--debug")
    assert ran.code == 3
    assert _SEED not in ran.out + ran.err
    seed = _private(tmp_path / "seed2", trivial_seed(7).hex())
    ran = run("keys", "import", tmp_path, "--seed-file", seed, "--debug")
    assert ran.code == 3
    assert trivial_seed(7).hex() not in ran.out + ran.err


def test_without_pynacl(tmp_path: Path, passphrase: Path) -> None:
    # Derivation needs none of it; what does says how to get it.
    blocked = (
        "import sys; sys.modules['nacl'] = None; import importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *rest: None if name == 'nacl' else find(name, *rest);"
        "from jamliquor.__main__ import main; sys.argv[0] = 'jamliquor'; sys.exit(main())"
    )
    before = (sys.executable, "-c", blocked)
    assert run("keys", "derive", "--dev", "alice", before=before).code == 0
    ran = run("keys", "new", tmp_path / "b.key", "--passphrase-file", passphrase, before=before)
    assert ran.code == 6
    assert "pip install 'jamliquor[author]'" in ran.err
