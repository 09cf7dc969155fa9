"""Records Debezium's events of the cases that `sample_data` lacks: `python -m tests.captures.record [CASE ...]`.

Servers are installed and started as `tests/servers` does; a case's folders are written anew.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.servers.connect import Connect
from tests.servers.kafka import Kafka
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres

from . import changes_case, evolution_case, incremental_case, resnapshot_case, types_case
from .recording import Database, Servers

HERE = Path(__file__).parent
CASES: Mapping[str, Callable[[Database, Servers], None]] = {
    "types": types_case.record,
    "changes": changes_case.record,
    "incremental": incremental_case.record,
    "resnapshot": resnapshot_case.record,
    "evolution": evolution_case.record,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all of them if none is named")
    wanted = parser.parse_args().cases or list(CASES)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with (
            Kafka(root / "kafka") as kafka,
            Connect(root / "connect", kafka.bootstrap) as connect,
            Postgres(root / "postgres") as postgres,
            MariaDB(root / "mariadb") as mariadb,
        ):
            for case in wanted:
                for database in (postgres, mariadb):
                    CASES[case](database, Servers(kafka, connect, HERE))


if __name__ == "__main__":
    main()
