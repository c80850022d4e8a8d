package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func carrier(t *testing.T, files map[string]string) string {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, text := range files {
		w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(text))})
		w.Write([]byte(text))
	}
	w.WriteHeader(&tar.Header{Name: "alias", Typeflag: tar.TypeSymlink, Linkname: "tool"})
	w.Close()
	e, _ := zstd.NewWriter(nil)
	body := e.EncodeAll(archive.Bytes(), nil)
	sum := sha256.Sum256(body)
	file := append([]byte("the program itself"), body...)
	file = binary.BigEndian.AppendUint64(file, uint64(len(body)))
	file = append(append(file, sum[:]...), payloadMagic...)
	path := filepath.Join(t.TempDir(), "k3s")
	if err := os.WriteFile(path, file, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProgramsAreUnpackedOnceAndAgainWhenDamaged(t *testing.T) {
	self, root := carrier(t, map[string]string{"tool": "hello"}), t.TempDir()
	bin, err := unpackFile(self, root)
	if err != nil {
		t.Fatal(err)
	}
	read := func() string {
		text, _ := os.ReadFile(filepath.Join(root, "current", "bin", "alias"))
		return string(text)
	}
	if read() != "hello" {
		t.Fatalf("content %q", read())
	}
	before, _ := os.Stat(filepath.Join(bin, "tool"))
	if _, err := unpackFile(self, root); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(filepath.Join(bin, "tool")); !os.SameFile(before, after) {
		t.Error("unpacked twice")
	}
	os.Truncate(filepath.Join(bin, "tool"), 0) // as after a power loss
	if _, err := unpackFile(self, root); err != nil {
		t.Fatal(err)
	}
	if read() != "hello" {
		t.Errorf("damage was not repaired: %q", read())
	}
	if entries, _ := os.ReadDir(root); len(entries) != 2 {
		t.Errorf("remains: %v", entries)
	}
}

func TestAFileWithoutPayloadIsRefused(t *testing.T) {
	for _, text := range []string{"", "short", string(make([]byte, 200))} {
		if _, err := findPayload(bytes.NewReader([]byte(text)), int64(len(text))); err == nil {
			t.Errorf("%d bytes accepted", len(text))
		}
	}
}

func TestPathsThatLeaveTheDirectoryAreRefused(t *testing.T) {
	self := carrier(t, map[string]string{"../evil": "x"})
	if _, err := unpackFile(self, t.TempDir()); err == nil {
		t.Error("accepted")
	}
}
