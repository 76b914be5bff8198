"""What differs between operating systems."""

from __future__ import annotations

import os

UNIX = os.name == "posix"
"""Whether the system is Linux, macOS or another Unix: it has process ids to ask for, folders to sync, descriptors to pass on."""
BINARY = getattr(os, "O_BINARY", 0)
"""The flag without which Windows changes the ends of lines in what is written."""
TO_SYNC = os.O_RDONLY if UNIX else os.O_RDWR
"""How a file is opened to wait until it is on the disk; Windows waits only for files that may be written."""
