"""Django's command line for Greenroom, of the tier that GREENROOM_TIER names (default: lobby)."""

import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

from config import env
from contracts.postgresql import Unfit

if __name__ == "__main__":
    env.enter()
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as problem:
        if not isinstance(problem.__cause__, Unfit):
            raise
        sys.exit(f"greenroom: {problem}")
