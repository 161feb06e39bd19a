#!/bin/sh
# Labels what is new in SOURCE, from cron: one run at a time; silent if all is well, one line if not, which cron mails.
# A run that was killed, or ended by a reboot, is continued by the next one.
set -eu
: "${SOURCE:?}" "${TARGET:?}"
lock="${LOCK:-/run/lock/aigc-label.lock}"

exec 9>"$lock"
if ! flock --nonblock 9; then
    echo "aigc-label: the run before is still at work on $SOURCE; nothing was started" >&2
    exit 75 # EX_TEMPFAIL
fi

exec aigc-label batch "$SOURCE" "$TARGET" --quiet --retry-failed "$@"
