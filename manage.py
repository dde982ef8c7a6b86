#!/usr/bin/env python
"""The command line of APInita: `python manage.py help` lists what it can do."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apinita.settings")
    from apinita import command_line

    command_line.run(sys.argv)
