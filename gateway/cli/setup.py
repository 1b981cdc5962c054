"""`gateway init`, `gateway serve` and `gateway keys …`: the instance and its directory."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Optional

import typer

from gateway.cli.output import Json, explained, note, show

keys = typer.Typer(
    no_args_is_help=True, help="The trust directory: parties, persons, services, keys."
)
Instance = Annotated[
    Path, typer.Option("--instance", envvar="GATEWAY_INSTANCE", help="The instance folder.")
]


def init(
    instance: Annotated[Path, typer.Argument(help="Folder of the new instance.")],
    head_copy: Annotated[
        Optional[Path],
        typer.Option(help="File on another volume for a copy of the ledger head."),
    ] = None,
    same_volume: Annotated[
        bool, typer.Option("--same-volume", help="Accept that the copy shares the database's fate.")
    ] = False,
    audience: Annotated[str, typer.Option(help="What request tokens are made for.")] = "",
    url: Annotated[str, typer.Option(help="Where clients find it, if behind a proxy.")] = "",
    database: Annotated[
        str, typer.Option(help="Database URL, without a password.")
    ] = "sqlite:///data/gateway.db",
    password_file: Annotated[
        Optional[Path],
        typer.Option("--database-password-file", help="File with the database role's password."),
    ] = None,
    check_database: Annotated[
        bool, typer.Option("--check-database", help="See that the database answers and is durable.")
    ] = False,
    policy: Annotated[Optional[Path], typer.Option(help="Policy folder to start from.")] = None,
    port: Annotated[int, typer.Option(help="Port of the HTTP service.")] = 8443,
    admin_port: Annotated[int, typer.Option(help="Port of health and metrics.")] = 8444,
    custodians: Annotated[int, typer.Option(help="How many custodians sign the directory.")] = 1,
    threshold: Annotated[int, typer.Option(help="How many of them it takes.")] = 1,
    unsealed: Annotated[
        bool, typer.Option("--unsealed", help="Keep secret keys without a passphrase (demos only).")
    ] = False,
    second: Annotated[
        bool,
        typer.Option(
            "--second/--no-second", help="Sign manifests, messages and directory twice (ML-DSA-65)."
        ),
    ] = True,
    json: bool = Json,
) -> None:
    """Make a new gateway instance."""
    from gateway import wiring
    from gateway.kernel.errors import MalformedError
    from gateway.settings import Settings

    with explained():
        if head_copy is None and not same_volume:
            raise MalformedError("give --head-copy on another volume, or accept --same-volume")
        phrase = wiring.passphrase()
        if phrase is None and not unsealed:
            raise MalformedError(
                "set GATEWAY_PASSPHRASE to seal the secret keys, or say --unsealed"
            )
        config = Settings(
            audience=audience or url or f"http://127.0.0.1:{port}",
            origin=f"evidence-gateway/{instance.name}",
            database=database,
            database_password_file=str(password_file.resolve()) if password_file else "",
            head_copy=str(head_copy.resolve()) if head_copy else "data/head-copy",
            same_volume=same_volume,
            port=port,
            admin_port=admin_port,
            url=url,
        )
        wiring.check_new_database(instance, config, reach=check_database)
        wiring.init_instance(
            instance,
            config,
            None if unsealed else phrase,
            policy,
            custodians=custodians,
            threshold=threshold,
            second=second,
        )
    show(
        {"instance": str(instance)},
        f"made {instance}\nnext: gateway keys add-person / add-party / add-service, "
        "then gateway keys sign, gateway policy sign (two authors), then gateway serve",
        as_json=json,
    )


def serve(instance: Instance) -> None:
    """Run the gateway until it is told to stop; SIGHUP reloads directory and policy."""
    from gateway import wiring

    with explained():
        asyncio.run(wiring.serve(instance))


@keys.command("add-party")
def add_party(
    instance: Instance,
    short: Annotated[str, typer.Argument(help="Short name, such as xa-prosecutor.")],
    name: Annotated[str, typer.Argument(help="Full name.")],
    jurisdiction: Annotated[str, typer.Option(help="Code of the jurisdiction, such as XA.")],
    supports: Annotated[
        str,
        typer.Option(help="What its endpoint honours, as `gateway endpoint supports` printed it."),
    ] = "",
    json: bool = Json,
) -> None:
    """Add an authority of a jurisdiction."""
    from gateway import settings
    from gateway.client import ceremony
    from gateway.exchange.parties import Kind

    with explained():
        folder = instance / settings.read(instance).directory
        kinds = _kinds(supports)
        party = ceremony.add_party(folder, short, name, Kind.AUTHORITY, jurisdiction, kinds)
    show({"party": party.id}, f"added {short} as {party.id}; sign the directory next", as_json=json)


@keys.command("supports")
def set_supports(
    instance: Instance,
    party: Annotated[str, typer.Argument(help="Short name of the party.")],
    supports: Annotated[
        str,
        typer.Argument(
            help="What its endpoint honours, as `gateway endpoint supports` printed it."
        ),
    ],
    json: bool = Json,
) -> None:
    """Enter which kinds of obligation an authority's endpoint honours; empty text: none.

    What a decision asks of a recipient and is not named here means deny.
    """
    from gateway import settings
    from gateway.client import ceremony

    with explained():
        folder = instance / settings.read(instance).directory
        changed = ceremony.set_supports(folder, party, _kinds(supports))
    note("sign the directory and send SIGHUP to the gateway to put this into force")
    data = {"party": changed.id, "supports": [*changed.supports]}
    show(data, f"{party} supports {', '.join(changed.supports) or 'nothing'}", as_json=json)


def _kinds(text: str) -> list[str]:
    """Read kinds of obligation, apart by commas."""
    return [word for part in text.split(",") if (word := part.strip())]


def _add_member(
    instance: Path, party: str, name: str, roles: list[str], out: Path, suites: list[str],
    *, person: bool, unsealed: bool, second: str, as_json: bool,
) -> None:  # fmt: skip
    from gateway import settings, wiring
    from gateway.client import ceremony
    from gateway.envelope import Suite
    from gateway.exchange.parties import Role
    from gateway.kernel.errors import MalformedError

    with explained():
        config = settings.read(instance)
        unknown = set(roles) - {role.value for role in Role}
        if unknown:
            known = ", ".join(role.value for role in Role)
            raise MalformedError(f"unknown role {min(unknown)}; roles are {known}")
        if not set(suites) <= set(Suite) or len(set(suites)) != len(suites):
            raise MalformedError("suite is pq or classic, each at most once")
        if second not in set(ceremony.Seconds):
            raise MalformedError("--second is none, kept or all")
        phrase = wiring.passphrase()
        if phrase is None and not unsealed:
            raise MalformedError(
                "set GATEWAY_PASSPHRASE to seal the secret keys, or say --unsealed"
            )
        member = ceremony.add_member(
            instance / config.directory,
            party,
            name,
            [Role(role) for role in roles],
            out,
            wiring.place_of(instance, config),
            person=person,
            suites=[Suite(suite) for suite in suites],
            passphrase=None if unsealed else phrase,
            now=wiring.now(),
            seconds=ceremony.Seconds(second),
        )
    data = {"member": member.id, "folder": str(out)}
    show(data, f"made {out} for {member.id}; sign the directory next", as_json=as_json)


Party = Annotated[str, typer.Argument(help="Short name of the party.")]
Name = Annotated[str, typer.Argument(help="Full name.")]
RoleOption = Annotated[list[str], typer.Option("--role", help="Role; may be repeated.")]
Out = Annotated[Path, typer.Option("--out", help="Key folder to make.")]
SuiteOption = Annotated[
    Optional[list[str]],
    typer.Option("--suite", help="Make an envelope key too: pq or classic; may be said for both."),
]
Unsealed = Annotated[bool, typer.Option("--unsealed", help="No passphrase (demos only).")]
SecondOption = Annotated[
    str,
    typer.Option(
        help="Which keys sign twice (ML-DSA-65): none; kept (receipts, messages, terms, policy sets); "
        "all (each act too)."
    ),
]


@keys.command("add-person")
def add_person(
    instance: Instance,
    party: Party,
    name: Name,
    role: RoleOption,
    out: Out,
    suite: SuiteOption = None,
    unsealed: Unsealed = False,
    second: SecondOption = "kept",
    json: bool = Json,
) -> None:
    """Make a key folder for a person and enter her public keys."""
    _add_member(
        instance, party, name, role, out, suite or [],
        person=True, unsealed=unsealed, second=second, as_json=json,
    )  # fmt: skip


@keys.command("add-service")
def add_service(
    instance: Instance,
    party: Party,
    name: Name,
    role: RoleOption,
    out: Out,
    suite: SuiteOption = None,
    unsealed: Unsealed = False,
    second: SecondOption = "kept",
    json: bool = Json,
) -> None:
    """Make a key folder for a service, such as an authority's endpoint."""
    _add_member(
        instance, party, name, role, out, suite or [],
        person=False, unsealed=unsealed, second=second, as_json=json,
    )  # fmt: skip


