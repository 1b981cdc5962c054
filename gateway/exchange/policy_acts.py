"""The acts of a policy set's life: look at what it would change, sign that off, put it into force."""

import msgspec

from gateway.exchange.bounds import must_be_digest, must_be_id
from gateway.exchange.naming import check_name

MAX_FILES = 1000
MAX_SET = 2 << 20  # bytes of a set's files, and of the body that brings them


class ActivatePolicy(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="policy.activate"
):
    """Put a policy set into force: manifest, signatures and files as their texts."""

    number: int
    manifest: str
    signature: str
    files: dict[str, str]

    def __post_init__(self) -> None:
        must_be_number(self.number)
        must_be_policy_files(self.files)
        if not self.files:
            raise ValueError("a policy set has files")


class PreviewPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="policy.preview"):
    """Ask what a set would change, and what it lacks. Nothing is recorded.

    Without *manifest* and *signature* it is not signed yet; without *files*, the set in force is
    judged.
    """

    manifest: str = ""
    signature: str = ""
    files: dict[str, str] = {}

    def __post_init__(self) -> None:
        must_be_policy_files(self.files)
        if (self.manifest or self.signature) and not self.files:
            raise ValueError("a manifest comes with its files")


class SignOffPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="policy.signoff"):
    """Agree that a set permits what was denied or held: *flips* is the digest of what it turns."""

    id: str
    manifest: str
    flips: str

    def __post_init__(self) -> None:
        must_be_id(self.id, "sgn")
        must_be_digest(self.manifest)
        must_be_digest(self.flips)


def must_be_number(number: int) -> None:
    """Raise ValueError unless *number* can be a policy set's."""
    if not 1 <= number <= 1 << 31:
        raise ValueError("a policy set's number is between 1 and 2**31")


def must_be_policy_files(names: "dict[str, str]") -> None:
    """Raise ValueError unless these can be the names of a policy folder's files."""
    if len(names) > MAX_FILES:
        raise ValueError(f"a policy set has at most {MAX_FILES} files")
    for name in names:
        check_name(name)
        if not name.isascii() or not name.endswith(".yaml"):
            raise ValueError("a policy file has an ASCII name that ends with .yaml")
