"""The stock age command as a peer, by the CPU time of its process."""

import resource
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from gateway.envelope import Identity, Recipient

AGE = shutil.which("age")
WHY = "age is not installed"


def spent() -> float:
    """Return the CPU seconds of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(*args: str) -> float:
    begun = spent()
    subprocess.run(["age", *args], check=True)
    return spent() - begun


def seal(recipients: Sequence[Recipient], source: Path, target: Path) -> float:
    """Seal a file; return the CPU seconds."""
    named = [word for recipient in recipients for word in ("-r", str(recipient))]
    return _run(*named, "-o", str(target), str(source))


def unseal(identity: Identity, source: Path, folder: Path) -> float:
    """Open a file; return the CPU seconds."""
    key = folder / "identity"
    key.write_text(identity.text + "\n")
    return _run("-d", "-i", str(key), "-o", "/dev/null", str(source))
