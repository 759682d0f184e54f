"""``jamliquor keys``: a validator's keys, derived by JIP-5 and kept under a passphrase."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import debug_option, json_option
from jamliquor.conformance.bad_input import BadInput
from jamliquor.crypto.dns_name import dns_name
from jamliquor.crypto.key_derivation import DEV_ACCOUNTS, trivial_seed
from jamliquor.errors import HostError
from jamliquor.node import keystore

if TYPE_CHECKING:
    from jamliquor.author.keys import ValidatorSecret

_MIN_PASSPHRASE = 8

_file_argument = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
_passphrase_option = click.option(
    "--passphrase-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take the passphrase from a file that only you can read. Default: ask for it.",
)
_seed_file_option = click.option(
    "--seed-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take the seed from a file that only you can read (64 hexadecimal digits).",
)
_dev_option = click.option(
    "--dev",
    metavar="|".join(DEV_ACCOUNTS),
    type=click.Choice(DEV_ACCOUNTS),
    help="Take a development account, whose secrets everybody knows.",
)


@click.group("keys", short_help="Make and keep a validator's keys (JIP-5).")
def command() -> None:
    """Make, derive, import, show and export a validator's keys.

    A key file holds one 32-octet seed, encrypted; the Ed25519 and the Bandersnatch key derive from it
    (JIP-5). Only public keys are ever printed, except by "export --reveal-secret".

    \b
    Examples:
      jamliquor keys new validator.key
      jamliquor keys show validator.key
      jamliquor keys derive --dev alice
    """
    keystore.no_core_dumps()


@command.command("new", epilog=EXIT_CODES)
@_file_argument
@_passphrase_option
@json_option
@debug_option
def new(file: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Make new keys and write them to FILE, which must not exist."""
    _create(file, lambda: secrets.token_bytes(32), passphrase_file, as_json)


