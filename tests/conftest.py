"""What all tests start from."""

from __future__ import annotations

import signal

# A background job starts with Ctrl-C ignored and hands that on to its children, which tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
