"""`lakehouse dead-letters` and `lakehouse rejects`: what waits for a decision, and deciding.

Both have the same four commands. Where it stops: finding, replaying and discarding is `operations/dead_letters.py`'s.
"""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lakehouse_assets.cli.options import AsFormat, DryRun, Yes, agree, moment
from lakehouse_assets.cli.output import Format, write_rows

if TYPE_CHECKING:
    from lakehouse_assets.contracts.table import Table
    from lakehouse_assets.engines.platform import Platform
    from lakehouse_assets.operations.dead_letters import Filter, Kind

TableId = Annotated[str, typer.Argument(metavar="TABLE", help="A contract's table: bank_users.")]
AnyTable = Annotated[str | None, typer.Option("--table", help="Only this table: bank_users.")]
Reason = Annotated[str | None, typer.Option(help="Only where rule or reason contains this text.")]
Since = Annotated[str | None, typer.Option(help="Only from this time on (2026-03-01T12:00:00Z).")]
Until = Annotated[str | None, typer.Option(help="Only before this time.")]
Partition = Annotated[int | None, typer.Option(min=0, help="Only of this partition of the topic.")]
Offset = Annotated[int | None, typer.Option(min=0, help="Only at this offset.")]
Discarded = Annotated[bool, typer.Option("--discarded", help="Those too that were discarded.")]


def commands(name: Literal["dead-letters", "rejects"], means: str) -> typer.Typer:
    """The four commands of one kind."""
    app = typer.Typer(help=means, no_args_is_help=True)

    @app.command("list", help=_help("Count them by table and reason, with the place of the first.", f"{name} list"))
    def list_groups(
        table: AnyTable = None,
        reason: Reason = None,
        since: Since = None,
        until: Until = None,
        discarded: Discarded = False,
        form: AsFormat = Format.TABLE,
    ) -> None:
        platform, kind = _asked(name)
        from lakehouse_assets.contracts.registry import table as contract
        from lakehouse_assets.contracts.registry import tables
        from lakehouse_assets.operations.dead_letters import Group, groups

        wanted = _filter(reason, since, until, None, None, discarded)
        listed = [contract(table)] if table is not None else tables()
        found = [group for each in listed for group in groups(platform, kind, each, wanted)]
        if form is Format.TABLE and not found:
            typer.echo(f"no {kind.name}{'' if discarded else ' are open'}")
        else:
            write_rows(form, [f.name for f in fields(Group)], map(astuple, found))

    @app.command("show", help=_help("Show them one by one, personal data masked.", f"{name} show bank_users"))
    def show(
        table: TableId,
        reason: Reason = None,
        since: Since = None,
        until: Until = None,
        partition: Partition = None,
        offset: Offset = None,
        discarded: Discarded = False,
        unmasked: Annotated[
            bool, typer.Option("--unmasked", help="Show the content as it came: it may hold personal data.")
        ] = False,
        limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 20,
        form: AsFormat = Format.TABLE,
    ) -> None:
        platform, kind = _asked(name)
        from lakehouse_assets.operations.dead_letters import Found, shown

        wanted = _filter(reason, since, until, partition, offset, discarded)
        found = shown(platform, kind, _contract(table), wanted, limit, unmasked)
        write_rows(form, [f.name for f in fields(Found)], ((*astuple(f)[:-1], _text(f.content)) for f in found))

    @app.command("replay", help=_help(_REPLAY[name], f"{name} replay bank_users --dry-run"))
    def replay(
        table: TableId,
        reason: Reason = None,
        since: Since = None,
        until: Until = None,
        partition: Partition = None,
        offset: Offset = None,
        dry_run: DryRun = False,
    ) -> None:
        platform, kind = _asked(name)
        from lakehouse_assets.operations import dead_letters as operation

        wanted = _filter(reason, since, until, partition, offset)
        if dry_run:
            typer.echo(_would(platform, kind, _contract(table), wanted, "replayed"))
            return
        done = operation.replay(platform, kind, _contract(table), wanted)
        typer.echo(f"{table}: {done.taken} {kind.name} taken, {done.left} stay; `lakehouse materialize` goes on")

    @app.command("discard", help=_help(_DISCARD, f"{name} discard bank_users --reason 'not JSON' --dry-run"))
    def discard(
        table: TableId,
        reason: Reason = None,
        since: Since = None,
        until: Until = None,
        partition: Partition = None,
        offset: Offset = None,
        dry_run: DryRun = False,
        yes: Yes = False,
    ) -> None:
        platform, kind = _asked(name)
        from lakehouse_assets.operations import dead_letters as operation

        wanted = _filter(reason, since, until, partition, offset)
        would = _would(platform, kind, _contract(table), wanted, "discarded")
        if dry_run:
            typer.echo(would)
            return
        agree(f"{would}. Do it?", f"{kind.name} that are discarded stay out", yes)
        done = operation.discard(platform, kind, _contract(table), wanted)
        typer.echo(f"{table}: {done} {kind.name} discarded; they are kept, and shown with --discarded")

    return app


_REPLAY = {
    "dead-letters": "Decode them again, after the decoder was mended: what is valid now is folded at its own place.",
    "rejects": "Fold them again, after the contract was mended: what it takes is folded at its own place.",
}
_DISCARD = "Decide that they stay out. They are kept and stay counted, and are open no more."


def _help(means: str, example: str) -> str:
    return f"{means}\n\nExample: lakehouse {example}"


def _asked(name: str) -> tuple[Platform, Kind]:
    """The platform and the kind."""
    from lakehouse_assets.cli.session import open_platform
    from lakehouse_assets.operations.dead_letters import DEAD_LETTERS, REJECTS

    return open_platform(), DEAD_LETTERS if name == "dead-letters" else REJECTS


def _contract(table_id: str) -> Table:
    from lakehouse_assets.contracts.registry import table

    return table(table_id)


def _filter(
    reason: str | None,
    since: str | None,
    until: str | None,
    partition: int | None,
    offset: int | None,
    discarded: bool = False,
) -> Filter:
    from lakehouse_assets.operations.dead_letters import Filter

    return Filter(reason, moment("--since", since), moment("--until", until), partition, offset, discarded)


def _would(platform: Platform, kind: Kind, table: Table, wanted: Filter, done: str) -> str:
    from lakehouse_assets.operations.dead_letters import count

    return f"{table.id}: {count(platform, kind, table, wanted)} {kind.name} would be {done}"


def _text(content: object) -> object:
    """Bytes as text where they are UTF-8."""
    if not isinstance(content, bytes):
        return content
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content
