package main

import (
	"archive/tar"
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// The file ends with: zstd(tar of programs), its length (8 bytes, big endian), its SHA-256 (32 bytes), the magic.
const (
	payloadMagic   = "K3SSTND1"
	payloadTrailer = 8 + 32 + len(payloadMagic)
)

type payload struct {
	offset, size int64
	digest       string
}

func findPayload(r io.ReaderAt, size int64) (payload, error) {
	var p payload
	trailer := make([]byte, payloadTrailer)
	if size < int64(payloadTrailer) {
		return p, errors.New("no payload: the file is too short")
	}
	if _, err := r.ReadAt(trailer, size-int64(payloadTrailer)); err != nil {
		return p, err
	}
	if string(trailer[40:]) != payloadMagic {
		return p, errors.New("no payload at the end of the file: it is cut short, or was built without its programs (offline/k3s/build.ts adds them)")
	}
	p.size = int64(binary.BigEndian.Uint64(trailer[:8]))
	p.digest = hex.EncodeToString(trailer[8:40])
	p.offset = size - int64(payloadTrailer) - p.size
	if p.size <= 0 || p.offset < 0 {
		return p, fmt.Errorf("payload length %d does not fit a file of %d bytes", p.size, size)
	}
	return p, nil
}

// unpack puts the carried programs into data/<digest>/bin, once, and returns that directory.
func unpack() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	bin, err := unpackFile(self, dataDir+"/data")
	if err != nil {
		return "", fmt.Errorf("unpacking the programs carried in %s: %w", self, err)
	}
	return bin, nil
}

func unpackFile(self, root string) (string, error) {
	f, err := os.Open(self)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	p, err := findPayload(f, info.Size())
	if err != nil {
		return "", err
	}
	target := filepath.Join(root, p.digest[:32])
	bin := filepath.Join(target, "bin")
	if complete(target) {
		return bin, link(root, target)
	}
	start := time.Now()
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	partial, err := os.MkdirTemp(root, ".partial-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(partial)
	if err := os.Chmod(partial, 0o755); err != nil {
		return "", err
	}
	list, err := untar(io.NewSectionReader(f, p.offset, p.size), filepath.Join(partial, "bin"))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(partial, "files"), []byte(list), 0o644); err != nil {
		return "", err
	}
	if err := os.Rename(partial, target); err != nil {
		if complete(target) { // another process was faster
			return bin, link(root, target)
		}
		// An earlier attempt was cut short by a power loss: the directory is there, its files are not whole.
		if err := os.Rename(target, partial+"-old"); err != nil {
			return "", err
		}
		defer os.RemoveAll(partial + "-old")
		if err := os.Rename(partial, target); err != nil {
			return "", err
		}
	}
	log.Printf("programs unpacked to %s in %s", target, time.Since(start).Round(10*time.Millisecond))
	return bin, link(root, target)
}

// link points data/current at the programs in use: the pods of the control plane mount them through it.
func link(root, target string) error {
	current := filepath.Join(root, "current")
	if have, err := os.Readlink(current); err == nil && have == target {
		return nil
	}
	partial := fmt.Sprintf("%s.%d", current, os.Getpid())
	if err := os.Symlink(target, partial); err != nil {
		return err
	}
	return os.Rename(partial, current)
}

// complete tells whether every unpacked file still has its size; after a power loss some may be empty.
func complete(target string) bool {
	list, err := os.Open(filepath.Join(target, "files"))
	if err != nil {
		return false
	}
	defer list.Close()
	count := 0
	for s := bufio.NewScanner(list); s.Scan(); count++ {
		name, size, _ := strings.Cut(s.Text(), " ")
		info, err := os.Stat(filepath.Join(target, "bin", name))
		if err != nil || strconv.FormatInt(info.Size(), 10) != size {
			return false
		}
	}
	return count > 0
}

// untar writes regular files and links, and returns a line "name size" for each file.
func untar(compressed io.Reader, dir string) (string, error) {
	z, err := zstd.NewReader(compressed)
	if err != nil {
		return "", err
	}
	defer z.Close()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	var list strings.Builder
	buffer := make([]byte, 1<<20)
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return list.String(), nil
		}
		if err != nil {
			return "", err
		}
		if h.Name != filepath.Base(h.Name) {
			return "", fmt.Errorf("unexpected path %q in the payload", h.Name)
		}
		path := filepath.Join(dir, h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
			if err != nil {
				return "", err
			}
			n, err := io.CopyBuffer(struct{ io.Writer }{f}, t, buffer)
			if err := errors.Join(err, f.Close()); err != nil {
				return "", err
			}
			fmt.Fprintf(&list, "%s %d\n", h.Name, n)
		case tar.TypeSymlink:
			if h.Linkname != filepath.Base(h.Linkname) {
				return "", fmt.Errorf("unexpected link %q in the payload", h.Linkname)
			}
			if err := os.Symlink(h.Linkname, path); err != nil {
				return "", err
			}
		default:
			return "", fmt.Errorf("unexpected entry %q of type %c in the payload", h.Name, h.Typeflag)
		}
	}
}
