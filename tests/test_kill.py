"""A short sample of `make soak`: a few kills in the middle of writes."""
import os
import unittest

import kill


class Killed(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        totals = kill.run(os.environ.get("WARD_FAST"), rounds=4, seed=20261122,
                          say=lambda s: print("   ", s))
        self.assertGreater(min(totals), 0, "nothing was written before the kills")


if __name__ == "__main__":
    unittest.main()
