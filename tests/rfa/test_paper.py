"""An RFA on paper counts once two persons have vouched for it, and is never taken for a signed one."""

from pathlib import Path
from typing import Any

import pytest

from gateway.client import audit, push
from gateway.client.session import Session
from gateway.exchange.acts import ConfirmRfa, RecordRfa, StrikeRfa
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    VerificationError,
)
from gateway.kernel.ids import new_id
from tests.world import Running, World, assess, in_days, session, wanted


async def record(world: World, officer: Session) -> str:
    """Enter an RFA from paper with its scan; return its id."""
    scan = world.root / "scan.pdf"
    scan.write_bytes(b"%PDF-1.4 a scanned letter")
    said = push.Source(scan, "scan.pdf", "application/pdf", "L-1", {}, "standard", "pq")
    item = (await push.deposit(officer, said, lambda _: None)).item
    act = RecordRfa(
        new_id("stp"), new_id("rfa"), world.party("xa"), wanted("inv-9"), item,
        in_days(-3), "M-9", in_days(60),
    )  # fmt: skip
    assert (await officer.act("/v1/rfas/paper", act))["state"] == "recorded"
    return act.rfa


async def confirm(officer: Session, rfa: str, digest: str | None = None) -> dict[str, Any]:
    shown = (await officer.get(f"/v1/rfas/{rfa}")).json()
    act = ConfirmRfa(new_id("stp"), rfa, digest or str(shown["request"]))
    return dict(await officer.act(f"/v1/rfas/{rfa}/steps", act))


async def test_two_persons_register_an_rfa_from_paper(live: Running) -> None:
    async with session(live.world, "second") as one, session(live.world, "officer") as two:
        rfa = await record(live.world, one)
        with pytest.raises(ForbiddenError, match="does not confirm it: another must"):
            await confirm(one, rfa)
        with pytest.raises(VerificationError, match="another order"):
            await confirm(two, rfa, "0" * 64)
        with pytest.raises(ConflictError, match="cannot admit an RFA that is recorded"):
            await assess(two, rfa)
        waiting = (await two.get("/v1/approvals")).json()["confirm"]
        assert [row["rfa"] for row in waiting] == [rfa]  # type: ignore[union-attr,call-overload,index]
        assert (await one.get("/v1/approvals")).json()["confirm"] == []
        assert (await confirm(two, rfa))["state"] == "registered"
        assert (await assess(two, rfa))["state"] == "review"
        shown = (await two.get(f"/v1/rfas/{rfa}")).json()
        assert (shown["origin"], shown["number"], shown["reference"]) == ("paper", "M-9", "inv-9")


async def test_the_ledger_tells_paper_from_signed(live: Running) -> None:
    async with session(live.world, "second") as one, session(live.world, "officer") as two:
        rfa = await record(live.world, one)
        await confirm(two, rfa)
    async with session(live.world, "auditor") as auditor:
        found = [e for e in await audit.entries(auditor, 0) if e["subject"] == rfa]
    assert [entry["kind"] for entry in found] == ["rfa.recorded", "rfa.registered"]
    assert found[1]["content"]["origin"] == "paper"
    assert found[0]["actor"] != found[1]["actor"]
    assert "sha256" in found[0]["content"]


async def test_what_was_entered_wrongly_is_struck_and_stays_so(live: Running) -> None:
    async with session(live.world, "second") as one, session(live.world, "officer") as two:
        rfa = await record(live.world, one)
        strike = StrikeRfa(new_id("stp"), rfa, "another authority sent it")
        assert (await one.act(f"/v1/rfas/{rfa}/steps", strike))["state"] == "withdrawn"
        with pytest.raises(ConflictError, match="cannot confirm an RFA that is withdrawn"):
            await confirm(two, rfa)


async def test_the_scan_must_have_been_deposited(live: Running, tmp_path: Path) -> None:
    async with session(live.world, "second") as one:
        act = RecordRfa(
            new_id("stp"), new_id("rfa"), live.world.party("xa"), wanted(), new_id("itm"),
            in_days(-3), "M-9", in_days(60),
        )  # fmt: skip
        with pytest.raises(NotFoundError, match="no such item"):
            await one.act("/v1/rfas/paper", act)
