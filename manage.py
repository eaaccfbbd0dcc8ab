"""Django's command line for Greenroom, of the tier that GREENROOM_TIER names (default: lobby)."""

import sys

from django.core.management import execute_from_command_line

from config import env

if __name__ == "__main__":
    env.enter()
    execute_from_command_line(sys.argv)
