#!/usr/bin/env bash
# Installs the package on a copy of this machine, uses, upgrades and purges it: as root, with a mount namespace of its own.
#
#     unshare --mount bash try.sh PACKAGE FOLDER
#
# The copy is an overlay: what is written goes to memory, and away with the namespace.
set -euo pipefail

package=$1 folder=$2
mkdir -p "$folder"
mount -t tmpfs none "$folder"
mkdir "$folder"/{above,work,machine}
mount -t overlay -o "lowerdir=/,upperdir=$folder/above,workdir=$folder/work" none "$folder/machine"
for system in dev proc; do mount --rbind "/$system" "$folder/machine/$system"; done
cp "$package" "$folder/machine/preamp.deb"

on() { chroot "$folder/machine" "$@"; }
must() { on "$@" >"$folder/said" 2>&1 || { cat "$folder/said" >&2 && wrong "$*"; }; }
wrong() {
    printf 'try.sh: %s\n' "$1" >&2
    exit 1
}
# is WHAT WANTED COMMAND…
is() {
    local said
    said=$(on "${@:3}" 2>&1) || true
    [[ $said == "$2" ]] || wrong "$1: wanted \"$2\", not \"$said\""
}

# Of an installation before.
on userdel preamp >/dev/null 2>&1 || true
on rm -rf /etc/preamp
# What depends on the machine: adduser is on every Debian but the smallest.
must dpkg --install /preamp.deb
grep -q 'installed and not started' "$folder/said" || wrong "the installation does not say what is to be done: $(<"$folder/said")"

if on test -x /usr/bin/systemd-analyze; then
    must systemd-analyze verify --man=no preamp.service
    [[ ! -s $folder/said ]] || wrong "systemd says of the unit: $(<"$folder/said")"
    on systemd-analyze security --offline=yes --threshold=11 preamp.service >/dev/null || wrong "the unit is more open than deploy/systemd is meant to be."
    printf '   verified: systemd takes the unit\n'
else
    printf '   NOT checked: the unit; systemd-analyze is not on this machine\n'
fi

is "user" preamp id --user --name preamp
is "configuration" "640 root preamp" stat --format '%a %U %G' /etc/preamp/preamp.yaml
is "environment" "600 root root" stat --format '%a %U %G' /etc/preamp/environment
is "service" disabled systemctl is-enabled preamp.service
is "manual" /usr/share/man/man1/preamp.1.gz man --where preamp
# As the service starts: as its user, who reads the configuration, and with a workspace only.
is "an unconfigured service" 1 setpriv --reuid preamp --regid preamp --clear-groups sh -c '/usr/bin/preamp validate --config /etc/preamp/preamp.yaml >/dev/null 2>&1; echo $?'
on sed -i 's|^#AMP_REMOTE_WRITE_URL=.*|AMP_REMOTE_WRITE_URL=https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-b226cc2a-a446-46a9-933a-ac50479a5568/api/v1/remote_write|' /etc/preamp/environment
is "a configured service" 0 sh -c 'set -a; . /etc/preamp/environment; setpriv --reuid preamp --regid preamp --clear-groups /usr/bin/preamp validate --config /etc/preamp/preamp.yaml >/dev/null 2>&1; echo $?'

# An upgrade keeps what was changed.
on systemctl enable preamp.service 2>/dev/null
must dpkg --install /preamp.deb
on grep -q '^AMP_REMOTE_WRITE_URL=' /etc/preamp/environment || wrong "an upgrade overwrites the configuration."
is "service after an upgrade" enabled systemctl is-enabled preamp.service

on mkdir -p /var/lib/private/preamp/queue
must dpkg --remove preamp
on test -e /etc/preamp/environment || wrong "without a purge the configuration goes."
on test -e /var/lib/private/preamp/queue || wrong "without a purge the queue goes."
must dpkg --purge preamp
for left in /etc/preamp /var/lib/private/preamp /usr/bin/preamp /usr/lib/systemd/system/preamp.service /etc/systemd/system/multi-user.target.wants/preamp.service; do
    if on test -e "$left" || on test -L "$left"; then wrong "a purge leaves $left"; fi
done
printf '   verified: the Debian package is installed, configured, upgraded, removed and purged on a copy of this machine\n'
