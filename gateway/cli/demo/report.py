"""What a demo says at its end: a table that a newcomer understands, and what to type next."""

from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.cli.demo.play import Play

_out = Console(highlight=False)


def _table(play: Play) -> Table:
    table = Table(title="What was shared with whom", title_justify="left", show_lines=True)
    for name in ("Authority", "Basis", "Decision", "What happened"):
        table.add_column(name, overflow="fold")
    colour = {"permit": "green", "hold": "yellow", "deny": "red"}
    for act in play.acts:
        decision = f"[{colour[act.decision]}]{act.decision}[/]"
        moved = [f"{act.files} file(s), {act.size:,} bytes"] if act.files else []
        happened = [*act.happened, *moved]
        table.add_row(
            act.planned.authority,
            act.basis,
            decision,
            "\n".join(filter(None, [act.why, *happened])),
        )
    return table


def _next(play: Play, *, keep: bool) -> str:
    root = play.stage.root
    if not keep:
        return (
            "Next: KEEP=1 make demo leaves the gateway running to try by hand; "
            "INPUT=some/folder make demo plays it with your own files."
        )
    waiting = next((a.share for a in play.acts if a.decision == "hold"), "SHARE")
    return (
        f"The gateway runs on with everything in {root}. In another terminal, try:\n"
        f"  gateway share list --as {root}/people/sharer\n"
        f"  gateway share show {waiting} --as {root}/people/sharer\n"
        f"  gateway ledger show --as {root}/people/compliance\n"
        f"  gateway inbox --all --as {root}/people/{play.scenario.authorities[0].short}\n"
        "Press Ctrl-C here to stop it and remove everything."
    )


def report(play: Play, seconds: float, *, keep: bool) -> None:
    """Print what became of each share, and what to try next."""
    _out.print()
    _out.print(_table(play))
    verdict = (
        "[bold red]It differs from the scenario."
        if play.problems
        else "[bold green]All of it holds."
    )
    _out.print(f"{verdict}[/] Ledger: {play.ledger['size']} entries. {seconds:.0f} seconds.")
    _out.print(_next(play, keep=keep), markup=False, soft_wrap=True)


def result(play: Play) -> dict[str, Any]:
    """Return a demo as JSON."""
    shares = [
        {
            "authority": act.planned.authority,
            "share": act.share,
            "decision": act.decision,
            "why": act.why,
            "happened": act.happened,
            "files": act.files,
            "bytes": act.size,
        }
        for act in play.acts
    ]
    return {"shares": shares, "ledger": play.ledger, "problems": play.problems}
