"""Access: who may talk to the explorer, which is whoever holds the address that it opened, and nobody else."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from typing import Any

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application, RequestHandler

__all__ = ["TOKEN", "Gate"]

#: Argument of the address that carries the token.
TOKEN = "token"
#: Scripts, styles and icons of the libraries: they hold nothing of a study, and pages ask for them without arguments.
_PUBLIC = ("/static/", "/favicon.ico")


class Gate(Router):
    """Let requests through to an application, pages and websockets alike, or refuse them with 403.

    A page of another site can make the visitor's browser ask this server under that site's own name (DNS rebinding):
    such a request names a foreign host. Another person on this machine can ask under the right name: they do not know
    the token.

    Parameters
    ----------
    served : Application
        What is behind the gate.
    hosts : collection of str
        Names and port under which it is served, such as ``127.0.0.1:43210``.
    token : str
        Secret of this run, in the address that is opened.
    """

    def __init__(self, served: Application, hosts: Collection[str], token: str) -> None:
        self.served, self.hosts, self.token = served, frozenset(hosts), token.encode()
        self.refusing = Application(default_handler_class=_Refused, log_function=lambda _: None)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Choose who answers a request."""
        behind = self.served if self._let_in(request) else self.refusing
        return behind.find_handler(request, **kwargs)

    def _let_in(self, request: HTTPServerRequest) -> bool:
        if request.headers.get_list("Host") != [request.host] or request.host.lower() not in self.hosts:
            return False
        if request.path.startswith(_PUBLIC):
            return True
        given = request.query_arguments.get(TOKEN, [])
        return len(given) == 1 and hmac.compare_digest(given[0], self.token)


class _Refused(RequestHandler):
    """Say 403 to any method."""

    def prepare(self) -> None:
        self.set_status(403)
        self.finish("refused: open the address that demandsim explore printed\n")

    def check_xsrf_cookie(self) -> None:
        """Every method is refused alike."""
