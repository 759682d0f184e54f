"""Every type with an encoding: records by their name, components of the state by their index."""

from __future__ import annotations

import inspect
from typing import Any

from jamliquor.state.state import COMPONENT_TYPES
from jamliquor.types import block, extrinsic, header, state, trace, work

KINDS: dict[str, Any] = {
    kind.__name__: kind
    for module in (block, extrinsic, header, state, trace, work)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if kind.__module__ == module.__name__ and hasattr(kind, "_fields")
} | {f"component {index}": kind for index, kind in COMPONENT_TYPES.items()}
