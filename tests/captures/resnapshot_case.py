"""Case `resnapshot`: the connector's place in the log is lost; it reads all again after rows vanished unseen."""

from __future__ import annotations

from tests.servers.postgres import Postgres

from .modes import sane_and_flat
from .recording import Database, Recording, Servers


def record(database: Database, servers: Servers) -> None:
    recording = Recording("resnapshot", database, servers, sane_and_flat(isinstance(database, Postgres)))
    recording.execute(["create table kept (id int primary key, v varchar(40))"])
    recording.execute(f"insert into kept values ({n}, 'snapshot')" for n in range(1, 31))
    recording.start()
    recording.execute(_changes("seen", 1))
    recording.settle()
    recording.lose_place()
    recording.execute(["delete from kept where id % 5 = 0", *_changes("unseen", 2)])
    recording.resume()
    recording.execute(_changes("seen again", 3))
    recording.settle()
    recording.stop()
    recording.write_truth("kept")
    recording.write_manifest(recording.write_messages(), lost=[*range(5, 31, 5), 22])


def _changes(why: str, turn: int) -> list[str]:
    return [
        f"update kept set v = '{why}' where id % 7 = {turn}",
        f"delete from kept where id = {turn + 20}",
        f"insert into kept values ({100 + turn}, '{why}')",
    ]
