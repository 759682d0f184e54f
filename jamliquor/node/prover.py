"""Makes our tickets in the time that blocks leave free, and keeps them until their epoch comes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from jamliquor.author import tickets
from jamliquor.author.keys import Keyring
from jamliquor.author.outlook import Outlook
from jamliquor.author.pacing import DEFAULT_SHARE, Pacer
from jamliquor.author.pools import NotPooled, TicketPool
from jamliquor.crypto import bandersnatch
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import StoreError
from jamliquor.types.extrinsic import TicketEnvelope

__all__ = ["Prover", "Shelf"]

_PROOF: Final = 784
_ENTRY: Final = 1 + _PROOF
_CHECKSUM: Final = 8
_GUESS: Final = {512: 0.3, 1024: 1.0}


class Shelf:
    """The tickets that we proved for one contest, in a file, so that a restart costs no proof.

    It is written anew, whole or not at all, with each ticket. A file that is damaged or of another
    contest is as none: tickets can be proved again.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, contest: tickets.Contest) -> list[TicketEnvelope]:
        """What is kept for a contest; nobody vouches for the proofs."""
        try:
            data = self._path.read_bytes()
        except OSError:
            return []
        body = data[:-_CHECKSUM]
        if blake2b(body)[:_CHECKSUM] != data[-_CHECKSUM:] or body[:32] != _name(contest):
            return []
        entries = [body[at : at + _ENTRY] for at in range(32, len(body), _ENTRY)]
        return [TicketEnvelope(entry[0], entry[1:]) for entry in entries if len(entry) == _ENTRY]

    def save(self, contest: tickets.Contest, envelopes: list[TicketEnvelope]) -> None:
        """Keep tickets of a contest in place of what was there.

        Raises:
            StoreError: the file cannot be written.
        """
        body = _name(contest) + b"".join(bytes((each.attempt,)) + each.proof for each in envelopes)
        part = self._path.with_name(f".{self._path.name}.part")
        try:
            with part.open("wb") as file:
                file.write(body + blake2b(body)[:_CHECKSUM])
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be written: {error.strerror}") from None


class Prover:
    """Proves the tickets of the running contest, one with each :meth:`work`.

    Args:
        keyring: our keys.
        pool: where tickets go.
        clock: seconds since the Common Era, going forward.
        tell: gets lines for people.
        cpu: processor seconds of this thread.
    """

    def __init__(
        self,
        keyring: Keyring,
        pool: TicketPool,
        shelf: Shelf,
        clock: Callable[[], float],
        tell: Callable[[str], None],
        *,
        share: float = DEFAULT_SHARE,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._keyring = keyring
        self._pool = pool
        self._shelf = shelf
        self._clock = clock
        self._tell = tell
        self._cpu = cpu
        self._share = share
        self._pacer: Pacer | None = None
        self._contest: tickets.Contest | None = None
        self._ours: list[tickets.Candidate] = []
        self._made: list[TicketEnvelope] = []
        self._dropped = 0
        self._loaded = False

    @property
    def made(self) -> int:
        """Tickets that we have for the running contest."""
        return len(self._made)

    @property
    def dropped(self) -> int:
        """Attempts that there was no time for, since the start."""
        return self._dropped

    def work(self, ahead: Outlook, busy: list[tuple[float, float]]) -> float | None:
        """Make the next proof if its time has come.

        Args:
            ahead: the outlook of the next block.
            busy: spans of time that belong to blocks.

        Returns:
            Seconds from now at which there is more to do, or None when there is not.
        """
        self._follow(ahead)
        assert self._contest is not None and self._pacer is not None, "a contest is followed"
        made = {bandersnatch.output(each.proof): each for each in self._made}
        left = []
        for candidate in tickets.worthwhile(ahead, self._ours):
            if candidate.id not in made:
                left.append(candidate)
            elif candidate.id not in self._pool:
                # It was in a block of a branch that was left, or the pool followed another one.
                self._offer(ahead, made[candidate.id])
        now = self._clock()
        pace = self._pacer.plan(now, _end(ahead), len(left), busy)
        if pace.start is None:
            self._give_up(len(left))
            return None
        if pace.start > now:
            return pace.start - now
        self._prove(ahead, left[0])
        return 0.0

    def _follow(self, ahead: Outlook) -> None:
        running = tickets.contest(ahead)
        if running == self._contest:
            return
        self._contest = running
        params = ahead.params
        self._ours = tickets.candidates(params, running, self._keyring)
        if self._pacer is None:
            domain = 512 if params.validator_count <= 255 else 1024
            self._pacer = Pacer(self._share, _GUESS[domain])
        self._made = []
        for envelope in self._shelf.load(running):
            try:
                self._pool.add(ahead, envelope)
            except NotPooled:
                continue
            self._made.append(envelope)
        self._loaded = True

    def _prove(self, ahead: Outlook, candidate: tickets.Candidate) -> None:
        assert self._contest is not None and self._pacer is not None, "a contest is followed"
        began, cpu = self._clock(), self._cpu()
        envelope = tickets.prove(self._contest, self._keyring, candidate)
        self._pacer.proved(began, self._clock(), self._cpu() - cpu)
        self._made.append(envelope)
        self._offer(ahead, envelope)
        self._shelf.save(self._contest, self._made)
        self._tell(f"ticket {len(self._made)} of {len(self._ours)} is proved")

    def _offer(self, ahead: Outlook, envelope: TicketEnvelope) -> None:
        with suppress(NotPooled):
            self._pool.add(ahead, envelope, own=True)

    def _give_up(self, left: int) -> None:
        """The contest is as good as over for us: the prover's memory is not needed until the next."""
        if self._loaded:
            self._loaded = False
            bandersnatch.release_prover()
            if left:
                self._dropped += left
                self._tell(f"{left} tickets were not proved: too little time before the contest ends")


def _end(ahead: Outlook) -> float:
    """When the contest ends: the beginning of the last slot whose block may carry tickets."""
    params = ahead.params
    epoch = params.epoch_of(ahead.slot)[0]
    last = epoch * params.epoch_length + params.ticket_submission_end - 1
    return float(last * params.slot_seconds)


def _name(contest: tickets.Contest) -> bytes:
    return blake2b(b"".join(contest.ring) + contest.entropy)
