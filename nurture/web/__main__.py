"""python -m nurture.web: serve the web app, with the settings of this folder."""

from nurture.runtime.settings import settings
from nurture.web.app import serve

serve(settings())
