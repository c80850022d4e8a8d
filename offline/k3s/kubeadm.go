package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

const (
	encryptionFile = credDir + "/encryption-config.json"
	kubeadmFile    = runDir + "/kubeadm.yaml"
	patchesDir     = runDir + "/kubeadm-patches"
	etcdDir        = serverDir + "/db/etcd"
)

type object = map[string]any

// Arguments of the control plane that differ from upstream's. What the user gives for the same name wins.
var (
	leaseArgs = []string{ // a lost holder is followed within 8 s; with upstream's 15 s, nodes are seen as lost later than asked for
		"leader-elect-lease-duration=8s", "leader-elect-renew-deadline=5s", "leader-elect-retry-period=2s",
	}
	controllerDefaults = append([]string{"profiling=false"}, leaseArgs...)
	schedulerDefaults  = append([]string{"profiling=false"}, leaseArgs...)
	apiServerDefaults  = []string{"profiling=false"}
	etcdDefaults       = []string{"heartbeat-interval=500", "election-timeout=5000"} // k3s' values
)

// mergeArgs turns name=value lists into kubeadm's form; a later list replaces the values of an earlier one.
func mergeArgs(lists ...[]string) []object {
	var order []string
	byName := map[string][]object{}
	for _, list := range lists {
		here := map[string][]object{}
		for _, a := range list {
			name, value, given := strings.Cut(strings.TrimLeft(a, "-"), "=")
			if !given {
				value = "true"
			}
			if _, seen := here[name]; !seen && !slices.Contains(order, name) {
				order = append(order, name)
			}
			here[name] = append(here[name], object{"name": name, "value": value})
		}
		for name, values := range here {
			byName[name] = values
		}
	}
	all := []object{}
	for _, name := range order {
		all = append(all, byName[name]...)
	}
	return all
}

// bootstrapToken is the token kubeadm knows, made of the one k3s knows.
func bootstrapToken(token string) string {
	h := digest("bootstrap " + token)
	return h[:6] + "." + h[6:22]
}

// certificateKey encrypts the cluster's keys on their way to further servers.
func certificateKey(token string) string { return digest("certificates " + token) }

// encryptionConfig: the key is made of the token, so every server has the same without being told.
func encryptionConfig(token string, enabled bool) string {
	key := sha256.Sum256([]byte("secrets encryption " + token))
	aes := object{"aescbc": object{"keys": []object{{"name": "aescbckey", "secret": base64.StdEncoding.EncodeToString(key[:])}}}}
	identity := object{"identity": object{}}
	providers := []object{identity, aes} // reads what an earlier setting wrote
	if enabled {
		providers = []object{aes, identity}
	}
	text, _ := json.Marshal(object{"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1",
		"resources": []object{{"resources": []string{"secrets"}, "providers": providers}}})
	return string(text) + "\n"
}

func documents(docs ...object) (string, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	for _, d := range docs {
		if err := e.Encode(d); err != nil {
			return "", err
		}
	}
	return b.String(), e.Close()
}

func (c Config) registration() object {
	return object{"name": c.NodeName, "criSocket": "unix://" + containerdSocket, "taints": []object{}, "imagePullPolicy": "IfNotPresent"}
}

func (c Config) localEndpoint() object {
	return object{"advertiseAddress": c.NodeIP, "bindPort": 6443}
}

