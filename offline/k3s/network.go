package main

import (
	"context"
	"encoding/json"
	"log"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	networkEvery    = 3 * time.Second
	routeProtocol   = "96" // marks the routes that are ours in the kernel's table
	masqueradeEvery = 10   // rounds
)

// prepareKernel sets what pod traffic needs; a machine that forbids it may have it set already.
func prepareKernel() {
	for _, module := range []string{"overlay", "br_netfilter"} {
		if _, err := run(context.Background(), "kernel module "+module, "", "modprobe", module); err != nil && !exists("/sys/module/"+module) {
			log.Printf("kernel module %s not loaded; it may be built in", module)
		}
	}
	for name, value := range map[string]string{"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"} {
		path := "/proc/sys/" + name
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			if now, _ := os.ReadFile(path); strings.TrimSpace(string(now)) != value {
				log.Printf("sysctl %s is not %s on %s and cannot be set: %v", strings.ReplaceAll(name, "/", "."), value, hostname(), err)
			}
		}
	}
}

// cniConfig is what containerd does for each pod: a bridge with addresses from the node's range, and host ports.
func cniConfig(podCIDR string) string {
	text, _ := json.MarshalIndent(map[string]any{
		"cniVersion": "1.0.0", "name": "cbr0",
		"plugins": []any{
			map[string]any{"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "forceAddress": true,
				"ipam": map[string]any{"type": "host-local", "dataDir": runDir + "/cni",
					"ranges": [][]any{{map[string]any{"subnet": podCIDR}}},
					"routes": []any{map[string]any{"dst": "0.0.0.0/0"}}}},
			map[string]any{"type": "portmap", "capabilities": map[string]any{"portMappings": true}, "snat": true},
		},
	}, "", "  ")
	return string(text) + "\n"
}

// networkView is what this node has to do for the Nodes that exist.
type networkView struct {
	podCIDR string            // of this node; empty while not assigned
	routes  map[string]string // pod range of another node -> its address
	servers []string          // other servers' API addresses
}

func viewOf(nodes []apiNode, self string) networkView {
	v := networkView{routes: map[string]string{}}
	for _, n := range nodes {
		if n.Metadata.Name == self {
			v.podCIDR = n.Spec.PodCIDR
			continue
		}
		address := n.address()
		if address == "" {
			continue
		}
		if n.Spec.PodCIDR != "" {
			v.routes[n.Spec.PodCIDR] = address
		}
		if n.isServer() {
			v.servers = append(v.servers, net.JoinHostPort(address, "6443"))
		}
	}
	slices.Sort(v.servers)
	return v
}

// routeChanges compares `ip route show proto 96` with what is wanted.
func routeChanges(have string, want map[string]string) (add map[string]string, remove []string) {
	add = map[string]string{}
	for network, via := range want {
		add[network] = via
	}
	for _, line := range strings.Split(have, "\n") {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != "via" {
			continue
		}
		switch want[f[0]] {
		case f[2]:
			delete(add, f[0])
		case "":
			remove = append(remove, f[0])
		}
	}
	return add, remove
}

// keepNetwork follows the Nodes: CNI file from the own pod range, a route per other node, the list of servers.
func (n *node) keepNetwork(ctx context.Context) {
	failing := ""
	for round := 0; ctx.Err() == nil; round++ {
		if err := n.applyNetwork(ctx, round%masqueradeEvery == 0); err != nil && err.Error() != failing {
			failing = err.Error()
			log.Printf("network: %v (tried again every %s)", err, networkEvery)
		} else if err == nil {
			failing = ""
		}
		sleep(ctx, networkEvery)
	}
}

func (n *node) applyNetwork(ctx context.Context, rules bool) error {
	if rules {
		if err := n.masquerade(ctx); err != nil {
			return err
		}
	}
	if err := n.serviceRoute(ctx); err != nil {
		return err
	}
	nodes, err := n.api.nodes(ctx)
	if err != nil {
		return nil // the API is away: what is set stays
	}
	v := viewOf(nodes, n.NodeName)
	if v.podCIDR != "" {
		if err := writeFile(cniConfigDir+"/10-k3s.conflist", cniConfig(v.podCIDR), 0o644); err != nil {
			return err
		}
	}
	if len(v.servers) > 0 {
		n.balancer.setPeers(v.servers)
		if err := writeFile(peersFile, strings.Join(v.servers, "\n")+"\n", 0o600); err != nil {
			return err
		}
	}
	have, err := run(ctx, "listing routes", "", "ip", "-4", "route", "show", "proto", routeProtocol)
	if err != nil {
		return err
	}
	add, remove := routeChanges(have, v.routes)
	for _, network := range remove {
		if network != n.ServiceCIDR {
			run(ctx, "removing a route", "", "ip", "route", "del", network, "proto", routeProtocol)
		}
	}
	for network, via := range add {
		if _, err := run(ctx, "routing pods of "+via, "", "ip", "route", "replace", network, "via", via, "proto", routeProtocol); err != nil {
			return err
		}
	}
	return nil
}

// serviceRoute gives service addresses a route on machines without a default one; else the kernel refuses them before
// kube-proxy's rules can translate them.
func (n *node) serviceRoute(ctx context.Context) error {
	table, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return err
	}
	if hasDefaultRoute(string(table)) {
		return nil
	}
	device := n.Interface
	if device == "" {
		if device, err = interfaceOf(n.NodeIP); err != nil {
			return err
		}
	}
	have, _ := run(ctx, "listing routes", "", "ip", "-4", "route", "show", n.ServiceCIDR)
	if strings.Contains(have, "dev "+device) {
		return nil
	}
	_, err = run(ctx, "routing services", "", "ip", "route", "replace", n.ServiceCIDR, "dev", device, "src", n.NodeIP, "proto", routeProtocol)
	return err
}

// hasDefaultRoute reads /proc/net/route: destination and mask are both zero.
func hasDefaultRoute(table string) bool {
	for _, line := range strings.Split(table, "\n") {
		if f := strings.Fields(line); len(f) > 7 && f[1] == "00000000" && f[7] == "00000000" {
			return true
		}
	}
	return false
}

func interfaceOf(address string) (string, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range interfaces {
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && n.IP.String() == address {
				return i.Name, nil
			}
		}
	}
	return "", &net.AddrError{Err: "no interface has node-ip", Addr: address}
}

// masquerade hides pod addresses from the world outside the cluster, which has no routes to them.
func (n *node) masquerade(ctx context.Context) error {
	rule := []string{"POSTROUTING", "-s", n.ClusterCIDR, "!", "-d", n.ClusterCIDR, "-m", "comment", "--comment", "k3s stand-in", "-j", "MASQUERADE"}
	if _, err := run(ctx, "checking NAT", "", append([]string{"iptables", "-w", "-t", "nat", "-C"}, rule...)...); err == nil {
		return nil
	}
	_, err := run(ctx, "setting NAT", "", append([]string{"iptables", "-w", "-t", "nat", "-A"}, rule...)...)
	return err
}
