package main

import (
	"context"
	"io"
	"log"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// balancerAddress is where every program of the node finds the API, whichever servers are there (k3s agents have the same).
const balancerAddress = "127.0.0.1:6444"

const (
	dialTimeout = 2 * time.Second
	restTime    = 10 * time.Second // how long a server that did not answer is tried last
	deadPeer    = 10 * time.Second // unacknowledged data older than this ends a connection
)

// balancer passes connections to the first API server that accepts: this node's own, then the others.
type balancer struct {
	mu     sync.Mutex
	own    string
	peers  []string
	failed map[string]time.Time
}

func newBalancer(own string, peers []string) *balancer {
	b := &balancer{own: own, failed: map[string]time.Time{}}
	b.setPeers(peers)
	return b
}

func (b *balancer) setOwn(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.own = address
}

func (b *balancer) setPeers(peers []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peers = slices.Clone(peers)
}

// candidates lists the servers in the order to try: those that failed lately come last.
func (b *balancer) candidates(now time.Time) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var good, bad []string
	for _, a := range append([]string{b.own}, b.peers...) {
		switch {
		case a == "" || slices.Contains(good, a) || slices.Contains(bad, a):
		case now.Sub(b.failed[a]) < restTime:
			bad = append(bad, a)
		default:
			good = append(good, a)
		}
	}
	return append(good, bad...)
}

func (b *balancer) report(address string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.failed[address] = time.Now()
	} else {
		delete(b.failed, address)
	}
}

func (b *balancer) serve(ctx context.Context) error {
	l, err := net.Listen("tcp", balancerAddress)
	if err != nil {
		return err
	}
	go func() { <-ctx.Done(); l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				log.Printf("balancer: %v", err)
				sleep(ctx, 100*time.Millisecond)
				continue
			}
			go b.pass(c)
		}
	}()
	return nil
}

func (b *balancer) pass(client net.Conn) {
	defer client.Close()
	d := net.Dialer{Timeout: dialTimeout, Control: userTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
	for _, address := range b.candidates(time.Now()) {
		server, err := d.Dial("tcp", address)
		b.report(address, err)
		if err != nil {
			continue
		}
		defer server.Close()
		done := make(chan struct{}, 2)
		for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
			go func() {
				io.Copy(way[0], way[1])
				way[0].(*net.TCPConn).CloseWrite()
				done <- struct{}{}
			}()
		}
		<-done
		<-done
		return
	}
}

// userTimeout makes a connection to a machine that vanished fail within seconds instead of minutes.
func userTimeout(_, _ string, raw syscall.RawConn) error {
	const tcpUserTimeout = 18
	var inner error
	err := raw.Control(func(fd uintptr) {
		inner = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(deadPeer/time.Millisecond))
	})
	if err != nil {
		return err
	}
	return inner
}
