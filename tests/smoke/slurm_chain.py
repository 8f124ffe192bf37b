#!/usr/bin/env python3
"""Runs the script of `plan --sbatch` with stand-ins for Slurm's programs: its jobs give the bits of one run."""

import json
import os
import subprocess
import sys

import support
from support import flags

# Writes its options to jobs/NUMBER.json and prints the number and, if $CLUSTER is set, the cluster. Refuses unknown
# options and unknown jobs.
SBATCH = """
import argparse, json, os, pathlib, re, sys
parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--parsable", action="store_true", required=True)
for name in ("ntasks", "wrap", "job-name"):
    parser.add_argument(f"--{name}", required=True)
for name in ("dependency", "kill-on-invalid-dep", "time", "signal", "ntasks-per-node", "cpus-per-task"):
    parser.add_argument(f"--{name}")
job = vars(parser.parse_args())
jobs = pathlib.Path(sys.argv[0]).parent / "jobs"
if job["dependency"]:
    before = re.fullmatch("afterok:([0-9]+)", job["dependency"])
    if not before or not (jobs / f"{before[1]}.json").exists():
        sys.exit("sbatch: error: Batch job submission failed: Job dependency problem")
number = 123 + len(list(jobs.iterdir()))
(jobs / f"{number}.json").write_text(json.dumps(job))
print(";".join(filter(None, [str(number), os.environ.get("CLUSTER")])))
"""

# Runs one worker, which computes the same bits as any number of workers.
SRUN = """
import os, sys
words = sys.argv[1:]
while words[0].startswith("-"):
    option = words.pop(0)
    if option not in ("--mpi=pmix", "--kill-on-bad-exit=1"):
        sys.exit(f"srun: unknown option {option}")
workers = words.index("--workers") + 1
if words[workers] != os.environ["SLURM_NTASKS"]:
    sys.exit(f"srun: {os.environ['SLURM_NTASKS']} tasks, but --workers {words[workers]}")
words[workers] = "1"
os.execvp(words[0], words)
"""


class SlurmChain(support.SmokeTestOfOneRun):
    def setUp(self):
        super().setUp()
        self.programs = self.folder / "programs"
        (self.programs / "jobs").mkdir(parents=True)
        for name, text in [("sbatch", SBATCH), ("srun", SRUN)]:
            (self.programs / name).write_text(f"#!{sys.executable}{text}")
            (self.programs / name).chmod(0o755)
        (self.programs / "crescendo").symlink_to(support.PROGRAM)
        self.environment = {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"}
        self.script = self.folder / "chain.sh"
        self.run_dir = self.folder / "a run"

    def submit(self, cluster=""):
        """Runs the script and returns the options of the jobs that it submits, by number."""
        for file in (self.programs / "jobs").iterdir():
            file.unlink()
        result = subprocess.run(["bash", self.script], capture_output=True, text=True, check=False,
                                env={**self.environment, "CLUSTER": cluster})
        self.assertEqual(result.returncode, 0, result.stderr)
        jobs = {int(file.stem): json.loads(file.read_text()) for file in (self.programs / "jobs").iterdir()}
        self.assertEqual([int(line.split()[1].removesuffix(":")) for line in result.stdout.splitlines()], sorted(jobs))
        return dict(sorted(jobs.items()))

    def run_job(self, job):
        result = subprocess.run(["sh", "-c", job["wrap"]], capture_output=True, text=True, check=False,
                                env={**self.environment, "SLURM_NTASKS": job["ntasks"]})
        self.assertEqual(result.returncode, 0, result.stderr)

    def run_jobs(self, jobs, lost=None):
        """Runs jobs as Slurm may: of those that may begin, the last first. The job `lost` fails, and those that can
        then never begin are removed if they ask for it. Returns the numbers of the jobs that ended well, in order."""
        done = []
        while len(done) < len(jobs):
            ready = [number for number, job in jobs.items() if number not in (*done, lost) and
                     (job["dependency"] is None or int(job["dependency"].removeprefix("afterok:")) in done)]
            if not ready:
                waiting = [job for number, job in jobs.items() if number not in (*done, lost)]
                self.assertEqual({job["kill_on_invalid_dep"] for job in waiting}, {"yes"}, "jobs wait for ever")
                break
            self.run_job(jobs[ready[-1]])
            done.append(ready[-1])
        return done

    def updates_by_job(self):
        """Returns for each start of the program the batches of its updates."""
        lines = [json.loads(line) for line in (self.run_dir / "metrics.jsonl").read_text().splitlines()]
        starts = [line["segment"] for line in lines if line["event"] == "start"]
        return [[line["batch"] for line in lines if line["event"] == "train" and line["segment"] == start]
                for start in starts]

    def plan_tiny(self):
        self.succeed("plan", *flags(), "--run-dir", self.run_dir, "--workers", 8, "--seconds-per-ghost", 0.01,
                     "--sbatch", self.script)

    def test_jobs_with_more_and_more_workers_give_the_bits_of_one_run(self):
        self.plan_tiny()
        jobs = self.submit()
        self.assertEqual([job["ntasks"] for job in jobs.values()], ["2", "4", "8"])
        for job in jobs.values():
            self.assertRegex(job["time"], r"^0-00:0\d:00$")
        self.assertEqual(self.run_jobs(jobs), list(jobs))
        self.assertEqual(self.updates_by_job(), [[64] * 8, [128] * 4, [256] * 2])
        self.assertEqual(self.digest(self.run_dir), self.digest(self.whole))

    def test_a_second_chain_goes_on_where_a_job_failed(self):
        self.plan_tiny()
        jobs = self.submit(cluster="b")
        first, second, _ = jobs
        self.assertEqual(self.run_jobs(jobs, lost=second), [first])
        jobs = self.submit(cluster="b")
        self.assertEqual(self.run_jobs(jobs), list(jobs))
        self.assertEqual(self.updates_by_job(), [[64] * 8, [], [128] * 4, [256] * 2])
        self.assertEqual(self.digest(self.run_dir), self.digest(self.whole))

    def test_jobs_of_a_recipe(self):
        self.succeed("plan", "--recipe", "cifar10-max5120-increasing-batch", "--workers", 16, "--sbatch", self.script)
        jobs = list(self.submit().values())
        self.assertEqual([job["ntasks"] for job in jobs], ["1", "5", "13", "14"])
        self.assertEqual([job["dependency"] for job in jobs], [None, *(f"afterok:{n}" for n in (123, 124, 125))])
        self.assertEqual({job["time"] for job in jobs}, {None})
        self.assertRegex(jobs[0]["wrap"], "^srun --mpi=pmix .* --resume --workers 1 --max-updates 23437 $")
        self.assertRegex(jobs[3]["wrap"], "--max-batch 5120 .* --workers 14 --max-updates all $")


if __name__ == "__main__":
    support.main()
