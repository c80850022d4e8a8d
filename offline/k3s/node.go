package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"
)

// node is this machine while k3s runs on it.
type node struct {
	Config
	server     bool
	bin        string
	supervisor supervisor
	balancer   *balancer
	api        *client // as this node
}

// joined is written once a machine is part of a cluster. It lies with the state it describes.
type joined struct {
	Role, NodeName string
}

func (n *node) unit() string {
	if n.server {
		return "k3s"
	}
	return "k3s-agent"
}

func runNode(role string, args []string) error {
	c, err := loadConfig(role, args, os.Getenv)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("`k3s " + role + "` must run as root")
	}
	log.Print(standInNotice)
	for _, line := range c.Ignored {
		log.Print(line)
	}
	if err := onlyOne(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	n := &node{Config: c, server: role == "server"}
	err = n.run(ctx)
	notify("STOPPING=1")
	n.supervisor.stop()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// run brings the node up step by step and then keeps it.
func (n *node) run(ctx context.Context) error {
	var err error
	if n.bin, err = unpack(); err != nil {
		return err
	}
	os.Setenv("PATH", n.bin+":"+os.Getenv("PATH"))
	endLeftovers()
	prepareKernel()
	was, err := readJoined()
	if err != nil {
		return err
	}
	if was == nil {
		if err := clearRemains(); err != nil {
			return err
		}
	} else if was.NodeName != n.NodeName || was.Role != n.role() {
		return fmt.Errorf("%s is part of the cluster as %s %s, and is asked to be %s %s; change it back, or delete the Node, stop k3s and remove %s", hostname(), was.Role, was.NodeName, n.role(), n.NodeName, dataDir)
	}
	if err := placeState(); err != nil {
		return err
	}
	notify("STATUS=starting containerd")
	if err := n.startContainerd(ctx, n.bin); err != nil {
		return err
	}
	if err := importImages(ctx); err != nil {
		return err
	}
	own, peers := "", n.knownPeers()
	if n.server && (was != nil || n.Server == "") {
		own = n.NodeIP + ":6443"
	}
	n.balancer = newBalancer(own, peers)
	if err := n.balancer.serve(ctx); err != nil {
		return err
	}
	if was != nil && n.server {
		if err := n.prepareServer(); err != nil {
			return err
		}
	}
	for {
		stopKubelet, err := n.startKubelet(n.bin)
		if err != nil {
			return err
		}
		if was != nil {
			break
		}
		if err = n.become(ctx); err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		log.Printf("%v\nThe attempt is taken back and repeated in 5 s; `journalctl -u %s` on %s has it all", err, n.unit(), hostname())
		stopKubelet()
		n.reset(ctx)
		sleep(ctx, 5*time.Second)
	}
	return n.keep(ctx)
}

func (n *node) role() string {
	if n.server {
		return "server"
	}
	return "agent"
}

// become makes a machine without state part of the cluster.
func (n *node) become(ctx context.Context) error {
	var err error
	notify("STATUS=joining")
	if n.Server == "" {
		err = n.startCluster(ctx)
	} else {
		err = n.joinCluster(ctx)
	}
	if err != nil {
		return err
	}
	if n.server {
		n.balancer.setOwn(n.NodeIP + ":6443")
		_, err := kubectl(ctx, "labelling the node", "", "label", "node", n.NodeName, "--overwrite",
			"node-role.kubernetes.io/control-plane=true", "node-role.kubernetes.io/etcd=true",
			"node.kubernetes.io/exclude-from-external-load-balancers-") // kubeadm's; k3s has none
		if err != nil {
			return err
		}
	}
	if err := saveKubelet(ctx); err != nil {
		return err
	}
	text, _ := json.Marshal(joined{n.role(), n.NodeName})
	return writeFile(joinedFile, string(text)+"\n", 0o600)
}

// keep is what a node does for as long as it runs.
func (n *node) keep(ctx context.Context) error {
	var err error
	if n.api, err = newClient("https://"+balancerAddress, pkiDir+"/ca.crt", fileCertificate(nodeCertificate, nodeCertificate)); err != nil {
		return err
	}
	go n.keepNetwork(ctx)
	if n.server {
		if err := n.writeKubeconfig(); err != nil {
			return err
		}
		notify("STATUS=waiting for the API server")
		n.waitForAPI(ctx)
		if err := n.writeManifests(); err != nil {
			return err
		}
		go n.keepManifests(ctx)
		go func() {
			for p := newPruner(); ctx.Err() == nil; sleep(ctx, pruneEvery) {
				n.pruneMembers(ctx, p)
			}
		}()
	}
	log.Printf("%s %s is up", n.role(), n.NodeName)
	notify("READY=1\nSTATUS=running")
	<-ctx.Done()
	return nil
}

func (n *node) waitForAPI(ctx context.Context) {
	for last := time.Now(); ctx.Err() == nil; sleep(ctx, 300*time.Millisecond) {
		err := answers(ctx, n.NodeIP+":6443")
		if err == nil {
			return
		}
		if time.Since(last) > 30*time.Second {
			last = time.Now()
			log.Printf("waiting for the API server of %s: %v (a majority of the servers must run; its log: /var/log/pods/kube-system_kube-apiserver-%s_*)", hostname(), err, n.NodeName)
		}
	}
}

// writeKubeconfig leaves the admin's kubeconfig and the tokens where k3s does.
func (n *node) writeKubeconfig() error {
	text, err := os.ReadFile(adminKubeconfig)
	if err != nil {
		return err
	}
	var admin struct {
		Clusters []struct{ Cluster map[string]any }
		Users    []struct{ User map[string]any }
	}
	if err := yaml.Unmarshal(text, &admin); err != nil || len(admin.Clusters) != 1 || len(admin.Users) != 1 {
		return fmt.Errorf("%s on %s is not as kubeadm writes it: %v", adminKubeconfig, hostname(), err)
	}
	config := kubeconfigText("https://127.0.0.1:6443", admin.Clusters[0].Cluster, admin.Users[0].User)
	if err := writeFile(n.Kubeconfig, config, n.KubeconfigMode); err != nil {
		return err
	}
	ca, err := os.ReadFile(pkiDir + "/ca.crt")
	if err != nil {
		return err
	}
	prefix := "K10" + digest(string(ca)) + "::"
	agentToken := n.AgentToken
	if agentToken == "" {
		agentToken = n.Token
	}
	return errors.Join(
		writeFile(serverDir+"/token", prefix+"server:"+n.Token+"\n", 0o600),
		writeFile(serverDir+"/node-token", prefix+"server:"+n.Token+"\n", 0o600),
		writeFile(serverDir+"/agent-token", prefix+"node:"+agentToken+"\n", 0o600),
	)
}

func (n *node) knownPeers() (peers []string) {
	if n.Server != "" {
		peers = append(peers, n.Server)
	}
	text, _ := os.ReadFile(peersFile)
	return append(peers, strings.Fields(string(text))...)
}

func readJoined() (*joined, error) {
	text, err := os.ReadFile(joinedFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var j joined
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, fmt.Errorf("%s on %s: %w", joinedFile, hostname(), err)
	}
	return &j, nil
}

// clearRemains removes what an earlier, unfinished life left, before a machine joins: its state is one whole or nothing.
func clearRemains() error {
	for _, path := range []string{agentDir + "/kubernetes", agentDir + "/kubelet-pki", agentDir + "/kubelet-config.yaml", peersFile,
		cniConfigDir + "/10-k3s.conflist", serverDir + "/db", kubeletDir + "/config.yaml", kubeletDir + "/pki", kubeletDir + "/cpu_manager_state", kubeletDir + "/memory_manager_state"} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// placeState links the directories that kubeadm and the kubelet insist on into dataDir.
func placeState() error {
	if err := linkInto(kubernetesDir, agentDir+"/kubernetes"); err != nil {
		return err
	}
	for _, d := range []string{kubernetesDir + "/manifests", pkiDir + "/etcd", imagesDir, kubeletDropIn, storageDir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(storageDir, 0o701); err != nil {
		return err
	}
	return restoreKubelet()
}

// linkInto makes path a link to target, which becomes a directory. Something else at path is moved aside.
func linkInto(path, target string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if have, err := os.Readlink(path); err == nil && have == target {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		aside := fmt.Sprintf("%s.before-k3s-%d", path, time.Now().Unix())
		log.Printf("%s on %s is not k3s': moved to %s", path, hostname(), aside)
		if err := os.Rename(path, aside); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.Symlink(target, path)
}
