"""What the processes hold on to before anybody comes, and after everybody left."""

from __future__ import annotations

import httpx

from tests.faultlab.cluster import Cluster
from tests.faultlab.history import History, now
from tests.faultlab.load import eventually

Counts = dict[tuple[str, str], int]  # by process and by what it is
# Of each process: connections that are made when first needed, and kept.
SLACK = {"descriptors": 6, "threads": 2, "database connections": 3, "redis connections": 1}
ALL = "all"


async def warm_holdings(cluster: Cluster) -> Counts:
    """Before anybody comes. What is made on first use has been used."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        for node in cluster.nodes:
            body = {"username": "the lab", "party": "chat"}
            made = (await http.post(f"{node.lobby.url}/api/rooms", json=body)).json()
            path = f"parties/chat/{made['roomId']}"
            await http.get(f"{node.realtime.url}/{path}/state")
            await http.get(f"{node.realtime.url}/{path}/matches")
            await http.get(f"{node.realtime.url}/parties/chat")
    return holdings(cluster)


async def rest(cluster: Cluster, history: History, before: Counts, within_s: float) -> None:
    """Wait until they let go, and write down what they still hold."""
    give_up_at = now() + within_s
    await eventually(lambda: now() > give_up_at or not exceeds(cluster, before), every_s=0.2)
    after = holdings(cluster)
    for (process, what), count in before.items():
        slack = slack_of(cluster, process, what)
        held = {"before": count, "after": after[process, what], "slack": slack}
        history.write("baseline", process=process, what=what, **held)


def exceeds(cluster: Cluster, before: Counts) -> bool:
    after = holdings(cluster)
    return any(
        after[process, what] > count + slack_of(cluster, process, what)
        for (process, what), count in before.items()
    )


def slack_of(cluster: Cluster, process: str, what: str) -> int:
    """How many more are none too many."""
    return SLACK.get(what, 0) * (len(cluster.nodes) if process == ALL else 1)


def holdings(cluster: Cluster) -> Counts:
    """What every process holds on to now."""
    counted: Counts = {}
    for node in cluster.nodes:
        counted[node.name, "descriptors"] = node.descriptors()
        counted[node.name, "threads"] = node.threads()
    postgres, redis = cluster.postgres, cluster.redis
    counted[ALL, "database connections"] = len(postgres.connections_of("greenroom%"))
    counted[ALL, "redis connections"] = redis.clients()
    counted[ALL, "subscriptions"] = sum(redis.subscriptions().values())
    return counted
