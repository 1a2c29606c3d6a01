#!/bin/sh
# The end of Ray on a cluster of one's own machines: `ray down` ends it on the head alone, so the workers come first.
# Usage: deploy/down.sh [cluster.yaml]
set -eu
file=${1:-cluster.yaml}
python3 - "$file" <<'END'
import os, subprocess, sys
import yaml

cluster = yaml.safe_load(open(sys.argv[1]))
auth = cluster["auth"]
ssh = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
if "ssh_private_key" in auth:
    ssh += ["-i", os.path.expanduser(auth["ssh_private_key"])]
stop = ["bash", "--login", "-c", "'ray stop --grace-period 5'"]
workers = cluster["provider"].get("worker_ips", [])
running = [subprocess.Popen([*ssh, f"{auth['ssh_user']}@{address}", *stop], stdout=subprocess.DEVNULL) for address in workers]
sys.exit(max([one.wait() for one in running], default=0))
END
ray down --yes "$file"
