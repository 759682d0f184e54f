"""Nodes that take snapshots of themselves: killed meanwhile, and repaired from what they took."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jamliquor.node.settings import DEFAULTS
from jamliquor.node.snapshotting import OWN_SUFFIX, Snapshots, Taking
from jamliquor.params import TINY
from jamliquor.store.snapshot_writer import PART_SUFFIX, usual_name
from tests.support import scripted_service
from tests.support.archives import write_archive
from tests.support.command import run
from tests.support.headed_chain import FIRST, LINKS, disk_store, expected_file, grow
from tests.support.maker import Maker


def begin(path: Path) -> Snapshots:
    settings = DEFAULTS._replace(snapshot_every=100)
    return Snapshots(
        disk_store(path),
        path / "snapshots",
        TINY,
        FIRST.hash,
        settings,
        record=lambda event: None,
        tell=print,
    )


def stay_in_the_middle(path: str) -> None:
    """Take a snapshot, and never get behind its first chunk; blocks come meanwhile."""

    def note(self: Taking, done: int, total: int) -> None:
        self.entries = (done, total)
        print("written", done, flush=True)
        time.sleep(60)

    setattr(Taking, "_note", note)  # noqa: B010 - a trial, of this process alone
    snapshots = begin(Path(path))
    snapshots.tend()
    taking = snapshots.taking
    assert taking is not None
    while not taking.entries[0]:
        taking.wait(0.01)
    grow(snapshots._store, LINKS[:3])
    print("in the middle", flush=True)
    time.sleep(60)


@pytest.mark.parametrize("moved", [False, True])
def test_killed_in_the_middle(tmp_path: Path, moved: bool) -> None:
    """No half file has the final name; it is gone on with, or begun anew when the base went on."""
    program = "from tests.faults.test_snapshotting import *; stay_in_the_middle(sys.argv[1])"
    path = tmp_path / "db"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "middle" in line:
                break
        process.kill()
    name = usual_name(TINY, FIRST) + OWN_SUFFIX
    folder = path / "snapshots"
    assert [file.name for file in folder.iterdir()] == [name + PART_SUFFIX]
    if moved:
        store = disk_store(path)
        assert store.head == LINKS[2].record.hash
        grow(store, LINKS[3:9])
        store.close()
        name, number = usual_name(TINY, LINKS[5].record) + OWN_SUFFIX, 6
    else:
        number = 0
    snapshots = begin(path)
    assert (folder / (usual_name(TINY, FIRST) + OWN_SUFFIX + PART_SUFFIX)).exists() is not moved
    snapshots.tend()
    snapshots.finish(lambda: False)
    snapshots._store.close()
    assert [file.name for file in folder.iterdir()] == [name]
    assert (folder / name).read_bytes() == expected_file(tmp_path / "expected", number)


def test_a_node_repairs_itself_from_the_snapshot_it_took(tmp_path: Path) -> None:
    maker, db = Maker(), tmp_path / "db"
    main = maker.line(maker.root, range(1, 71))
    first = write_archive(tmp_path / "first.jam", maker, main[:60])
    whole = write_archive(tmp_path / "whole.jam", maker, main)
    options = ("--db", db, "--keep-states", 4, "--finality", "depth:4", "--snapshot-every", 20)
    ran = run("import", first, *options)
    assert ran.code == 0 and ran.err.count("snapshot of slot") >= 2
    [taken] = (db / "snapshots").iterdir()
    assert taken.name.endswith(OWN_SUFFIX)
    again = run("snapshot", "verify", taken, "--json")
    assert again.code == 0 and 20 <= json.loads(again.out)["slot"] < 60
    logged = run("events", "scan", db, "--kind", "snapshot_taken").out
    assert taken.name in logged
    database = db / "chain.db"
    code, octets = scripted_service.code()[:200], database.read_bytes()
    assert code in octets
    database.write_bytes(octets.replace(code, bytes([code[0] ^ 1]) + code[1:]))
    assert run("repair", db, "--check").code == 5
    (db / "damaged").touch()
    ran = run("import", whole, *options, "--json")
    record = json.loads(ran.out)
    assert ran.code == 0 and "made anew" in record["recovered"][0]
    assert record["state_root"] == "0x" + main[-1].root.hex()
    assert run("repair", db, "--check").code == 0
