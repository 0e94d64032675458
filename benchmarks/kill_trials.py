"""Kill the commands at random, again and again: are their records those of undisturbed runs?

`mgtutorial train` in every way in which a run keeps a state (single precision, the split for
choices, 16 bits with a scaler, augmentation) and `mgtutorial reproduce` are killed with SIGKILL at
random times and started again, until they end by themselves. Then each record must equal that of
a run that was not killed, except for its times.

    python benchmarks/kill_trials.py             # several minutes
    python benchmarks/kill_trials.py --only fit  # one of them
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAIN = ["train", "--model", "mgnet-20", "--epochs", "12"]
#: What is tried: its command, and how often it is killed.
TRIALS = {
    "float32": (TRAIN, 7),
    "fit": ([*TRAIN, "--split", "fit"], 4),
    "float16": ([*TRAIN, "--precision", "float16"], 12),
    "bfloat16": ([*TRAIN, "--precision", "bfloat16"], 4),
    # the digits are never augmented by a budget of theirs; the code that draws is the same
    "augmented": (["augmented"], 6),
    "reproduce": (["reproduce", "mgiad-table2", "--rows", "mgnet-20", "--seeds", "0,1,2,3"], 10),
    "workers": (
        ["reproduce", "mgiad-table2", "--rows", "mgnet-20", "--seeds", "4,5,6,7", "--workers", "2"],
        7,
    ),
}


def augmented(folder):
    """Train one augmented run, which the command has no option for."""
    from mgtutorial.training import configure, train
    from mgtutorial.training.workspace import Workspace

    changes = {"augmentation": "cifar10", "epochs": 12}
    train(configure("mgnet-20", "digits", "smoke", **changes), Workspace(folder, device="cpu"))


def start(arguments, folder):
    if arguments == ["augmented"]:
        command = [sys.executable, __file__, "--augmented", str(folder)]
    else:
        given = ["--device", "cpu", "--quiet", "--runs", str(folder)]
        command = [sys.executable, "-m", "mgtutorial", *arguments, *given]
    log = open(folder.parent / "log", "ab")
    # a group of its own, so that no worker or kernel outlives its command
    return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def begun(folder):
    """Whether a first epoch is kept, so that a kill has something to spoil."""
    return any(folder.parent.rglob("*.pt")) or any(folder.parent.rglob("*.tmp"))


def killed(arguments, folder, kills, chance, pause):
    """Run a command to its end under so many kills; return how many hit it."""
    hits = 0
    while True:
        process = start(arguments, folder)
        while hits < kills and process.poll() is None and not begun(folder):
            time.sleep(0.01)
        end = time.monotonic() + chance.uniform(0, pause)
        while hits < kills and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        if hits < kills and process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
            hits += 1
            continue
        if process.wait():
            sys.exit((folder.parent / "log").read_text()[-2000:])
        return hits


def plain(folder):
    """The records of a folder as plain data by name, without what differs from run to run."""
    found = {}
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            record = json.loads(line)
            for name in ("seconds", "finished", "commit"):  # the code may be at work on meanwhile
                record.pop(name)
            for row in record["curve"]:
                row.pop("seconds")
            found.setdefault(record["digest"], []).append(record)
    return found


def difference(ours, theirs):
    """The fields in which the records of a run differ."""
    if not ours or not theirs or len(ours) != 1 or len(theirs) != 1:
        return f"{len(ours or ())} and {len(theirs or ())} records"
    (a,), (b,) = ours, theirs
    return {k: (a.get(k), b.get(k)) for k in a.keys() | b.keys() if a.get(k) != b.get(k)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=TRIALS, action="append")
    parser.add_argument("--pause", type=float, default=1.0, help="longest time before a kill, s")
    parser.add_argument("--seed", type=int, help="of the times")
    parser.add_argument("--augmented", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", MGTUTORIAL_STATIC="1")
    if options.augmented:
        augmented(options.augmented)
        return
    seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}")
    chance, faults = random.Random(seed), []
    with tempfile.TemporaryDirectory() as place:
        for name in options.only or TRIALS:
            arguments, kills = TRIALS[name]
            calm, disturbed = (Path(place) / name / part / "runs" for part in ("calm", "killed"))
            calm.mkdir(parents=True), disturbed.mkdir(parents=True)
            killed(arguments, calm, 0, chance, 0)
            hits = killed(arguments, disturbed, kills, chance, options.pause)
            ours, theirs = plain(disturbed), plain(calm)
            single = all(len(lines) == 1 for lines in ours.values())
            good = ours == theirs and single
            print(f"{name:10} {hits:3} kills, {len(theirs)} runs: "
                  f"{'equal' if good else 'NOT EQUAL'}", flush=True)  # fmt: skip
            if not good:
                for run in ours.keys() | theirs.keys():
                    print(f"  {run}: {difference(ours.get(run), theirs.get(run))}")
            if not good or hits < kills:
                faults.append(f"{name}: {hits} of {kills} kills, equal: {good}")
    if faults:
        sys.exit("FAILED: " + "; ".join(faults))
    print("every run is recorded once, and as if nobody had disturbed it")


if __name__ == "__main__":
    main()
