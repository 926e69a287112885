#!/usr/bin/env bash
#SBATCH --job-name=mtl-keras
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
# One worker a node, each with all GPUs of its node: sbatch docs/cluster/slurm.sh, from a folder that all nodes see.
# --resume lets a job that was requeued go on.
set -euo pipefail
addresses="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed 's/$/:12345/' | tr '\n' ' ')"
export addresses
# The command is quoted so that each node puts its own number into it.
# shellcheck disable=SC2016
srun --kill-on-bad-exit=1 bash -c 'exec bash docs/cluster/worker.sh "$SLURM_PROCID" "$addresses" \
    mtl-keras train --data shards --strategy workers --batch-size 2048 --out runs/cluster --resume'
