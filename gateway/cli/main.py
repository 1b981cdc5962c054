"""The command line: one file per group of commands, imported only when needed."""

import typer

from gateway.cli import (
    database,
    derivation,
    desk,
    endpoint,
    excerpt,
    facts,
    history,
    keyholder,
    keylife,
    ledger,
    matching,
    overview,
    policy,
    rfa,
    setup,
    share,
    signers,
    team,
    vault,
    withheld,
)
from gateway.cli.demo.command import demo

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
app.command()(desk.redact)
app.command()(desk.mark)
app.add_typer(share.app, name="share")
share.app.command("rewrap")(keylife.rewrap)
app.command()(share.recall)
app.command()(matching.match)
app.command()(overview.approvals)
app.command()(overview.status)
app.command()(overview.watch)
app.add_typer(rfa.app, name="rfa")
app.add_typer(withheld.app, name="withheld")
app.add_typer(facts.app, name="facts")
app.add_typer(facts.item, name="item")
facts.item.command()(derivation.derive)
app.add_typer(history.app, name="history")
app.command()(endpoint.inbox)
app.command()(endpoint.pull)
app.command()(excerpt.cat)
app.command()(endpoint.receipt)
app.add_typer(endpoint.app, name="endpoint")
signers.add_to(setup.keys)
keylife.register(setup.keys)
app.add_typer(setup.keys, name="keys")
app.add_typer(keyholder.app, name="keyholder")
app.add_typer(database.app, name="database")
app.add_typer(policy.app, name="policy")
app.add_typer(ledger.app, name="ledger")
app.add_typer(vault.app, name="vault")
app.command()(demo)
