"""The command line. When it began is read here, before anything heavy is imported: that is what one waits for.

Where it stops: the commands are `main.py`'s.
"""

import time

BEGAN = time.monotonic()
