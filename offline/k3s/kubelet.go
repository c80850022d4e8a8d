package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// kubeletDefaults is the first of the kubelet's drop-ins, as in k3s; what an installer adds after it wins.
func kubeletDefaults(limitedOOM bool) (string, error) {
	config := map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"cgroupDriver":             "cgroupfs",
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"staticPodPath":            kubernetesDir + "/manifests",
		"volumePluginDir":          kubeletDir + "/volumeplugins",
		"resolvConf":               resolvConf,
		"serializeImagePulls":      false,
		"evictionHard":             map[string]string{"imagefs.available": "5%", "nodefs.available": "5%"},
		"evictionMinimumReclaim":   map[string]string{"imagefs.available": "10%", "nodefs.available": "10%"},
	}
	if limitedOOM {
		config["oomScoreAdj"] = 0
	}
	text, err := yaml.Marshal(config)
	return string(text), err
}

func (n *node) kubeletCommand(bin string) []string {
	args := []string{bin + "/kubelet",
		"--config=" + kubeletDir + "/config.yaml", "--config-dir=" + kubeletDropIn,
		"--bootstrap-kubeconfig=" + kubernetesDir + "/bootstrap-kubelet.conf", "--kubeconfig=" + kubernetesDir + "/kubelet.conf",
		"--hostname-override=" + n.NodeName, "--node-ip=" + n.NodeIP,
	}
	if len(n.NodeLabels) > 0 {
		args = append(args, "--node-labels="+strings.Join(n.NodeLabels, ","))
	}
	if len(n.NodeTaints) > 0 {
		args = append(args, "--register-with-taints="+strings.Join(n.NodeTaints, ","))
	}
	return append(args, flags(n.KubeletArgs)...)
}

// flags puts the dashes before arguments written as name=value.
func flags(args []string) (all []string) {
	for _, a := range args {
		all = append(all, "--"+strings.TrimLeft(a, "-"))
	}
	return all
}

func (n *node) proxyCommand(bin string) []string {
	return append([]string{bin + "/kube-proxy",
		"--kubeconfig=" + agentDir + "/kubeproxy.kubeconfig", "--hostname-override=" + n.NodeName, "--cluster-cidr=" + n.ClusterCIDR,
		"--proxy-mode=iptables", "--conntrack-max-per-core=0", "--oom-score-adj=0",
		"--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249",
	}, flags(n.ProxyArgs)...)
}

// kubeconfigText: kubectl and the libraries read JSON as YAML.
func kubeconfigText(server string, cluster, user map[string]any) string {
	cluster["server"] = server
	text, _ := json.MarshalIndent(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "default", "preferences": map[string]any{},
		"clusters": []any{map[string]any{"name": "default", "cluster": cluster}},
		"contexts": []any{map[string]any{"name": "default", "context": map[string]any{"cluster": "default", "user": "default"}}},
		"users":    []any{map[string]any{"name": "default", "user": user}},
	}, "", "  ")
	return string(text) + "\n"
}

// startKubelet also starts kube-proxy; both wait until kubeadm has left what they need. The result ends both.
func (n *node) startKubelet(bin string) (func(), error) {
	defaults, err := kubeletDefaults(limitedOOM())
	if err != nil {
		return nil, err
	}
	if err := writeFile(kubeletDropIn+"/00-k3s-defaults.conf", defaults, 0o644); err != nil {
		return nil, err
	}
	host, _ := os.ReadFile("/etc/resolv.conf")
	text, _ := resolvers(string(host))
	if err := writeFile(resolvConf, text, 0o644); err != nil {
		return nil, err
	}
	proxy := kubeconfigText("https://"+balancerAddress, map[string]any{"certificate-authority": pkiDir + "/ca.crt"},
		map[string]any{"client-certificate": nodeCertificate, "client-key": nodeCertificate})
	if err := writeFile(agentDir+"/kubeproxy.kubeconfig", proxy, 0o600); err != nil {
		return nil, err
	}
	stopKubelet := n.supervisor.start(child{name: "kubelet", args: n.kubeletCommand(bin), ready: func() bool {
		return exists(kubeletDir+"/config.yaml") && (exists(kubernetesDir+"/kubelet.conf") || exists(kubernetesDir+"/bootstrap-kubelet.conf"))
	}})
	stopProxy := n.supervisor.start(child{name: "kube-proxy", args: n.proxyCommand(bin), ready: func() bool { return exists(nodeCertificate) && exists(joinedFile) }})
	return func() { stopProxy(); stopKubelet() }, nil
}

// resolvers is the host's resolv.conf for pods, when a pod could use it: a resolver on the host's loopback is out of its
// reach. The second value tells whether names outside the cluster can be asked for.
func resolvers(host string) (string, bool) {
	for _, line := range strings.Split(host, "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			if ip := net.ParseIP(f[1]); ip != nil && !ip.IsLoopback() {
				return host, true
			}
		}
	}
	return "# written by the k3s stand-in: the host has no resolver that a pod could reach\nnameserver 127.0.0.1\n", false
}

// restoreKubelet brings back the files that kubeadm insists on keeping outside of dataDir, if their volume was lost.
func restoreKubelet() error {
	if err := linkInto(kubeletDir+"/pki", agentDir+"/kubelet-pki"); err != nil {
		return err
	}
	saved, err := os.ReadFile(agentDir + "/kubelet-config.yaml")
	if err != nil || exists(kubeletDir+"/config.yaml") {
		return nil
	}
	return writeFile(kubeletDir+"/config.yaml", string(saved), 0o644)
}

func saveKubelet(context.Context) error {
	text, err := os.ReadFile(kubeletDir + "/config.yaml")
	if err != nil {
		return err
	}
	return writeFile(agentDir+"/kubelet-config.yaml", string(text), 0o644)
}
