"""The cable to a server: everything passes through it until it is cut, or answers get lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Cable:
    """Passes bytes on in both directions."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._writers: set[asyncio.StreamWriter] = set()
        self._stranded: set[asyncio.StreamWriter] = set()
        self.mute = False  # the server's answers get lost
        self.lost = asyncio.Event()  # one did

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        """Yields the port of the near end."""
        end = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        try:
            yield end.sockets[0].getsockname()[1]
        finally:
            end.close()
            self.cut()

    def cut(self) -> None:
        """Drop every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def strand(self) -> None:
        """Connections stay open and carry nothing more, as when a host vanishes; new ones work."""
        self._stranded |= self._writers

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, there = await asyncio.open_connection(*self._server)
        self._writers |= {writer, there}
        with suppress(ConnectionError):
            await asyncio.gather(self._ask(reader, there), self._answer(answers, writer))

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if writer not in self._stranded:
                writer.write(data)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.mute:
                self.lost.set()
            elif writer not in self._stranded:
                writer.write(data)
        writer.close()
