package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func makeAuthority(t *testing.T, base, name string) {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, _ := x509.MarshalECPrivateKey(key)
	os.MkdirAll(filepath.Dir(base), 0o755)
	os.WriteFile(base+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
	os.WriteFile(base+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600)
}

func ownAuthorities(t *testing.T) string {
	dir := t.TempDir()
	for _, name := range []string{"server-ca", "client-ca", "request-header-ca", "etcd/server-ca", "etcd/peer-ca"} {
		makeAuthority(t, filepath.Join(dir, name), name)
	}
	key, _ := rsa.GenerateKey(rand.Reader, 2048)
	os.WriteFile(dir+"/service.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600)
	return dir
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOwnAuthoritiesTakeKubeadmsPlaces(t *testing.T) {
	from, pki := ownAuthorities(t), t.TempDir()
	if err := placeOwnCA(from, pki); err != nil {
		t.Fatal(err)
	}
	for to, source := range map[string]string{"ca.crt": "server-ca.crt", "ca.key": "server-ca.key", "front-proxy-ca.crt": "request-header-ca.crt",
		"etcd/ca.crt": "etcd/server-ca.crt", "etcd/ca.key": "etcd/server-ca.key", "sa.key": "service.key"} {
		if text(t, pki+"/"+to) != text(t, from+"/"+source) {
			t.Errorf("%s is not %s", to, source)
		}
	}
	if info, _ := os.Stat(pki + "/ca.key"); info.Mode().Perm() != 0o600 {
		t.Errorf("ca.key has mode %o", info.Mode().Perm())
	}
	if !strings.HasPrefix(text(t, pki+"/sa.pub"), "-----BEGIN PUBLIC KEY-----") {
		t.Error("sa.pub is no public key")
	}
	bundle := filepath.Join(pki, "bundle.crt")
	if err := placeClientBundle(from, pki, bundle); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text(t, bundle), "BEGIN CERTIFICATE"); n != 2 {
		t.Errorf("the bundle holds %d authorities, not the cluster's and client-ca", n)
	}
}

func TestAnIncompleteOrMixedUpCAIsRefusedByName(t *testing.T) {
	from := ownAuthorities(t)
	os.Remove(from + "/request-header-ca.key")
	makeAuthority(t, from+"/etcd/other", "other")
	os.Rename(from+"/etcd/other.key", from+"/etcd/server-ca.key")
	err := placeOwnCA(from, t.TempDir())
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"request-header-ca.key", "etcd/ca", "does not belong"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("nothing about %q in: %v", part, err)
		}
	}
}

func TestNoOwnCAIsFine(t *testing.T) {
	if err := placeOwnCA(t.TempDir(), t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestAnAuthorityIssuesClientCertificates(t *testing.T) {
	base := filepath.Join(t.TempDir(), "ca")
	makeAuthority(t, base, "ca")
	a, err := readAuthority(base)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.client("someone", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(c.Certificate[0])
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if leaf.Subject.CommonName != "someone" || leaf.Subject.Organization[0] != "system:masters" {
		t.Errorf("subject %s", leaf.Subject)
	}
}
