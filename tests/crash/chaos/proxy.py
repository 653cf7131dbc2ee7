"""Stands between one process and Redis, and lets connections break."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

CHUNK: Final = 1 << 16


class Proxy:
    """Listens on a port of its own, in a thread, until `close`. The methods may be called from any thread."""

    def __init__(self, port: int) -> None:
        """`port`: of Redis."""
        self._target = port
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._tearing = False
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), name="proxy")
        self._thread.start()
        assert self._started.wait(10)

    def cut(self) -> None:
        """All connections end, without a goodbye."""
        self._loop.call_soon_threadsafe(self._abort)

    def tear(self) -> None:
        """The next answer ends in its middle, and all connections with it."""
        self._loop.call_soon_threadsafe(setattr, self, "_tearing", True)

    def stall(self) -> None:
        """Nothing passes any more, and nobody is told, until `flow`."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def flow(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.set)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._loop.close()

    async def _serve(self) -> None:
        self._flowing.set()
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0, limit=CHUNK)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        self._flowing.set()
        server.close()
        self._abort()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target, limit=CHUNK)
        except OSError:  # Redis is down: whoever calls hears it as from Redis itself
            writer.transport.abort()
            return
        ends = {writer, back}
        self._writers |= ends
        try:
            await asyncio.gather(self._pass(reader, back, False), self._pass(there, writer, True))
        except asyncio.CancelledError:
            pass  # this proxy is closed: nobody waits for more
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: bool) -> None:
        try:
            while chunk := await reader.read(CHUNK):
                await self._flowing.wait()
                if answers and self._tearing and len(chunk) > 1:
                    self._tearing = False
                    writer.write(chunk[: len(chunk) // 2])
                    await writer.drain()
                    self._abort()
                    return
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass  # one side is gone: so is the other
        finally:
            writer.close()
