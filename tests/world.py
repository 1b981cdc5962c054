"""A small world for tests: an instance, staff, authorities, a running gateway, and the public clients.

Everything is real: key files, a signed directory, the database, HTTP over a socket. Only the clock can
be set, through `Running.now`.
"""

import asyncio
import atexit
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from gateway import keyfiles, wiring
from gateway.client import authors, ceremony, policies, push, rfas
from gateway.client.profile import open_folder
from gateway.client.session import Session, connect
from gateway.client.trust import refresh_directory
from gateway.envelope import Suite
from gateway.exchange.acts import (
    Ask,
    AssessRfa,
    Basis,
    MakePackage,
    Product,
    Propose,
    Recall,
    RegisterRfa,
    Release,
    ReleaseItem,
    Wanted,
)
from gateway.exchange.parse import build
from gateway.exchange.parties import Kind, Role
from gateway.exchange.policy_sets import Analysis
from gateway.exchange.rfa_acts import Check, CheckName, Crime
from gateway.exchange.terms import SUPPORTS
from gateway.kernel.encoding import Json
from gateway.kernel.ids import new_id
from gateway.keyholder import server as keyholder_server
from gateway.keyholder.folder import VaultFile
from gateway.keyholder.holder import Vault
from gateway.policy import load_files
from gateway.settings import Settings, database_url
from gateway.settings import read as read_settings
from gateway.store.engine import connect as connect_database
from gateway.store.engine import upgrade
from gateway.web.app import make_admin, make_app
from gateway.web.connections import listen
from gateway.workflows.gateway import Gateway

_draw = random.SystemRandom()
ROOT = Path(__file__).resolve().parent.parent
POLICIES = ROOT / "policies"
ANY_RULES = "base: {context.today: 2026-05-01}\ncases:\n- {id: silence, expect: {outcome: deny}}\n"


def any_rules(policy: Path, cases: str = ANY_RULES) -> None:
    """Let a policy folder have one case that holds under any rules, and no invariants."""
    for path in (policy / "tests").glob("*.yaml"):
        path.unlink()
    (policy / "tests" / "cases.yaml").write_text(cases)
    (policy / "invariants.yaml").unlink(missing_ok=True)


STAFF = {
    "sharer": (Role.SHARER,),
    "releaser": (Role.SHARER, Role.RELEASER),
    "legal": (Role.LEGAL_ADVISER,),
    "victims": (Role.VICTIMS_UNIT,),
    "auditor": (Role.COMPLIANCE,),
    "officer": (Role.RFA_OFFICER,),
    "liaison": (Role.SOURCE_LIAISON,),
    "author1": (Role.POLICY_AUTHOR,),
    "author2": (Role.POLICY_AUTHOR,),
    "reviewer": (Role.DISCLOSURE_REVIEWER,),
}


_PORTS = range(10_000, 32_000)  # below those that systems give to connections going out


