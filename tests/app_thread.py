"""An aiohttp application that serves from a thread: what the tests' fake APIs stand on."""

import asyncio
import socket
import threading

from aiohttp import web


class AppThread:
    """Serves what is asked of `path` on a free `port` of this machine by `handle`, until closed."""

    def __init__(self, path, handle, name):
        self._path, self._handle = path, handle
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()
        self._ready.wait()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", self._path, self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        self._loop.run_until_complete(runner.setup())
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = listener.getsockname()[1]
        self._loop.run_until_complete(web.SockSite(runner, listener).start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
