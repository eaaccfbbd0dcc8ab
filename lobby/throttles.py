"""REST framework's throttles over the lobby's windows: who asks, and how long they must wait."""

from __future__ import annotations

from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from contracts.addresses import caller
from lobby import wiring
from lobby.requests import ApiRequest
from lobby.windows import Limits


class AddressThrottle(BaseThrottle):
    """Asks `wait_of` for the caller's wait; lets everything pass when RATE_LIMITS is off."""

    _wait_s = 0.0

    def allow_request(self, request: ApiRequest, view: APIView) -> bool:
        """Whether the request may go on."""
        limits = wiring.current().limits
        self._wait_s = self.wait_of(limits, self.address(request)) if limits else 0.0
        return not self._wait_s

    def wait(self) -> float:
        """Seconds, for Retry-After."""
        return self._wait_s

    def wait_of(self, limits: Limits, address: str) -> float:
        """Seconds that this address has to wait, 0 for none."""
        raise NotImplementedError

    def address(self, request: ApiRequest) -> str:
        """Who asks, as TRUSTED_PROXIES hops of X-Forwarded-For say."""
        forwarded = request.header(b"x-forwarded-for").decode("latin-1")
        return caller(request.sent.client, forwarded, api_settings.NUM_PROXIES)


class CreateThrottle(AddressThrottle):
    """Counts every create."""

    def wait_of(self, limits: Limits, address: str) -> float:
        return limits.creates.take(address)


class ReadThrottle(AddressThrottle):
    """Counts every list, report and leaderboard."""

    def wait_of(self, limits: Limits, address: str) -> float:
        return limits.reads.take(address)


class MissThrottle(AddressThrottle):
    """Holds back who guessed too many room codes; only misses count, and only once known.

    Guesses under way at the same moment all pass, as many as calls to the realtime service may be.
    """

    def wait_of(self, limits: Limits, address: str) -> float:
        return limits.misses.wait_s(address)

    def count(self, request: ApiRequest) -> None:
        """This request named a room that is not there."""
        if limits := wiring.current().limits:
            limits.misses.take(self.address(request))


class JoinThrottle(MissThrottle):
    """Counts every join, and holds back who guesses."""

    def wait_of(self, limits: Limits, address: str) -> float:
        return limits.misses.wait_s(address) or limits.joins.take(address)
