"""``jamliquor author``: a validator that makes blocks."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.exits import ExitCode
from jamliquor.cli.import_ import Stop
from jamliquor.cli.options import debug_option, demand_snapshots, snapshot_options
from jamliquor.conformance.bad_input import BadInput
from jamliquor.crypto.key_derivation import DEV_ACCOUNTS, trivial_seed

if TYPE_CHECKING:
    from jamliquor.author.keys import ValidatorSecret
    from jamliquor.node.author import Author
    from jamliquor.node.control import Control
    from jamliquor.node.inbox import Inbox
    from jamliquor.node.node import Node
    from jamliquor.node.outbox import Outbox
    from jamliquor.node.sources import Genesis

_LONGEST_WAIT = 0.25
_path_type = click.Path(path_type=Path)


@click.command("author", short_help="Make blocks with a validator's keys.", epilog=EXIT_CODES)
@click.option("--keys", "key_file", metavar="FILE", type=_path_type, help="The validator's key file.")
@click.option(
    "--passphrase-file",
    metavar="FILE",
    type=_path_type,
    help="Take the passphrase from a file that only you can read. Default: ask for it.",
)
@click.option(
    "--dev",
    metavar="|".join(DEV_ACCOUNTS),
    type=click.Choice(DEV_ACCOUNTS),
    help="In place of --keys: a development account, whose secrets everybody knows.",
)
@click.option(
    "--chain",
    metavar="SPEC",
    required=True,
    help="Chain specification with a genesis (JIP-4), or a chain archive (.jam).",
)
@click.option("--db", metavar="DIR", required=True, type=_path_type, help="The node's directory.")
@click.option(
    "--out",
    metavar="DIR|SOCKET",
    required=True,
    type=_path_type,
    help="Where blocks go, and where others' come from if it is a folder.",
)
@click.option(
    "--follow",
    metavar="DIR|SOCKET",
    type=_path_type,
    help="Where others' blocks come from, if not from --out.",
)
@click.option(
    "--extrinsics",
    metavar="DIR|SOCKET",
    type=_path_type,
    help="Where items for our blocks come from: *.items files of a folder, or frames on a socket.",
)
@click.option(
    "--share",
    metavar="PART",
    type=click.FloatRange(0.01, 1),
    default=0.3,
    show_default=True,
    help="Of one core that proving tickets may take.",
)
@click.option("--resume", is_flag=True, help="Build on a best block that is older than half an hour.")
@snapshot_options("")
@click.option("--slots", metavar="N", type=click.IntRange(1), help="End after that many slots.")
@click.option("--quiet", is_flag=True, help="Print only errors.")
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    key_file: Path | None,
    passphrase_file: Path | None,
    dev: str | None,
    chain: str,
    db: Path,
    **chosen: Any,
) -> None:
    """Make blocks in the slots of one validator, and tickets for the contests.

    There is no network yet: blocks are written to a folder or sent to a socket. Validators that share
    a folder run a chain together. Others' tickets, preimages, guarantees, assurances and disputes come
    through --extrinsics; each is judged before it enters a pool.

    A record in DIR keeps what was signed for which slot, so that no slot is ever signed for twice.
    Never run the same keys in two places, and never copy DIR to run it elsewhere.

    \b
    Examples:
      jamliquor author --keys validator.key --chain dev.json --db node --out blocks
      jamliquor author --dev alice --chain dev.json --db alice --out blocks
      jamliquor author --dev bob --chain dev.json --db bob --out blocks --extrinsics wanted
    """
    if (key_file is None) == (dev is None):
        raise click.UsageError("take either --keys FILE or --dev NAME")
    demand_snapshots(chosen)
    genesis = _genesis(chain)
    secret = _secret(key_file, passphrase_file, dev)
    stop = Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _run(secret, genesis, db, stop, str(key_file or dev), chosen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    ctx.exit(ExitCode.INTERRUPTED if stop.requested else ExitCode.DONE)


def _run(
    secret: ValidatorSecret,
    genesis: Genesis,
    db: Path,
    stop: Stop,
    origin: str,
    chosen: dict[str, Any],
) -> None:
    """Open everything, make blocks until somebody stops it, close everything."""
    from jamliquor.author.assembly import Pools  # noqa: PLC0415 - after the cheap refusals
    from jamliquor.author.keys import Keyring  # noqa: PLC0415
    from jamliquor.cli.version import version  # noqa: PLC0415
    from jamliquor.node import author as authoring  # noqa: PLC0415
    from jamliquor.node.clock import era_seconds  # noqa: PLC0415
    from jamliquor.node.control import Control  # noqa: PLC0415
    from jamliquor.node.directory import Directory  # noqa: PLC0415
    from jamliquor.node.inbox import open_inbox  # noqa: PLC0415
    from jamliquor.node.outbox import open_outbox  # noqa: PLC0415
    from jamliquor.node.prover import Prover, Shelf  # noqa: PLC0415
    from jamliquor.node.questions import Subject  # noqa: PLC0415
    from jamliquor.node.settings import DEFAULTS  # noqa: PLC0415
    from jamliquor.node.signer import Signer  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415

    def tell(line: str) -> None:
        if not chosen["quiet"]:
            click.echo(line, err=True)

    name = secret.bandersnatch.public.hex()[:16]
    with ExitStack() as stack:
        directory = stack.enter_context(Directory(db, genesis))
        kept = DEFAULTS._replace(
            snapshot_every=chosen["snapshot_every"], keep_snapshots=chosen["keep_snapshots"] or 1
        )
        node = directory.node(NativeEngine(), kept, software=version(), tell=tell)
        stack.callback(node.close)
        settings = authoring.AuthorSettings()
        try:
            authoring.check_validator(node, secret)
        except authoring.NotAValidator as error:
            raise BadInput(str(error), Path(origin), advice="use a key of this chain") from None
        paused = settings._replace(max_pause=float("inf")) if chosen["resume"] else settings
        authoring.check_clock(node, era_seconds(), paused)
        slot = int(era_seconds()) // node.params.slot_seconds
        signer = stack.enter_context(Signer(db / f"signed-{name}", secret.bandersnatch.public, slot))
        pools, outbox = Pools(), open_outbox(chosen["out"])
        prover = Prover(
            Keyring([secret]),
            pools.tickets,
            Shelf(db / f"tickets-{name}"),
            era_seconds,
            tell,
            share=chosen["share"],
        )
        author = authoring.Author(
            node,
            secret,
            signer,
            pools,
            prover,
            clock=era_seconds,
            publish=outbox.send,
            tell=tell,
            settings=settings,
        )
        tell(f"validator 0x{name}, from slot {slot + 1} on; the best block is {node.head_record.slot}")
        last = None if chosen["slots"] is None else slot + chosen["slots"]
        inbox = None
        if chosen["extrinsics"] is not None:
            inbox = open_inbox(chosen["extrinsics"], node.params, author.pool, tell)
            stack.callback(inbox.close)
        control = Control()
        stack.callback(control.close)
        control.subject = Subject(directory.params, directory.genesis, directory.store, node)
        control.listen(db, tell)
        _loop(author, node, outbox, inbox, control, chosen, stop, tell, last)
        if inbox is not None:
            tell(f"extrinsics: {inbox.taken} taken, {inbox.refused} refused")
        tell(f"{author.authored} blocks made, {author.skipped} slots skipped, {prover.made} tickets")


def _loop(
    author: Author,
    node: Node,
    outbox: Outbox,
    inbox: Inbox | None,
    control: Control,
    chosen: dict[str, Any],
    stop: Stop,
    tell: Any,
    last: int | None,
) -> None:
    from jamliquor.node.clock import slot_now  # noqa: PLC0415
    from jamliquor.node.follow import open_feed  # noqa: PLC0415
    from jamliquor.node.outbox import FolderOutbox, told  # noqa: PLC0415
    from jamliquor.node.outcome import Outcome  # noqa: PLC0415
    from jamliquor.node.sources import Sent  # noqa: PLC0415

    source = chosen["follow"]
    if source is None and isinstance(outbox, FolderOutbox):
        source = chosen["out"]

    def take(sent: Sent) -> list[Outcome]:
        control.poll()
        if outbox.is_own(sent):
            return []
        outcomes = node.receive(sent.octets, sent.source, now=slot_now(node.params))
        for outcome in outcomes:
            tell(told(outcome))
        return outcomes

    feed = None if source is None else open_feed(source, control)
    try:
        while not stop.requested and (last is None or slot_now(node.params) <= last):
            if feed is not None:
                _poll(feed, take, tell)
            if inbox is not None:
                inbox.poll(slot_now(node.params))
            wait = min(author.tick(), _LONGEST_WAIT)
            control.poll()
            if feed is None and wait > 0:
                control.wait(wait)
    finally:
        if feed is not None:
            feed.close()


def _poll(feed: Any, take: Any, tell: Any) -> None:
    """Take in what has arrived; a file that cannot be read is told of."""
    try:
        feed.poll(take)
    except BadInput as error:
        tell(str(error))


def _genesis(chain: str) -> Genesis:
    """The genesis that ``--chain`` names."""
    from jamliquor.cli.chain import chain_of  # noqa: PLC0415
    from jamliquor.codec import codec  # noqa: PLC0415
    from jamliquor.node.sources import Genesis, open_source  # noqa: PLC0415
    from jamliquor.types.header import Header  # noqa: PLC0415

    if chain.endswith(".jam"):
        found = open_source(Path(chain), None).genesis
        assert found is not None, "an archive begins with a genesis"
        return found
    params, begun = chain_of(chain)
    if begun is None:
        advice = "make one with: jamliquor chain-spec new"
        raise BadInput("holds no genesis", Path(chain), advice=advice)
    header = codec(Header, params).encode(begun.header)
    return Genesis(params, header, begun.state.root, begun.state.items())


def _secret(key_file: Path | None, passphrase_file: Path | None, dev: str | None) -> ValidatorSecret:
    from jamliquor.author.keys import ValidatorSecret  # noqa: PLC0415

    if dev is not None:
        return ValidatorSecret.from_seed(trivial_seed(DEV_ACCOUNTS.index(dev)))
    from jamliquor.cli.keys import open_secret  # noqa: PLC0415

    assert key_file is not None, "one of the two is given"
    return open_secret(key_file, passphrase_file)
