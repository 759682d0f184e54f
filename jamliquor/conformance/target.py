"""Serves the conformance protocol on a Unix socket: one thread, one selector, bounded everything.

Bounds under hostile peers:

* at most 16 connections. When one more comes, the least advanced one goes (no handshake before
  handshake before state), among equals the one silent for longest; but a connection that has set a
  state goes only after a minute of silence, else the newcomer does;
* at most 4 connections hold a state, by the same rule;
* before the handshake a message has at most 1 KiB; incomplete messages of all connections together
  have at most 64 MiB, past which the largest goes;
* while an answer waits to be read nothing more is read, and states are sent as they are read.

A connection serves one message a turn, so nobody waits longer than others' messages take.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import stat
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from jamliquor.conformance.bad_input import BadInput
from jamliquor.conformance.messages import BrokenMessage, GetState, Initialize, MessageReader
from jamliquor.conformance.recording import LastBlocks, Recording
from jamliquor.conformance.session import REQUESTS, Judged, Session
from jamliquor.errors import HostError
from jamliquor.params import ChainParams

MAX_CONNECTIONS = 16
MAX_STATES = 4
MAX_HELD = 64 << 20
PATIENCE_SECONDS = 60.0

_RECEIVED = 1 << 18
_BACKLOG = 1024

# The longest path that fits in a socket's address on Linux, with its final zero.
_MAX_PATH = 107

Log = Callable[[str, str], None]
"""Takes a level (``error``, ``warn``, ``info``, ``debug``, ``trace``) and a line."""


class Connection:
    """One peer: its socket, its session, and what is not yet sent to it."""

    __slots__ = (
        *("events", "holds_state", "last_heard", "number", "outgoing"),
        *("reader", "session", "sock", "told", "unsent"),
    )

    def __init__(
        self, number: int, sock: socket.socket, params: ChainParams, session: Session, now: float
    ) -> None:
        self.number = number
        self.sock = sock
        self.reader = MessageReader(params, REQUESTS)
        self.session = session
        self.outgoing: Iterator[bytes] | None = None
        self.unsent = b""
        self.events = selectors.EVENT_READ
        self.last_heard = now
        self.holds_state = False
        self.told: Judged | None = None

    @property
    def stage(self) -> int:
        """How far it got: 0 no handshake, 1 handshake, 2 holds a state."""
        return (self.session.peer is not None) + self.holds_state


class Target:
    """The server.

    Attributes:
        counters: what happened to connections, by name.

    Args:
        params: the chain's parameters.
        new_session: makes the session of a new connection.
        path: of the socket.
        last: takes the last block of connections where the other side may disagree.
        log: takes lines about what happens.
        tell: takes the lines that people must see.
        recording: takes every block, if there is one.
        once: end when the first connection that made a handshake ends.

    Raises:
        BadInput: the socket cannot be made there.
    """

    def __init__(
        self,
        params: ChainParams,
        new_session: Callable[[], Session],
        path: Path,
        *,
        last: LastBlocks,
        log: Log,
        tell: Callable[[str], None],
        recording: Recording | None = None,
        once: bool = False,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._params = params
        self._new_session = new_session
        self._path = path
        self._last = last
        self._log = log
        self._tell = tell
        self._recording = recording
        self._once = once
        self._done = False
        self._connections: dict[int, Connection] = {}
        self._ready: dict[int, Connection] = {}
        self._received = bytearray(_RECEIVED)
        self._listener = listen(path)
        self._waker, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._woken, selectors.EVENT_READ, None)

    def stop(self) -> None:
        """End :meth:`serve` after the message in work; may be called by a signal handler."""
        self._done = True
        self._waker.send(b"\0")

    def serve(self) -> None:
        """Serve until somebody calls :meth:`stop`, or with ``once`` until the first session ends."""
        received = memoryview(self._received)
        try:
            while not self._done:
                events = self._selector.select(0 if self._ready else None)
                for key, _ in events:
                    if key.data is not None:
                        self._turn(key.data, received)
                for connection in list(self._ready.values()):
                    self._guarded(connection, self._speak)
                if any(key.fileobj is self._listener for key, _ in events):
                    self._accept()
        finally:
            for connection in list(self._connections.values()):
                self._close(connection, "stopped")
            self._selector.close()
            for sock in (self._listener, self._waker, self._woken):
                sock.close()
            self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            # Out of descriptors, or the peer left already: those who are here are not concerned.
            self._log("warn", f"a connection was lost before it began: {error.strerror}")
            return
        self.counters["accepted"] += 1
        if len(self._connections) >= MAX_CONNECTIONS and not self._make_room(0):
            sock.close()
            self.counters["refused, all places in use"] += 1
            self._log("warn", "a connection was refused: all places are in use")
            return
        sock.setblocking(False)
        number = self.counters["accepted"]
        now = time.monotonic()
        connection = Connection(number, sock, self._params, self._new_session(), now)
        self._connections[number] = connection
        self._selector.register(sock, selectors.EVENT_READ, connection)
        self._log("info", f"connection {number}: open")

    def _make_room(self, least_stage: int) -> bool:
        """Drop the connection that is missed least, if there is one."""
        chosen = min(
            (item for item in self._connections.values() if item.stage >= least_stage),
            key=lambda item: (item.stage, item.last_heard),
        )
        if chosen.stage == 2 and time.monotonic() - chosen.last_heard < PATIENCE_SECONDS:
            return False
        self._close(chosen, "dropped, its place was needed", "warn")
        return True

    def _turn(self, connection: Connection, received: memoryview) -> None:
        """Do what a connection is ready for."""
        if connection.number not in self._connections or connection.number in self._ready:
            return
        if connection.outgoing is not None:
            self._guarded(connection, self._send)
            return
        try:
            size = connection.sock.recv_into(received)
        except BlockingIOError:
            return
        except OSError as error:
            self._close(connection, f"lost: {error.strerror}")
            return
        if not size:
            cut = connection.reader.incomplete
            self._close(connection, "closed by peer within a message" if cut else "closed by peer")
            return
        connection.last_heard = time.monotonic()
        connection.reader.feed(received[:size])
        self._guarded(connection, self._speak)
        if connection.reader.held > _RECEIVED:
            self._bound_held()

    def _bound_held(self) -> None:
        readers = [item.reader.held for item in self._connections.values()]
        if sum(readers) > MAX_HELD:
            largest = max(self._connections.values(), key=lambda item: item.reader.held)
            self._close(largest, "dropped, incomplete messages take too much memory", "warn")

    def _guarded(self, connection: Connection, action: Callable[[Connection], None]) -> None:
        """Run what concerns one connection; its failure ends this connection and no other."""
        try:
            action(connection)
        except BrokenMessage as error:
            self._close(connection, f"broken message: {error}", "warn")
        except (BrokenPipeError, ConnectionError) as error:
            self._close(connection, f"lost: {error.strerror}")
        except (HostError, MemoryError, OSError) as error:
            self._close(connection, f"host failure: {type(error).__name__}: {error}", "error")
        except Exception as error:
            self._log("error", traceback.format_exc().rstrip())
            self._close(connection, f"host failure: {type(error).__name__}: {error}", "error")

    def _speak(self, connection: Connection) -> None:
        """Answer one message, if one is complete."""
        self._ready.pop(connection.number, None)
        message = connection.reader.next()
        if connection.reader.streaming or isinstance(message, Initialize):
            self._admit_state(connection)
        if message is None:
            return
        session = connection.session
        if self._recording is not None and isinstance(message, Initialize):
            self._recording.end(connection.number)
        judged = session.judged
        answer = session.answer(message)
        connection.reader.trusted = True
        self._log("debug", f"connection {connection.number}: {type(message).__name__}")
        if session.judged is not judged and session.judged is not None:
            self._block_judged(connection, session.judged)
        elif isinstance(message, GetState):
            self._keep_last(connection, "asked for the state")
        connection.outgoing = iter(answer)
        self._send(connection)

    def _admit_state(self, connection: Connection) -> None:
        """Count a connection among those that hold a state, or refuse to, when one begins to come."""
        if connection.holds_state:
            return
        holders = sum(item.holds_state for item in self._connections.values())
        if holders >= MAX_STATES and not self._make_room(2):
            raise BrokenMessage(f"{MAX_STATES} connections hold a state already, and use it")
        connection.holds_state = True

    def _block_judged(self, connection: Connection, judged: Judged) -> None:
        if judged.refusal is not None:
            self._log("debug", f"connection {connection.number}: refused: {judged.refusal}")
        if self._recording is not None and connection.session.start is not None:
            try:
                self._recording.add(connection.number, connection.session.start, judged)
            except (OSError, HostError) as error:
                self._log("error", f"the recording ends: {error}")
                self._recording = None

    def _keep_last(self, connection: Connection, occasion: str) -> None:
        """Put the last block on disk, once, because the other side may see it differently."""
        judged = connection.session.judged
        if judged is None or judged is connection.told:
            return
        connection.told = judged
        try:
            path = self._last.add(judged)
        except (OSError, HostError) as error:
            self._log("error", f"the last block cannot be written: {error}")
            return
        answer = judged.refusal or f"0x{judged.posterior.root.hex()}"
        self._tell(f"connection {connection.number} {occasion}; last block, answered {answer}: {path}")

    def _send(self, connection: Connection) -> None:
        """Send what waits, as far as the peer takes it."""
        assert connection.outgoing is not None, "there is an answer"
        try:
            while True:
                while connection.unsent:
                    sent = connection.sock.send(connection.unsent)
                    connection.unsent = connection.unsent[sent:]
                    connection.last_heard = time.monotonic()
                portion = next(connection.outgoing, None)
                if portion is None:
                    break
                connection.unsent = portion
        except BlockingIOError:
            self._watch(connection, selectors.EVENT_WRITE)
            return
        connection.outgoing = None
        if connection.session.over:
            self._close(connection, "closed: the other side speaks another version", "warn")
            return
        self._watch(connection, selectors.EVENT_READ)
        if connection.reader.held:
            self._ready[connection.number] = connection

    def _watch(self, connection: Connection, events: int) -> None:
        if connection.events != events:
            connection.events = events
            self._selector.modify(connection.sock, events, connection)

    def _close(self, connection: Connection, reason: str, level: str = "info") -> None:
        if self._connections.pop(connection.number, None) is None:
            return
        self._ready.pop(connection.number, None)
        self._selector.unregister(connection.sock)
        connection.sock.close()
        if self._recording is not None:
            self._recording.end(connection.number)
        self.counters[reason.partition(":")[0]] += 1
        session = connection.session
        told = f"{session.imported} blocks imported, {session.refused} refused"
        self._log(level, f"connection {connection.number}: {reason}; {told}")
        self._keep_last(connection, "ended")
        try:
            session.close()
        except HostError as error:
            self._log("error", f"connection {connection.number}: its states: {error}")
        if self._once and session.peer is not None:
            self._done = True


def listen(path: Path) -> socket.socket:
    """A listening socket at a path; takes the place of one that nobody serves any more.

    Raises:
        BadInput: the path is too long, in use, something else, or cannot be made.
    """
    if len(os.fsencode(path)) > _MAX_PATH:
        raise BadInput(f"a socket's path has at most {_MAX_PATH} octets", path, advice="shorten it")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        sock.bind(str(path))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        reason = f"no socket can be made there: {error.strerror or error}"
        raise BadInput(reason, path, advice="choose another path") from None
    except BadInput:
        sock.close()
        raise
    return sock


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise BadInput("something that is no socket is there", path, advice="choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        code = probe.connect_ex(str(path))
    if code != errno.ECONNREFUSED:
        raise BadInput("another process serves this socket", path, advice="stop it first")
    path.unlink()
