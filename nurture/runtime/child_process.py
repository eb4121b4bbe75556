"""A child process: runs a module that ends when the process that started it ends, however that one ended.

    python -m nurture.runtime.child_process prefect server start

The parent holds the writing end of a pipe that is our standard input, and never writes. When the parent is gone, even
by `kill -9` or for lack of memory, the pipe ends, and so do we and everything we started.
"""

import os
import runpy
import signal
import sys
import threading
import time

GRACE = 20.0  # seconds to stop tidily before the whole group is killed


def main() -> None:
    """Run the module named on the command line, while a thread waits for the parent's end."""
    module, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    """Wait for the end of the pipe, then stop tidily, or after GRACE seconds kill the group."""
    os.read(0, 1)  # returns only at the end of the pipe
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    if os.getpgrp() == os.getpid():  # else the group is not ours to kill
        os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
