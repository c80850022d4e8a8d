package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// run executes one command of a step. Its error names the step, the machine and the last lines of output.
func run(ctx context.Context, step, stdin string, args ...string) (string, error) {
	return runFrom(ctx, step, strings.NewReader(stdin), args...)
}

func runFrom(ctx context.Context, step string, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopGrace
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &out
	if err := cmd.Run(); err != nil {
		t := &tail{}
		t.Write(out.Bytes())
		return out.String(), fmt.Errorf("%s on %s: %s: %w\n%s", step, hostname(), args[0], err, t)
	}
	return out.String(), nil
}

func kubectl(ctx context.Context, step, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return run(ctx, step, stdin, append([]string{currentBin + "/kubectl", "--kubeconfig=" + adminKubeconfig}, args...)...)
}