@command.command("import", epilog=EXIT_CODES)
@_file_argument
@_seed_file_option
@_dev_option
@_passphrase_option
@json_option
@debug_option
def import_(
    file: Path,
    seed_file: Path | None,
    dev: str | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Write the keys of a seed that you have to FILE, which must not exist."""
    _create(file, lambda: _seed(seed_file, dev), passphrase_file, as_json)


@command.command("derive", epilog=EXIT_CODES)
@_seed_file_option
@_dev_option
@click.option(
    "--index",
    metavar="NUMBER",
    type=click.IntRange(0, 2**32 - 1),
    help="Take the development account of that number (JIP-5's trivial seeds).",
)
@json_option
@debug_option
def derive(seed_file: Path | None, dev: str | None, index: int | None, as_json: bool) -> None:
    """Print the public keys of a seed and keep nothing."""
    from jamliquor.author.keys import ValidatorSecret  # noqa: PLC0415 - loads the core

    if index is not None and (seed_file or dev):
        raise click.UsageError("take one of --seed-file, --dev and --index")
    seed = _seed(seed_file, dev) if index is None else trivial_seed(index)
    secret = ValidatorSecret.from_seed(seed)
    _print(None, secret.ed25519.public, secret.bandersnatch.public, as_json)


@command.command("show", epilog=EXIT_CODES)
@_file_argument
@click.option("--unlock", is_flag=True, help="Also try whether the passphrase opens it.")
@_passphrase_option
@json_option
@debug_option
def show(file: Path, unlock: bool, passphrase_file: Path | None, as_json: bool) -> None:
    """Print the public keys in FILE; no passphrase is needed for that."""
    with _faults(file):
        kept = keystore.read(file)
    if unlock or passphrase_file:
        _open(file, kept, passphrase_file)
    _print(file, kept.ed25519, kept.bandersnatch, as_json)


@command.command("export", epilog=EXIT_CODES)
@_file_argument
@click.option("--reveal-secret", is_flag=True, help="Print the seed: whoever sees it is you.")
@_passphrase_option
@debug_option
def export(file: Path, reveal_secret: bool, passphrase_file: Path | None) -> None:
    """Print the seed in FILE on stdout, after you confirmed it on a terminal."""
    if not reveal_secret:
        raise click.UsageError("this prints a secret: repeat it with --reveal-secret")
    if not sys.stdin.isatty():
        raise click.UsageError("this prints a secret, and asks on a terminal: there is none")
    with _faults(file):
        kept = keystore.read(file)
    question = f"Print the secret seed of {dns_name(kept.ed25519)}?"
    with _stoppable():
        click.confirm(question, abort=True, err=True)
    click.echo(_open(file, kept, passphrase_file).hex())


def open_secret(file: Path, passphrase_file: Path | None) -> ValidatorSecret:
    """The secrets in a key file, for a command that signs; asks for the passphrase if need be.

    Raises:
        BadInput: the file cannot be used, or the passphrase does not open it.
        HostError: PyNaCl is not installed.
    """
    from jamliquor.author.keys import ValidatorSecret  # noqa: PLC0415 - loads the core

    keystore.no_core_dumps()
    with _faults(file):
        kept = keystore.read(file)
    return ValidatorSecret.from_seed(_open(file, kept, passphrase_file))


def _create(file: Path, seed: Callable[[], bytes], passphrase_file: Path | None, as_json: bool) -> None:
    _need_nacl()
    # Before anything is asked or made.
    if file.exists():
        raise BadInput("is there already", file, advice="key files are never overwritten")
    secret = seed()
    passphrase = _passphrase(passphrase_file, confirm=True)
    if len(passphrase) < _MIN_PASSPHRASE:
        raise click.UsageError(f"a passphrase has at least {_MIN_PASSPHRASE} octets")
    with _faults(file, "written"):
        made = keystore.create(file, secret, passphrase)
    _print(file, made.ed25519, made.bandersnatch, as_json)


def _open(file: Path, kept: keystore.KeyFile, passphrase_file: Path | None) -> bytes:
    _need_nacl()
    passphrase = _passphrase(passphrase_file)
    with _faults(file):
        return keystore.unlock(kept, passphrase)


def _seed(seed_file: Path | None, dev: str | None) -> bytes:
    if seed_file and dev:
        raise click.UsageError("take one of --seed-file and --dev")
    if dev:
        return trivial_seed(DEV_ACCOUNTS.index(dev))
    if seed_file:
        with _faults(seed_file):
            return keystore.read_seed(seed_file)
    try:
        return keystore.parse_seed(_asked("Seed (64 hexadecimal digits)", "--seed-file"))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _passphrase(path: Path | None, *, confirm: bool = False) -> bytes:
    if path is None:
        return _asked("Passphrase", "--passphrase-file", confirm=confirm).encode()
    with _faults(path):
        return keystore.read_passphrase(path)


def _asked(what: str, instead: str, *, confirm: bool = False) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(f"no terminal to ask on: use {instead}")
    with _stoppable():
        answer: str = click.prompt(what, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C at a question, or a no, stops the command as Ctrl-C does anywhere."""
    try:
        yield
    except click.Abort:
        raise KeyboardInterrupt from None


def _need_nacl() -> None:
    from importlib.util import find_spec  # noqa: PLC0415

    if find_spec("nacl") is None:
        raise HostError("key files need PyNaCl; install it: pip install 'jamliquor[author]'")


@contextmanager
def _faults(path: Path, verb: str = "read") -> Iterator[None]:
    """Errors about a file become bad input that names the file."""
    try:
        yield
    except keystore.KeyFileError as error:
        raise BadInput(error.reason, path, advice=error.advice) from None
    except OSError as error:
        raise BadInput(f"cannot be {verb}: {error.strerror}", path) from None


def _print(file: Path | None, ed25519: bytes, bandersnatch: bytes, as_json: bool) -> None:
    record: dict[str, Any] = {} if file is None else {"file": str(file)}
    record["name"] = dns_name(ed25519)
    record["ed25519"] = "0x" + ed25519.hex()
    record["bandersnatch"] = "0x" + bandersnatch.hex()
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    else:
        click.echo("\n".join(f"{name:<14}{value}" for name, value in record.items()))
