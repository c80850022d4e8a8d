package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a program that must run as long as the stand-in does.
type child struct {
	name  string
	args  []string    // args[0] is the program
	log   string      // file for its output; empty: the stand-in's own output
	ready func() bool // started once this holds; nil: at once
}

// supervisor starts children again when they exit and ends them when it is stopped.
// Containers are not children: they belong to their shims and outlive a restart, as with k3s.
type supervisor struct {
	stops []func()
}

const (
	stopGrace  = 5 * time.Second
	maxBackoff = 10 * time.Second
)

// start keeps a child running until the function it returns is called.
func (s *supervisor) start(c child) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // Pdeathsig fires when the starting thread ends, so that thread must stay
		c.run(ctx)
	}()
	stop = func() { cancel(); <-done }
	s.stops = append(s.stops, stop)
	return stop
}

func (s *supervisor) stop() {
	var all sync.WaitGroup
	for _, stop := range s.stops {
		all.Go(stop)
	}
	all.Wait()
	s.stops = nil
}

func (c child) run(ctx context.Context) {
	backoff := time.Second
	for c.waitReady(ctx) {
		started, output := time.Now(), &tail{}
		err := c.once(ctx, output)
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > time.Minute {
			backoff = time.Second
		}
		log.Printf("%s on %s exited: %v; it starts again in %s. Its last lines:\n%s", c.name, hostname(), err, backoff, c.lastLines(output))
		sleep(ctx, backoff)
		backoff = min(2*backoff, maxBackoff)
	}
}

func (c child) waitReady(ctx context.Context) bool {
	for c.ready != nil && !c.ready() && ctx.Err() == nil {
		sleep(ctx, 200*time.Millisecond)
	}
	return ctx.Err() == nil
}

func (c child) once(ctx context.Context, output *tail) error {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopGrace
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if c.log == "" {
		w := io.MultiWriter(os.Stderr, output)
		cmd.Stdout, cmd.Stderr = w, w
		return cmd.Run()
	}
	f, err := openLog(c.log)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	return cmd.Run()
}

func (c child) lastLines(output *tail) string {
	if c.log == "" {
		return output.String()
	}
	t := &tail{}
	if f, err := os.Open(c.log); err == nil {
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Size() > tailBytes {
			f.Seek(-tailBytes, io.SeekEnd)
		}
		io.Copy(t, f)
	}
	return t.String() + "\n(whole log: " + c.log + ")"
}

// openLog appends, after moving a log that has grown large aside.
func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 16<<20 {
		os.Rename(path, path+".1")
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

const tailBytes, tailLines = 8 << 10, 12

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	last []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if n := len(t.last) - tailBytes; n > 0 {
		t.last = append(t.last[:0], t.last[n:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(t.last), []byte("\n"))
	if n := len(lines) - tailLines; n > 0 {
		lines = lines[n:]
	}
	return "  | " + string(bytes.Join(lines, []byte("\n  | ")))
}

// endLeftovers ends children of an earlier life that somehow survived it: two kubelets on a node must never be.
func endLeftovers() {
	for try := 0; ; try++ {
		pids := leftovers("/proc")
		if len(pids) == 0 {
			return
		}
		for pid, name := range pids {
			log.Printf("%s of an earlier run is still there (pid %d): ending it", name, pid)
			signal := syscall.SIGTERM
			if try >= 10 {
				signal = syscall.SIGKILL
			}
			syscall.Kill(pid, signal)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func leftovers(proc string) map[int]string {
	found := map[int]string{}
	entries, _ := os.ReadDir(proc)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		exe, err := os.Readlink(filepath.Join(proc, e.Name(), "exe"))
		if err != nil || !strings.HasPrefix(exe, dataDir+"/data/") {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(proc, e.Name(), "cmdline"))
		program, _, _ := strings.Cut(string(line), "\x00")
		switch name := filepath.Base(program); name {
		case "kubelet", "kube-proxy", "containerd":
			found[pid] = name
		}
	}
	return found
}

// onlyOne holds a lock for the life of the process.
func onlyOne() error {
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return err
	}
	fd, err := syscall.Open(runDir+"/lock", syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("k3s runs on %s already; stop it first (`systemctl stop k3s k3s-agent`)", hostname())
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func hostname() string {
	name, _ := os.Hostname()
	return name
}
