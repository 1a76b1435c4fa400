"""Where machines knock. The web server asks before Django is set up, so this imports nothing."""

from typing import Final

RECEIPT: Final = "/in/"
# Beside them are the API's description and the pages about it, which are for people.
API_DOORS: Final = "/api/v1/"
