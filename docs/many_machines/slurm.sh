#!/usr/bin/env bash
# Trains on four machines: sbatch docs/many_machines/slurm.sh
# The folder that --out names has to be one of the first machine; the data have to be on all of them.
#SBATCH --job-name=faces
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@120
set -euo pipefail

# "host1:2222", "host2:2222", ...
WORKERS="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed 's/.*/"&:2222"/' | paste -sd,)"
export WORKERS
export SRUN_CPUS_PER_TASK=16 # srun does not take it from the line above
# One worker that ends before its time ends the others.
status=0
srun --kill-on-bad-exit=1 bash -c '
    export TF_CONFIG="{\"cluster\": {\"worker\": [$WORKERS]}, \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
    exec python experiments/bknet_age_gender_smile.py --data UTKFace GENKI-4K FER2013 --strategy workers --out runs/together --resume
' || status=$?
# SLURM queues a job anew that it preempted or whose machine failed, and no other: here all that did not end well, the
# time limit included. With --resume it goes on. A mistake in the command is tried twenty times too: look at the log.
if ((status != 0 && ${SLURM_RESTART_COUNT:-0} < 20)); then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
