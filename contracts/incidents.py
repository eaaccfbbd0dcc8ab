"""Bugs, told twice: to the caller by an id, to the operator by the same id and where it was."""

from __future__ import annotations

import logging
import traceback
from secrets import token_hex

from contracts.errors import Code, RoomError

logger = logging.getLogger(__name__)


def report(bug: BaseException, place: str) -> RoomError:
    """Log a bug without what it says, which may hold what players wrote, and name it.

    The whole traceback is logged at level DEBUG, for authors of parties.
    """
    name = token_hex(4)
    frames = traceback.extract_tb(bug.__traceback__)
    where = f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "an unknown place"
    logger.error("error %s (%s): %s in %s", name, place, type(bug).__name__, where)
    logger.debug("error %s in full", name, exc_info=bug)
    return RoomError(Code.INTERNAL_ERROR, f"Something went wrong on our side (error {name})")