@keys.command("list")
def list_keys(instance: Instance, json: bool = Json) -> None:
    """List persons and services with the fingerprints of their keys, as edited: sign to put into force."""
    from gateway import settings, wiring
    from gateway.client import ceremony
    from gateway.exchange.key_life import advice, fingerprint
    from gateway.exchange.parties import Second

    with explained():
        now = wiring.now()
        parties = ceremony.read_parties(instance / settings.read(instance).directory)
    rows = [
        {
            "party": party.short,
            "supports": ",".join(party.supports),
            "member": member.name,
            "roles": " ".join(role.value for role in member.roles),
            "use": key.use.value,
            "status": key.status.value,
            "fingerprint": fingerprint(key),
            "ends": key.not_after,
            "second": key.second.mandatory_from if isinstance(key.second, Second) else "",
            "next": advice(member, key, now, introduced=None),
        }
        for party in parties
        for member in party.members
        for key in member.keys
    ]
    show(rows, "\n".join(_lines(rows)) or "no parties yet", as_json=json)


def _lines(rows: list[dict[str, str]]) -> Iterator[str]:
    """Yield a line per member and one per key: fingerprints stay whole, to be read over a telephone.

    What a party's endpoint honours stands before its first member.
    """
    before, party = "", ""
    for row in rows:
        if row["supports"] and row["party"] != party:
            yield f"{row['party']} supports {row['supports']}"
        party = row["party"]
        roles = f" ({row['roles']})" if row["roles"] else ""
        member = f"{row['party']}: {row['member']}{roles}"
        if member != before:
            yield member
        before = member
        twice = f"  twice from {row['second'][:10]}" if row["second"] else ""
        line = (
            f"  {row['use']:<10} {row['status']:<8} until {row['ends'][:10]}  {row['fingerprint']}"
        )
        yield line + twice
        if row["next"]:
            yield f"  {'':<10} {row['next']}"


@keys.command("sign")
def sign(
    instance: Instance,
    key: Annotated[
        Optional[list[Path]], typer.Option("--key", help="Custodian's key file; may be repeated.")
    ] = None,
    days: Annotated[int, typer.Option(help="Days until the set expires.")] = 90,
    json: bool = Json,
) -> None:
    """Sign the directory as its next set. Tell a running gateway with SIGHUP."""
    from gateway import keyfiles, settings, wiring
    from gateway.client import ceremony

    with explained():
        config = settings.read(instance)
        paths = key or sorted((instance / "custodian").glob("directory*.key"))
        phrase, pin = wiring.passphrase(), wiring.pin()
        signers = [keyfiles.open_signer(path, phrase, pin) for path in paths]
        number = ceremony.sign_set(instance / config.directory, signers, wiring.now(), days=days)
    show({"number": number}, f"signed directory set {number}", as_json=json)
