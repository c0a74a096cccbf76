"""A Redis server: how it is reached, and what is asked of it. No error names its password, or a customer."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.errors import InputError
from serving.store.state import StoreError

SECONDS = 0.2
"""How long a request waits for an answer."""

CONNECTIONS = 64
"""Of one process at most: more than it has threads that ask."""

SCHEMES = ("redis", "rediss", "unix")


@dataclass(frozen=True)
class Script:
    """What a server is to do in one step, in Lua."""

    text: str

    @cached_property
    def sha(self) -> str:
        """By which the server knows it."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Server:
    """A server and the keys of one source, which begin with `root`; safe to share between threads.

    A connection that broke, as with a server that was restarted, is opened anew once before that is an error.
    """

    def __init__(self, address: str, source: str, seconds: float = SECONDS) -> None:
        self.address, self.source, self.root = address, source, f"{{scoring:{source}}}:"
        retry = Retry(NoBackoff(), 1, (redis.ConnectionError,))
        said = {"socket_timeout": seconds, "socket_connect_timeout": seconds, "retry": retry}
        try:
            if urlsplit(address).scheme not in SCHEMES:
                raise ValueError
            pool = redis.ConnectionPool.from_url(address, max_connections=CONNECTIONS, **said)
        except ValueError:
            raise InputError(
                "store", "an address that cannot be read", "redis://host:6379/0, rediss:// or unix:///path?db=0"
            ) from None
        self.db: Any = redis.Redis(connection_pool=pool)
        self._own = threading.local()

    def run(self, script: Script, *words: str | bytes | int) -> Any:
        """What a script answers."""
        with answering():
            try:
                return self._ask("EVALSHA", script.sha, 1, self.root, *words)
            except redis.exceptions.NoScriptError:  # a server that was restarted
                return self._ask("EVAL", script.text, 1, self.root, *words)

    def run_many(self, script: Script, calls: Sequence[tuple[str, ...]]) -> list[Any]:
        """The same of many calls, in one round trip."""
        with answering():
            for _ in range(2):
                with self.db.pipeline(transaction=False) as pipe:
                    for words in calls:
                        pipe.execute_command("EVALSHA", script.sha, 1, self.root, *words)
                    try:
                        return list(pipe.execute())
                    except redis.exceptions.NoScriptError:
                        self.db.script_load(script.text)
        raise StoreError("Redis does not keep scripts")

    def keys(self, prefix: str) -> Iterator[list[bytes]]:
        """The keys that begin with root and prefix, some at a time, without holding up others."""
        cursor, pattern = 0, f"{self.root}{prefix}*"
        while True:
            with answering():
                cursor, found = self.db.scan(cursor, match=pattern, count=1_000)
            if found:
                yield found
            if cursor == 0:
                return

    def _ask(self, *command: str | bytes | int) -> Any:
        """What `redis.Redis` does, for a third of its time: on a connection that no other thread has."""
        try:
            return self._ask_once(*command)
        except redis.ConnectionError:
            return self._ask_once(*command)

    def _ask_once(self, *command: str | bytes | int) -> Any:
        connection = self._connection()
        try:
            connection.send_command(*command, check_health=False)
            return connection.read_response()
        except redis.exceptions.ResponseError:
            raise
        except BaseException:
            connection.disconnect()  # so that no answer is ever taken for that of another question
            raise

    def _connection(self) -> Any:
        own = self._own
        if getattr(own, "process", None) != os.getpid():  # a process that was forked shares nothing
            pool = self.db.connection_pool
            own.connection, own.process = pool.connection_class(**pool.connection_kwargs), os.getpid()
        return own.connection

    def close(self) -> None:
        """Let go of the connections; those of other threads go with them."""
        self._own = threading.local()
        self.db.close()
        self.db.connection_pool.disconnect()


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Whatever Redis does instead of answering is a StoreError that says what, and nothing of what was asked."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        first = str(error).partition(" ")[0]
        code = f" ({first})" if first.isalpha() and first.isupper() else ""
        raise StoreError(f"Redis does not answer: {type(error).__name__}{code}") from None


def shown(address: str) -> str:
    """An address without the words that open it."""
    found = urlsplit(address)
    host = f"[{found.hostname}]" if found.hostname and ":" in found.hostname else found.hostname or ""
    port = f":{found.port}" if found.port else ""
    return f"{found.scheme}://{host}{port}{found.path}"


def lacks_durability(server: Server) -> list[str]:
    """Settings by which a server may lose an event that was acknowledged; empty for one that keeps all of them.

    One that does not tell its settings is said to lack them. StoreError where it does not answer.
    """
    wanted = {"appendonly": ("yes",), "appendfsync": ("always",), "maxmemory-policy": ("noeviction",)}
    with answering():
        try:
            found = {name: server.db.config_get(name).get(name) for name in wanted}
        except redis.exceptions.ResponseError:
            return ["its settings, which this user may not read (CONFIG GET)"]
    said = {name: _text(value) for name, value in found.items()}
    return [f"{name} {said[name]}, not {good[0]}" for name, good in wanted.items() if said[name] not in good]


@dataclass(frozen=True)
class About:
    """What a server says of itself. version: as in 7.2.4, empty where this user may not ask; seconds: its clock, since
    1970."""

    version: str
    seconds: float


def about(server: Server) -> About:
    """Which version a server is, and what its clock shows. StoreError where it does not answer."""
    with answering():
        seconds, micros = server.db.time()
        try:
            version = str(server.db.info("server")["redis_version"])
        except redis.exceptions.ResponseError:
            version = ""
    return About(version, seconds + micros / 1e6)


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
