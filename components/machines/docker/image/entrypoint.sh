#!/bin/sh
# Makes the container enough of a machine for systemd and a kubelet, without --privileged, then becomes init.
# Works on cgroup v1 (one mount per controller), v2 (one mount) and hybrid hosts.
#
# SSH_AUTHORIZED_KEY  public key that may log in as root
# /etc/ssh/ssh_host_ed25519_key  placed before the start, so that the host key is known beforehand; made here if missing
set -eu

warn() { echo "entrypoint: $*" >&2; }

# Docker mounts these read-only; systemd and the kubelet write below them.
mount -o remount,rw /sys 2>/dev/null || warn "/sys stays read-only"
while read -r _ mountpoint type _; do
  case "$type" in
    cgroup | cgroup2) mount -o remount,bind,rw "$mountpoint" 2>/dev/null || warn "$mountpoint stays read-only" ;;
  esac
done </proc/mounts

# cgroup v2: a cgroup that holds processes cannot hand controllers to its children, so leave the root of ours.
if [ -w /sys/fs/cgroup/cgroup.subtree_control ]; then
  mkdir -p /sys/fs/cgroup/init.scope
  while read -r pid; do
    echo "$pid" >/sys/fs/cgroup/init.scope/cgroup.procs 2>/dev/null || true
  done </sys/fs/cgroup/cgroup.procs
fi

# Volumes that pods mount must reach containers that start later.
mount --make-rshared /

[ -e /dev/kmsg ] || ln -s /dev/console /dev/kmsg
[ -s /etc/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id

if [ -n "${SSH_AUTHORIZED_KEY:-}" ]; then
  mkdir -p -m 0700 /root/.ssh
  printf '%s\n' "$SSH_AUTHORIZED_KEY" >/root/.ssh/authorized_keys
  chmod 0600 /root/.ssh/authorized_keys
fi
if [ -f /etc/ssh/ssh_host_ed25519_key ]; then
  chown root:root /etc/ssh/ssh_host_ed25519_key
  chmod 0600 /etc/ssh/ssh_host_ed25519_key
  ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key >/etc/ssh/ssh_host_ed25519_key.pub
else
  ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
fi

exec /sbin/init
