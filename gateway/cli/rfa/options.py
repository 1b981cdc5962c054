"""What the commands on RFAs share: options, and how an officer's act is made and sent."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import run, show, with_session

app = typer.Typer(no_args_is_help=True, help="Requests for assistance: send, register, answer.")
RfaId = Annotated[str, typer.Argument(help="RFA id.")]
TextFile = Annotated[
    Path, typer.Argument(help="File with the text; sealed here to the other side's people.")
]
Due = Annotated[str, typer.Option(help="Due date, such as 2027-01-31.")]
Reason = Annotated[str, typer.Option(help="Why; it stays with the mechanism.")]
Investigation = Annotated[
    str, typer.Option(help="The authority's own reference of the investigation.")
]
Purpose = Annotated[str, typer.Option(help="What it is for.")]
CrimeOption = Annotated[
    list[str],
    typer.Option(
        "--crime",
        help="genocide, crimes_against_humanity, war_crimes or aggression; may be repeated.",
    ),
]
ProductOption = Annotated[
    Optional[list[str]],
    typer.Option(
        "--product", help="information, evidence or analytical_product; default: all three."
    ),
]
Penalty = Annotated[
    str, typer.Option("--death-penalty", help="excluded, possible or unknown in this case.")
]
Absentia = Annotated[bool, typer.Option("--in-absentia", help="A trial in absentia is possible.")]
Parent = Annotated[str, typer.Option(help="The RFA that this one supplements.")]


def read_text(path: Path) -> bytes:
    """Return the text of a file. Raises MalformedError naming it."""
    from gateway.kernel.errors import MalformedError

    try:
        return path.read_bytes()
    except OSError:
        raise MalformedError(f"{path.name} cannot be read") from None


def mark(content: bytes) -> str:
    """Return what tells one text from another; sealed twice, it would look different each time."""
    from gateway.kernel.encoding import hex_sha256

    return hex_sha256(content)


def wanted_of(
    investigation: str,
    purpose: str,
    crime: list[str],
    product: list[str] | None,
    death_penalty: str,
    in_absentia: bool,
    due: str,
    parent: str,
) -> Any:
    """Return the structured part of an RFA. Raises MalformedError naming the member."""
    from gateway.exchange.acts import Product, Wanted
    from gateway.exchange.parse import build

    return build(
        {
            "investigation": investigation,
            "purpose": purpose,
            "crimes": crime,
            "products": product or [*Product],
            "death_penalty": death_penalty,
            "in_absentia": in_absentia,
            "due": due or None,
            "parent": parent or None,
        },
        Wanted,
    )


def act_on(as_: Path, rfa: str, make: Any, json: bool, *command: str) -> None:
    """Read an RFA, let *make* build an officer's act from it, and send that.

    The same *command* after a cut sends the same act again, so that nothing is done twice.
    """
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory

    async def work(session: Session) -> dict[str, Any]:
        directory = await refresh_directory(session)
        shown = (await session.get(f"/v1/rfas/{rfa}")).json()
        target = f"/v1/rfas/{rfa}/steps"
        return await session.act_once(target, lambda: make(shown, directory), *command)

    made = run(with_session(as_, work))
    show(made, f"{rfa} is {made['state']}", as_json=json)


def sealed_for(shown: dict[str, Any], directory: Any, content: bytes) -> str:
    """Seal a text to the people of the authority that an RFA is of."""
    from datetime import UTC, datetime

    from gateway.client.rfas import seal_for

    return seal_for(directory.party(shown["authority"]), content, datetime.now(UTC))
