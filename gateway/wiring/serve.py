"""Running the gateway: two ports, signals, and what is done every so often."""

import asyncio
import gc
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ParamSpec

import structlog

from gateway import settings, telemetry
from gateway.kernel.errors import UnavailableError
from gateway.keyholder.client import PATIENCE
from gateway.settings import Settings
from gateway.store.headcopy import HeadCopy
from gateway.store.place import DISPLACED
from gateway.web.app import DRAINING, check_parser, make_admin, make_app
from gateway.web.connections import Caps, listen
from gateway.wiring.build import open_gateway, publish_head
from gateway.wiring.keyholder import own_keyholder
from gateway.wiring.sets import reload_sets
from gateway.workflows import rewrap, upkeep
from gateway.workflows.gateway import Gateway

_PUBLISH_EVERY = 1.0  # seconds between copies of the newest checkpoint

_UPKEEP_EVERY = 60.0  # seconds

_REWRAP_EVERY = 10.0  # seconds between looks whether items are to leave their vault epoch

_PLACE_EVERY = 5.0  # seconds between looks whether this server still has its place

_DRAIN = 20.0  # seconds that running transfers get at shutdown
_log = structlog.get_logger()
P = ParamSpec("P")


async def serve(instance: Path) -> None:
    """Run the gateway until SIGTERM or SIGINT; SIGHUP reloads directory and policy.

    Raises UnavailableError once another server has taken over its database.
    """
    check_parser()
    telemetry.set_up_log()
    own = own_keyholder(instance, settings.read(instance))
    with own, open_gateway(instance, patience=PATIENCE) as (gateway, config):
        app = make_app(gateway, config.requests_per_minute)
        admin = make_admin(gateway, same_volume=config.same_volume)
        async with (
            listen(app, config.host, config.port, caps_of(config), drain=_DRAIN),
            listen(admin, config.admin_host, config.admin_port, drain=_DRAIN),
        ):
            stop = _signals(gateway, instance, config)
            copy = HeadCopy(instance / config.head_copy)
            stopping = threading.Event()
            halt = partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set)
            tasks = [
                asyncio.create_task(_repeat(_PUBLISH_EVERY, publish_head, gateway, copy)),
                asyncio.create_task(_repeat(_PLACE_EVERY, _keep_place, gateway, halt)),
                asyncio.create_task(_repeat(_UPKEEP_EVERY, upkeep.every_minute, gateway)),
                asyncio.create_task(_repeat(_REWRAP_EVERY, rewrap.run, gateway, stopping)),
            ]
            # What exists by now stays: looking through it for garbage again and again costs requests.
            gc.freeze()
            _log.info("serving", host=config.host, port=config.port)
            await stop.wait()
            stopping.set()
            admin[DRAINING].set()
            for task in tasks:
                task.cancel()
        if gateway.displaced.is_set():
            raise UnavailableError(DISPLACED)
        try:
            upkeep.every_minute(gateway)
        finally:
            publish_head(gateway, copy)


def _keep_place(gateway: Gateway, stop: Callable[[], object]) -> None:
    """Look whether this server still has its place; with another in it, do not even answer."""
    try:
        upkeep.keep_place(gateway)
    finally:
        if gateway.displaced.is_set():
            stop()


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


async def _repeat(seconds: float, work: Callable[P, object], *args: P.args, **kw: P.kwargs) -> None:
    """Do *work* every so many seconds, whatever became of it the last time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(work, *args, **kw)
        except Exception as error:
            _log.error("task_failed", task=work.__name__, defect=type(error).__name__)
