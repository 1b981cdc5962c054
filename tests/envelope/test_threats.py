"""Each threat to the envelope has a test that exists, in the table of the threat model."""

import re

from tests.vectors import ROOT
from tests.web.test_attack_index import defined

PAGE = ROOT / "docs" / "threat-model.md"


def test_every_threat_to_the_envelope_names_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (T\d+) \|.*$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [f"T{n}" for n in range(1, 12)]
    for line in PAGE.read_text("utf-8").splitlines():
        if re.match(r"\| T\d+ \|", line):
            named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", line)
            assert named, line[:40]
            for file, name in named:
                assert name in defined(file), (file, name)
