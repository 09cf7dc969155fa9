"""`lakehouse metrics`: what Prometheus scrapes, served or printed. Where it stops: what is measured is
`operations/metrics.py`'s."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

DAY = timedelta(days=1)


def metrics(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 chooses a free one.")] = 9464,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two measurements.")] = 30.0,
    price: Annotated[float, typer.Option(min=0, help="What a GB costs a month.")] = 0.023,
    once: Annotated[bool, typer.Option("--once", help="Print one measurement, with the last day's runs.")] = False,
) -> None:
    """Serve metrics to Prometheus at /metrics until Ctrl-C, or print them once.

    Measuring goes on beside the scrapes; one that fails is a line on stderr, and the last one stays.

    Example: lakehouse metrics --port 9464
    """
    from prometheus_client import generate_latest, start_http_server

    from lakehouse_assets.cli.session import load_definitions, open_instance, open_platform
    from lakehouse_assets.cli.stopped import ended_by_signal
    from lakehouse_assets.mendable import Mendable
    from lakehouse_assets.operations.metrics import Metrics
    from lakehouse_assets.operations.outside import explained

    platform = open_platform()
    checks = list(load_definitions(platform).resolve_asset_graph().asset_check_keys)
    with open_instance() as instance:
        if once:
            told = Metrics(platform, instance, checks, price, datetime.now(UTC) - DAY)
            told.measure()
            typer.echo(generate_latest(told.registry).decode(), nl=False)
            return
        told = Metrics(platform, instance, checks, price)
        with ended_by_signal() as ended:
            server, thread = start_http_server(port, host, told.registry)
            typer.echo(f"http://{host}:{server.server_port}/metrics", err=True)
            while True:
                try:
                    told.measure()
                except Exception as error:
                    said = str(error) if isinstance(error, Mendable) else explained(error)
                    if said is None:
                        raise
                    typer.echo(f"lakehouse: {said}", err=True)
                if ended.wait(every):
                    break
            server.shutdown()
            thread.join()
