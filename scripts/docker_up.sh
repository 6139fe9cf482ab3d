#!/usr/bin/env bash
# Start Docker on a machine without systemd (a CI container or a bare VM), installing it where it is missing.
#
#   scripts/docker_up.sh      returns when the engine answers; does nothing when one already does
#   scripts/docker_down.sh    stops what this script started, and nothing else
#
# DOCKER_STATE (default /run/vlmhb-docker) holds the pid and the log. With DOCKER_HOST=unix:///... it is a second
# engine beside the machine's own, with its images in DOCKER_STATE. Installing needs root and Debian's apt.
set -euo pipefail

state=${DOCKER_STATE:-/run/vlmhb-docker}
wait_s=${DOCKER_WAIT_S:-60}

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

if command -v docker >/dev/null && answers; then
  echo "docker already answers"
  exit 0
fi

if ! command -v dockerd >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables
fi

mkdir -p "$state"
# Packets of the bridge must not be larger than those of the interface that leads outside.
outside=$(ip -o route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
mtu=$(cat "/sys/class/net/${outside:-none}/mtu" 2>/dev/null || echo 1500)
private=()
exec_root=/var/run/docker
if [ -n "${DOCKER_HOST:-}" ]; then
  private=(--host "$DOCKER_HOST" --data-root "$state/data" --exec-root "$state/exec")
  exec_root=$state/exec
fi
# An engine that was killed leaves pid files; as long as nothing reaps it, a new one takes the zombie for a live one.
for left in "$state/dockerd.pid" /var/run/docker.pid "$exec_root/containerd/containerd.pid"; do
  pid=$(cat "$left" 2>/dev/null || true)
  if [ -n "$pid" ] && ! grep -qs '^State:[[:space:]]*[RSDT]' "/proc/$pid/status"; then rm -f "$left"; fi
done
setsid dockerd "${private[@]}" --mtu "$mtu" --pidfile "$state/dockerd.pid" </dev/null >"$state/dockerd.log" 2>&1 &

for _ in $(seq "$((wait_s * 5))"); do
  if answers; then
    echo "docker $(docker version --format '{{.Server.Version}}') is up"
    exit 0
  fi
  sleep 0.2
done
echo "dockerd did not answer in $wait_s s; its last words:" >&2
tail -n 20 "$state/dockerd.log" >&2
exit 1
