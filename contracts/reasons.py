"""Why storage or Redis can't be used, by kind: words without host, user, password or URL, so that
any page may show them. Logs have the driver's own words besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# What a driver's exception says, or its type's name: the first that is found decides.
_REDIS = {
    "HELLO must be called with the client already authenticated": "wants a password",
    "Authentication required": "wants a password",
    "AuthenticationError": "refuses the user or the password",
    "NoPermissionError": "does not let this user publish and subscribe",
    "DB index is out of range": "has no database of this number",
    "max number of clients": "has no connection left",
    "OutOfMemoryError": "is out of memory",
    "command not allowed when used memory": "is out of memory",
    "ReadOnlyError": "is a read-only replica",
    "MasterDownError": "is a replica without its master",
    "BusyLoadingError": "is still loading its data",
    "protected mode": "refuses other hosts: it is in protected mode",
    "InvalidResponse": "does not speak Redis's protocol",
    "CERTIFICATE_VERIFY_FAILED": "has a certificate that is not trusted",
    "SSL": "does not speak TLS as asked",
    "gaierror": "has a host name that is not found",
    "ConnectionRefusedError": "refuses the connection",
    "Connection closed by server": "closes the connection; it may want TLS (rediss://)",
    "ConnectionResetError": "closes the connection; it may want TLS (rediss://)",
    "Timeout": "does not answer in time",
}
_DATABASE = {
    "another realtime process uses this database": "is used by another realtime process",
    "not currently accepting connections": "takes no connections",
    'FATAL:  role "': "refuses the user or the password",
    'FATAL:  database "': "is not there",
    "authentication failed": "refuses the user or the password",
    "no password supplied": "wants a password",
    "no pg_hba.conf entry": "does not let this user in from here",
    "too many clients": "has no connection left",
    "connection slots": "has no connection left",
    "too many connections": "has no connection left",
    "starting up": "is starting",
    "shutting down": "is stopping",
    "in recovery mode": "is recovering",
    "failed to resolve host": "has a host name that is not found",
    "could not translate host name": "has a host name that is not found",
    "certificate": "has a certificate that is not trusted",
    "SSL": "does not speak TLS as asked",
    "Connection refused": "refuses the connection",
    "No such file or directory": "refuses the connection",
    "permission denied": "refuses this user",
    "disk image is malformed": "is damaged",
    "file is not a database": "is damaged",
    "unable to open database file": "can't be opened",
    "timeout expired": "does not answer in time",
}


def redis_reason(problem: BaseException) -> str:
    """A clause about Redis, in which each failure has its own words."""
    return _found(problem, _REDIS) or f"fails ({type(problem).__name__})"


def database_reason(problem: BaseException) -> str | None:
    """A clause about a database; None for what has no words here."""
    return _found(problem, _DATABASE)


def _found(problem: BaseException, words: Mapping[str, str]) -> str | None:
    for said in _said(problem):
        for fragment, reason in words.items():
            if fragment in said:
                return reason
    return None


def _said(problem: BaseException) -> Iterator[str]:
    """The names and texts of an exception, and of those that it came from."""
    seen: BaseException | None = problem
    while seen is not None:
        yield f"{type(seen).__name__}: {seen}"
        seen = seen.__cause__ or seen.__context__
