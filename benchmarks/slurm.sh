#!/bin/bash
# Train overnight on a cluster, and go on where the queue cuts the run off:
#
#     sbatch benchmarks/slurm.sh PROBLEM.toml DIR
#
# The run ends itself some minutes before the queue would end it, with everything written, and so it does when SLURM
# sends it SIGTERM. A job that ran out of time puts itself back into the queue and resumes; one that converged, failed
# or used up its iterations does not. A node that dies costs what came after the last checkpoint: SLURM requeues the
# job, which resumes.

#SBATCH --job-name=hydrodl
#SBATCH --nodes=1
#SBATCH --ntasks=16
#SBATCH --cpus-per-task=1
#SBATCH --mem=60G
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=hydrodl-%j.log

problem=${1:?usage: sbatch slurm.sh PROBLEM.toml DIR}
folder=${2:?usage: sbatch slurm.sh PROBLEM.toml DIR}
minutes=470 # ten less than --time: room for the Newton step under way, the results and the figures

# Activate the environment of hydrodl here: its own mpiexec starts the ranks, no other.
export OMP_NUM_THREADS=1

resume=()
if [ -f "$folder/solution.h5" ]; then
  resume=(--resume)
fi

signalled=0
trap 'signalled=1; kill -TERM "$!"' TERM # mpiexec passes it on to the ranks
mpiexec -n "$SLURM_NTASKS" hydrodl train "$problem" --out "$folder" "${resume[@]}" \
  --time-limit "$minutes" --checkpoint-every 5 &
job=$!
wait "$job"
code=$?
while [ "$signalled" -eq 1 ]; do # a signal interrupts wait, which then returns the signal, not what the job returns
  signalled=0
  wait "$job"
  again=$?
  [ "$again" -eq 127 ] || code=$again # 127: the job's own code was there before the signal
done

# 0: done; 2: the input is wrong; 3: not converged, for the reason in report.json.
if [ "$code" -eq 3 ] && grep -Eq '"reason": "(time limit|stopped by SIGTERM)' "$folder/report.json"; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
