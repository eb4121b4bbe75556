"""python -m nurture.web: open the doors, with the settings of this folder."""

from nurture.runtime.settings import settings
from nurture.web.app import serve

serve(settings())
