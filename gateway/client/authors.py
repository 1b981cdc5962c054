"""The authors' side of a policy set: a folder, its manifest, and their signatures. All of it offline.

`manifest.json` and `manifest.sig` lie in the policy folder beside the files they are of.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.exchange.policy_sets import (
    TYP,
    Analysis,
    Cases,
    PolicyManifest,
    check_files,
    check_signed,
    check_size,
    manifest_bytes,
    read_manifest,
)
from gateway.kernel.encoding import hex_sha256, parse_json
from gateway.kernel.errors import ConflictError, MalformedError, VerificationError
from gateway.kernel.signing import Signer, add_signature, own_keys, sign, verify
from gateway.kernel.time import instant, spell
from gateway.policy import ENGINE, check_cases, load_files

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
UNPROVED = Analysis((), "no invariants were proved")


@dataclass(frozen=True, slots=True)
class Draft:
    """A manifest with its signatures, and which rules and files differ from the set before it."""

    manifest: PolicyManifest
    container: bytes
    signatures: int
    changed_rules: tuple[str, ...]
    changed_files: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The digest of the manifest, which names the set."""
        return hex_sha256(manifest_bytes(self.manifest))


def read_files(folder: Path) -> dict[str, bytes]:
    """Read the files of a policy folder, by their names relative to it. Raises MalformedError."""
    if not folder.is_dir():
        raise MalformedError("there is no policy folder")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.yaml"))
    }


def read_signed(folder: Path) -> tuple[bytes, bytes]:
    """Return manifest and signatures as they lie in a folder. Raises MalformedError if they do not."""
    try:
        manifest = (folder / MANIFEST).read_bytes().rstrip(b"\n")
        return manifest, (folder / SIGNATURE).read_bytes().rstrip(b"\n")
    except OSError:
        raise MalformedError(
            "the policy folder is not signed: two authors run gateway policy sign"
        ) from None


def make_manifest(
    files: Mapping[str, bytes],
    *,
    number: int,
    supersedes: str | None,
    now: datetime,
    analysis: Analysis = UNPROVED,
) -> PolicyManifest:
    """Make the manifest of a folder that loads and whose cases hold. Raises MalformedError if not."""
    check_size(files)
    loaded = load_files(files)
    cases = check_cases(loaded)
    try:
        return PolicyManifest(
            v=1,
            number=number,
            supersedes=supersedes,
            issued=spell(now),
            engine=ENGINE,
            policy=loaded.policy.digest,
            rules=dict(loaded.rules),
            files={name: hex_sha256(data) for name, data in files.items()},
            cases=Cases(cases, cases),
            analysis=analysis,
        )
    except ValueError as error:
        raise MalformedError(str(error)) from None


def draft(
    folder: Path,
    signer: Signer,
    now: datetime,
    *,
    number: int | None = None,
    supersedes: str | None = None,
    again: bool = False,
    analysis: Analysis = UNPROVED,
) -> Draft:
    """Sign a folder, without writing anything: its manifest if it has one, else a new one.

    A manifest with one signature alone was never in force: its author makes it anew, upon the same
    predecessor. One with more is what the new one supersedes, unless *again* says that it never came
    into force. Raises ConflictError where another author's signature would be lost unseen, and for what
    `make_manifest` refuses.
    """
    files = read_files(folder)
    before = _present(folder)
    if before is not None and not again and _same(before[0], files):
        return _added(before, files, signer, number, analysis)
    place = _place(before, files, signer, number, supersedes, again=again)
    made = make_manifest(files, number=place[0], supersedes=place[1], now=now, analysis=analysis)
    container = sign(TYP, parse_json(manifest_bytes(made)), signer)
    old = before[0] if before is not None else None
    return Draft(made, container, 1, _changed(old, made), _changed_files(old, made))


def keep(folder: Path, made: Draft) -> None:
    """Write manifest and signatures into the folder; the signatures last."""
    for name, data in ((MANIFEST, manifest_bytes(made.manifest)), (SIGNATURE, made.container)):
        temporary = folder / f"{name}.new"
        with temporary.open("wb") as handle:
            handle.write(data + b"\n")
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(folder / name)


def _present(folder: Path) -> tuple[PolicyManifest, bytes] | None:
    if not (folder / MANIFEST).exists():
        return None
    data, container = read_signed(folder)
    check_signed(data, container)
    return read_manifest(data), container


def _same(manifest: PolicyManifest, files: Mapping[str, bytes]) -> bool:
    try:
        check_files(manifest, files)
    except VerificationError:
        return False
    return True


def _count(container: bytes) -> int:
    value = parse_json(container)
    signatures = value["signatures"] if isinstance(value, dict) else []
    return len(signatures) if isinstance(signatures, list) else 0


def _is_by(container: bytes, signer: Signer) -> bool:
    try:
        verify(TYP, container, own_keys(signer))
    except VerificationError:
        return False
    return True


def _added(
    before: tuple[PolicyManifest, bytes],
    files: Mapping[str, bytes],
    signer: Signer,
    number: int | None,
    analysis: Analysis,
) -> Draft:
    """Add a signature to a manifest that states what this author finds herself."""
    manifest, container = before
    if number not in (None, manifest.number):
        raise ConflictError(f"the folder is signed as set {manifest.number} already")
    found = make_manifest(
        files,
        number=manifest.number,
        supersedes=manifest.supersedes,
        now=_issued(manifest),
        analysis=manifest.analysis,
    )
    if found != manifest:
        raise VerificationError("the manifest does not state what its files say: sign with --again")
    if set(manifest.analysis.proved) - set(analysis.proved) and analysis is not UNPROVED:
        raise VerificationError("the manifest states invariants as proved that you cannot prove")
    made = add_signature(TYP, container, signer)
    return Draft(manifest, made, _count(made), (), ())


def _issued(manifest: PolicyManifest) -> datetime:
    return instant(manifest.issued)


def _place(
    before: tuple[PolicyManifest, bytes] | None,
    files: Mapping[str, bytes],
    signer: Signer,
    number: int | None,
    supersedes: str | None,
    *,
    again: bool,
) -> tuple[int, str | None]:
    """Return number and predecessor of a new manifest."""
    if before is None:
        return number or 1, supersedes
    manifest, container = before
    alone = _count(container) == 1
    if alone and not again and not _is_by(container, signer):
        check_files(manifest, files)  # raises: it names the file that differs
    if alone or again:
        return number or manifest.number, supersedes or manifest.supersedes
    return number or manifest.number + 1, supersedes or hex_sha256(manifest_bytes(manifest))


def _changed(old: PolicyManifest | None, new: PolicyManifest) -> tuple[str, ...]:
    return _differing(old.rules if old is not None else {}, new.rules)


def _changed_files(old: PolicyManifest | None, new: PolicyManifest) -> tuple[str, ...]:
    return _differing(old.files if old is not None else {}, new.files)


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in sorted({*old, *new}) if old.get(name) != new.get(name))
