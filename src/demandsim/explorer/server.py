"""Server: the page on this machine alone, for whoever holds its address, until it is stopped."""

from __future__ import annotations

import importlib.util
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from typing import Any

from demandsim.errors import DemandsimError, check_whole
from demandsim.explorer.session import Explorer
from demandsim.report.markup import shipped

__all__ = ["check_panel", "free_port", "serve"]

_HOST = "127.0.0.1"
_SERVER_LOGS = ("bokeh", "bokeh.server.views.ws", "tornado.application", "tornado.general", "tornado.access", "asyncio")


def check_panel() -> None:
    """Say what to install where it is missing, before anything else is done."""
    if importlib.util.find_spec("panel") is None:
        raise DemandsimError("the explorer needs Panel; install it with: pip install 'demandsim[explore]'")


def free_port(port: int) -> int:
    """Return `port` if nothing listens there, or for 0 any that is free.

    Raises
    ------
    DemandsimError
        If it is no port, in use, or not ours to take.
    """
    check_whole("port", port, 0)
    if port > 65535:
        raise DemandsimError(f"port must be at most 65535, not {port}")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        # As the server will bind it: a port that a server has just left is free.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((_HOST, port))
        except OSError as error:
            raise DemandsimError(
                f"port {port} cannot be used ({error.strerror or error}); choose another with --port, or leave it out"
            ) from None
        return int(tried.getsockname()[1])


def serve(
    explorer: Explorer,
    study: str,
    sets: Sequence[str] = (),
    *,
    state: str = "",
    port: int = 0,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the page on 127.0.0.1 until Ctrl-C.

    Only requests that name this host, and carry the token of the address, are answered.

    Parameters
    ----------
    explorer : Explorer
    study : str
    sets : sequence of str
    state : str
        What a page begins with, as `state_text` writes it, unless its address says otherwise.
    port : int, default 0
        Any free one.
    ready : callable, optional
        Called with the address, token and all, once it is served.

    Raises
    ------
    DemandsimError
        If Panel is not installed, or the port is in use.
    """
    check_panel()
    import panel as pn

    from demandsim.explorer.access import TOKEN, Gate
    from demandsim.explorer.page import Page
    from demandsim.explorer.state import read_state

    taken, token = free_port(port), secrets.token_urlsafe(24)
    hosts = [f"{_HOST}:{taken}", f"localhost:{taken}"]
    # Sliders show what they stand at before the first visitor comes, and errors of the study and the state come here.
    explorer.scene(read_state(explorer, state).setting if state else explorer.start())

    def visit() -> Any:
        document: Any = pn.state.curdoc
        document.template_variables["meta"] = {"viewport": "width=device-width, initial-scale=1"}
        pn.config.global_css = [shipped("report/page.css"), shipped("explorer/page.css")]
        asked = pn.state.session_args.get("state", [])
        return Page(explorer, study, sets, asked[0].decode(errors="replace") if asked else state).view()

    server = pn.serve(
        {"/": visit},
        port=taken,
        address=_HOST,
        # No other page may talk to this server through the visitor's browser.
        websocket_origin=hosts,
        title=explorer.words.locale.text(explorer.model.notes.title or "demandsim"),
        start=False,
        show=False,
        verbose=False,
    )
    # A closed tab is no fault; what goes wrong in the page itself is still told.
    _quieten("bokeh.server.views.ws", least=logging.ERROR)
    server._http.request_callback = Gate(server._tornado, hosts, token)
    address = f"http://{_HOST}:{taken}/?{TOKEN}={token}"
    server.start()
    if ready is not None:
        ready(address)
    try:
        server.io_loop.start()
    except KeyboardInterrupt:
        pass
    finally:
        # Visitors who wait for an answer are cut off, which is no news to whoever ended it.
        _quieten(*_SERVER_LOGS, least=logging.CRITICAL + 1)
        server.stop()


def _quieten(*names: str, least: int) -> None:
    for name in names:
        logging.getLogger(name).setLevel(least)
