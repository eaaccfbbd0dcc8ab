"""One service as a process group that ends with whoever started it.

The group's leader is this module, run as a program: it starts the service and stops it when its
standard input closes. So closing that pipe stops the service, and so does any death of the starter.
"""

import contextlib
import errno
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from config.kinds import reachable
from scripts.lib.bootstrap import ROOT

STOPPED_WITHIN_S = 30.0  # the longest a drain may take; after that the service is killed
ANY_ADDRESSES = {"0.0.0.0", "::"}  # noqa: S104 (they are told from others)


class PortTaken(Exception):
    """Somebody else listens where a tier should; the message is a sentence."""


@dataclass
class Tier:
    """The lobby or the realtime service: where it answers, and how Python is told to run it."""

    name: str
    host: str
    port: int
    arguments: list[str]
    number: int | None = None  # where the service has several processes
    leader: subprocess.Popen[bytes] = field(init=False)

    @property
    def title(self) -> str:
        """What a person knows it by."""
        return f"{self.name}-{self.number}" if self.number else self.name

    @property
    def reach(self) -> str:
        return reachable(self.host).strip("[]")

    @property
    def url(self) -> str:
        return f"http://{reachable(self.host)}:{self.port}"

    def meets(self, other: "Tier") -> bool:
        """Whether both can't listen: one port, at one address or with an address that is all."""
        hosts = {self.host, other.host}
        every = (":" in self.host) == (":" in other.host) and bool(hosts & ANY_ADDRESSES)
        return self.port == other.port and (self.reach == other.reach or every)

    def require_free_port(self) -> None:
        """Raises PortTaken when the address is in use or is not this machine's."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as problem:
                taken = problem.errno == errno.EADDRINUSE
                reason = (
                    "is taken by another program"
                    if taken
                    else f"can't be used ({problem.strerror})"
                )
                raise PortTaken(
                    f"port {self.port} on {self.host} {reason}; {self.title} needs it. "
                    f"{self.name.upper()}_PORT and {self.name.upper()}_HOST choose another place."
                ) from None

    def start(self, python: str, environ: Mapping[str, str]) -> None:
        self.leader = subprocess.Popen(
            [sys.executable, "-m", "scripts.lib.tier", python, *self.arguments],
            cwd=ROOT,
            env={**environ, **self.identity},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def identity(self) -> dict[str, str]:
        """What its environment says of itself alone."""
        return {"GREENROOM_TIER": self.name, f"{self.name.upper()}_PORT": str(self.port)}

    def ready(self) -> bool:
        """Whether /readyz says so."""
        return self.readiness()[0] == http.HTTPStatus.OK

    def check(self, name: str) -> str:
        """What /readyz says of one of its checks, or nothing."""
        with contextlib.suppress(ValueError, AttributeError):
            return str(json.loads(self.readiness()[1])["checks"].get(name, ""))
        return ""

    def readiness(self) -> tuple[int, bytes]:
        """Status and body of /readyz; 0 and nothing where nothing answers."""
        connection = http.client.HTTPConnection(self.reach, self.port, timeout=2)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status, answer.read()
        return 0, b""

    def ask_to_stop(self) -> None:
        if self.leader.stdin:
            self.leader.stdin.close()

    def wait(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.leader.wait(STOPPED_WITHIN_S + 2)

    def kill(self) -> None:
        """End what is left of the group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.leader.pid, signal.SIGKILL)
        self.leader.wait()
        self.ask_to_stop()  # closes the pipe of a service that has ended


def lead(command: list[str]) -> int:
    """Run the service and answer its exit status; a death by signal n is 128 + n, as in a shell."""
    service = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=stop_when_input_closes, args=(service,), daemon=True).start()
    status = service.wait()
    return status if status >= 0 else 128 - status


def stop_when_input_closes(service: subprocess.Popen[bytes]) -> None:
    os.read(sys.stdin.fileno(), 1)
    service.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        service.wait(STOPPED_WITHIN_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(lead(sys.argv[1:]))
