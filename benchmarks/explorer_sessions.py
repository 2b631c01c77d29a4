"""A soak of the explorer: visitors come, move handles, choose something and leave; does its memory reach a plateau?

Run it: ``python benchmarks/explorer_sessions.py [--sessions 200]``. Each visitor fetches the page over HTTP, opens its
websocket with the token that the page holds, waits for the answer to every move, and closes. The memory is that of the
server's process alone, as Linux tells it. The last line compares the last quarter of the visitors with the one before.
"""

import argparse
import asyncio
import json
import random
import re
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

#: Seconds after which a page that answers no move is a failure, and in which moves are gathered before they are shown.
PATIENCE, SETTLED = 120, 0.05


class Visitor:
    """A browser as the server sees it: Bokeh's protocol, three texts a message, over one websocket."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self.socket, self.sent = socket, 0

    async def tell(self, kind: str, content: dict) -> None:
        self.sent += 1
        header = {"msgid": str(self.sent), "msgtype": kind}
        for part in (header, {}, content):
            await self.socket.write_message(json.dumps(part))

    async def hear(self, kind: str) -> dict:
        """Wait for the next message of a kind, and return its content."""
        while True:
            header, _, content = [json.loads(await self._part()) for _ in range(3)]
            for _ in range(2 * header.get("num_buffers", 0)):
                await self._part()
            if header["msgtype"] == "ERROR":
                raise SystemExit(f"the server answers: {content['text']}")
            if header["msgtype"] == kind:
                return content

    async def _part(self) -> str | bytes:
        part = await asyncio.wait_for(self.socket.read_message(), PATIENCE)
        if part is None:
            raise SystemExit("the server closed the websocket")
        return part

    async def set(self, control: dict, value: object) -> None:
        event = {"kind": "ModelChanged", "model": {"id": control["id"]}, "attr": "value", "new": value}
        await self.tell("PATCH-DOC", {"events": [event]})
        await self.hear("OK")


def controls(tree: object, kinds: set[str]) -> Iterator[dict]:
    """Find the models of some kinds in a document."""
    if isinstance(tree, dict):
        if tree.get("name") in kinds and "id" in tree:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from controls(part, kinds)


async def visit(address: str, chance: random.Random, moves: int) -> None:
    """Open the page, move handles, choose something else, and go."""
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        token = re.search(r'"token":"([\w.-]+)"', answer.read().decode())[1]
    request = HTTPRequest(address.replace("http://", "ws://").replace("/?", "/ws?"))
    visitor = Visitor(await websocket_connect(request, subprotocols=["bokeh", token]))
    await visitor.hear("ACK")
    await visitor.tell("PULL-DOC-REQ", {})
    document = (await visitor.hear("PULL-DOC-REPLY"))["doc"]
    ranges = list(controls(document, {"RangeSlider"}))
    switches = list(controls(document, {"Select"}))
    for _ in range(moves):
        slider = chance.choice(ranges)
        await visitor.set(slider, sorted(chance.sample(range(slider["attributes"]["end"] + 1), 2)))
        # The figures that follow from it; of a place that the family cannot have, they stand still, and nothing comes.
        await asyncio.sleep(SETTLED)
        await visitor.tell("SERVER-INFO-REQ", {})
        await visitor.hear("SERVER-INFO-REPLY")
    await visitor.set(switch := chance.choice(switches), chance.choice(switch["attributes"]["options"])[0])
    visitor.socket.close()


def resident(process: int) -> float:
    """Resident memory of a process, in MiB."""
    with open(f"/proc/{process}/status") as told:
        return int(re.search(r"VmRSS:\s+(\d+) kB", told.read())[1]) / 1024


async def soak(address: str, process: int, sessions: int, moves: int) -> AsyncIterator[float]:
    chance = random.Random(1)
    for _ in range(sessions):
        await visit(address, chance, moves)
        yield resident(process)


async def measured(study: str, sessions: int, moves: int) -> list[float]:
    words = [sys.executable, "-m", "demandsim", "explore", study, "--no-browser"]
    held = []
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
        try:
            address = server.stderr.readline().removeprefix("serving: ").strip()
            async for size in soak(address, server.pid, sessions, moves):
                held.append(size)
                if len(held) % 20 == 0 or len(held) == 1:
                    print(f"{len(held):5d} sessions  {size:7.1f} MiB", flush=True)
        finally:
            server.terminate()
            server.stderr.close()
    return held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--moves", type=int, default=5)
    parser.add_argument("--study", default="guosen-2025-01")
    given = parser.parse_args()
    held = asyncio.run(measured(given.study, given.sessions, given.moves))
    quarter = max(len(held) // 4, 1)
    before, last = (statistics.median(part) for part in (held[-2 * quarter : -quarter] or held, held[-quarter:]))
    print(f"third quarter {before:.1f} MiB, last {last:.1f}: {1024 * (last - before) / quarter:+.0f} KiB a session")
    return 0


if __name__ == "__main__":
    sys.exit(main())
