"""Looking ahead: once for each report, a block before it matters where that can be."""

from __future__ import annotations

from typing import Any, NamedTuple

from jamliquor.stf.lookahead import Lookahead


class _Specification(NamedTuple):
    package_hash: bytes


class _Report(NamedTuple):
    specification: _Specification


class _Foresight:
    def __init__(self, log: list[str], name: str) -> None:
        self._log, self.name, self.asked = log, name, b""

    def take_asked(self) -> bytes:
        asked, self.asked = self.asked, b""
        return asked

    def start(self) -> None:
        self._log.append(f"start {self.name}")

    def wait(self) -> None:
        self._log.append(f"wait {self.name}")


class _Chain:
    """A lookahead with a log of what it did."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.cold = True
        self.warmed = self.each_asks = b""
        self._ahead = Lookahead()
        self._lent = 0

    def block(self, brings: str, accumulates: str) -> list[str]:
        self.log.clear()
        self.warmed = b""
        self._ahead.finish(self._lend, self._warm, _reports(accumulates), self._look)
        self.tell(brings)
        return list(self.log)

    def tell(self, *blocks: str) -> None:
        self._ahead.begin(self._lend, [_reports(brings) for brings in blocks], self._look)
        self._ahead.start()

    def _warm(self, keys: bytes) -> None:
        self.warmed = keys

    def _lend(self) -> Any:
        self._lent += 1
        return _Foresight(self.log, str(self._lent)) if self.cold else None

    def _look(self, foresight: Any, reports: Any) -> None:
        names = "".join(report.specification.package_hash.decode() for report in reports)
        self.log.append(f"look {foresight.name} {names}")
        foresight.asked += self.each_asks or names.upper().encode()


def _reports(names: str) -> Any:
    return [_Report(_Specification(name.encode())) for name in names]


def test_what_a_block_brings_is_awaited_by_the_next_one() -> None:
    chain = _Chain()
    assert chain.block("ab", "") == ["look 1 ab", "start 1"]
    assert chain.block("c", "ab") == ["wait 1", "look 2 c", "start 2"]
    assert chain.block("", "c") == ["wait 2"]


def test_what_nobody_told_of_is_looked_at_when_it_matters() -> None:
    chain = _Chain()
    assert chain.block("b", "a") == ["look 1 a", "wait 1", "look 2 b", "start 2"]
    assert chain.block("", "bc") == ["wait 2", "look 3 c", "wait 3"]


def test_a_report_that_waits_some_blocks_is_not_looked_at_again() -> None:
    chain = _Chain()
    chain.block("a", "")
    assert chain.block("", "") == ["wait 1"]
    assert chain.block("", "a") == []


def test_nothing_is_looked_at_where_memory_has_it_all() -> None:
    chain = _Chain()
    chain.cold = False
    assert chain.block("ab", "c") == []


def test_what_the_reports_of_a_block_asked_for_is_at_hand_when_they_are_accumulated() -> None:
    chain = _Chain()
    chain.tell("ab", "", "cd")
    assert chain.log == ["look 1 ab", "look 1 cd", "start 1"]
    assert chain.block("", "ab") == ["wait 1"]
    assert chain.warmed == b"AB"
    chain.block("", "dc")
    assert chain.warmed == b"CD"
    chain.block("", "abcd")
    assert chain.warmed == b""


def test_what_is_not_accumulated_soon_is_not_brought_to_hand() -> None:
    chain = _Chain()
    chain.tell(*"abcdefghijklmnopqrstuvwxyz")
    assert chain.block("", "a") == ["wait 1"] and chain.warmed == b""
    chain.block("", "z")
    assert chain.warmed == b"Z"


def test_much_that_a_block_asks_for_is_brought_to_hand_in_part() -> None:
    chain = _Chain()
    chain.each_asks = bytes(31 * 2000)
    chain.tell("ab")
    chain.block("", "ab")
    assert 0 < len(chain.warmed) < 31 * 2000 and len(chain.warmed) % 31 == 0
