"""The `lakehouse` command. It only composes; each command imports what it needs when it is called."""

from __future__ import annotations

import typer

from lakehouse_assets.cli import backup, connectors, data, live, maintain, second_tries, time_travel
from lakehouse_assets.cli.backfill import backfill
from lakehouse_assets.cli.doctor import doctor
from lakehouse_assets.cli.failure import OneLineErrors
from lakehouse_assets.cli.metrics import metrics
from lakehouse_assets.cli.reland import reland
from lakehouse_assets.cli.skip import skip_expired

app = typer.Typer(
    name="lakehouse",
    help="A lakehouse in which every table is a Dagster asset."
    "\n\nEnvironment: LAKEHOUSE_HOME says where the data lies (.lakehouse), LAKEHOUSE_PROFILE which engines run."
    "\n\nExit codes: 0 done; 1 a run, or a check of error severity, failed; 2 input that was not understood.",
    cls=OneLineErrors,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (data.demo, data.materialize, data.run, data.tables, data.query, data.events, data.sync):
    app.command()(command)
for look_after in (backfill, reland, skip_expired, doctor, metrics):
    app.command()(look_after)
maintain.add_to(app)
time_travel.add_to(app)
app.add_typer(backup.app, name="backup")
app.add_typer(connectors.app, name="connectors")
app.add_typer(live.app, name="live")
app.add_typer(second_tries.commands("dead-letters", "Messages that are not valid."), name="dead-letters")
app.add_typer(second_tries.commands("rejects", "Rows that silver could not take."), name="rejects")


if __name__ == "__main__":
    app()
