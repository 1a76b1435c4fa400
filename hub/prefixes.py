"""Where machines knock. The web server asks before Django is set up, so this imports nothing."""

from typing import Final

RECEIPT: Final = "/in/"
API_DOORS: Final = (
    "/api/v1/"  # the API's descriptions, and the pages about it, are beside them, and for people
)
