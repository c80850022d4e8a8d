package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
)

// Where things lie. Everything that must survive a reboot is under dataDir, so that a node's state is there or gone as
// a whole; the places upstream programs insist on are links into it (see placeState).
const (
	dataDir          = "/var/lib/rancher/k3s"
	agentDir         = dataDir + "/agent"
	serverDir        = dataDir + "/server"
	currentBin       = dataDir + "/data/current/bin"
	configFile       = "/etc/rancher/k3s/config.yaml"
	kubeconfigFile   = "/etc/rancher/k3s/k3s.yaml"
	runDir           = "/run/k3s"
	containerdSocket = runDir + "/containerd/containerd.sock"

	kubernetesDir   = "/etc/kubernetes"
	pkiDir          = kubernetesDir + "/pki"
	adminKubeconfig = kubernetesDir + "/admin.conf"
	kubeletDir      = "/var/lib/kubelet"
	nodeCertificate = kubeletDir + "/pki/kubelet-client-current.pem"

	ownTLSDir     = serverDir + "/tls"
	credDir       = serverDir + "/cred"
	manifestsDir  = serverDir + "/manifests"
	joinedFile    = agentDir + "/joined.json"
	peersFile     = agentDir + "/etc/peers"
	cniConfigDir  = agentDir + "/etc/cni/net.d"
	resolvConf    = agentDir + "/etc/resolv.conf"
	kubeletDropIn = agentDir + "/etc/kubelet.conf.d"
	imagesDir     = agentDir + "/images"
	storageDir    = dataDir + "/storage"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// writeFile replaces a file as a whole, through a rename, when its content or mode differs.
func writeFile(path, content string, mode os.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == content {
		return os.Chmod(path, mode)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	partial := path + ".partial"
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(partial, path)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
