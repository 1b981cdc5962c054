"""`gateway keys add-second` and `token-key`: how signing keys that are there sign from now on."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from gateway.cli.output import Json, explained, note, show
from gateway.cli.setup import Instance


def add_to(keys: typer.Typer) -> None:
    """Enter these commands among those on keys."""
    keys.command("add-second")(add_second)
    keys.command("token-key")(token_key)


def add_second(
    instance: Instance,
    key: Annotated[Path, typer.Argument(help="Key file of an Ed25519 key, such as message.key.")],
    mandatory_from: Annotated[
        str,
        typer.Option("--from", help="Day (UTC) from which both signatures are asked for."),
    ] = "",
    custodian: Annotated[
        bool, typer.Option("--custodian", help="It is a key of the root, which this changes.")
    ] = False,
    json: bool = Json,
) -> None:
    """Put an ML-DSA-65 key beside a signing key, and enter it: what it signs then bears both.

    Both are asked for from today, and of a custodian from the day after the signed set expires, unless --from
    says otherwise. If this was cut off, run it again.
    """
    from gateway import keyfiles, settings, wiring
    from gateway.client import ceremony
    from gateway.kernel.time import day, spell

    with explained():
        folder = instance / settings.read(instance).directory
        day(mandatory_from or "2000-01-01")
        if mandatory_from:
            begins = f"{mandatory_from}T00:00:00Z"
        else:
            begins = ceremony.day_after_set(folder) if custodian else spell(wiring.now())
        signer = keyfiles.read_signer(key, wiring.passphrase())
        if signer.second is None:
            signer = keyfiles.add_second(key, wiring.passphrase())
        if custodian:
            ceremony.pair_custodian(folder, signer, begins)
            wiring.tell_keyholder(instance, (folder / "root.json").read_bytes())
        else:
            ceremony.pair(folder, signer, begins)
    if custodian:
        note("root.json has changed: give it to everybody who pins it, then sign the directory")
    else:
        note(
            "sign the directory and send SIGHUP to the gateway; until then its owner's acts may fail"
        )
    show({"key": str(key), "mandatory_from": begins}, f"twice from {begins}", as_json=json)


def token_key(
    instance: Instance,
    use: Annotated[str, typer.Argument(help="manifest, checkpoint or directory.")],
    uri: Annotated[str, typer.Option(help="RFC 7512: pkcs11:token=…;object=…?pin-source=file:…")],
    module: Annotated[Path, typer.Option(help="The token's PKCS#11 module, a shared library.")],
    custodian: Annotated[
        Optional[Path], typer.Option(help="Key file of the custodian whose key it replaces.")
    ] = None,
    make: Annotated[
        bool, typer.Option("--make", help="Have the token make the key first.")
    ] = False,
    second: Annotated[
        bool, typer.Option("--second/--no-second", help="Put an ML-DSA-65 key into the key file.")
    ] = True,
    json: bool = Json,
) -> None:
    """Sign with a key in a PKCS#11 token, in place of the one in a file. Stop the gateway first.

    The PIN comes from GATEWAY_PKCS11_PIN or the URI's pin-source, and is tried once.
    """
    from gateway import settings, wiring
    from gateway.exchange.parties import Use
    from gateway.kernel.errors import MalformedError

    with explained():
        if use not in {"manifest", "checkpoint", "directory"}:
            raise MalformedError("say manifest, checkpoint or directory")
        config = settings.read(instance)
        path = wiring.take_token_key(
            instance, config, Use(use), uri, str(module),
            custodian=custodian, make=make, second=second,
        )  # fmt: skip
    note(f"{path.name}.before holds the key from before: destroy it, or keep it away from here")
    show({"key": str(path)}, f"{path} signs in its token; sign the directory next", as_json=json)
