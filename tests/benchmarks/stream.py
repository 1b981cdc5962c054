"""`python -m tests.benchmarks.stream seal SIZE | … stream open`: peak memory (kB) on standard error."""

import io
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.envelope import open_body, seal_body

KEY, NONCE = bytes(16), bytes(16)  # for this pipe alone


class Zeros:
    """So many bytes of nothing."""

    def __init__(self, size: int) -> None:
        self._left, self._block = size, bytes(4 << 20)

    def read(self, size: int, /) -> bytes:
        size = min(size, self._left, len(self._block))
        self._left -= size
        return self._block[:size]


def main() -> None:
    """Seal to standard output, or open standard input."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if sys.argv[1] == "seal":
            out = io.FileIO(1, "wb")
            seal_body(KEY, NONCE, Zeros(int(sys.argv[2])), _Whole(out), pool)  # type: ignore[arg-type]
        else:
            for _ in open_body(KEY, io.FileIO(0), pool):
                pass
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    sys.stderr.write(found.group(1) if found else "0")


class _Whole:
    """A raw file that writes all it is given."""

    def __init__(self, out: io.FileIO) -> None:
        self._out = out

    def write(self, data: memoryview) -> int:
        view = memoryview(data)
        while view:
            view = view[self._out.write(view) :]
        return len(data)


if __name__ == "__main__":
    main()
