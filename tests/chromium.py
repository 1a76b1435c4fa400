"""Where this machine's Chromium is, for the browser tests and for the runner, which says if there is none."""

import os
import shutil

CHROMIUM = os.environ.get("CONSOLE_CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
