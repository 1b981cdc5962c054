"""What authors' tools need besides the gateway's own libraries, imported when it is first used."""

import importlib
from typing import Any

from gateway.kernel.errors import UnavailableError

_PACKAGES = {"z3": "z3-solver", "cedarpy": "cedarpy"}


def library(name: str) -> Any:
    """Return the library *name*. Raises UnavailableError that says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError:
        message = (
            f"{_PACKAGES[name]} is not installed: install evidence-gateway with its extra `author`"
        )
        raise UnavailableError(message) from None
