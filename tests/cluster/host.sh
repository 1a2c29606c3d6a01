#!/bin/sh
# Process 1 of a machine that is made of namespaces (machines.py): $1 is its folder, $2 its name, the rest are folders
# that it may see under /tmp and /root, which are its own and empty otherwise. It has a /dev/shm of its own, the programs
# of the machine that it is made on, and an sshd. When it ends, or is killed, the kernel ends everything in it.
set -eu
folder=$1 name=$2
shift 2
hostname "$name"

mkdir -p "$folder/tmp" "$folder/root"
chmod 1777 "$folder/tmp"
chmod 700 "$folder/root"
for seen in "$folder" "$@"; do
    case $seen in
    /tmp/* | /root/*)
        mkdir -p "$folder$seen"
        mount --bind "$seen" "$folder$seen"
        ;;
    esac
done
mount --rbind "$folder/root" /root
mount --rbind "$folder/tmp" /tmp
mount -t tmpfs -o size=512m tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd

# In the place of a download of Ray and what else the wheel needs: an environment that has nothing but a look at ours.
venv=/root/rayswitch/venv
"$PYTHON" -m venv --without-pip "$venv"
echo "$SITE_PACKAGES" >"$(echo $venv/lib/python3*/site-packages)/needed.pth"
printf '#!%s/bin/python\nfrom ray.scripts.scripts import main\nmain()\n' "$venv" >$venv/bin/ray
chmod +x $venv/bin/ray

exec /usr/sbin/sshd -D -e -f "$folder/sshd_config" 2>"$folder/sshd.log"
