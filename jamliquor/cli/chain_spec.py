"""``jamliquor chain-spec``: chain specifications (JIP-4) made, shown and checked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jamliquor.chain_spec import (
    LAYOUT,
    Bootnode,
    ChainSpec,
    decode_params,
    encode_params,
    parse_bootnode,
)
from jamliquor.cli.chain import read_spec
from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.exits import ExitCode
from jamliquor.cli.options import debug_option, json_option
from jamliquor.conformance.bad_input import BadInput
from jamliquor.crypto.dns_name import dns_name
from jamliquor.crypto.key_derivation import trivial_seed
from jamliquor.errors import DecodeError
from jamliquor.params import NAMED, ChainParams

if TYPE_CHECKING:
    from jamliquor.author.genesis import GenesisService
    from jamliquor.types.state import ValidatorKeys

_MAX_VALIDATORS_SHOWN = 12

_path_type = click.Path(path_type=Path)


@click.group("chain-spec", short_help="Make, show and check chain specifications (JIP-4).")
def command() -> None:
    """Make, show and check chain specifications: JSON files by JIP-4.

    \b
    Examples:
      jamliquor chain-spec new dev.json --id dev --dev
      jamliquor chain-spec show dev.json
      jamliquor chain-spec check dev.json
    """


@command.command("new", epilog=EXIT_CODES)
@click.argument("file", metavar="FILE", type=_path_type)
@click.option("--id", "name", required=True, metavar="NAME", help="The network's identifier.")
@click.option(
    "--params",
    type=click.Choice(tuple(NAMED)),
    default="tiny",
    show_default=True,
    help="Parameters to begin with.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=NUMBER",
    help="Another value for a parameter (named as chain-spec show names them).",
)
@click.option("--dev", is_flag=True, help="Development accounts as validators.")
@click.option(
    "--validators",
    metavar="FILE",
    type=_path_type,
    help='JSON list of {"bandersnatch": HEX, "ed25519": HEX}, and maybe "bls", "metadata".',
)
@click.option(
    "--service",
    "services",
    nargs=3,
    multiple=True,
    type=(click.IntRange(0, 2**32 - 1), _path_type, click.IntRange(0, 2**64 - 1)),
    metavar="ID CODE BALANCE",
    help="A service with its code's file; may be repeated.",
)
@click.option(
    "--bootnode",
    "bootnodes",
    multiple=True,
    metavar="NAME@IP:PORT",
    help="A node to ask first; may be repeated.",
)
@click.option(
    "--authorizer",
    metavar="HASH",
    default="00" * 32,
    help="What fills all authorization pools and queues, in hex. Default: zeros.",
)
@debug_option
def new(
    *,
    file: Path,
    name: str,
    params: str,
    overrides: tuple[str, ...],
    dev: bool,
    validators: Path | None,
    services: tuple[tuple[int, Path, int], ...],
    bootnodes: tuple[str, ...],
    authorizer: str,
) -> None:
    """Make a chain with a genesis and write it to FILE, which must not exist.

    \b
    Examples:
      jamliquor chain-spec new dev.json --id dev --dev
      jamliquor chain-spec new big.json --id big --dev --set validator_count=12
      jamliquor chain-spec new app.json --id app --dev --service 0 app.bin 1000
      jamliquor chain-spec new own.json --id own --validators keys.json
    """
    from jamliquor.author.genesis import genesis  # noqa: PLC0415 - after the cheap refusals
    from jamliquor.chain.genesis import problems  # noqa: PLC0415
    from jamliquor.codec import codec  # noqa: PLC0415
    from jamliquor.types.header import Header  # noqa: PLC0415

    if dev == (validators is not None):
        raise click.UsageError("take either --dev or --validators")
    if file.exists():
        raise BadInput("is there already", file, advice="choose another name")
    chosen = _params(NAMED[params], name, overrides)
    nodes = tuple(_bootnode(text) for text in bootnodes)
    keys = _dev_validators(chosen) if validators is None else _read_validators(validators)
    try:
        made = genesis(chosen, keys, _services(services), authorizer=_hash(authorizer))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    header = codec(Header, chosen).encode(made.header)
    spec = ChainSpec(chosen, header, dict(made.state.items()), nodes)
    wrong = list(problems(spec))
    if wrong:
        raise click.UsageError("\n".join(map(str, wrong)))
    _write(file, spec)
    click.echo(f"genesis 0x{made.hash.hex()}, state root 0x{made.state.root.hex()}")


@command.command("show", epilog=EXIT_CODES)
@click.argument("file", metavar="FILE", type=_path_type)
@json_option
@debug_option
def show(file: Path, as_json: bool) -> None:
    """Say what is in FILE: genesis, validators, services, parameters."""
    spec = read_spec(file)
    try:
        record = _record(spec)
    except DecodeError as error:
        advice = "jamliquor chain-spec check lists everything that is wrong"
        raise BadInput(error.reason, file, field=error.path, advice=advice) from None
    click.echo(json.dumps(record) if as_json else "\n".join(_lines(record)))


@command.command("check", epilog=EXIT_CODES)
@click.argument("file", metavar="FILE", type=_path_type)
@debug_option
@click.pass_context
def check(ctx: click.Context, file: Path) -> None:
    """Check everything in FILE; print a line for whatever is wrong, and exit with 3."""
    from jamliquor.chain.genesis import problems  # noqa: PLC0415

    found = [str(problem) for problem in problems(read_spec(file))]
    click.echo("\n".join(found) or "sound")
    ctx.exit(ExitCode.BAD_INPUT if found else ExitCode.DONE)


def _params(base: ChainParams, name: str, overrides: Iterable[str]) -> ChainParams:
    names = [field for field, _ in LAYOUT]
    values: dict[str, int] = {}
    for text in overrides:
        field, _, number = text.partition("=")
        if field not in names:
            reason = f"no parameter {field!r}; there are: {', '.join(names)}"
            raise click.BadParameter(reason, param_hint="--set")
        if not (number.isascii() and number.isdecimal()):
            raise click.BadParameter(f"{text!r} is not NAME=NUMBER", param_hint="--set")
        values[field] = int(number)
    params = dataclasses.replace(base, name=name, **values)  # type: ignore[arg-type]
    try:
        return decode_params(encode_params(params), name)
    except DecodeError as error:
        raise click.BadParameter(f"{error.path}: {error.reason}", param_hint="--set") from None
    except OverflowError:
        raise click.BadParameter("a number is too large", param_hint="--set") from None


def _bootnode(text: str) -> Bootnode:
    try:
        return parse_bootnode(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}", param_hint="--bootnode") from None


def _hash(text: str) -> bytes:
    try:
        data = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        data = b""
    if len(data) != 32:
        raise click.BadParameter("a hash has 64 hexadecimal digits", param_hint="--authorizer")
    return data


def _dev_validators(params: ChainParams) -> list[ValidatorKeys]:
    from jamliquor.author.keys import ValidatorSecret  # noqa: PLC0415

    return [ValidatorSecret.from_seed(trivial_seed(at)).keys() for at in range(params.validator_count)]


def _read_validators(path: Path) -> list[ValidatorKeys]:
    from jamliquor.types.state import ValidatorKeys  # noqa: PLC0415

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", path) from None
    except ValueError as error:
        raise BadInput(f"not JSON: {error}", path) from None
    if not isinstance(found, list):
        raise BadInput("a JSON list of validators belongs here", path)
    sizes = {"bandersnatch": 32, "ed25519": 32, "bls": 144, "metadata": 128}
    validators = []
    for index, item in enumerate(found):
        parts = []
        for name, size in sizes.items():
            text = item.get(name) if isinstance(item, dict) else None
            if text is None and size > 32:
                text = "00" * size
            try:
                part = bytes.fromhex(str(text).removeprefix("0x"))
            except ValueError:
                part = b""
            if len(part) != size:
                raise BadInput(f"{size} octets in hex belong here", path, field=f"[{index}].{name}")
            parts.append(part)
        validators.append(ValidatorKeys(*parts))
    return validators


def _services(chosen: Iterable[tuple[int, Path, int]]) -> Iterator[GenesisService]:
    from jamliquor.author.genesis import GenesisService  # noqa: PLC0415

    for service, path, balance in chosen:
        try:
            code = path.read_bytes()
        except OSError as error:
            raise BadInput(f"cannot be read: {error.strerror}", path) from None
        yield GenesisService(service, code, balance)


def _write(path: Path, spec: ChainSpec) -> None:
    """Write the file whole or not at all."""
    written = False
    try:
        with path.open("x", encoding="utf-8") as file:
            try:
                json.dump(spec.record(), file, indent=1)
                file.write("\n")
                written = True
            finally:
                if not written:
                    path.unlink()
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", path) from None


def _record(spec: ChainSpec) -> dict[str, Any]:
    """What people want to know of a specification."""
    from jamliquor.chain.genesis import open_genesis, services  # noqa: PLC0415
    from jamliquor.state import keys  # noqa: PLC0415

    header, header_hash, state = open_genesis(spec)
    found = []
    for service in services(state):
        account = state.account(service)
        if account is not None:
            held = account._asdict() | {"code_hash": "0x" + account.code_hash.hex()}
            found.append({"id": service, **held})
    return {
        "id": spec.params.name,
        "bootnodes": [str(node) for node in spec.bootnodes],
        "genesis": "0x" + header_hash.hex(),
        "slot": header.slot,
        "state_root": "0x" + state.root.hex(),
        "state_entries": len(spec.genesis_state),
        "state_octets": sum(31 + len(value) for value in spec.genesis_state.values()),
        "validators": [
            {
                "name": dns_name(each.ed25519),
                "ed25519": "0x" + each.ed25519.hex(),
                "bandersnatch": "0x" + each.bandersnatch.hex(),
            }
            for each in state.component(keys.ACTIVE_VALIDATORS)
        ],
        "services": found,
        "parameters": {name: getattr(spec.params, name) for name, _ in LAYOUT},
    }


def _lines(record: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield f"{'id':<14}{record['id']}"
    for node in record["bootnodes"]:
        yield f"{'bootnode':<14}{node}"
    yield f"{'genesis':<14}{record['genesis']}"
    yield f"{'slot':<14}{record['slot']}"
    yield f"{'state root':<14}{record['state_root']}"
    yield f"{'state':<14}{record['state_entries']} entries, {record['state_octets']} octets"
    validators = record["validators"]
    yield f"{'validators':<14}{len(validators)}"
    for validator in validators[:_MAX_VALIDATORS_SHOWN]:
        yield f"  {validator['name']}"
    if len(validators) > _MAX_VALIDATORS_SHOWN:
        yield f"  and {len(validators) - _MAX_VALIDATORS_SHOWN} more (--json has all)"
    yield f"{'services':<14}{len(record['services'])}"
    for service in record["services"]:
        yield f"  {service['id']}: balance {service['balance']}, {service['octets']} octets"
        yield f"    code {service['code_hash']}"
    yield "parameters"
    width = max(map(len, record["parameters"])) + 2
    for name, value in record["parameters"].items():
        yield f"  {name:<{width}}{value}"
