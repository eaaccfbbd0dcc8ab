"""Which processes `scripts/serve` runs: the lobby, and one realtime process or several."""

from collections.abc import Mapping

from config.env import Environment
from scripts.lib.tier import Tier

PORT_MAX = 65535


class NotAllowed(Exception):
    """The environment does not go with so many processes; the message is a sentence."""


def tiers_of(environment: Environment, realtime_processes: int = 1) -> list[Tier]:
    """The lobby, and realtime processes on REALTIME_PORT and the ports after it."""
    lobby = Tier("lobby", environment.lobby_host, environment.lobby_port, ["-m", "lobby"])
    return [
        lobby,
        *(
            Tier(
                "realtime",
                environment.realtime_host,
                environment.realtime_port + index,
                ["-m", "realtime"],
                number=index + 1 if realtime_processes > 1 else None,
            )
            for index in range(realtime_processes)
        ),
    ]


def require_allowed(environment: Environment, tiers: list[Tier]) -> None:
    """Raises NotAllowed: several realtime processes have nothing to share rooms through, or two
    tiers have one port, or there is none for them all."""
    if len(tiers) > 2:
        require_shared(environment)
    if tiers[-1].port > PORT_MAX:
        raise NotAllowed(
            f"{tiers[-1].title} would need port {tiers[-1].port}; choose a lower REALTIME_PORT."
        )
    lobby, *realtime = tiers
    for tier in realtime:
        if tier.meets(lobby):
            raise NotAllowed(
                f"{tier.title} and the lobby can't both have port {lobby.port}; "
                "choose another LOBBY_PORT or REALTIME_PORT."
            )


def require_shared(environment: Environment) -> None:
    """Raises NotAllowed without PostgreSQL and Redis."""
    given = {"DATABASE_URL": environment.database, "REDIS_URL": environment.redis_url}
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise NotAllowed(
            "several realtime processes share their rooms through PostgreSQL and Redis; "
            f"set {' and '.join(missing)}, or leave --realtime out."
        )


def environ_of(tiers: list[Tier], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment that all of them start with: the lobby has to know each realtime process."""
    if len(tiers) == 2 or environ.get("REALTIME_URL", "").strip():
        return dict(environ)
    return {**environ, "REALTIME_URL": ",".join(tier.url for tier in tiers[1:])}
