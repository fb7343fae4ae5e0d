# SPDX-License-Identifier: MIT
"""How much is tested: the default, everything (CI=true), or everything at length (RAPL_LONG=1,
which tests/run --long sets)."""
import os
import unittest

LONG = os.environ.get("RAPL_LONG") == "1"
ALL = LONG or os.environ.get("CI") == "true"

waits_a_minute = unittest.skipUnless(ALL, "waits for a minute: run it with CI=true")
