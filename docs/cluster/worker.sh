#!/usr/bin/env bash
# Runs a command as one of several workers: worker.sh INDEX "HOST:PORT HOST:PORT ..." COMMAND...
# The chief is worker 0. All workers get the same command, which stands in the script that starts them.
set -euo pipefail
index="$1" addresses="$2"
shift 2
list=""
for address in $addresses; do
    list+="${list:+, }\"$address\""
done
export TF_CONFIG="{\"cluster\": {\"worker\": [$list]}, \"task\": {\"type\": \"worker\", \"index\": $index}}"
exec "$@"
