package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// values holds k3s options by their long names. A repeatable option has several values.
type values map[string][]string

// Config is what the options mean to the stand-in.
type Config struct {
	Token, AgentToken string
	Server            string // host:port of a server to join; empty on the server that starts the cluster
	ClusterInit       bool
	NodeName, NodeIP  string
	Interface         string
	TLSNames          []string
	NodeLabels        []string
	NodeTaints        []string
	Disable           []string
	ClusterCIDR       string
	ServiceCIDR       string
	ClusterDNS        string
	ClusterDomain     string
	SecretsEncryption bool
	Kubeconfig        string
	KubeconfigMode    os.FileMode
	PauseImage        string
	KubeletArgs       []string
	ProxyArgs         []string
	APIServerArgs     []string
	ControllerArgs    []string
	SchedulerArgs     []string
	EtcdArgs          []string
	Ignored           []string // options accepted without effect, each with its reason
}

var booleans = []string{
	"cluster-init", "cluster-reset", "debug", "disable-apiserver", "disable-cloud-controller", "disable-controller-manager",
	"disable-etcd", "disable-helm-controller", "disable-kube-proxy", "disable-network-policy", "disable-scheduler",
	"embedded-registry", "enable-pprof", "etcd-disable-snapshots", "etcd-expose-metrics", "prefer-bundled-bin",
	"protect-kernel-defaults", "rootless", "secrets-encryption", "selinux", "supervisor-metrics", "docker",
}

var shorts = map[string]string{"t": "token", "s": "server", "c": "config", "i": "node-ip", "o": "write-kubeconfig", "d": "data-dir"}

var environment = map[string]string{
	"K3S_TOKEN": "token", "K3S_TOKEN_FILE": "token-file", "K3S_AGENT_TOKEN": "agent-token", "K3S_URL": "server",
	"K3S_NODE_NAME": "node-name", "K3S_CLUSTER_INIT": "cluster-init", "K3S_KUBECONFIG_MODE": "write-kubeconfig-mode",
	"K3S_KUBECONFIG_OUTPUT": "write-kubeconfig", "K3S_CONFIG_FILE": "config", "K3S_DATA_DIR": "data-dir",
}

// ignored options are legal for k3s and make no difference here.
var ignored = map[string]string{
	"flannel-backend":                   "pods are routed directly between nodes of one network segment",
	"flannel-external-ip":               "pods are routed directly between nodes of one network segment",
	"flannel-ipv6-masq":                 "there is no IPv6",
	"node-external-ip":                  "only added to the names of the API's certificate",
	"disable-network-policy":            "NetworkPolicies are accepted by the API and not enforced",
	"disable-cloud-controller":          "there is none",
	"disable-helm-controller":           "there is none",
	"etcd-disable-snapshots":            "there are no snapshots",
	"etcd-snapshot-schedule-cron":       "there are no snapshots",
	"etcd-snapshot-retention":           "there are no snapshots",
	"etcd-expose-metrics":               "etcd's metrics stay on the node",
	"kube-cloud-controller-manager-arg": "there is no cloud controller",
	"snapshotter":                       "chosen by the file system",
	"prefer-bundled-bin":                "host programs are used",
	"private-registry":                  "images are imported, not pulled",
	"system-default-registry":           "images are imported, not pulled",
	"debug":                             "the log is the same",
	"log":                               "the log goes to standard error",
	"v":                                 "the log is the same",
	"embedded-registry":                 "there is none",
	"advertise-port":                    "the API listens on 6443",
	"supervisor-metrics":                "there is no supervisor port",
	"selinux":                           "not supported",
	"enable-pprof":                      "there is no supervisor port",
	"with-node-id":                      "names are used as given",
	"lb-server-port":                    "the balancer listens on 6444",
}

// loadConfig merges, weakest first: environment, config file, files in <config file>.d, command line.
func loadConfig(role string, args []string, getenv func(string) string) (Config, error) {
	flags, err := parseFlags(args)
	if err != nil {
		return Config{}, err
	}
	v := values{}
	for name, key := range environment {
		if s := getenv(name); s != "" {
			v[key] = []string{s}
		}
	}
	file := flags.last("config", v.last("config", configFile))
	files, _ := filepath.Glob(file + ".d/*.yaml")
	for _, f := range append([]string{file}, files...) {
		if err := v.mergeFile(f); err != nil {
			return Config{}, err
		}
	}
	for key, list := range flags {
		v[key] = list
	}
	return newConfig(role, v)
}

