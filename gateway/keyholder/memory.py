"""Keeping secrets out of dumps and swap, as far as a Python program can.

What cannot be promised: Python copies bytes as it likes and overwrites none of them, so a secret that
was used stays in freed memory until that is used again. Only the end of the process gives it back. An
administrator of the machine can read everything.
"""

import ctypes
import os
import resource
from dataclasses import dataclass

_PR_SET_DUMPABLE = 4
_MCL_CURRENT, _MCL_FUTURE = 1, 2


@dataclass(frozen=True, slots=True)
class Hygiene:
    """What was attained: no core dumps, no reading by other processes of the same user, no swap."""

    core: bool
    dumpable: bool
    swap: bool

    def lacks(self) -> tuple[str, ...]:
        """Say what is not so, and what would make it so."""
        said = (
            (self.core, "core dumps are not off: set LimitCORE=0"),
            (
                self.dumpable,
                "processes of the same user can read this one: a Linux kernel is needed",
            ),
            (self.swap, "memory can be swapped out: set LimitMEMLOCK=infinity, or turn swap off"),
        )
        return tuple(text for attained, text in said if not attained)


def protect() -> Hygiene:
    """Protect this process; never fails, but says what it could not do."""
    return Hygiene(_no_core(), _call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0), _no_swap())


def _no_core() -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ValueError, OSError):
        return False
    return True


def _no_swap() -> bool:
    """Lock all memory, now and later; not under a limit, where a later allocation would fail instead."""
    free = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    return (free or os.geteuid() == 0) and _call("mlockall", _MCL_CURRENT | _MCL_FUTURE)


def _call(name: str, *args: int) -> bool:
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (OSError, AttributeError):
        return False
    return bool(function(*args) == 0)