// clusterConfig describes the control plane; ownClients says that client-ca signs client certificates too.
func (c Config) clusterConfig(ownClients bool) object {
	// The pods run the node's own programs, so one copy of their text serves every process on the machine.
	programs := object{"name": "bin", "hostPath": currentBin, "mountPath": "/usr/local/bin", "readOnly": true, "pathType": "Directory"}
	cred := object{"name": "cred", "hostPath": credDir, "mountPath": credDir, "readOnly": true, "pathType": "Directory"}
	api := slices.Concat(apiServerDefaults, []string{"encryption-provider-config=" + encryptionFile})
	if ownClients {
		api = append(api, "client-ca-file="+clientBundle)
	}
	names := []string{"127.0.0.1", "localhost", c.NodeIP, c.NodeName}
	for _, n := range c.TLSNames {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return object{
		"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration",
		"kubernetesVersion": kubernetesVersion, "imageRepository": imageRepository, "encryptionAlgorithm": "ECDSA-P256",
		"controlPlaneEndpoint": balancerAddress, "clusterName": "default",
		"networking":        object{"podSubnet": c.ClusterCIDR, "serviceSubnet": c.ServiceCIDR, "dnsDomain": c.ClusterDomain},
		"apiServer":         object{"certSANs": names, "extraArgs": mergeArgs(api, c.APIServerArgs), "extraVolumes": []object{programs, cred}},
		"controllerManager": object{"extraArgs": mergeArgs(controllerDefaults, c.ControllerArgs), "extraVolumes": []object{programs}},
		"scheduler":         object{"extraArgs": mergeArgs(schedulerDefaults, c.SchedulerArgs), "extraVolumes": []object{programs}},
		"etcd":              object{"local": object{"dataDir": etcdDir, "imageTag": etcdTag, "extraArgs": mergeArgs(etcdDefaults, c.EtcdArgs)}},
	}
}

func (c Config) initConfig(ownClients bool) (string, error) {
	tokens := []object{}
	for _, t := range []string{c.Token, c.AgentToken} {
		if t == "" || (t == c.Token && len(tokens) > 0) {
			continue
		}
		tokens = append(tokens, object{"token": bootstrapToken(t), "ttl": "0s", "usages": []string{"signing", "authentication"},
			"groups": []string{"system:bootstrappers:kubeadm:default-node-token"}})
	}
	return documents(
		object{"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "InitConfiguration", "bootstrapTokens": tokens,
			"certificateKey": certificateKey(c.Token), "localAPIEndpoint": c.localEndpoint(), "nodeRegistration": c.registration(),
			"patches": object{"directory": patchesDir}},
		c.clusterConfig(ownClients),
		object{"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "cgroupDriver": "cgroupfs",
			"clusterDNS": []string{c.ClusterDNS}, "clusterDomain": c.ClusterDomain, "staticPodPath": kubernetesDir + "/manifests"})
}

// joinConfig trusts the cluster's authority by its key when the installer left it here, else whoever knows the token.
func (c Config) joinConfig(server bool, caHash string) (string, error) {
	discovery := object{"token": bootstrapToken(c.Token), "apiServerEndpoint": balancerAddress}
	if caHash != "" {
		discovery["caCertHashes"] = []string{caHash}
	} else {
		discovery["unsafeSkipCAVerification"] = true
	}
	join := object{"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "JoinConfiguration", "nodeRegistration": c.registration(),
		"discovery": object{"bootstrapToken": discovery}}
	if server {
		join["controlPlane"] = object{"localAPIEndpoint": c.localEndpoint(), "certificateKey": certificateKey(c.Token)}
		join["patches"] = object{"directory": patchesDir}
	}
	return documents(join)
}

func (n *node) kubeadm(ctx context.Context, step string, args ...string) error {
	_, err := run(ctx, step, "", append([]string{n.bin + "/kubeadm"}, args...)...)
	return err
}

// startCluster makes this machine the first server.
func (n *node) startCluster(ctx context.Context) error {
	ownClients := hasOwnCA(ownTLSDir) && exists(ownTLSDir+"/client-ca.crt")
	if err := n.prepareServer(); err != nil {
		return err
	}
	text, err := n.initConfig(ownClients)
	if err != nil {
		return err
	}
	if err := writeFile(kubeadmFile, text, 0o600); err != nil {
		return err
	}
	err = n.kubeadm(ctx, "starting the cluster", "init", "--config", kubeadmFile, "--upload-certs", "--ignore-preflight-errors=all",
		"--skip-phases=addon,show-join-command")
	if err != nil {
		return err
	}
	// kubeadm would let the keys for further servers expire after two hours, through the token that owns them.
	_, err = kubectl(ctx, "keeping the keys for further servers", "", "--namespace=kube-system", "patch", "secret", "kubeadm-certs",
		"--type=merge", `--patch={"metadata":{"ownerReferences":null}}`)
	if err != nil {
		return err
	}
	_, err = kubectl(ctx, "letting nodes see each other", rbacManifest, "apply", "--filename=-")
	return err
}

// prepareServer leaves what the API server's pod mounts, and what kubeadm changes in its pods.
func (n *node) prepareServer() error {
	if err := placeOwnCA(ownTLSDir, pkiDir); err != nil {
		return err
	}
	if err := placeClientBundle(ownTLSDir, pkiDir, clientBundle); err != nil {
		return err
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if err := writeFile(patchesDir+"/"+name+"+strategic.yaml", calmerReadiness(name), 0o600); err != nil {
			return err
		}
	}
	return writeFile(encryptionFile, encryptionConfig(n.Token, n.SecretsEncryption), 0o600)
}

// calmerReadiness: kubeadm has both asked every second, and each answer costs a read through etcd; k3s has no such probe.
func calmerReadiness(name string) string {
	return "spec: {containers: [{name: " + name + ", readinessProbe: {periodSeconds: 5}}]}\n"
}

// joinCluster makes this machine a further server, or an agent.
func (n *node) joinCluster(ctx context.Context) error {
	n.waitForServer(ctx)
	caHash := ""
	if ca, err := os.ReadFile(ownTLSDir + "/server-ca.crt"); err == nil {
		if caHash, err = publicKeyHash(ca); err != nil {
			return fmt.Errorf("%s/server-ca.crt on %s: %w", ownTLSDir, hostname(), err)
		}
	}
	text, err := n.joinConfig(n.server, caHash)
	if err != nil {
		return err
	}
	if err := writeFile(kubeadmFile, text, 0o600); err != nil {
		return err
	}
	if n.server {
		if err := n.kubeadm(ctx, "fetching the cluster's keys from "+n.Server, "join", "phase", "control-plane-prepare", "download-certs", "--config", kubeadmFile); err != nil {
			return err
		}
		if err := n.sameCA(); err != nil {
			return err
		}
		if err := n.prepareServer(); err != nil {
			return err
		}
		if err := n.forgetEarlierLife(ctx); err != nil {
			return err
		}
	}
	return n.kubeadm(ctx, "joining through "+n.Server, "join", "--config", kubeadmFile, "--ignore-preflight-errors=all", "--v=1")
}

func (n *node) waitForServer(ctx context.Context) {
	for last := time.Now(); ctx.Err() == nil; sleep(ctx, 500*time.Millisecond) {
		err := answers(ctx, n.Server)
		if err == nil {
			return
		}
		if time.Since(last) > 30*time.Second {
			last = time.Now()
			log.Printf("waiting for server %s (`server` in %s on %s): %v", n.Server, configFile, hostname(), err)
		}
	}
}

// sameCA: an own CA left on this machine must be the one the cluster runs with.
func (n *node) sameCA() error {
	if !hasOwnCA(ownTLSDir) {
		return nil
	}
	for _, f := range ownCA {
		mine, err := os.ReadFile(ownTLSDir + "/" + f.from)
		if err != nil {
			return err
		}
		theirs, err := os.ReadFile(pkiDir + "/" + f.to)
		if err != nil {
			return err
		}
		if !bytes.Equal(bytes.TrimSpace(mine), bytes.TrimSpace(theirs)) {
			return fmt.Errorf("%s/%s on %s is not the cluster's: %s runs with another one; place the cluster's files there and restart k3s", ownTLSDir, f.from, hostname(), n.Server)
		}
	}
	return nil
}

// forgetEarlierLife removes what the cluster still holds of a machine of this name or address that was wiped: its Node
// and its etcd member. A member that is listed but has lost its data would keep the new one from starting.
func (n *node) forgetEarlierLife(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	issue := func(base, name string) (func() (*tls.Certificate, error), error) {
		a, err := readAuthority(base)
		if err != nil {
			return nil, err
		}
		certificate, err := a.client(name, "system:masters")
		return func() (*tls.Certificate, error) { return certificate, nil }, err
	}
	admin, err := issue(pkiDir+"/ca", "k3s-stand-in:join")
	if err != nil {
		return err
	}
	api, err := newClient("https://"+balancerAddress, pkiDir+"/ca.crt", admin)
	if err != nil {
		return err
	}
	var nodes []apiNode
	for {
		if nodes, err = api.nodes(ctx); err == nil {
			break
		}
		if sleep(ctx, time.Second); ctx.Err() != nil {
			return fmt.Errorf("joining %s on %s: listing the cluster's nodes: %w", n.Server, hostname(), err)
		}
	}
	host, _, _ := net.SplitHostPort(n.Server)
	hosts := []string{host}
	for _, x := range nodes {
		switch {
		case x.Metadata.Name == n.NodeName:
			if x.isReady() && x.address() != n.NodeIP {
				return fmt.Errorf("a machine at %s is in the cluster as %s already and Ready; give %s (%s) another node-name", x.address(), n.NodeName, hostname(), n.NodeIP)
			}
			log.Printf("the cluster still has Node %s of an earlier life of this machine: deleting it", n.NodeName)
			if err := api.call(ctx, "DELETE", "/api/v1/nodes/"+n.NodeName, "", nil); err != nil {
				if s, ok := err.(statusError); !ok || s.code != 404 {
					return err
				}
			}
		case x.isServer() && x.address() != "" && x.address() != n.NodeIP && !slices.Contains(hosts, x.address()):
			hosts = append(hosts, x.address())
		}
	}
	etcdCert, err := issue(pkiDir+"/etcd/ca", "kube-etcd-healthcheck-client")
	if err != nil {
		return err
	}
	etcd := etcdClient{etcdCert, hosts}
	for {
		if err = n.removeEarlierMembers(ctx, etcd); err == nil {
			return nil
		}
		if sleep(ctx, 2*time.Second); ctx.Err() != nil {
			return fmt.Errorf("joining %s on %s: removing the etcd member of an earlier life: %w (do the other servers have a majority?)", n.Server, hostname(), err)
		}
	}
}

func (n *node) removeEarlierMembers(ctx context.Context, etcd etcdClient) error {
	members, err := etcd.members(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.Name != n.NodeName && m.host() != n.NodeIP {
			continue
		}
		if err := etcd.remove(ctx, m); err != nil {
			return err
		}
		log.Printf("the cluster still had etcd member %q (%s) of an earlier life of this machine: removed", m.Name, m.host())
	}
	return nil
}

// reset takes back a start or a join that failed half way.
func (n *node) reset(ctx context.Context) {
	if err := n.kubeadm(ctx, "taking the failed attempt back", "reset", "--force", "--cri-socket", "unix://"+containerdSocket); err != nil {
		log.Print(err)
	}
	os.RemoveAll(serverDir + "/db")
	os.RemoveAll(agentDir + "/kubelet-config.yaml")
	if err := placeState(); err != nil {
		log.Print(err)
	}
}