func parseFlags(args []string) (values, error) {
	v := values{}
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
			return nil, fmt.Errorf("unexpected argument %q: options start with --", args[i])
		}
		key, value, given := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if long, ok := shorts[key]; ok {
			key = long
		}
		switch {
		case given:
		case slices.Contains(booleans, key):
			value = "true"
		case i+1 < len(args):
			i++
			value = args[i]
		default:
			return nil, fmt.Errorf("--%s: a value is missing", key)
		}
		v[key] = append(v[key], value)
	}
	return v, nil
}

// mergeFile lets a file's keys replace what is known; "key+" adds to it instead, as in k3s.
func (v values) mergeFile(path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return v.mergeYAML(path, text)
}

func (v values) mergeYAML(path string, text []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: expected `key: value` lines", path)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i].Value, root.Content[i+1]
		var list []string
		switch node.Kind {
		case yaml.ScalarNode: // the text as written: 0644 stays 0644
			if node.Tag != "!!null" {
				list = []string{node.Value}
			}
		case yaml.SequenceNode:
			for _, item := range node.Content {
				if item.Kind != yaml.ScalarNode {
					return fmt.Errorf("%s:%d: `%s` takes a list of plain values", path, item.Line, key)
				}
				list = append(list, item.Value)
			}
		default:
			return fmt.Errorf("%s:%d: `%s` takes a value or a list", path, node.Line, key)
		}
		if name, add := strings.CutSuffix(key, "+"); add {
			v[name] = append(slices.Clone(v[name]), list...)
		} else {
			v[key] = list
		}
	}
	return nil
}

func (v values) last(key, def string) string {
	if list := v[key]; len(list) > 0 {
		return list[len(list)-1]
	}
	return def
}

