"""The network, over aiohttp: the only package that imports its client.

`connections` makes the sessions, `sending` talks to the service, `fetching` downloads results, `posting` brings
notifications, `reading` takes answers in.

Sessions that share nothing. `AiohttpTransport` talks to the service and carries the key; `AiohttpFetcher` downloads
results from anywhere, `AiohttpPoster` goes where a manifest says, and neither has a key to lose. None of them follows a
redirect by itself, keeps cookies, or takes proxy or password from the environment.

What a broken exchange means depends on one question only: may the request have left? aiohttp's trace answers it, just
before the first header is written. Which exception came up afterwards is told to people and decides nothing. aiohttp
repeats a GET once when a kept-alive connection turns out dead; a POST it never repeats (a test counts them).

HTTP/1.1 pairs answers with requests by nothing but their order. A server or proxy that says something twice shifts
every later answer on that connection by one, and somebody else's task id looks as good as ours. So what is paid for or
kept (a create, an upload, a download) has a connection to itself; the rest shares them, and says whom it is about.

No foreign exception travels further, not even as a cause: aiohttp's hold the request's headers, and with them the key.
"""

from __future__ import annotations

from runner.transport.fetching import AiohttpFetcher
from runner.transport.posting import AiohttpPoster
from runner.transport.sending import AiohttpTransport

__all__ = ["AiohttpFetcher", "AiohttpPoster", "AiohttpTransport"]
