package main

import (
	"context"
	_ "embed"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
)

//go:embed manifests/rbac.yaml
var rbacManifest string

//go:embed manifests/coredns.yaml
var coreDNSManifest string

//go:embed manifests/local-storage.yaml
var localStorageManifest string

const manifestsEvery = 5 * time.Second

type manifestValues struct {
	ClusterDNS, ClusterDomain, CoreDNSImage string
	Forward                                 bool // names outside the cluster can be asked for
	LocalPathImage, BusyboxImage            string
	StorageDir                              string
}

func renderManifest(name, text string, v manifestValues) (string, error) {
	t, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, v)
	return b.String(), err
}

// packaged are the components k3s brings along and the stand-in has, by the names `disable` knows.
func packaged(c Config, forward bool) (map[string]string, error) {
	v := manifestValues{
		ClusterDNS: c.ClusterDNS, ClusterDomain: c.ClusterDomain, Forward: forward,
		CoreDNSImage:   imageName("coredns", coreDNSTag),
		LocalPathImage: imageName("local-path-provisioner", localPathTag), BusyboxImage: imageName("busybox", busyboxTag),
		StorageDir: storageDir,
	}
	files := map[string]string{}
	for name, text := range map[string]string{"coredns": coreDNSManifest, "local-storage": localStorageManifest} {
		if c.disabled(name) {
			continue
		}
		rendered, err := renderManifest(name, text, v)
		if err != nil {
			return nil, err
		}
		files[name+".yaml"] = rendered
	}
	return files, nil
}

func (n *node) writeManifests() error {
	host, _ := os.ReadFile("/etc/resolv.conf")
	_, forward := resolvers(string(host))
	files, err := packaged(n.Config, forward)
	if err != nil {
		return err
	}
	for _, name := range []string{"coredns.yaml", "local-storage.yaml"} {
		path := filepath.Join(manifestsDir, name)
		if text, ok := files[name]; ok {
			err = writeFile(path, text, 0o600)
		} else {
			err = os.RemoveAll(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keepManifests applies the files of server/manifests when they are new or changed.
func (n *node) keepManifests(ctx context.Context) {
	applied, failed := map[string]string{}, map[string]string{}
	for ; ctx.Err() == nil; sleep(ctx, manifestsEvery) {
		var files []string
		for _, pattern := range []string{"*.yaml", "*.yml", "*.json"} {
			found, _ := filepath.Glob(filepath.Join(manifestsDir, pattern))
			files = append(files, found...)
		}
		slices.Sort(files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil || applied[file] == digest(string(text)) {
				continue
			}
			_, err = kubectl(ctx, "applying "+file, string(text), "apply", "--filename=-")
			if err == nil {
				applied[file] = digest(string(text))
				delete(failed, file)
			} else if failed[file] != err.Error() {
				failed[file] = err.Error()
				log.Printf("%v\n(tried again every %s)", err, manifestsEvery)
			}
		}
	}
}
