"""Writes docs/schema-evolution.md from what the layers were seen to hold; run as a module, it lives through it all."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.schema_evolution.cells import CELLS, SOURCES
from tests.schema_evolution.story import FOLLOWED, LAYERS, MISSING, NO_VERSION, REBUILT, TOLD, Life, Story, told

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "schema-evolution.md"
COMMAND = ".venv/bin/python -m tests.schema_evolution.document"

AS_SOURCE = "as the source"
AS_TOLD = "keeps what was told"
STAGES = ("earlier rows", "rows told meanwhile", "later rows")

_HEAD = f"""# Schema evolution

What every layer does while a table of the source changes. `tests/schema_evolution` lives through each row with small
tables of its own, and `{COMMAND}` writes down what was seen.

- Columns are followed by Iceberg field id: what is added, renamed or widened applies at the next run, older files are
  read with it, and an older snapshot is read with the schema that it had.
- The contract is what a table is. A column that it does not name stays in bronze's JSON. The asset's metadata names it
  with the place at which it was first seen, and the check `every_column_is_declared` warns of it and blocks nothing.
- After `lakehouse sync`, the next run follows the contract: silver changes its columns, satellites are read anew from
  the changes, histories and marts are built anew, and gold's table is exchanged. A satellite's row that an added column
  says nothing of keeps its hash: it is not written again, and the history gets no version.
- A rebuild of the days since then brings what bronze kept:
  `lakehouse materialize 'silver/TABLE_changes+' --from DAY --to DAY`.
- Marts name their columns. One whose column is gone fails with that column on one line; it keeps its rows, and gold its
  own, until its SQL follows.
- Never delete a column from a contract: set `retired=True`. Its values stay, also over a rebuild, under no rule.
- Declare `default` for a column that the database added with one: it tells nothing of the rows of before, so that only
  the contract can know. A column that was renamed more than once lists its earlier names, newest first.
- A table that was renamed, and a column that was dropped and made again under its name, cannot be told from new ones:
  take a new snapshot of the table. A `real` that was told as 0.1 is rebuilt as the double that is nearest to 0.1.
- A table whose contract cannot apply fails alone, on one line, before anything of it is written.

The layers in their order: bronze, silver's changes and current table, the satellite and its history, a mart of the
current table, gold. Rows told *meanwhile* came after the source had changed and before the contract followed; *later*
ones after it did. A table with a column of type `real` or `double` has no satellite, because that cannot be hashed.
"""


def render(story: Story) -> str:
    lines = [
        "| At the source | Connector | Until the contract follows | The contract then says | Once it does | Rebuilt |",
        "|---|---|---|---|---|---|",
    ]
    for cell in CELLS:
        lives = [(connector, story.lives[connector, cell.name]) for connector in SOURCES]
        for row, same in groupby(sorted(lives, key=lambda pair: _row(pair[1])), key=lambda pair: _row(pair[1])):
            connectors = [connector for connector, _ in same]
            named = "both" if len(connectors) == len(SOURCES) else ", ".join(connectors)
            lines.append(f"| {cell.change} | {named} | {' | '.join(row)} |")
    return _HEAD + "\n" + "\n".join(lines) + "\n"


def words(life: Life, phase: int, layer: str) -> str:
    """What a layer holds in the cell's column, compared with the source."""
    if layer == "bronze":
        return "as told" if life.bronze and (phase >= life.cell.follows or life.cell.before is not None) else "nothing"
    held = life.held[phase][layer]
    if held is None:
        modelled = life.has_vault or layer not in ("satellite", "history")
        column = life.column(phase)
        exists = life.cell.table(life.source, phase) is not None
        return ("no table" if not exists else f"no `{column}`") if modelled else "not modelled"
    gone = life.cell.column[1] is None or life.cell.after is None
    found: dict[str, list[str]] = {}
    for stage, label in enumerate(STAGES):
        states = {
            _state(value, life.cell.truth[n][2]) for n, value in held.items() if life.cell.truth[n][0] == stage
        } - {"right"}
        if states:
            found.setdefault(" or ".join(sorted(states)), []).append(label)
    if not found:
        return AS_TOLD if gone else AS_SOURCE
    return "; ".join(f"{states} in {' and '.join(labels)}" for states, labels in found.items())


def _state(value: object, truth: object) -> str:
    if str(value) == str(truth):
        return "right"
    return str(value) if value in (MISSING, NO_VERSION) else "null" if value is None else "as before"


def _row(life: Life) -> tuple[str, ...]:
    until = [_layers(life, TOLD)]
    if life.undeclared.get(TOLD):
        until.append(f"reported: {', '.join(f'`{name}`' for name in life.undeclared[TOLD])}")
    if life.rejects.get(TOLD):
        until.append("what does not fit is a reject, and `equals_source` fails")
    says = life.cell.contract
    if life.refusals:
        says += f'; otherwise: "{life.refusals[0].partition(": ")[2]}"'
    return "<br>".join(until), says, _layers(life, FOLLOWED), _layers(life, REBUILT)


def _layers(life: Life, phase: int) -> str:
    """Neighbouring layers that hold the same are told together."""
    parts = []
    for text, together in groupby(LAYERS, key=lambda layer: words(life, phase, layer)):
        names = list(together)
        parts.append(f"{names[0] if len(names) == 1 else f'{names[0]} to {names[-1]}'}: {text}")
    return "<br>".join(parts)


if __name__ == "__main__":
    with TemporaryDirectory() as folder, told(Path(folder)) as seen:
        DOCUMENT.write_text(render(seen), "utf-8")
