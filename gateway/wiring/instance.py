"""Making an instance, and what is done to a stopped one."""

import shutil
from datetime import datetime
from pathlib import Path

from gateway import keyfiles, settings
from gateway.client import authors, ceremony
from gateway.client.profile import KeyFolder
from gateway.exchange import tokens
from gateway.exchange.acts import AcceptHead, Order
from gateway.exchange.parse import plain
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Member, Party, Use
from gateway.kernel.encoding import b64url, canonical_json, sha256
from gateway.kernel.errors import ConflictError, MalformedError
from gateway.kernel.ids import new_id
from gateway.ledger import EMPTY_ROOT, Checkpoint, Verifier
from gateway.settings import Settings
from gateway.store import ledger
from gateway.store.headcopy import HeadCopy
from gateway.wiring.build import copy_head, open_gateway
from gateway.wiring.clock import now, passphrase
from gateway.wiring.keyholder import make_keyholder
from gateway.workflows import accept
from gateway.workflows.gateway import Answer, Signed


def packaged(name: str) -> Path:
    """Return a folder of examples that ship with the program: `policies` or `keys`."""
    return Path(__file__).parent.parent / "_examples" / name


def init_instance(
    instance: Path,
    config: Settings,
    phrase: str | None,
    policy: Path | None = None,
    *,
    custodians: int = 1,
    threshold: int = 1,
    moment: datetime | None = None,
    days: int = ceremony.KEY_DAYS,
) -> None:
    """Make a new instance: settings, secrets, the mechanism's party, directory root, policies.

    The directory takes the signatures of *threshold* of so many *custodians*. The keys begin at
    *moment*, which is now if it is not given, and are good for *days*. Raises ConflictError if
    there is an instance already: nothing is overwritten; MalformedError for a threshold out of range.
    """
    if not 1 <= threshold <= custodians <= 16:
        raise MalformedError("the threshold is between 1 and the number of custodians, at most 16")
    if (instance / settings.FILE).exists():
        raise ConflictError(f"{instance.name} is an instance already")
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    secrets, begin = instance / config.secrets, moment or now()
    manifest = keyfiles.make_signer(secrets / "manifest.key", phrase)
    checkpoint = keyfiles.make_signer(secrets / "checkpoint.key", phrase)
    for name in ("upload.key", "audience.key"):
        keyfiles.make_symmetric(secrets / name, phrase)
    names = [f"directory-{n}.key" for n in range(1, custodians + 1)]
    roots = [
        keyfiles.make_signer(instance / "custodian" / name, phrase)
        for name in (names if custodians > 1 else ["directory.key"])
    ]
    folder = instance / config.directory
    ceremony.write_root(folder, roots, threshold, begin)
    root = (folder / "root.json").read_bytes()
    vault = make_keyholder(instance, config, checkpoint.public_key, root, phrase)
    keys = (
        ceremony.public_key(Use.MANIFEST, "Ed25519", b64url(manifest.public_key), begin, days),
        ceremony.public_key(Use.CHECKPOINT, "Ed25519", b64url(checkpoint.public_key), begin, days),
        ceremony.public_key(Use.VAULT, "mlkem768x25519", str(vault.recipient), begin, days),
    )
    service = Member(new_id("svc"), "gateway", (), keys)
    party = Party(new_id("pty"), "mechanism", "The mechanism", PartyKind.MECHANISM, (service,))
    ceremony.write_party(folder, party)
    # Whoever signed the folder that is copied signed for another gateway.
    signed = shutil.ignore_patterns(authors.MANIFEST, authors.SIGNATURE)
    shutil.copytree(policy or packaged("policies"), instance / config.policy, ignore=signed)
    # The copy begins with the empty log: a crash before its first renewal must not look like a loss.
    start = Checkpoint(config.origin, 0, EMPTY_ROOT).sign(checkpoint)
    HeadCopy(instance / config.head_copy).write(start)
    settings.write(instance, config)


def place_of(instance: Path, config: Settings) -> ceremony.Place:
    """Return what the key folders of new members need to know."""
    signer = keyfiles.read_signer(instance / config.secrets / "checkpoint.key", passphrase())
    url = config.url or f"http://{config.host}:{config.port}"
    return ceremony.Place(url, config.audience, str(Verifier(config.origin, signer.public_key)))


def accept_head(instance: Path, custodian: KeyFolder, reason: str) -> Answer:
    """End the quarantine of a stopped instance on a custodian's signed order.

    Raises ConflictError if it is in none, UnavailableError while its server runs.
    """
    with open_gateway(instance) as (gateway, config):
        with gateway.engine.connect() as conn:
            size, root = ledger.head(conn)
        act = AcceptHead(size, b64url(root), reason)
        body = canonical_json({"act": plain(act), "sig2": None})
        request = tokens.Request("POST", "/v1/ledger/accept-head", sha256(body))
        token = tokens.make(
            custodian.request_signer(),
            issuer=custodian.profile.actor,
            audience=config.audience,
            request=request,
            now=now(),
        )
        order = Order(token, request.method, request.target, body, request.digest)
        verified = tokens.verify(
            token,
            request,
            audience=config.audience,
            directory=gateway.sets.directory,
            now=now(),
        )
        answer = accept.accept_head(gateway, Signed(verified.actor, order, verified.claims))
        copy_head(gateway, HeadCopy(instance / config.head_copy))
        return answer
