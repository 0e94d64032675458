"""Whoever ends a task of make.py ends what it has started, and that has started."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tools.running import ROOT

_TASK = """
import sys
from tools.running import run
child = ("import subprocess, sys; p = subprocess.Popen(['sleep', '600']);"
         "print(p.pid, flush=True); p.wait()")
run(sys.executable, "-c", child)
"""


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_grandchildren(number):
    with subprocess.Popen(
        [sys.executable, "-c", _TASK], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as task:
        grandchild = int(task.stdout.readline())
        assert lives(grandchild)
        task.send_signal(number)
        assert task.wait(100) == 128 + number
    end = time.monotonic() + 100
    while lives(grandchild) and time.monotonic() < end:
        time.sleep(0.05)
    assert not lives(grandchild)


def test_the_exit_code_of_a_command_is_returned():
    from tools.running import run

    assert run(sys.executable, "-c", "raise SystemExit(7)") == 7
