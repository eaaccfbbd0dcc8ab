"""A Redis that can't be used says why, in words of its own; and never a secret."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from channels_redis.pubsub import RedisPubSubChannelLayer

from config import settings
from realtime.engine.channels_bus import ChannelsBus
from tests.support.certificates import self_signed
from tests.support.engine import until
from tests.support.servers import free_port
from tests.support.servers import until as comes
from tests.support.services import leave_out, need_redis

pytestmark = pytest.mark.anyio

PASSWORD = "sesame-4711"
WRONG = "wrong-0815"
TOLD_WITHIN_S = 30.0
USERS = {  # by name, what they may
    "deaf": "+@all -subscribe -psubscribe ~* &*",
    "dumb": "+@all -publish ~* &*",
    "confined": "+@all ~* resetchannels &elsewhere*",
}


@contextmanager
def server(folder: Path, *options: str):
    """A server with these options; its port."""
    need_redis()
    port = free_port()
    place = ["--port", f"{port}", "--bind", "127.0.0.1", "--dir", f"{folder}", "--save", ""]
    try:
        process = subprocess.Popen(["redis-server", *place, *options], stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        leave_out("the program redis-server")
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """One that wants a password, and has users with fewer rights."""
    with server(tmp_path_factory.mktemp("redis"), "--requirepass", PASSWORD) as port:
        comes(lambda: answers(port))
        with redis.Redis(port=port, password=PASSWORD) as admin:
            for name, rights in USERS.items():
                set_user = ["ACL", "SETUSER", name, "on", f">{PASSWORD}", *rights.split()]
                admin.execute_command(*set_user)
        yield port


def answers(port: int) -> bool:
    try:
        return bool(redis.Redis(port=port, password=PASSWORD).ping())
    except redis.RedisError:
        return False


async def reason(url: str, expected: str) -> str:
    """What a bus says that starts on this URL, once it says so."""
    bus = ChannelsBus(RedisPubSubChannelLayer(**settings.redis(url)["CONFIG"]))
    await bus.start("here", lambda news: None, lambda: None)
    try:
        await until(lambda: bus.check()["bus"] == expected, TOLD_WITHIN_S)
    except TimeoutError:
        return bus.check()["bus"]
    finally:
        await bus.close()
    return expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"redis://:{WRONG}@127.0.0.1:%d/0", "Redis refuses the user or the password"),
        (f"redis://mallory:{WRONG}@127.0.0.1:%d/0", "Redis refuses the user or the password"),
        ("redis://127.0.0.1:%d/0", "Redis wants a password"),
        (f"redis://:{PASSWORD}@127.0.0.1:%d/99", "Redis has no database of this number"),
        (
            f"redis://dumb:{PASSWORD}@127.0.0.1:%d/0",
            "Redis does not let this user publish and subscribe",
        ),
        (
            f"redis://confined:{PASSWORD}@127.0.0.1:%d/0",
            "Redis does not let this user publish and subscribe",
        ),
        (f"redis://deaf:{PASSWORD}@127.0.0.1:%d/0", "Redis does not deliver what it takes"),
        (f"rediss://:{PASSWORD}@127.0.0.1:%d/0", "Redis does not answer in time"),
        (f"redis://:{PASSWORD}@no-such-host.invalid/0", "Redis has a host name that is not found"),
        (f"redis://:{PASSWORD}@127.0.0.1:1/0", "Redis refuses the connection"),
    ],
    ids=lambda text: text.split()[-1] if " " in text else None,
)
async def test_each_failure_has_its_own_reason(guarded, url, expected, caplog):
    url = url % guarded if "%d" in url else url
    assert await reason(url, expected) == expected
    said = caplog.text + expected
    for secret in (PASSWORD, WRONG, "mallory", "no-such-host"):
        assert secret not in said
    if "deliver" not in expected:
        assert expected in caplog.text, "the operator is told at the start"


async def test_a_server_that_wants_tls(tmp_path):
    self_signed(tmp_path)
    both = str(tmp_path / "both.pem")
    port = free_port()
    tls = ["--tls-port", f"{port}", "--tls-auth-clients", "no"]
    certificate = ["--tls-cert-file", both, "--tls-key-file", both, "--tls-ca-cert-file", both]
    with server(tmp_path, *tls, *certificate) as plain:
        comes(lambda: answers_without_password(plain))
        if not listens(port):
            leave_out("a redis-server with TLS")
        hint = "Redis closes the connection; it may want TLS (rediss://)"
        assert await reason(f"redis://127.0.0.1:{port}/0", hint) == hint
        distrust = "Redis has a certificate that is not trusted"
        assert await reason(f"rediss://127.0.0.1:{port}/0", distrust) == distrust


def answers_without_password(port: int) -> bool:
    try:
        return bool(redis.Redis(port=port).ping())
    except redis.RedisError:
        return False


def listens(port: int) -> bool:
    try:
        redis.Redis(port=port, ssl=True, ssl_cert_reqs="none").ping()
    except redis.RedisError:
        return False
    return True


async def test_a_server_without_a_connection_left(tmp_path):
    with server(tmp_path) as port:
        comes(lambda: answers_without_password(port))
        with redis.Redis(port=port, single_connection_client=True) as only:
            only.config_set("maxclients", 1)
            full = "Redis has no connection left"
            assert await reason(f"redis://127.0.0.1:{port}/0", full) == full


async def test_what_is_no_redis(tmp_path):
    async def web(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(web, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        alien = "Redis does not speak Redis's protocol"
        assert await reason(f"redis://127.0.0.1:{port}/0", alien) == alien
