"""``jamliquor demo``: the chain that comes with the package, imported before your eyes."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.exits import ExitCode
from jamliquor.cli.options import debug_option, json_option

if TYPE_CHECKING:
    from jamliquor.node.node import Node
    from jamliquor.node.outcome import Outcome


@click.command("demo", short_help="Import the chain that comes with the package.", epilog=EXIT_CODES)
@json_option
@click.option("--quiet", is_flag=True, help="Print only the summary.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, *, as_json: bool, quiet: bool) -> None:
    """Import the bundled chain: every signature, ring proof, transition and state root is checked.

    It has eight epochs, some sealed by tickets and some by fallback keys, with forks, disputes, the
    work of four services, and two blocks that must be refused. Nothing is read but the package, and
    nothing is written.
    """
    from jamliquor.cli.progress import Progress  # noqa: PLC0415 - after the cheap refusals
    from jamliquor.data.chains import DEVNET_TINY, open_archive  # noqa: PLC0415

    show = _Show()
    progress = Progress(DEVNET_TINY.frames, quiet=quiet or as_json)
    with open_archive(DEVNET_TINY) as archive:
        node = _node(archive)
        for number, octets in enumerate(archive.blocks(), 1):
            show.add(node, octets)
            progress.at(number, "demo")
    progress.pause()
    expected = (show.blocks, show.refused, node.head, node.head_record.state_root)
    right = expected == (
        DEVNET_TINY.blocks,
        DEVNET_TINY.refused,
        DEVNET_TINY.head,
        DEVNET_TINY.state_root,
    )
    record = show.record(node) | {"as_recorded": right}
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    else:
        click.echo("\n".join(_lines(record)))
    ctx.exit(ExitCode.DONE if right else ExitCode.MISMATCH)


def _node(archive: Any) -> Node:
    from jamliquor.chain.record import BlockRecord  # noqa: PLC0415
    from jamliquor.crypto.hashing import blake2b  # noqa: PLC0415
    from jamliquor.node.node import Node  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415
    from jamliquor.store.memory import MemoryStore  # noqa: PLC0415

    header = archive.encoded_header
    first = BlockRecord(
        blake2b(header), bytes(32), archive.header.slot, 0, archive.state_root, False, header
    )
    store = MemoryStore(archive.params)
    store.initialise(first, archive.entries())
    return Node(archive.params, NativeEngine(), store, genesis=first.hash)


class _Show:
    """Adds up what the blocks of the chain did."""

    def __init__(self) -> None:
        self.blocks = 0
        self.refused: tuple[str, ...] = ()
        self._milliseconds = array("f")
        self._sums: Counter[str] = Counter()
        self._epochs: dict[int, bool] = {}
        self._begun = time.perf_counter()

    def add(self, node: Node, octets: bytes) -> None:
        """Hand a block to the node and look at what it did."""
        old = node.head
        for outcome in node.receive(octets, "demo"):
            self._outcome(node, outcome, octets, old)

    def _outcome(self, node: Node, outcome: Outcome, octets: bytes, old: bytes) -> None:
        from jamliquor.codec import codec  # noqa: PLC0415
        from jamliquor.node.outcome import Verdict  # noqa: PLC0415
        from jamliquor.types.block import Block  # noqa: PLC0415

        if outcome.verdict is not Verdict.IMPORTED:
            self.refused = (*self.refused, f"{outcome.slot}: {outcome.code}")
            return
        record = node.store.record(outcome.hash)
        assert record is not None, "it was stored just now"
        extrinsic = codec(Block, node.params).decode(octets).extrinsic
        self.blocks += 1
        self._milliseconds.append(outcome.milliseconds)
        self._epochs.setdefault(node.params.epoch_of(outcome.slot)[0], record.ticketed)
        self._sums["ticketed"] += record.ticketed
        self._sums["tickets"] += len(extrinsic.tickets)
        self._sums["reports"] += len(extrinsic.guarantees)
        self._sums["assurances"] += len(extrinsic.assurances)
        self._sums["preimages"] += len(extrinsic.preimages)
        self._sums["verdicts"] += len(extrinsic.disputes.verdicts)
        self._sums["forks"] += record.parent != old
        self._sums["reorganisations"] += record.parent != old and node.head == record.hash

    def record(self, node: Node) -> dict[str, Any]:
        """Everything, for JSON."""
        from jamliquor.cli.machine import peak_rss  # noqa: PLC0415
        from jamliquor.cli.version import version  # noqa: PLC0415

        seconds = time.perf_counter() - self._begun
        times = sorted(self._milliseconds)
        head = node.head_record
        return {
            "jamliquor": version(),
            "blocks": self.blocks,
            "refused": list(self.refused),
            "epochs": {str(epoch): ticketed for epoch, ticketed in self._epochs.items()},
            **self._sums,
            "services": _services(node),
            "slot": head.slot,
            "head": "0x" + head.hash.hex(),
            "state_root": "0x" + head.state_root.hex(),
            "seconds": round(seconds, 3),
            "ms": {"median": round(times[len(times) // 2], 2), "longest": round(times[-1], 2)},
            "peak_rss_bytes": peak_rss(),
        }


def _services(node: Node) -> dict[str, dict[str, int]]:
    """Balance and footprint of the example services after the last block."""
    from jamliquor.node.devnet_work import SERVICES  # noqa: PLC0415

    state = node.state_of(node.head)
    assert state is not None, "the head's state is kept"
    found = {}
    for name, service in SERVICES.items():
        account = state.account(service)
        if account is not None:
            found[name] = {
                "balance": account.balance,
                "items": account.items,
                "octets": account.octets,
            }
    return found


def _lines(record: dict[str, Any]) -> Iterator[str]:
    epochs = "".join("T" if ticketed else "f" for ticketed in record["epochs"].values())
    rows = [
        (
            "chain",
            f"devnet-tiny: 6 validators, {len(record['epochs'])} epochs, to slot {record['slot']}",
        ),
        ("blocks", f"{record['blocks']} accepted, {record['ticketed']} of them sealed by tickets"),
        ("epochs", f"{epochs}  (T: sealed by tickets, f: by fallback keys)"),
        ("forks", f"{record['forks']} side branches, {record['reorganisations']} reorganisations"),
        ("refused", ", ".join(f"slot {each}" for each in record["refused"])),
        (
            "carried",
            f"{record['tickets']} tickets, {record['reports']} work reports, "
            f"{record['assurances']} assurances,",
        ),
        ("", f"{record['preimages']} preimages, {record['verdicts']} verdicts"),
    ]
    for name, service in record["services"].items():
        text = f"{name}: {service['items']} items, {service['octets']} octets"
        rows.append(("service", f"{text}, balance {service['balance']}"))
    rows += [
        ("head", record["head"]),
        ("state", record["state_root"]),
        (
            "time",
            f"{record['seconds']:.2f} s, {record['blocks'] / record['seconds']:.0f} blocks/s; a block: "
            f"median {record['ms']['median']} ms, longest {record['ms']['longest']} ms",
        ),
        ("memory", f"{record['peak_rss_bytes'] / 1e6:.1f} MB at the peak"),
    ]
    verdict = "everything agrees with the record" if record["as_recorded"] else "NOT as recorded"
    rows.append(("result", verdict))
    for name, text in rows:
        yield f"{name:<9}{text}"
