#!/bin/sh
# The programs of Debian that the tests drive, as "command package". Installs what is missing when it may (root on
# Debian), else names it and fails: a missing tool is never a skipped test.
set -eu
TOOLS="sipp:sip-tester baresip:baresip sipsak:sipsak tshark:tshark sox:sox ip:iproute2 ssh:openssh-client rsync:rsync redis-server:redis-server svwar:sipvicious kamailio:kamailio"

missing() {
    for tool in $TOOLS; do
        command -v "${tool%%:*}" >/dev/null 2>&1 || printf '%s ' "${tool##*:}"
    done
    [ -x /usr/sbin/sshd ] || printf 'openssh-server '
    ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || printf 'postgresql '
    sox --help 2>/dev/null | grep -q 'AUDIO FILE FORMATS.* wav' || printf 'libsox-fmt-all '
}

packages=$(missing)
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
    echo "installing $packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $packages >/dev/null
    packages=$(missing)
    [ -n "$packages" ] || exit 0
fi
echo "the tests need programs that are not installed: apt-get install --no-install-recommends $packages" >&2
exit 1
