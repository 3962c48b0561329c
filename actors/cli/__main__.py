"""Runs the command as ``python -m actors.cli``."""

import sys

from . import main

sys.exit(main())
