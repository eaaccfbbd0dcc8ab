"""Bugs, told twice: to the caller by an id, to the operator by the same id and where it was."""

from __future__ import annotations

import logging
import traceback
from secrets import token_hex

from contracts.complaints import Complaints
from contracts.errors import Code, RoomError
from contracts.open_files import NO_FILE_LEFT

logger = logging.getLogger(__name__)
without_files = Complaints("requests for want of a file descriptor")


def report(bug: BaseException, place: str) -> RoomError:
    """Log a bug without what it says, which may hold what players wrote, and name it.

    The whole traceback is logged at level DEBUG, for authors of parties. That no file can be opened
    is no bug: the caller may try again.
    """
    frames = traceback.extract_tb(bug.__traceback__)
    where = f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "an unknown place"
    if isinstance(bug, OSError) and bug.errno in NO_FILE_LEFT:
        without_files.add(f"{place}, in {where}")
        return RoomError(Code.STORAGE_UNAVAILABLE, "No file can be opened now, try again")
    name = token_hex(4)
    logger.error("error %s (%s): %s in %s", name, place, type(bug).__name__, where)
    logger.debug("error %s in full", name, exc_info=bug)
    return RoomError(Code.INTERNAL_ERROR, f"Something went wrong on our side (error {name})")
