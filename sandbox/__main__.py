"""`python -m sandbox --port 8010`: the sandbox without Django."""

import sys

from sandbox.command import main

sys.exit(main())
