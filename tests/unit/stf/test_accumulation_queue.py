"""The queue of reports that wait for others (section 12.1), against a plain reading of the paper."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from jamliquor.stf import accumulation_queue as queue
from jamliquor.types.state import ReadyReport
from jamliquor.types.work import WorkReport
from tests.support.reports import report


def package(name: int) -> bytes:
    return bytes([name]) * 32


def waiting(name: int, *dependencies: int, core: int = 0) -> ReadyReport:
    item = report(package(name), core=core)
    return ReadyReport(item, frozenset(map(package, dependencies)))


def names(reports: Sequence[WorkReport]) -> list[int]:
    return [found.specification.package_hash[0] for found in reports]


def plain_priority(items: list[ReadyReport]) -> list[WorkReport]:
    """Function Q as the paper writes it (equation 12.8)."""
    ready = [item.report for item in items if not item.dependencies]
    if not ready:
        return []
    return ready + plain_priority(queue.edit(items, queue.package_hashes(ready)))


small = st.integers(0, 7)


@given(st.lists(st.tuples(small, st.frozensets(small, max_size=3)), max_size=12))
def test_priority_is_the_papers(items: list[tuple[int, frozenset[int]]]) -> None:
    found = [waiting(name, *deps, core=core) for core, (name, deps) in enumerate(items)]
    assert queue.prioritized(found) == plain_priority(found)


def test_long_chains_are_no_burden() -> None:
    count = 20_000
    hashes = [index.to_bytes(32, "little") for index in range(count)]
    items = [ReadyReport(report(hashes[0]), frozenset())]
    items += [ReadyReport(report(hashes[n]), frozenset((hashes[n - 1],))) for n in range(1, count)]
    ordered = queue.prioritized(items[::-1])
    assert [found.specification.package_hash for found in ordered] == hashes


def test_edit_drops_accumulated_reports_and_dependencies() -> None:
    items = [waiting(1, 2, 3), waiting(2), waiting(4, 5)]
    edited = queue.edit(items, {package(2), package(9)})
    assert edited == [waiting(1, 3), waiting(4, 5)]
    assert edited[1] is items[2]


def test_partition() -> None:
    plain = report(package(1))
    prerequisite = report(package(2), prerequisites=[package(7)])
    imported = report(package(3), lookup=[(package(8), package(9))])
    done = report(package(4), prerequisites=[package(5), package(7)])
    known = report(package(6), prerequisites=[package(7)])
    history = (frozenset({package(5)}), frozenset({package(6)}))
    immediate, queued = queue.partition([plain, prerequisite, imported, done, known], history)
    assert immediate == [plain]
    assert queued == [
        ReadyReport(prerequisite, frozenset({package(7)})),
        ReadyReport(imported, frozenset({package(8)})),
        ReadyReport(done, frozenset({package(7)})),
    ]


def test_older_reports_come_first() -> None:
    ready = ((waiting(10),), (waiting(11, 1),), (), (waiting(13),))
    found = queue.accumulatable([report(package(1))], [waiting(14)], ready, phase=2)
    assert names(found) == [1, 13, 10, 11, 14]


def test_with_nothing_waiting_the_available_are_all() -> None:
    assert names(queue.accumulatable([report(package(2)), report(package(1))], [], ((),) * 4, 1)) == [
        2,
        1,
    ]
    assert queue.accumulatable([], [], ((),) * 4, 1) == []


def test_a_dependency_on_what_comes_later() -> None:
    found = queue.accumulatable([], [waiting(1, 2), waiting(2, 3), waiting(3)], ((),) * 4, 0)
    assert names(found) == [3, 2, 1]
    assert queue.accumulatable([], [waiting(1, 1), waiting(2, 3), waiting(3, 2)], ((),), 0) == []


class TestNextQueue:
    ready = ((waiting(10, 1),), (waiting(11, 2),), (waiting(12, 3),), (waiting(13, 2, 4),))

    def test_the_next_slot(self) -> None:
        after = queue.next_queue(self.ready, [waiting(14, 5)], frozenset({package(2)}), 2, 1)
        assert after == (
            (waiting(10, 1),),
            (waiting(11),),
            (waiting(14, 5),),
            (waiting(13, 4),),
        )

    def test_skipped_slots_are_forgotten(self) -> None:
        after = queue.next_queue(self.ready, [], frozenset(), 1, 3)
        assert after == ((), (), (waiting(12, 3),), ())

    def test_after_an_epoch_nothing_is_left(self) -> None:
        after = queue.next_queue(self.ready, [waiting(1, 5)], frozenset(), 1, 100)
        assert after == ((), (waiting(1, 5),), (), ())

    def test_an_idle_queue_stays_the_same_object(self) -> None:
        idle = ((), (), (waiting(12, 3),), ())
        assert queue.next_queue(idle, [], frozenset({package(9)}), 1, 1) is idle


def test_history_shifts() -> None:
    history = (frozenset({package(1)}), frozenset({package(2)}), frozenset())
    after = queue.next_history(history, frozenset({package(3)}))
    assert after == (frozenset({package(2)}), frozenset(), frozenset({package(3)}))
    idle = (frozenset[bytes](),) * 3
    assert queue.next_history(idle, frozenset()) is idle
