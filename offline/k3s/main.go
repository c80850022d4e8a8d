// A stand-in for the k3s release binary: the subset of k3s' command line that an installer uses, done with upstream
// Kubernetes (kubeadm, kubelet, kube-proxy) and containerd, all carried in this one file. See README.md.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

const (
	kubernetesVersion = "v1.35.4"
	standInVersion    = kubernetesVersion + "+standin1"
	standInNotice     = "offline stand-in for k3s: upstream Kubernetes " + kubernetesVersion + " behind k3s' command line"
)

const usage = `%s

Usage: k3s COMMAND [FLAGS]
  server    run a server: control plane, etcd member and node
  agent     run a node that joins the servers of --server
  kubectl   the client, with /etc/rancher/k3s/k3s.yaml unless KUBECONFIG is set
  ctr       containerd's client, with k3s' socket and the namespace k8s.io
  --version

Flags are k3s' own; they may stand in /etc/rancher/k3s/config.yaml and config.yaml.d/*.yaml as well.
`

func main() {
	log.SetFlags(0)
	log.SetPrefix("k3s stand-in: ")
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if name == "k3s" || !isCommand(name) {
		if len(args) == 0 {
			fmt.Printf(usage, standInNotice)
			return
		}
		name, args = args[0], args[1:]
	}
	if err := command(name, args); err != nil {
		log.Fatal(err)
	}
}

func isCommand(name string) bool {
	return name == "kubectl" || name == "ctr" || name == "crictl"
}

func command(name string, args []string) error {
	switch name {
	case "server", "agent":
		if wantsHelp(args) {
			fmt.Printf(usage, standInNotice)
			return nil
		}
		return runNode(name, args)
	case "kubectl":
		if os.Getenv("KUBECONFIG") == "" && exists(kubeconfigFile) {
			os.Setenv("KUBECONFIG", kubeconfigFile)
		}
		return replaceBy("kubectl", args)
	case "ctr":
		return replaceBy("ctr", append([]string{"--address", containerdSocket, "--namespace", "k8s.io"}, args...))
	case "--version", "-v", "version":
		fmt.Printf("k3s version %s (%s)\ngo version %s\n", standInVersion, standInNotice, runtime.Version())
		return nil
	case "--help", "-h", "help":
		fmt.Printf(usage, standInNotice)
		return nil
	case "crictl", "etcd-snapshot", "secrets-encrypt", "certificate", "token", "check-config", "completion":
		return fmt.Errorf("`k3s %s` is not part of the stand-in; use `k3s kubectl` and `k3s ctr`, or the official release", name)
	default:
		return fmt.Errorf("no command %q; see `k3s --help`", name)
	}
}

func wantsHelp(args []string) bool {
	for _, a := range args {
		if a == "--help" || a == "-h" {
			return true
		}
	}
	return false
}

// replaceBy becomes one of the carried programs.
func replaceBy(program string, args []string) error {
	bin, err := unpack()
	if err != nil {
		return err
	}
	os.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	path := filepath.Join(bin, program)
	err = syscall.Exec(path, append([]string{program}, args...), os.Environ())
	return fmt.Errorf("%s: %w (delete %s and run the same command again to unpack it anew)", strings.TrimSpace(path), err, filepath.Dir(bin))
}
