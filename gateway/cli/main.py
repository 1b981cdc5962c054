"""The command line: one file per group of commands, imported only when needed."""

import typer

from gateway.cli import database, endpoint, ledger, policy, setup, team
from gateway.cli.demo.play import demo

app = typer.Typer(
    name="gateway",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Share evidence with national prosecutors: sealed for each, decided by policy, proved by a ledger.",
)
app.command()(setup.init)
app.command()(setup.serve)
app.command()(team.push)
app.command()(team.package)
app.add_typer(team.share, name="share")
app.command()(team.recall)
app.command()(endpoint.inbox)
app.command()(endpoint.pull)
app.command()(endpoint.receipt)
app.add_typer(setup.keys, name="keys")
app.add_typer(database.app, name="database")
app.add_typer(policy.app, name="policy")
app.add_typer(ledger.app, name="ledger")
app.command()(demo)
