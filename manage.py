#!/usr/bin/env python
"""Runs Weir's commands; it turns a wrong setting into one sentence and never decides anything itself."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from hub import demo_folder


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    os.environ |= demo_folder.placed(sys.argv, os.environ)
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Weir cannot start: {error}")


if __name__ == "__main__":
    main()