func (v values) list(key string) (all []string) {
	for _, item := range v[key] {
		for _, part := range strings.Split(item, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

func (v values) yes(key string) bool {
	b, _ := strconv.ParseBool(v.last(key, "false"))
	return b
}

// newConfig reads the options and reports everything that is wrong with them at once.
func newConfig(role string, v values) (Config, error) {
	var problems []string
	bad := func(key, format string, a ...any) {
		problems = append(problems, fmt.Sprintf("`%s`: %s", key, fmt.Sprintf(format, a...)))
	}
	host, _ := os.Hostname()
	c := Config{
		Token: password(v.last("token", "")), AgentToken: password(v.last("agent-token", "")),
		ClusterInit: v.yes("cluster-init"),
		NodeName:    strings.ToLower(v.last("node-name", host)), NodeIP: v.last("node-ip", ""), Interface: v.last("flannel-iface", ""),
		TLSNames: v.list("tls-san"), NodeLabels: v.list("node-label"), NodeTaints: v.list("node-taint"), Disable: v.list("disable"),
		ClusterCIDR: v.last("cluster-cidr", "10.42.0.0/16"), ServiceCIDR: v.last("service-cidr", "10.43.0.0/16"),
		ClusterDNS: v.last("cluster-dns", ""), ClusterDomain: v.last("cluster-domain", "cluster.local"),
		SecretsEncryption: v.yes("secrets-encryption"),
		Kubeconfig:        v.last("write-kubeconfig", kubeconfigFile), PauseImage: v.last("pause-image", imageName("pause", pauseTag)),
		KubeletArgs: v["kubelet-arg"], ProxyArgs: v["kube-proxy-arg"], APIServerArgs: v["kube-apiserver-arg"],
		ControllerArgs: v["kube-controller-manager-arg"], SchedulerArgs: v["kube-scheduler-arg"], EtcdArgs: v["etcd-arg"],
	}
	c.TLSNames = append(c.TLSNames, v.list("node-external-ip")...)
	if f := v.last("token-file", ""); f != "" && c.Token == "" {
		text, err := os.ReadFile(f)
		if err != nil {
			bad("token-file", "%v", err)
		}
		c.Token = password(strings.TrimSpace(string(text)))
	}
	if c.Token == "" {
		bad("token", "required; give every server and agent of the cluster the same one")
	}
	if u := v.last("server", ""); u != "" {
		address := strings.TrimRight(strings.TrimPrefix(u, "https://"), "/")
		if !strings.Contains(address, ":") {
			address += ":6443"
		}
		if _, _, err := net.SplitHostPort(address); err != nil || strings.Contains(u, "http://") {
			bad("server", "%q is not of the form https://ADDRESS:6443", u)
		}
		c.Server = address
	} else if role == "agent" {
		bad("server", "required for an agent; name any server, as https://ADDRESS:6443")
	}
	mode, err := strconv.ParseUint(v.last("write-kubeconfig-mode", "600"), 8, 32)
	if err != nil {
		bad("write-kubeconfig-mode", "%q is not an octal mode such as 0644", v.last("write-kubeconfig-mode", ""))
	}
	c.KubeconfigMode = os.FileMode(mode)
	if _, _, err := net.ParseCIDR(c.ClusterCIDR); err != nil {
		bad("cluster-cidr", "%q is not one IPv4 network such as 10.42.0.0/16", c.ClusterCIDR)
	}
	if _, network, err := net.ParseCIDR(c.ServiceCIDR); err != nil || network.IP.To4() == nil {
		bad("service-cidr", "%q is not one IPv4 network such as 10.43.0.0/16", c.ServiceCIDR)
	} else if c.ClusterDNS == "" {
		ip := slices.Clone(network.IP.To4())
		ip[3] += 10
		c.ClusterDNS = ip.String()
	}
	if c.NodeIP == "" {
		if c.NodeIP, err = defaultAddress(c.Interface); err != nil {
			bad("node-ip", "not given, and none found: %v", err)
		}
	} else if net.ParseIP(c.NodeIP).To4() == nil {
		bad("node-ip", "%q is not one IPv4 address", c.NodeIP)
	}
	if d := v.last("data-dir", dataDir); filepath.Clean(d) != dataDir {
		bad("data-dir", "only %s is possible with the stand-in", dataDir)
	}
	for _, key := range []string{"cluster-reset", "rootless", "docker", "disable-etcd", "disable-apiserver", "disable-controller-manager", "disable-scheduler", "disable-kube-proxy"} {
		if v.yes(key) {
			bad(key, "not possible with the stand-in; leave it out, or use the official release")
		}
	}
	for _, key := range []string{"datastore-endpoint", "kubelet-config", "container-runtime-endpoint", "vpn-auth"} {
		if v.last(key, "") != "" {
			bad(key, "not possible with the stand-in; leave it out, or use the official release")
		}
	}
	for key := range v {
		if reason, ok := ignored[key]; ok {
			c.Ignored = append(c.Ignored, fmt.Sprintf("`%s` has no effect: %s", key, reason))
		} else if !slices.Contains(known, key) && !slices.Contains(booleans, key) {
			c.Ignored = append(c.Ignored, fmt.Sprintf("`%s` has no effect: the stand-in does not know it", key))
		}
	}
	slices.Sort(c.Ignored)
	if len(problems) > 0 {
		slices.Sort(problems)
		return c, fmt.Errorf("configuration of %s (%s, %s.d/*.yaml, environment, flags):\n  %s", c.NodeName, configFile, configFile, strings.Join(problems, "\n  "))
	}
	return c, nil
}

var known = []string{
	"agent-token", "cluster-cidr", "cluster-dns", "cluster-domain", "cluster-init", "config", "data-dir", "disable", "etcd-arg",
	"flannel-iface", "kube-apiserver-arg", "kube-controller-manager-arg", "kube-proxy-arg", "kube-scheduler-arg", "kubelet-arg",
	"node-ip", "node-label", "node-name", "node-taint", "pause-image", "secrets-encryption", "server", "service-cidr", "tls-san",
	"token", "token-file", "write-kubeconfig", "write-kubeconfig-mode",
}

// password is the secret part of a token of the form K10<digest of the CA>::<user>:<password>.
func password(token string) string {
	if _, rest, ok := strings.Cut(token, "::"); ok {
		if _, secret, named := strings.Cut(rest, ":"); named {
			return secret
		}
		return rest
	}
	return token
}

func (c Config) disabled(component string) bool { return slices.Contains(c.Disable, component) }

// defaultAddress is the first IPv4 address of the interface, or of the first one that is up and not loopback.
func defaultAddress(name string) (string, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range interfaces {
		if (name != "" && i.Name != name) || i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || i.Name == "cni0" {
			continue
		}
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
				return n.IP.String(), nil
			}
		}
	}
	return "", fmt.Errorf("no interface %q with an IPv4 address", name)
}
