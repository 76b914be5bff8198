"""What all tests share: signals as a terminal delivers them."""

import signal

# A shell that starts the tests in the background has them ignore Ctrl-C, and so every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
