"""The benchmarks, in the order in which they run and are shown; each is a module beside this one."""

from __future__ import annotations

NAMES = (
    "imports",
    "full_spec",
    "full_chain",
    "author",
    "crypto",
    "proving",
    "pvm",
    "pvm_polkavm",
    "trie",
    "store",
    "big_state",
    "codec",
    "startup",
    "chapters",
    "event_log",
    "snapshots",
)
