"""Questions about a chain: every piece is bounded, and the pieces are the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jamliquor.errors import StoreError
from jamliquor.node import questions
from jamliquor.node.asking import Asked, pieces, rows
from jamliquor.node.outcome import Verdict
from jamliquor.node.questions import BadQuestion, Record, Subject, identity_of
from tests.support.questioned import LARGE, key_of, main_line, maker, side_line, subject


class Answering:
    """Answers like an opened directory, and keeps what it answered."""

    def __init__(self, about: Subject) -> None:
        self._about = about
        self.answers: list[Record] = []

    def ask(self, question: str, **arguments: Any) -> Record:
        self.answers.append(questions.answer(self._about, question, arguments))
        return self.answers[-1]


@pytest.fixture(params=["memory", "disk"])
def about(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = subject(tmp_path / "db" if request.param == "disk" else None)
    yield made
    made.store.close()


def listed(asked: Asked, question: str, **arguments: Any) -> list[Record]:
    return list(rows(asked, question, **arguments))


def test_history_in_pieces(about: Subject) -> None:
    asked = Answering(about)
    found = listed(asked, "history")
    assert len(asked.answers) > 1 and all(len(one["rows"]) <= 64 for one in asked.answers)
    made = [maker().root, *(one.hash for one in (*main_line(), *side_line()))]
    assert sorted(row["hash"] for row in found) == sorted("0x" + one.hex() for one in made)
    places = [(row["slot"], row["hash"]) for row in found]
    assert places == sorted(places)
    best = {maker().root, *(one.hash for one in main_line())}
    assert {row["hash"] for row in found if row["best"]} == {"0x" + one.hex() for one in best}
    some = listed(asked, "history", first=59, last=64)
    assert [(row["slot"], row["best"]) for row in some] == [
        (59, True),
        (60, True),
        (62, True),
        (63, False),
        (64, True),
    ]


def test_blocks_by_slot_and_by_hash(about: Subject) -> None:
    asked = Answering(about)
    for made in (main_line()[61], side_line()[0], main_line()[4]):
        by_slot = asked.ask("block", wanted=str(made.slot))
        assert by_slot["hash"] == "0x" + made.hash.hex() and by_slot["octets"] == len(made.encoded)
        assert asked.ask("block", wanted=made.hash.hex()) == by_slot
    assert about.node is not None
    twin = maker().make(main_line()[58].hash, 62).encoded
    assert about.node.receive(twin)[0].verdict is Verdict.IMPORTED
    hashes = about.store.at_slot(62)
    assert len(hashes) == 2 and asked.ask("block", wanted="62")["hash"] == "0x" + hashes[0].hex()


def test_the_tree_begins_with_the_final_block(about: Subject) -> None:
    found = listed(Answering(about), "tree")
    assert found[0]["hash"] == "0x" + maker().root.hex() and len(found) == 79
    assert [row["slot"] for row in found if row["best"]] == [80]


def test_a_state_in_pieces_is_of_one_block(about: Subject) -> None:
    asked = Answering(about)
    found: list[tuple[bytes, bytes]] = []
    for piece in pieces(asked, "state", values=True):
        # Meanwhile the chain goes on.
        assert about.node is not None
        about.node.receive(maker().make(about.node.head).encoded)
        for row in piece["rows"]:
            value = row.get("value")
            if value is None:
                parts = pieces(asked, "value", at=piece["block"], key=row["key"])
                value = "0x" + "".join(part["octets"] for part in parts)
            found.append((bytes.fromhex(row["key"][2:]), bytes.fromhex(value[2:])))
    assert found == list(main_line()[-1].state.items())
    assert dict(found)[key_of(99)] == LARGE
    some = listed(asked, "state", first="fe" + "00" * 29 + "05", last="fe" + "00" * 29 + "07")
    assert [row["key"][-2:] for row in some] == ["05", "06", "07"]


def test_values_end_a_piece_early() -> None:
    about = subject()
    assert about.node is not None
    asked = Answering(about)
    whole = listed(asked, "state", values=True)
    for one in asked.answers:
        assert sum(row["octets"] for row in one["rows"][:-1]) < 64 << 10
    [last] = [one["rows"][-1] for one in asked.answers if one["rows"][-1]["octets"] == len(LARGE)]
    assert last["key"] == "0x" + key_of(99).hex(), "nothing is read behind a large value"
    assert [row["octets"] for row in whole if "value" not in row] == [len(LARGE)]


def test_a_state_that_is_not_kept_any_more_is_said(about: Subject) -> None:
    assert about.node is not None
    asked = Answering(about)
    listing = pieces(asked, "state", at="3")
    next(listing)
    about.node.finalise(main_line()[-1].hash)
    with pytest.raises(BadQuestion, match="not kept"):
        next(listing)


def test_finalising_takes_steps(about: Subject) -> None:
    asked = Answering(about)
    done = list(pieces(asked, "finalise", wanted="head"))
    assert [one["finalised"]["slot"] for one in done] == [32, 68, 80]
    assert [row["slot"] for row in rows(asked, "tree")] == [80], "side branches are gone"
    [again] = pieces(asked, "finalise", wanted="head")
    assert again["finalised"]["slot"] == 80
    with pytest.raises(BadQuestion, match="does not descend"):
        asked.ask("finalise", wanted=main_line()[3].hash.hex())


def test_pruning_takes_steps(about: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    prune_blocks = about.store.prune_blocks

    def few(bodies: int, records: int = 0, *, limit: int = 8) -> Any:
        return prune_blocks(bodies, records, limit=limit)

    monkeypatch.setattr(about.store, "prune_blocks", few)
    asked = Answering(about)
    list(pieces(asked, "finalise", wanted="head"))
    done = list(pieces(asked, "prune", keep_blocks=10))
    assert len(done) > 2 and all(one["bodies"] + one["records"] <= 8 for one in done)
    # What recent states are made from stays: the oldest kept state is old enough for that.
    kept = [row["slot"] for row in rows(asked, "history") if row["body"]]
    assert kept and sum(one["bodies"] for one in done) == 71 - len(kept)
    [again] = pieces(asked, "prune", keep_blocks=10)
    assert again["bodies"] == again["records"] == 0
    [nothing] = pieces(asked, "prune")
    assert nothing["bodies"] == 0


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("nothing", {}),
        ("head", {"wanted": "1"}),
        ("block", {"wanted": 1}),
        ("block", {"wanted": "4294967296"}),
        ("history", {"first": -1}),
        ("history", {"first": True}),
        ("history", {"after": "x"}),
        ("history", {"after": "99999999999:00"}),
        ("state", {"first": "ab" * 32}),
        ("value", {"key": "00"}),
        ("service", {"service": 1 << 32}),
        ("prune", {"keep_blocks": "1"}),
        ("finalise", {"wanted": "zz"}),
        ("snapshot", {"path": "relative"}),
        ("snapshot_progress", {}),
        ("snapshot_progress", {"file": "/never/begun", "stop": True}),
    ],
)
def test_what_cannot_be_asked(question: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(BadQuestion):
        questions.answer(subject(), question, arguments)


@pytest.mark.parametrize(
    "name", ["x\0y", "x" * 300, "\ud800", "no/folder", "file/x"], ids=lambda name: repr(name)[:12]
)
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    arguments = {"path": f"{tmp_path}/{name}", "folder": identity_of(tmp_path)}
    with pytest.raises(StoreError, match="cannot write there"):
        questions.answer(subject(), "snapshot", arguments)


@pytest.mark.parametrize("name", ["usual", "\udcff not of UTF-8", "line\nend"])
def test_a_snapshot_is_asked_for(about: Subject, tmp_path: Path, name: str) -> None:
    asked, node = Answering(about), about.node
    assert node is not None
    path = tmp_path / name
    with pytest.raises(StoreError, match="another folder"):
        asked.ask("snapshot", path=str(path), folder="1:2")
    with pytest.raises(StoreError, match="stop it first"):
        asked.ask("snapshot", block="0x" + main_line()[-1].hash.hex())
    place = {"path": str(path), "folder": identity_of(tmp_path)}
    begun = asked.ask("snapshot", **place, block="0x" + maker().root.hex())
    assert begun["begun"] and begun["file"] == str(path) and begun["block"] == "0x" + maker().root.hex()
    node.finish_snapshot(lambda: False)
    said = asked.ask("snapshot_progress", file=begun["file"])
    assert said["ended"] and said["finished"] and said["error"] is None
    assert said["entries"] == said["total"] and said["octets"] == path.stat().st_size
    assert asked.ask("snapshot", **place) == {"begun": False, "file": str(path)}


def test_only_a_node_writes() -> None:
    idle = subject()._replace(node=None)
    for question, arguments in (("prune", {"keep_blocks": 1}), ("snapshot", {})):
        with pytest.raises(BadQuestion, match="only a running node"):
            questions.answer(idle, question, arguments)
