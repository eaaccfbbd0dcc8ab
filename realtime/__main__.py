"""`python -m realtime`: the realtime service."""

import sys

import django

from config import env

if __name__ == "__main__":
    env.enter("realtime")
    django.setup()
    from realtime.serve import main

    sys.exit(main())
