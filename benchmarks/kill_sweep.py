"""Kill a sweep at random, again and again: is every run recorded once, and correctly?

A sweep of small runs on the digits goes on while this program kills workers in the middle of a
run, and the driver, with SIGKILL, and starts the driver again. Afterwards every run must have
one record, and its accuracy and its loss in every epoch must be those of a single undisturbed
process.

    python benchmarks/kill_sweep.py --runs 12 --kills 20
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path


def drive(folder, runs, epochs, workers):
    """What the process does that is killed: an ordinary sweep. Without workers: a plain loop."""
    from mgtutorial import models
    from mgtutorial.sweeps import driver as sweep
    from mgtutorial.training import loop, protocols
    from mgtutorial.training.workspace import Workspace

    small = models.MgNetConfig(channels=(4, 8), steps=1)
    first = protocols.configure(small, "digits", "smoke", epochs=epochs, augmentation="crop-flip")
    configs = [replace(first, seed=seed) for seed in range(runs)]
    workspace = Workspace(folder / "runs", device="cpu")
    if workers:
        sweep.run(configs, workspace, workers=workers)
    else:
        for config in configs:
            loop.train(config, workspace)


class Driver:
    """The running sweep, and what of it can be killed."""

    def __init__(self, folder, options, workers):
        self.log = open(folder / "driver.log", "ab")
        command = [sys.executable, __file__, "--drive", str(folder)]
        command += ["--runs", str(options.runs), "--epochs", str(options.epochs)]
        command += ["--workers", str(workers)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def busy(self):
        """The workers that hold the lock of a run."""
        import psutil

        found = []
        gone = (psutil.NoSuchProcess, psutil.AccessDenied)
        try:
            children = psutil.Process(self.process.pid).children()
        except gone:
            return []
        for child in children:
            try:
                if any(f.path.endswith(".pt.lock") for f in child.open_files()):
                    found.append(child)
            except gone:
                continue
        return found

    def ended(self):
        return self.process.poll() is not None


def disturbed(folder, options, chance):
    """Run the sweep with kills; return how many workers and how many drivers were killed."""
    killed = {"worker": 0, "driver": 0}
    # A fixed number of each, in random order.
    drivers = max(1, options.kills // 4)
    victims = ["driver"] * drivers + ["worker"] * (options.kills - drivers)
    chance.shuffle(victims)
    driver = Driver(folder, options, options.workers)
    while victims:
        pause = time.monotonic() + chance.uniform(0.2, options.pause)
        while time.monotonic() < pause or not driver.busy():
            if driver.ended():
                break
            time.sleep(0.02)
        if driver.ended():
            break
        busy = driver.busy()
        if not busy:  # the run ended meanwhile
            continue
        victim = victims.pop()
        if victim == "driver":
            driver.process.kill()
            driver.process.wait()
            driver = Driver(folder, options, options.workers)
        else:
            chance.choice(busy).kill()
        killed[victim] += 1
        print(f"{sum(killed.values()):3d}: killed a {victim}", flush=True)
    driver.process.wait()
    if driver.process.returncode:
        print((folder / "driver.log").read_text()[-3000:])
        sys.exit(f"the driver ended with {driver.process.returncode}")
    return killed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pause", type=float, default=3.0, help="longest time between two kills")
    parser.add_argument("--seed", type=int, default=None, help="of victims and times")
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")
    if options.drive:
        drive(options.drive, options.runs, options.epochs, options.workers)
        return

    from mgtutorial.training import records

    seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"{options.runs} runs of {options.epochs} epochs, {options.kills} kills, seed {seed}")
    with tempfile.TemporaryDirectory() as place:
        folders = {name: Path(place) / name for name in ("disturbed", "undisturbed")}
        for folder in folders.values():
            folder.mkdir()
        begun = time.monotonic()
        calm = Driver(folders["undisturbed"], options, workers=0)
        if calm.process.wait():
            sys.exit((folders["undisturbed"] / "driver.log").read_text()[-3000:])
        print(f"undisturbed, one after the other: {time.monotonic() - begun:.0f} s", flush=True)
        begun = time.monotonic()
        killed = disturbed(folders["disturbed"], options, random.Random(seed))
        print(f"disturbed, {options.workers} workers: {time.monotonic() - begun:.0f} s")
        with warnings.catch_warnings(record=True) as torn:
            warnings.simplefilter("always")
            found = {name: records.read(folder / "runs") for name, folder in folders.items()}
        left = list(folders["disturbed"].rglob("*.tmp"))

    faults = []
    if sum(killed.values()) < options.kills:
        faults.append(f"the sweep was over after {sum(killed.values())} kills: more --epochs")
    ours, theirs = ({r.digest: r for r in found[n]} for n in folders)
    for name in folders:
        if len(found[name]) != options.runs:
            faults.append(f"{name}: {len(found[name])} records of {options.runs} runs")
    if ours.keys() != theirs.keys():
        faults.append("the runs recorded are not the same")
    for run in ours.keys() & theirs.keys():
        a, b = ours[run], theirs[run]
        if a.metric != b.metric:
            faults.append(f"run {run}: {a.metric} instead of {b.metric}")
        if [row.loss for row in a.curve] != [row.loss for row in b.curve]:
            faults.append(f"run {run}: another curve")
    print(
        f"killed: {killed['worker']} workers in the midst of a run, {killed['driver']} drivers; "
        f"records: {len(ours)} of {options.runs} runs, {len(found['disturbed'])} lines, "
        f"torn lines: {len(torn)}, files left over: {len(left)}"
    )
    if faults:
        sys.exit("FAILED: " + "; ".join(faults))
    print("every run is recorded once, with the accuracy and the curve of an undisturbed run")


if __name__ == "__main__":
    main()
