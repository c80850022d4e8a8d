package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// clientBundle holds the authorities whose client certificates the API accepts: the cluster's own, and client-ca.
const clientBundle = pkiDir + "/client-ca-bundle.crt"

// ownCA says which file of k3s' server/tls becomes which file of kubeadm's pki.
// etcd/peer-ca has no counterpart: kubeadm has one authority for etcd, etcd/server-ca.
var ownCA = []struct{ from, to string }{
	{"server-ca.crt", "ca.crt"},
	{"server-ca.key", "ca.key"},
	{"request-header-ca.crt", "front-proxy-ca.crt"},
	{"request-header-ca.key", "front-proxy-ca.key"},
	{"etcd/server-ca.crt", "etcd/ca.crt"},
	{"etcd/server-ca.key", "etcd/ca.key"},
}

// hasOwnCA tells whether an installer left authorities for the cluster in server/tls.
func hasOwnCA(tlsDir string) bool {
	return exists(tlsDir+"/server-ca.crt") && exists(tlsDir+"/server-ca.key")
}

// placeOwnCA copies the authorities from k3s' names to kubeadm's. All files of a set must be there and fit.
func placeOwnCA(tlsDir, pki string) error {
	if !hasOwnCA(tlsDir) {
		return nil
	}
	var problems []error
	files := map[string]string{}
	for _, f := range ownCA {
		text, err := os.ReadFile(filepath.Join(tlsDir, f.from))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		files[f.to] = string(text)
	}
	for _, name := range []string{"ca", "front-proxy-ca", "etcd/ca"} {
		if cert, key := files[name+".crt"], files[name+".key"]; cert != "" && key != "" {
			if _, err := parseAuthority([]byte(cert), []byte(key)); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	if service, err := os.ReadFile(tlsDir + "/service.key"); err == nil {
		public, err := publicPEM(service)
		if err != nil {
			problems = append(problems, fmt.Errorf("service.key: %w", err))
		}
		files["sa.key"], files["sa.pub"] = string(service), string(public)
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("own CA in %s on %s cannot be used; replace the files and restart k3s:\n%w", tlsDir, hostname(), err)
	}
	if a, err := os.ReadFile(tlsDir + "/etcd/peer-ca.crt"); err == nil && string(a) != files["etcd/ca.crt"] {
		log.Printf("etcd/peer-ca is not used: the stand-in has one authority for etcd, etcd/server-ca")
	}
	for name, text := range files {
		mode := os.FileMode(0o644)
		if filepath.Ext(name) == ".key" {
			mode = 0o600
		}
		if err := writeFile(filepath.Join(pki, name), text, mode); err != nil {
			return err
		}
	}
	return nil
}

// placeClientBundle joins the cluster's authority with client-ca, when there is one.
func placeClientBundle(tlsDir, pki, bundle string) error {
	var b bytes.Buffer
	for _, file := range []string{pki + "/ca.crt", tlsDir + "/client-ca.crt"} {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !bytes.Contains(b.Bytes(), bytes.TrimSpace(text)) {
			b.Write(bytes.TrimSpace(text))
			b.WriteByte('\n')
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return writeFile(bundle, b.String(), 0o644)
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

func parseKey(text []byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, errors.New("no PEM private key (RSA or ECDSA)")
		}
		if k, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return k, nil
		}
		if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return k, nil
		}
		if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			switch k := k.(type) {
			case *rsa.PrivateKey:
				return k, nil
			case *ecdsa.PrivateKey:
				return k, nil
			default:
				return nil, fmt.Errorf("keys of type %T are not possible; use RSA or ECDSA", k)
			}
		}
	}
}

type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func parseAuthority(cert, key []byte) (authority, error) {
	c, err := parseCertificate(cert)
	if err != nil {
		return authority{}, err
	}
	k, err := parseKey(key)
	if err != nil {
		return authority{}, err
	}
	if !c.IsCA {
		return authority{}, fmt.Errorf("%s is not a certificate authority", c.Subject)
	}
	if own, ok := k.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !own.Equal(c.PublicKey) {
		return authority{}, fmt.Errorf("the key does not belong to the certificate %s", c.Subject)
	}
	return authority{c, k}, nil
}

func readAuthority(base string) (authority, error) {
	cert, err := os.ReadFile(base + ".crt")
	if err != nil {
		return authority{}, err
	}
	key, err := os.ReadFile(base + ".key")
	if err != nil {
		return authority{}, err
	}
	return parseAuthority(cert, key)
}

// client issues a short-lived client certificate.
func (a authority) client(name, organization string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{organization}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func publicPEM(key []byte) ([]byte, error) {
	k, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// publicKeyHash is how kubeadm names an authority it may trust when joining.
func publicKeyHash(cert []byte) (string, error) {
	c, err := parseCertificate(cert)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
