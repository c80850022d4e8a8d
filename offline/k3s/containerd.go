package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const containerdConfigFile = agentDir + "/etc/containerd/config.toml"

// containerdConfig: with limited oom scores where the machine may not lower them (no CAP_SYS_RESOURCE).
func containerdConfig(pause, snapshotter string, limitedOOM bool) string {
	return fmt.Sprintf(`# Written by the k3s stand-in at every start.
version = 2
root = "%[1]s/containerd"
state = "%[2]s/containerd"
oom_score = 0

[grpc]
  address = "%[3]s"

[plugins."io.containerd.internal.v1.opt"]
  path = "%[1]s/containerd"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[4]s"
  restrict_oom_score_adj = %[5]v
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "%[6]s"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "%[7]s"
    conf_dir = "%[8]s"

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "%[1]s/etc/containerd/certs.d"
`, agentDir, runDir, containerdSocket, pause, limitedOOM, snapshotter, currentBin, cniConfigDir)
}

// mayLowerOOMScore tells whether the machine has CAP_SYS_RESOURCE.
func mayLowerOOMScore(status string) bool {
	const sysResource = 24
	for _, line := range strings.Split(status, "\n") {
		var caps uint64
		if n, _ := fmt.Sscanf(line, "CapEff: %x", &caps); n == 1 {
			return caps>>sysResource&1 == 1
		}
	}
	return false
}

func limitedOOM() bool {
	status, _ := os.ReadFile("/proc/self/status")
	return !mayLowerOOMScore(string(status))
}

// snapshotterFor: overlayfs cannot lie on overlayfs.
func snapshotterFor(dir string) string {
	const overlayMagic = 0x794c7630
	var fs syscall.Statfs_t
	if syscall.Statfs(dir, &fs) == nil && fs.Type == overlayMagic {
		log.Printf("%s on %s lies on an overlay file system: containers are copied as a whole, which is slow; use a volume", dir, hostname())
		return "native"
	}
	return "overlayfs"
}

func (n *node) startContainerd(ctx context.Context, bin string) error {
	for _, d := range []string{agentDir + "/containerd", runDir + "/containerd", cniConfigDir, agentDir + "/etc/containerd/certs.d"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	config := containerdConfig(n.PauseImage, snapshotterFor(agentDir+"/containerd"), limitedOOM())
	if err := writeFile(containerdConfigFile, config, 0o644); err != nil {
		return err
	}
	logFile := agentDir + "/containerd/containerd.log"
	n.supervisor.start(child{name: "containerd", log: logFile, args: []string{bin + "/containerd", "--config", containerdConfigFile}})
	deadline := time.Now().Add(2 * time.Minute)
	for exec.CommandContext(ctx, bin+"/ctr", "--address", containerdSocket, "version").Run() != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			c := child{log: logFile}
			return fmt.Errorf("containerd on %s does not answer. Its last lines:\n%s\nOnce the cause is gone: systemctl restart %s", hostname(), c.lastLines(nil), n.unit())
		}
		sleep(ctx, 200*time.Millisecond)
	}
	return nil
}
