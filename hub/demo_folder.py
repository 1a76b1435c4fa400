"""Where a demo lies: apart, so that what it makes up never joins what a real hub holds. It reads no setting.

It is asked before there are any, since settings make their keys in the folder that it chooses.
"""

from collections.abc import Mapping, Sequence

FOLDER = "var/demo"
# Whoever names a folder or a database gets the demo there, under that folder's keys: other keys could not read what is
# sealed in that database.
PLACES = ("HUB_VAR", "HUB_VAR_FILE", "DATABASE_URL", "DATABASE_URL_FILE")


def placed(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """What the environment lacks to run this command in its folder: nothing, but for a demo that nobody placed."""
    is_demo = list(arguments[1:2]) == ["up"] and "--demo" in arguments
    return {"HUB_VAR": FOLDER} if is_demo and not any(environment.get(name) for name in PLACES) else {}
