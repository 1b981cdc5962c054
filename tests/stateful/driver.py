"""Anyone of a world acts on its gateway in this process: requests really signed, no HTTP in between.

What the web layer does around a workflow is done here too: the token is verified by the directory in
force, and a signed request that a workflow refuses before its work is recorded as refused.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from gateway import wiring
from gateway.client.profile import open_folder
from gateway.client.rfas import seal_for
from gateway.exchange import tokens
from gateway.exchange.acts import Order
from gateway.exchange.parse import plain
from gateway.exchange.receipts import Receipt, Rung, sign_receipt
from gateway.exchange.rfa_acts import Wanted
from gateway.exchange.rfa_messages import About, RfaMessage, sign_rfa_message
from gateway.kernel.encoding import canonical_json, sha256
from gateway.kernel.errors import GatewayError, QuarantinedError, UnavailableError
from gateway.kernel.ids import new_id
from gateway.kernel.signing import KeySigner
from gateway.kernel.time import spell
from gateway.settings import Settings
from gateway.store.headcopy import HeadCopy
from gateway.workflows import pull, request
from gateway.workflows.gateway import Gateway, Signed, refuse
from tests.world import World, keyholder_of

T = TypeVar("T")
Answer = dict[str, Any]


@dataclass(frozen=True)
class Actor:
    """Somebody with keys: the ids, and what signs requests and messages."""

    id: str
    party: str
    requests: KeySigner
    messages: KeySigner


@dataclass
class Driver:
    """A gateway on an instance, the clock it lives by, and everybody who may act on it."""

    world: World
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _gateway: Gateway | None = None
    _config: Settings | None = None
    _open: ExitStack = field(default_factory=ExitStack)
    _actors: dict[str, Actor] = field(default_factory=dict)
    _sealed: dict[str, str] = field(default_factory=dict)

    @property
    def gateway(self) -> Gateway:
        assert self._gateway is not None, "the gateway is closed"
        return self._gateway

    def start(self) -> None:
        """Open the gateway, as a server does at its start, and its keyholder."""
        self._open.enter_context(keyholder_of(self.world, lambda: self.now))
        opened = wiring.open_gateway(self.world.instance, lambda: self.now)
        self._gateway, self._config = self._open.enter_context(opened)

    def stop(self) -> None:
        """Close it as an operator would: the newest checkpoint is copied."""
        self.publish()
        self.kill()

    def kill(self) -> None:
        """Close it without a last word; what was committed is all that is left."""
        self._open.close()
        self._gateway = None

    def publish(self) -> None:
        """Copy the ledger's head, as the server does every second."""
        assert self._config is not None
        wiring.copy_head(self.gateway, HeadCopy(self.world.instance / self._config.head_copy))

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def reload(self) -> list[str]:
        """Reload directory and policy as SIGHUP does; return what was refused."""
        assert self._config is not None
        return wiring.reload_sets(self.gateway, self.world.instance, self._config)

    def pass_time(self, **much: float) -> None:
        """Move the clock forward."""
        self.now += timedelta(**much)

    def party(self, code: str) -> str:
        """Return the party id of an authority."""
        return self.gateway.sets.directory.party(f"{code}-prosecutor").id

    def actor(self, who: str) -> Actor:
        """Return somebody by the name of the key folder."""
        if who not in self._actors:
            folder = open_folder(self.world.folder(who), None)
            profile = folder.profile
            keys = folder.request_signer(), folder.message_signer()
            self._actors[who] = Actor(profile.actor, profile.party, *keys)
        return self._actors[who]

    def signed(self, who: str, method: str, target: str, body: bytes = b"") -> Signed:
        """Sign a request as *who*, and let the gateway verify it as it would one from the network."""
        actor, audience = self.actor(who), self.gateway.audience
        bound = tokens.Request(method, target, sha256(body))
        token = tokens.make(
            actor.requests, issuer=actor.id, audience=audience, request=bound, now=self.now
        )
        directory = self.gateway.sets.directory
        held = tokens.verify(
            token, bound, audience=audience, directory=directory, now=self.gateway.now()
        )
        return Signed(held.actor, Order(token, method, target, body, bound.digest), held.claims)

    def send(
        self, who: str, target: str, body: bytes, workflow: Callable[..., T], *args: object
    ) -> T:
        """Send a signed body to a workflow; what it refuses is recorded."""
        return self.perform(self.signed(who, "POST", target, body), workflow, *args)

    def perform(self, signed: Signed, workflow: Callable[..., T], *args: object) -> T:
        """Perform a workflow on a signed request, as `gateway.web.auth.performed` does."""
        try:
            return workflow(self.gateway, signed, *args)
        except (UnavailableError, QuarantinedError):
            raise
        except GatewayError as error:
            refuse(self.gateway, signed, error)
            raise

    def act(
        self, who: str, target: str, act: object, workflow: Callable[..., Answer], *args: object
    ) -> Answer:
        """Send an act as a signed order."""
        body = canonical_json({"act": plain(act), "sig2": None})
        return self.send(who, target, body, workflow, *args)

    def read(self, who: str, target: str, workflow: Callable[..., T], *args: object) -> T:
        """Read as *who*."""
        return workflow(self.gateway, self.signed(who, "GET", target), *args)

    # --- messages and receipts ------------------------------------------------------------------
    def sealed(self, party: str) -> str:
        """Return some content sealed to the people of a party: made once, since nobody opens it here."""
        if party not in self._sealed:
            found = self.gateway.sets.directory.party(party)
            self._sealed[party] = seal_for(found, b"What is asked for, in words", self.now)
        return self._sealed[party]

    def message(self, who: str, rfa: str, about: About, *, wanted: Wanted | None = None) -> Answer:
        """Send a message about an RFA as its authority: a request, information or a withdrawal."""
        actor, mechanism = self.actor(who), self.gateway.sets.directory.mechanism().id
        message = RfaMessage(
            v=1,
            id=new_id("msg"),
            sender=actor.party,
            by=actor.id,
            to=mechanism,
            at=spell(self.now),
            about=about,
            rfa=rfa,
            wanted=wanted,
            content=None if about is About.WITHDRAWAL else self.sealed(mechanism),
        )
        body = sign_rfa_message(message, actor.messages)
        if about is About.REQUEST:
            return self.send(who, "/v1/rfas", body, request.submit)
        return self.send(who, f"/v1/rfas/{rfa}/messages", body, request.add, rfa)

    def receipt(self, who: str, share: str, manifest: str, rung: Rung) -> Answer:
        """Sign and send a receipt."""
        actor = self.actor(who)
        receipt = Receipt(1, new_id("rcp"), share, manifest, rung, actor.id, spell(self.now))
        body = sign_receipt(receipt, actor.messages)
        return self.send(who, f"/v1/shares/{share}/receipts", body, pull.acknowledge, share)

    # --- bytes ----------------------------------------------------------------------------------
    def pull_range(
        self, who: str, share: str, n: int, first: int, end: int | None = None, *, cut: int = 0
    ) -> int:
        """Pull bytes [first, end) of an item and return how many came; *cut* of them get lost."""
        target = f"/v1/shares/{share}/items/{n}"
        signed = self.signed(who, "GET", target)
        item = pull.find_item(self.gateway, signed, share, n)
        last = item.size if end is None else min(end, item.size)
        serving = pull.authorise(self.gateway, signed, item, first, last)
        sent = sum(len(data) for data in pull.stream(self.gateway, item, first, last)) - cut
        pull.ended(self.gateway, signed.actor.id, serving, sent, signed.actor.party.id)
        return sent

    def pull_and_die(self, who: str, share: str, n: int) -> None:
        """Begin to pull an item whole, and kill the gateway before anybody knows how it ended."""
        signed = self.signed(who, "GET", f"/v1/shares/{share}/items/{n}")
        item = pull.find_item(self.gateway, signed, share, n)
        pull.authorise(self.gateway, signed, item, 0, item.size)
        self.kill()
        self.start()


@contextmanager
def driving(world: World, now: datetime | None = None) -> Iterator[Driver]:
    """Open a gateway on *world* at *now* until the block ends."""
    driver = Driver(world, now or datetime.now(UTC))
    driver.start()
    try:
        yield driver
    finally:
        driver.stop()
