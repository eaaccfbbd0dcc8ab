"""The network between two programs, which misbehaves as it is told. Real sockets, real bytes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from enum import StrEnum
from typing import Any, Self, TypeVar

from tests.support.servers import free_port

CHUNK_BYTES = 65536
DELAY_S = 0.15
PACE_S = 0.02  # between the bytes of a trickle

Result = TypeVar("Result")


class Mode(StrEnum):
    """What becomes of what is sent. `GARBLE` and `TRICKLE` befall answers only."""

    PASS = "pass"
    REFUSE = "refuse"  # no new connections, and those there are break
    DELAY = "delay"
    TRICKLE = "trickle"
    CUT = "cut"  # in the middle of the next message of either side
    GARBLE = "garble"
    SILENT = "silent"  # everything is swallowed


class Network:
    """The thread in which all proxies run."""

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._hang_up())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do it there, and wait for it here."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)

    async def _hang_up(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def proxy(self, upstream_port: int) -> Proxy:
        """A way to this port of our own machine."""
        made = Proxy(self, upstream_port)
        made.switch(Mode.PASS)
        return made


class Proxy:
    """One port of the network, and the port that it leads to."""

    def __init__(self, network: Network, upstream_port: int) -> None:
        self.port = free_port()
        self.mode = Mode.REFUSE
        self._network = network
        self._upstream_port = upstream_port
        self._end: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def switch(self, mode: Mode) -> None:
        """Behave like this from now on, also on connections that are open."""
        self._network.run(self._switch(mode))

    def cut(self) -> None:
        """Break every connection at once."""
        self._network.loop.call_soon_threadsafe(self._break)

    async def _switch(self, mode: Mode) -> None:
        healed = self.mode in (Mode.SILENT, Mode.GARBLE) and mode is Mode.PASS
        self.mode = mode
        if mode is Mode.REFUSE and self._end:
            self._end.close()
            self._end = None
        if mode is not Mode.REFUSE and self._end is None:
            self._end = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        if mode is Mode.REFUSE or healed:  # what lost a part of its bytes makes no sense any more
            self._break()

    def _break(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, there}
        self._writers |= both
        try:
            await asyncio.gather(
                self._carry(reader, there), self._carry(back, writer, answers=True)
            )
        except (OSError, asyncio.CancelledError):
            pass  # cancelled at the very end only
        finally:
            for one in both:
                one.transport.abort()
            self._writers -= both

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await self._pass_on(data, writer, answers)
        with suppress(OSError):
            writer.write_eof()

    async def _pass_on(self, data: bytes, writer: asyncio.StreamWriter, answers: bool) -> None:
        mode = self.mode
        if writer.transport.is_closing():
            raise ConnectionAbortedError
        if mode is Mode.DELAY:
            await asyncio.sleep(DELAY_S)
        elif mode is Mode.CUT:
            writer.write(data[: len(data) // 2])
            await writer.drain()
            raise ConnectionAbortedError
        elif mode is Mode.SILENT:
            return
        elif mode is Mode.GARBLE and answers:
            data = bytes(byte ^ 0x55 for byte in data)
        elif mode is Mode.TRICKLE and answers:
            await self._trickle(data, writer)
            return
        writer.write(data)
        await writer.drain()

    async def _trickle(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        """A byte at a time, as long as the mode stays; then the rest at once."""
        for sent in range(len(data)):
            if self.mode is not Mode.TRICKLE:
                writer.write(data[sent:])
                break
            writer.write(data[sent : sent + 1])
            await writer.drain()
            await asyncio.sleep(PACE_S)
        await writer.drain()
