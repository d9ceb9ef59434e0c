"""``python -m scratchgan.gradcheck`` is ``python -m scratchgan gradcheck``."""

import sys

from ..__main__ import main

sys.exit(main(["gradcheck", *sys.argv[1:]]))
