"""The keyholder's wraps, in batches under one order: read, judged, wrapped, remembered and answered."""

import time
from collections.abc import Iterator
from pathlib import Path

from gateway.envelope import Suite, generate_identity, new_file_key, unwrap, wrap
from gateway.kernel.ids import new_id
from gateway.keyholder.folder import VaultFile
from gateway.keyholder.holder import Holder
from gateway.keyholder.judge import WrapRequest
from gateway.keyholder.protocol import encode, parse_request
from tests.benchmarks.figures import Absent, Figure, Plan
from tests.keyholder.scene import Scene

_BATCH = 250  # items of one request


def keyholder(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """Yield wraps a second of one core, beside the bare cryptography of as many."""
    scene = Scene(folder / "keyholder")
    share = new_id("shr")
    items = [scene.deposit() for _ in range(_BATCH * plan.repeat)]
    release = scene.released(share, items)
    holder = Holder(scene.folder, VaultFile(scene.vault), lambda: scene.now)
    holder.show_directory(scene.shown_directory(1, 0))
    frames, since = [], holder.state().size
    for start in range(0, len(items), _BATCH):
        frames.append(encode(scene.request(release, items[start : start + _BATCH], since)))
        since = scene.log.size
    begun = time.process_time()
    for frame in frames:
        request = parse_request(frame)
        assert isinstance(request, WrapRequest)
        assert encode(holder.wrap(request))
    ours = len(items) / (time.process_time() - begun)
    holder.close()
    yield Figure(
        "wraps by the keyholder, a CPU second",
        ours,
        "wraps/s",
        "unwrap and wrap alone",
        _bare(len(items)),
    )


def _bare(count: int) -> float:
    vault, recipient = generate_identity(Suite.PQ), generate_identity(Suite.PQ).recipient
    header = wrap(new_file_key(), [vault.recipient])
    begun = time.process_time()
    for _ in range(count):
        wrap(unwrap(header, [vault]), [recipient])
    return count / (time.process_time() - begun)
