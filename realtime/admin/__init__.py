"""The rooms, for people who look after them: to be read. A room changes by a command to itself."""

from realtime.admin.matches import MatchAdmin
from realtime.admin.members import MemberAdmin
from realtime.admin.people import PeopleAdmin
from realtime.admin.rooms import RoomAdmin

__all__ = ["MatchAdmin", "MemberAdmin", "PeopleAdmin", "RoomAdmin"]
