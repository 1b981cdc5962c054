"""Running the gateway: two ports, signals, and what is done every so often."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import structlog

from gateway import telemetry
from gateway.settings import Settings
from gateway.store.headcopy import HeadCopy
from gateway.web.app import DRAINING, check_parser, make_admin, make_app
from gateway.web.connections import Caps, listen
from gateway.wiring.build import copy_head, open_gateway
from gateway.wiring.sets import reload_sets
from gateway.workflows import upkeep
from gateway.workflows.gateway import Gateway

_PUBLISH_EVERY = 1.0  # seconds between copies of the newest checkpoint

_UPKEEP_EVERY = 60.0  # seconds

_DRAIN = 20.0  # seconds that running transfers get at shutdown
_log = structlog.get_logger()
P = ParamSpec("P")


async def serve(instance: Path) -> None:
    """Run the gateway until SIGTERM or SIGINT; SIGHUP reloads directory and policy."""
    check_parser()
    telemetry.set_up_log()
    with open_gateway(instance) as (gateway, config):
        app = make_app(gateway, config.requests_per_minute)
        admin = make_admin(gateway, same_volume=config.same_volume)
        async with (
            listen(app, config.host, config.port, caps_of(config), drain=_DRAIN),
            listen(admin, config.admin_host, config.admin_port, drain=_DRAIN),
        ):
            stop = _signals(gateway, instance, config)
            copy = HeadCopy(instance / config.head_copy)
            tasks = [
                asyncio.create_task(_repeat(_PUBLISH_EVERY, copy_head, gateway, copy)),
                asyncio.create_task(_repeat(_UPKEEP_EVERY, upkeep.every_minute, gateway)),
            ]
            _log.info("serving", host=config.host, port=config.port)
            await stop.wait()
            admin[DRAINING].set()
            for task in tasks:
                task.cancel()
        try:
            upkeep.every_minute(gateway)
        finally:
            copy_head(gateway, copy)


def caps_of(config: Settings) -> Caps:
    """Return how many connections the settings allow."""
    return Caps(config.max_connections, config.max_connections_per_address, config.proxies)


def _signals(gateway: Gateway, instance: Path, config: Settings) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    loop.add_signal_handler(
        signal.SIGHUP,
        lambda: loop.run_in_executor(None, reload_sets, gateway, instance, config),
    )
    return stop


async def _repeat(seconds: float, work: Callable[P, None], *args: P.args, **kw: P.kwargs) -> None:
    """Do *work* every so many seconds, whatever became of it the last time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(work, *args, **kw)
        except Exception as error:
            _log.error("task_failed", task=work.__name__, defect=type(error).__name__)
