package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// apiNode is the part of a Node object the stand-in looks at.
type apiNode struct {
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec   struct{ PodCIDR string }
	Status struct {
		Addresses  []struct{ Type, Address string }
		Conditions []struct{ Type, Status string }
	}
}

func (n apiNode) address() string {
	for _, a := range n.Status.Addresses {
		if a.Type == "InternalIP" {
			return a.Address
		}
	}
	return ""
}

func (n apiNode) isServer() bool {
	_, ok := n.Metadata.Labels["node-role.kubernetes.io/control-plane"]
	return ok
}

func (n apiNode) isReady() bool {
	for _, c := range n.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

// client is an HTTPS client with a certificate of its own, for the API or for etcd.
type client struct {
	http *http.Client
	base string
}

func newClient(base, caFile string, certificate func() (*tls.Certificate, error)) (*client, error) {
	roots, err := pool(caFile)
	if err != nil {
		return nil, err
	}
	return &client{base: base, http: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second,
		TLSClientConfig: &tls.Config{RootCAs: roots,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate() }},
	}}}, nil
}

func fileCertificate(cert, key string) func() (*tls.Certificate, error) {
	return func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(cert, key)
		return &c, err
	}
}

func pool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return p, nil
}

type statusError struct {
	code int
	what string
}

func (e statusError) Error() string { return e.what }

func (c *client) call(ctx context.Context, method, path, body string, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(r)
	if err != nil {
		c.http.CloseIdleConnections()
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 400))
		return statusError{res.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, path, res.Status, text)}
	}
	if out == nil {
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	return json.NewDecoder(res.Body).Decode(out)
}

// nodes lists the Nodes as the API server has them in memory; that is cheap enough to ask every few seconds.
func (c *client) nodes(ctx context.Context) ([]apiNode, error) {
	var list struct{ Items []apiNode }
	err := c.call(ctx, "GET", "/api/v1/nodes?resourceVersion=0", "", &list)
	return list.Items, err
}

// answers tells whether an API server is ready. Its certificate is not looked at: nothing is sent or believed.
func answers(ctx context.Context, address string) error {
	h := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	r, err := http.NewRequestWithContext(ctx, "GET", "https://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := h.Do(r)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != 200 && res.StatusCode != 401 && res.StatusCode != 403 { // the latter: anonymous requests are off
		return fmt.Errorf("%s is not ready: %s", address, res.Status)
	}
	return nil
}
