package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Images of the archive that build.ts writes beside the binary. They are made here, of the programs of the payload and
// of the same modules, and are no copies of any registry's images; the name says so.
const (
	imageRepository = "localhost/k3s-stand-in"
	pauseTag        = "3.10.1"
	etcdTag         = "v3.6.6"
	coreDNSTag      = "v1.14.6"
	localPathTag    = "v0.0.30"
	busyboxTag      = "1.37.0"
)

func imageName(name, tag string) string { return imageRepository + "/" + name + ":" + tag }

// archives lists the image archives of a directory, in the forms k3s knows that need no further program.
func archives(dir string) (usable, unusable []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		name := e.Name()
		switch {
		case e.IsDir() || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".partial"):
		case hasSuffix(name, ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.zstd", ".tzst"):
			usable = append(usable, filepath.Join(dir, name))
		default:
			unusable = append(unusable, filepath.Join(dir, name))
		}
	}
	return usable, unusable
}

func hasSuffix(name string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// plain undoes the compression that the name tells.
func plain(name string, r io.Reader) (io.Reader, error) {
	switch {
	case hasSuffix(name, ".gz", ".tgz"):
		return gzip.NewReader(r)
	case hasSuffix(name, ".zst", ".zstd", ".tzst"):
		return zstd.NewReader(r)
	}
	return r, nil
}

// importImages brings archives in once; the marks lie with containerd's data, so they go when that goes.
func importImages(ctx context.Context) error {
	usable, unusable := archives(imagesDir)
	for _, path := range unusable {
		log.Printf("%s is not imported: only .tar, .tar.gz and .tar.zst are", path)
	}
	for _, path := range usable {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		mark := fmt.Sprintf("%s/containerd/.imported-%s-%d-%d", agentDir, filepath.Base(path), info.Size(), info.ModTime().UnixNano())
		if exists(mark) {
			continue
		}
		start := time.Now()
		if err := importImage(ctx, path); err != nil {
			return err
		}
		if err := pinImages(ctx); err != nil {
			return err
		}
		log.Printf("%s imported in %s", path, time.Since(start).Round(100*time.Millisecond))
		if err := writeFile(mark, "", 0o644); err != nil {
			return err
		}
	}
	return nil
}

func importImage(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := plain(path, f)
	if err != nil {
		return fmt.Errorf("image archive %s on %s: %w", path, hostname(), err)
	}
	_, err = runFrom(ctx, "importing images of "+path, r, ctr("images", "import", "-")...)
	return err
}

func ctr(args ...string) []string {
	return append([]string{currentBin + "/ctr", "--address", containerdSocket, "--namespace", "k8s.io"}, args...)
}

// pinImages keeps the kubelet from collecting images that cannot be pulled again.
func pinImages(ctx context.Context) error {
	list, err := run(ctx, "listing images", "", ctr("images", "ls", "--quiet")...)
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(list) {
		if _, err := run(ctx, "pinning image "+name, "", ctr("images", "label", name, "io.cri-containerd.pinned=pinned")...); err != nil {
			return err
		}
	}
	return nil
}
