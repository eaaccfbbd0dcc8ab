"""The lobby, for `manage.py runserver`."""

from django.core.wsgi import get_wsgi_application

from config import env

env.enter("lobby")
application = get_wsgi_application()
