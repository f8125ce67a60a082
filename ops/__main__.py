"""``python -m ops`` is the program ``specstream``."""

from ops.command_line import main

main()