def free_port() -> int:
    """Return a port nobody listens on, and which no connection is given between now and its use."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", _draw.choice(_PORTS)))
            return int(probe.getsockname()[1])


@dataclass
class World:
    """An instance on disk, with the key folders of everyone in it."""

    root: Path
    config: Settings
    begins: datetime | None = None  # when its keys begin; None: as they are made
    days: int = ceremony.KEY_DAYS  # how long its keys are good

    @property
    def instance(self) -> Path:
        return self.root / "instance"

    def folder(self, who: str) -> Path:
        """Return the key folder of a person of staff, or of an authority's endpoint or officer."""
        return self.root / "people" / who

    @property
    def directory(self) -> Path:
        return self.instance / self.config.directory

    def _moment(self) -> datetime:
        return self.begins or datetime.now(UTC)

    def sign(self, days: int = 90, now: datetime | None = None) -> int:
        """Sign the directory as it is edited now."""
        signer = keyfiles.read_signer(self.instance / "custodian" / "directory.key", None)
        return ceremony.sign_set(self.directory, [signer], now or self._moment(), days=days)

    @property
    def policy(self) -> Path:
        return self.instance / self.config.policy

    def sign_policy(
        self,
        *who: str,
        again: bool = False,
        untested: bool = False,
        now: datetime | None = None,
    ) -> authors.Draft:
        """Sign the policy folder as it is edited now, as both authors if no others are named.

        *untested*: with one case that holds under any rules, where the shipped ones speak against them.
        """
        made: authors.Draft | None = None
        if untested:
            any_rules(self.policy)
        for name in who or ("author1", "author2"):
            signer = open_folder(self.folder(name), None).policy_signer()
            made = authors.draft(
                self.policy,
                signer,
                now or self._moment(),
                again=again and made is None,
                analysis=self.stated(),
            )
            authors.keep(self.policy, made)
        assert made is not None
        return made

    def stated(self) -> Analysis:
        """State that every invariant is proved, as authors may; a proof for each test takes too long."""
        loaded = load_files(authors.read_files(self.policy))
        return Analysis(tuple(one.id for one in loaded.invariants), "as the test says")

    def add_authority(
        self, code: str, suite: Suite = Suite.PQ, supports: Sequence[str] = SUPPORTS
    ) -> None:
        """Add `<code>` with an endpoint `<code>`, which honours what ours does, and an officer `<code>-officer`.

        What stands after the second letter tells several authorities of one jurisdiction apart.
        """
        short = f"{code}-prosecutor"
        state = code[:2].upper()
        name = f"Prosecution service of {code}"
        ceremony.add_party(self.directory, short, name, Kind.AUTHORITY, state, supports)
        self._member(short, "endpoint", (Role.ENDPOINT,), code, person=False, suites=(suite,))
        self._member(short, f"Officer of {code}", (Role.OFFICER,), f"{code}-officer", person=True)

    def _member(
        self,
        party: str,
        name: str,
        roles: Sequence[Role],
        who: str,
        *,
        person: bool,
        suites: Sequence[Suite] = (),
    ) -> None:
        ceremony.add_member(
            self.directory,
            party,
            name,
            roles,
            self.folder(who),
            wiring.place_of(self.instance, self.config),
            person=person,
            suites=suites,
            passphrase=None,
            now=self._moment(),
            days=self.days,
        )

    def add_staff(self, who: str, *roles: Role) -> None:
        """Add a person of the mechanism; an RFA officer reads what is sealed to the team."""
        suites = (Suite.PQ, Suite.CLASSIC) if Role.RFA_OFFICER in roles else ()
        self._member("mechanism", f"Person {who}", roles, who, person=True, suites=suites)

    def party(self, code: str) -> str:
        """Return the party id of an authority."""
        return ceremony.find_party(self.directory, f"{code}-prosecutor").id


def build_world(
    root: Path,
    authorities: Mapping[str, Suite] | Sequence[str] = ("xa", "xb"),
    *,
    database: str | None = None,
    policy: Path = POLICIES,
    begins: datetime | None = None,
    days: int = ceremony.KEY_DAYS,
    migrated: bool = False,
) -> World:
    """Make an instance with staff and authorities, directory and policy signed.

    Its keys begin at *begins*, or now, and are good for *days*. *migrated*: its database has the
    schema, which the first start would make.
    """
    port, admin = free_port(), free_port()
    config = Settings(
        audience=f"http://127.0.0.1:{port}",
        origin="test.example/ledger",
        database=database or "sqlite:///data/gateway.db",
        same_volume=True,
        port=port,
        admin_port=admin,
    )
    world = World(root, config, begins, days)
    wiring.init_instance(world.instance, config, None, policy, moment=begins, days=days)
    (world.instance / "data").mkdir(exist_ok=True)
    if migrated and database is None:
        migrate(database_url(config, world.instance))
    for who, roles in STAFF.items():
        world.add_staff(who, *roles)
    suites = (
        authorities if isinstance(authorities, Mapping) else dict.fromkeys(authorities, Suite.PQ)
    )
    for code, suite in suites.items():
        world.add_authority(code, suite)
    world.sign()
    world.sign_policy()
    return world


@dataclass
class Running:
    """A gateway that serves, in this process. *skew* moves its clock."""

    world: World
    gateway: Gateway
    skew: timedelta = timedelta(0)
    sessions: dict[str, Session] = field(default_factory=dict)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.world.config.port}"

    def reload(self) -> list[str]:
        """Reload directory and policy as SIGHUP does; return what was refused."""
        return wiring.reload_sets(self.gateway, self.world.instance, self.world.config)


@contextmanager
def keyholder_of(
    world: World, clock: Callable[[], datetime], vault: Vault | None = None
) -> Iterator[Path]:
    """Serve the keyholder of *world* on its socket, by threads of this process; yield its folder.

    Its keys are in *vault*, else in its one key file.
    """
    folder = world.instance / "keyholder"
    with keyholder_server.opened(folder, vault or VaultFile.read(folder, None), clock):
        yield folder


@asynccontextmanager
async def running(world: World, vault: Vault | None = None) -> AsyncIterator[Running]:
    """Serve *world* in this process until the block ends, its vault's keys in *vault* if it is given."""
    # Until its clock can be set, it lives by the real one.
    clock = [lambda: datetime.now(UTC)]
    with (
        keyholder_of(world, lambda: clock[0](), vault),
        wiring.open_gateway(world.instance) as (gateway, config),
    ):
        live = Running(world, gateway)
        clock[0] = live.now
        gateway.now = live.now
        admin = make_admin(gateway, same_volume=config.same_volume)
        app = make_app(gateway, config.requests_per_minute)
        async with (
            listen(app, "127.0.0.1", config.port, wiring.caps_of(config), drain=1),
            listen(admin, "127.0.0.1", config.admin_port, drain=1),
        ):
            yield live


