"""Signed policy sets: the manifest of a policy folder, and which authors signed it.

The manifest names every file by its digest, so whoever signs it signs the folder byte for byte. Only
keys of use `policy` count, of persons of the mechanism with role `policy_author`, and of one person
only one: two keys are not two people.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from gateway.exchange.bounds import must_be_digest, must_have_text
from gateway.exchange.directory import Directory
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Member, Role, Use
from gateway.exchange.policy_acts import MAX_SET, must_be_number, must_be_policy_files
from gateway.kernel.encoding import canonical_json, hex_sha256, parse_json
from gateway.kernel.errors import MalformedError, TooLargeError, VerificationError
from gateway.kernel.signing import Pair, unverified_payload, verify
from gateway.kernel.time import instant

TYP = "eg-policy"
FEWEST = 2
"""Authors who sign a set at the very least, whatever an instance asks for."""


class Cases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many cases of the set were run, and how many held: all of them."""

    run: int
    held: int

    def __post_init__(self) -> None:
        if not 1 <= self.run == self.held:
            raise ValueError("a set has cases, and all of them hold")


class Analysis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the authors' tool proved: ids of invariants, and a statement for people."""

    proved: tuple[str, ...]
    statement: str

    def __post_init__(self) -> None:
        must_have_text(self.statement, 4000, "statement")


class PolicyManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the authors sign.

    *supersedes* is the digest of the manifest before it, null for the first; *policy* the digest of
    vocabulary, obligations and rules; *rules* and *files* digests by rule id and by name.
    """

    v: int
    number: int
    supersedes: str | None
    issued: str
    engine: str
    policy: str
    rules: dict[str, str]
    files: dict[str, str]
    cases: Cases
    analysis: Analysis

    def __post_init__(self) -> None:
        if self.v != 1:
            raise ValueError("expected a policy manifest of version 1")
        must_be_number(self.number)
        must_be_policy_files(self.files)
        for digest in (self.policy, *self.rules.values(), *self.files.values()):
            must_be_digest(digest)
        if self.supersedes is not None:
            must_be_digest(self.supersedes)
        try:
            instant(self.issued)
        except MalformedError as error:
            raise ValueError(str(error)) from None


def manifest_bytes(manifest: PolicyManifest) -> bytes:
    """Return the bytes that are signed and whose SHA-256 names the set: canonical JSON."""
    return canonical_json(plain(manifest))


def read_manifest(data: bytes) -> PolicyManifest:
    """Read a manifest. Raises MalformedError; another spelling of the same one is refused."""
    manifest = build(parse_json(data), PolicyManifest)
    if manifest_bytes(manifest) != data:
        raise MalformedError("a policy manifest is canonical JSON")
    return manifest


def check_signed(data: bytes, container: bytes) -> None:
    """Check that the signatures are of this manifest, whoever made them. Raises VerificationError."""
    if canonical_json(unverified_payload(container)) != data:
        raise VerificationError("the signatures are of another policy manifest")


def signers(
    container: bytes, directory: Directory, moment: datetime, threshold: int
) -> frozenset[str]:
    """Return the ids of the authors who signed, as the directory stood at *moment*.

    Raises VerificationError for fewer than *threshold* distinct persons.
    """
    keys: dict[str, bytes | Pair] = {}
    owners: dict[str, str] = {}
    for member in filter(_is_author, directory.mechanism().members):
        own = member.signing_keys(Use.POLICY, moment)
        keys |= own
        owners |= dict.fromkeys(own, member.id)
    try:
        _, held = verify(TYP, container, keys)
    except VerificationError as error:
        raise VerificationError(f"no policy author's signature holds: {error}") from None
    persons = frozenset(owners[kid] for kid in held)
    if len(persons) < threshold:
        many = "author" if len(persons) == 1 else "authors"
        raise VerificationError(
            f"the policy set is signed by {len(persons)} {many} in force and needs {threshold}: "
            "another author runs gateway policy sign"
        )
    return persons


def _is_author(member: Member) -> bool:
    return member.is_person and Role.POLICY_AUTHOR in member.roles


def check_size(files: Mapping[str, bytes]) -> None:
    """Raise TooLargeError for more than 2 MiB of files."""
    if sum(map(len, files.values())) > MAX_SET:
        raise TooLargeError(f"the files of a policy set have at most {MAX_SET} bytes together")


def check_files(manifest: PolicyManifest, files: Mapping[str, bytes]) -> None:
    """Check that these are the files that were signed, no more and no fewer. Raises VerificationError."""
    for name in sorted({*manifest.files, *files}):
        if name not in files:
            raise VerificationError(f"{name} was signed and is missing")
        if name not in manifest.files:
            raise VerificationError(f"{name} was not signed: sign the set again, or remove it")
        if hex_sha256(files[name]) != manifest.files[name]:
            raise VerificationError(f"{name} is not the file that was signed: sign the set again")
