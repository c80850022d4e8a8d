package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func none(string) string { return "" }

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigIsMergedFromEnvironmentFilesAndFlags(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "config.yaml", `
token: from-file
node-ip: 10.0.0.1
node-name: S1
write-kubeconfig-mode: 0644
node-label: [a=1, b=2]
disable: traefik,servicelb
kubelet-arg: ["max-pods=40"]
secrets-encryption: true
`)
	write(t, dir, "config.yaml.d/10-more.yaml", "kubelet-arg+: [\"v=2\"]\nnode-label: [c=3]\n")
	env := func(name string) string {
		return map[string]string{"K3S_TOKEN": "from-env", "K3S_URL": "https://10.0.0.9:6443"}[name]
	}
	c, err := loadConfig("server", []string{"--config", file, "--node-name=s2", "--cluster-init", "--tls-san", "x", "--tls-san", "y"}, env)
	if err != nil {
		t.Fatal(err)
	}
	if c.Token != "from-file" || c.Server != "10.0.0.9:6443" || c.NodeName != "s2" || !c.ClusterInit || !c.SecretsEncryption {
		t.Errorf("precedence: %+v", c)
	}
	if c.KubeconfigMode != 0o644 {
		t.Errorf("mode %o", c.KubeconfigMode)
	}
	for name, pair := range map[string][2][]string{
		"labels": {c.NodeLabels, {"c=3"}}, "disable": {c.Disable, {"traefik", "servicelb"}},
		"kubelet": {c.KubeletArgs, {"max-pods=40", "v=2"}}, "names": {c.TLSNames, {"x", "y"}},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: %q, want %q", name, pair[0], pair[1])
		}
	}
	if c.ClusterDNS != "10.43.0.10" {
		t.Errorf("cluster DNS %s", c.ClusterDNS)
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := newConfig("agent", values{"node-ip": {"nonsense"}, "write-kubeconfig-mode": {"rw"}, "cluster-cidr": {"10.42.0.0"}, "data-dir": {"/srv"}, "docker": {"true"}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, key := range []string{"token", "server", "node-ip", "write-kubeconfig-mode", "cluster-cidr", "data-dir", "docker"} {
		if !strings.Contains(err.Error(), "`"+key+"`") {
			t.Errorf("nothing about %s in:\n%v", key, err)
		}
	}
}

func TestOptionsWithoutEffectAreNamed(t *testing.T) {
	c, err := newConfig("server", values{"token": {"t"}, "node-ip": {"10.0.0.1"}, "flannel-backend": {"host-gw"}, "no-such-thing": {"1"}})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(c.Ignored, "\n")
	if len(c.Ignored) != 2 || !strings.Contains(text, "`flannel-backend` has no effect") || !strings.Contains(text, "`no-such-thing`") {
		t.Errorf("ignored: %q", text)
	}
}

func TestTokenFormsHoldTheSamePassword(t *testing.T) {
	for _, token := range []string{"secret", "K10abc::server:secret", "K10abc::node:secret", "K10abc::secret"} {
		if got := password(token); got != "secret" {
			t.Errorf("%s: %q", token, got)
		}
	}
}

func TestFlagsWithoutValueAreRefused(t *testing.T) {
	for _, args := range [][]string{{"--node-ip"}, {"stray"}} {
		if _, err := parseFlags(args); err == nil {
			t.Errorf("%q accepted", args)
		}
	}
}
