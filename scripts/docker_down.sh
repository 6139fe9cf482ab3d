#!/usr/bin/env bash
# Stop the Docker engine that scripts/docker_up.sh started; without one, do nothing. DOCKER_STATE as there.
set -euo pipefail

pidfile=${DOCKER_STATE:-/run/vlmhb-docker}/dockerd.pid
wait_s=${DOCKER_WAIT_S:-60}

pid=$(cat "$pidfile" 2>/dev/null || true)
if [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dockerd ]; then
  echo "no engine of docker_up.sh is running"
  rm -f "$pidfile"
  exit 0
fi

# A zombie has ended; where nothing reaps it, its number stays.
ended() { ! grep -qs '^State:[[:space:]]*[RSDT]' "/proc/$pid/status"; }

kill -TERM "$pid"
for _ in $(seq "$((wait_s * 5))"); do
  if ended; then
    umount "${pidfile%/*}"/exec/netns/* 2>/dev/null || true
    rm -f "$pidfile"
    echo "docker is stopped"
    exit 0
  fi
  sleep 0.2
done
echo "dockerd $pid did not end in $wait_s s" >&2
exit 1
