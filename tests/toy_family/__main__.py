"""`python -m tests.toy_family sweep ...`: the command line with the toy family in place."""

from __future__ import annotations

import sys

from tests import toy_family

toy_family.install()

from lockstep.cli import main  # noqa: E402 - only after the family is in place

sys.exit(main())
