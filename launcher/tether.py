"""Ties a child to its supervisor, then becomes the child.

    python3 -I -S tether.py SIGNAL SUPERVISOR_PID COMMAND ARGUMENT…

The kernel sends the process SIGNAL when its supervisor ends, however that ends (PR_SET_PDEATHSIG, prctl(2);
it survives exec). A program of its own rather than a preexec_fn, which is unsafe beside threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
COMMAND_NOT_FOUND = 127


def main() -> None:
    signal_number, supervisor = int(sys.argv[1]), int(sys.argv[2])
    command = sys.argv[3:]
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        sys.exit("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != supervisor:
        sys.exit("the supervisor ended before this process began")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]} can't be run: {error.strerror}", file=sys.stderr)
        sys.exit(COMMAND_NOT_FOUND)


main()