@asynccontextmanager
async def session(world: World, who: str) -> AsyncIterator[Session]:
    """Open a session as *who*."""
    async with connect(open_folder(world.folder(who), None)) as opened:
        yield opened


async def sign_off(world: World, who: str = "legal") -> dict[str, Any]:
    """Agree to what the policy folder of a world turns to permit."""
    async with session(world, who) as person:
        seen = await policies.preview(person, world.policy)
        manifest, flips = str(seen["manifest"]), str(seen["flips_digest"])
        return dict(await policies.sign_off(person, manifest, flips))


@contextmanager
def serving(world: World, *, stderr: int | None = subprocess.DEVNULL) -> Iterator["Process"]:
    """Serve *world* in a process of its own, by the public command."""
    process = Process(world, stderr)
    process.start()
    try:
        yield process
    finally:
        process.stop()


@dataclass
class Process:
    """A server process that can be killed and started again."""

    world: World
    stderr: int | None = subprocess.DEVNULL
    popen: "subprocess.Popen[bytes] | None" = None
    program: Sequence[str] = ("-m", "gateway")

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.popen = subprocess.Popen(
            [sys.executable, *self.program, "serve", "--instance", str(self.world.instance)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.stderr,
            cwd=ROOT,
        )
        deadline = time.monotonic() + 60
        while not self.ready():
            if self.popen.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start")
            time.sleep(0.03)

    def ready(self) -> bool:
        """Tell whether /readyz says so."""
        url = f"http://127.0.0.1:{self.world.config.admin_port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    def kill(self) -> None:
        """Kill it at once, as a power cut would."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self) -> None:
        """Stop it as an operator would."""
        assert self.popen is not None
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(timeout=40)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


def run_cli(*args: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run the command line as a user would."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *args],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
    )
    if check and done.returncode:
        raise AssertionError(f"gateway {' '.join(args)}: {done.returncode}\n{done.stderr}")
    return done


PLAIN: dict[str, Json] = {
    "item.crimes": ["war_crimes"],
    "item.consent.status": "granted",
    "item.consent.scope": "any",
    "item.consent.purposes": ["criminal"],
    "item.consent.excluded": [],
    "item.consent.limits": [],
    "item.consent.no_death_penalty": False,
    "item.witness_protected": False,
    "item.sgbv": False,
    "item.identifies": [],
    "item.personal_data": "ordinary",
    "item.originator_control": "none",
    "item.lead_only": False,
    "item.tlp": "AMBER",
    "item.police_codes": [],
    "item.has_embargo": False,
}
"""Facts with which the shipped policy permits an item to a competent abolitionist authority."""


def source(path: Path, name: str | None = None, suite: str = "pq", **facts: Json) -> push.Source:
    """Describe a file to deposit; *facts* override the plain ones, `__` standing for a dot."""
    said = {**PLAIN, **{f"item.{k.replace('__', '.')}": v for k, v in facts.items()}}
    return push.Source(
        path,
        name or path.name,
        "application/octet-stream",
        "E-1",
        said,
        "standard",
        suite,  # type: ignore[arg-type]
    )


async def package_of(
    sharer: Session, sources: Sequence[push.Source], *, case: str = "case-1", rfa: str | None = None
) -> tuple[str, list[Any]]:
    """Deposit files and make a package of them; return its id and the deposit records."""
    records = [await push.deposit(sharer, s, lambda _: None) for s in sources]
    if rfa is not None:
        basis = Basis("requested", "criminal", case, rfa=rfa)
    else:
        basis = Basis("proactive", "criminal", case, rationale="It shows a chain of command")
    act = MakePackage(
        new_id("pkg"), Product.EVIDENCE, basis, tuple(r.item for r in records), "A note"
    )
    await sharer.act("/v1/packages", act)
    return act.id, records


async def propose(sharer: Session, package: str, authority: str) -> dict[str, Any]:
    """Propose a package to an authority (short code); return the answer."""
    directory = await refresh_directory(sharer)
    recipient = directory.party(f"{authority}-prosecutor").id
    return dict(await sharer.act("/v1/shares", Propose(new_id("shr"), package, recipient)))


async def release(releaser: Session, share: str) -> dict[str, Any]:
    """Release a share as it stands."""
    shown = (await releaser.get(f"/v1/shares/{share}")).json()
    items = build(shown["items"], tuple[ReleaseItem, ...])
    act = Release(share, str(shown["recipient"]), items)
    return dict(await releaser.act(f"/v1/shares/{share}/release", act))


async def recall(releaser: Session, share: str) -> dict[str, Any]:
    """Recall a share."""
    act = Recall(share, Ask.SEQUESTER, "a reason that stays inside")
    return dict(await releaser.act(f"/v1/shares/{share}/recall", act))


async def share_with(
    world: World, authority: str, sources: Sequence[push.Source], **basis: str
) -> str:
    """Deposit, package, propose and release; return the share's id."""
    async with session(world, "releaser") as releaser:
        package, _ = await package_of(releaser, sources, **basis)
        share = str((await propose(releaser, package, authority))["share"])
        await release(releaser, share)
    return share


def wanted(investigation: str = "case-1", **over: Any) -> Wanted:
    """Say what an RFA asks for."""
    said: dict[str, Any] = {
        "investigation": investigation,
        "purpose": "criminal",
        "crimes": (Crime.WAR_CRIMES,),
        "products": (Product.EVIDENCE,),
        "death_penalty": "excluded",
    }
    return Wanted(**{**said, **over})


async def send_rfa(endpoint: Session, asks: Wanted | None = None, text: str = "Please help") -> str:
    """Send an RFA as an authority; return its id."""
    return str((await rfas.send(endpoint, asks or wanted(), text.encode()))["rfa"])


async def register(officer: Session, rfa: str, number: str | None = None) -> dict[str, Any]:
    """Register an RFA for what it states."""
    shown: dict[str, Any] = (await officer.get(f"/v1/rfas/{rfa}")).json()
    asks = shown["wanted"]
    act = RegisterRfa(
        new_id("stp"),
        rfa,
        shown["request"],
        number or f"M-{rfa[4:12]}",
        asks["investigation"],
        asks["purpose"],
        in_days(90),
    )
    return dict(await officer.act(f"/v1/rfas/{rfa}/steps", act))


async def assess(
    officer: Session, rfa: str, *failed: CheckName, valid_to: str | None = None
) -> dict[str, Any]:
    """Record the five checks, all met but *failed*."""
    shown = (await officer.get(f"/v1/rfas/{rfa}")).json()
    checks = tuple(Check(name, name not in failed, "a note") for name in CheckName)
    act = AssessRfa(new_id("stp"), rfa, str(shown["request"]), checks, valid_to or in_days(365))
    return dict(await officer.act(f"/v1/rfas/{rfa}/steps", act))


async def admitted_rfa(world: World, authority: str, asks: Wanted | None = None) -> str:
    """Send an RFA as an authority, register and admit it; return its id."""
    async with session(world, authority) as endpoint:
        rfa = await send_rfa(endpoint, asks)
    async with session(world, "officer") as officer:
        await register(officer, rfa)
        await assess(officer, rfa)
    return rfa


def in_days(days: int) -> str:
    """Return the day so many days from today."""
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


POSTGRES = os.environ.get("GATEWAY_POSTGRES", "")
"""A server on which tests may make databases; without it, PostgreSQL tests are skipped."""


def migrate(url: str) -> None:
    """Bring the schema of an empty database up to date, as the first start does."""
    engine = connect_database(url, writer=True)
    upgrade(engine)
    engine.dispose()


@lru_cache(maxsize=1)
def _template() -> str:
    """Return the name of a database with the schema, from which others are made; one for each process."""
    name = f"gateway_template_{uuid.uuid4().hex}"
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with server.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    migrate(POSTGRES.rsplit("/", 1)[0] + f"/{name}")
    atexit.register(_drop, server, name)
    return name


def _drop(server: Engine, name: str) -> None:
    with server.connect() as conn:
        conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@contextmanager
def database(kind: str, *, migrated: bool = False) -> Iterator[str | None]:
    """Yield the URL of a fresh database of *kind*; None for SQLite, which is a file of the instance.

    It is empty, or *migrated*: then it has the schema already.
    """
    if kind == "sqlite":
        yield None
        return
    if not POSTGRES:
        pytest.skip("PostgreSQL: set GATEWAY_POSTGRES to a server where tests may make databases")
    name = f"gateway_test_{uuid.uuid4().hex}"
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as conn:
            like = f" TEMPLATE {_template()}" if migrated else ""
            conn.execute(text(f"CREATE DATABASE {name}{like}"))
        yield POSTGRES.rsplit("/", 1)[0] + f"/{name}"
        with server.connect() as conn:
            conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        server.dispose()


def settings_of(world: World) -> Settings:
    """Read the settings as the server does."""
    return read_settings(world.instance)


def run_async(work: Any) -> Any:
    """Run a coroutine outside of a test's own loop."""
    return asyncio.run(work)
