package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/url"
	"time"
)

// etcdMember as etcd's JSON gateway shows it. A member that never started has no name yet.
type etcdMember struct {
	ID         string
	Name       string
	PeerURLs   []string
	ClientURLs []string
	IsLearner  bool
}

func (m etcdMember) host() string {
	for _, u := range m.PeerURLs {
		if p, err := url.Parse(u); err == nil {
			return p.Hostname()
		}
	}
	return ""
}

// etcdClient speaks to the first of the hosts that answers.
type etcdClient struct {
	certificate func() (*tls.Certificate, error)
	hosts       []string
}

func (e etcdClient) each(ctx context.Context, path, body string, out any) error {
	err := errors.New("no etcd member known")
	for _, host := range e.hosts {
		var c *client
		if c, err = newClient("https://"+net.JoinHostPort(host, "2379"), pkiDir+"/etcd/ca.crt", e.certificate); err != nil {
			return err
		}
		err = c.call(ctx, "POST", path, body, out)
		c.http.CloseIdleConnections()
		if err == nil {
			return nil
		}
	}
	return err
}

func (e etcdClient) members(ctx context.Context) ([]etcdMember, error) {
	var list struct{ Members []etcdMember }
	err := e.each(ctx, "/v3/cluster/member/list", "{}", &list)
	return list.Members, err
}

func (e etcdClient) remove(ctx context.Context, m etcdMember) error {
	return e.each(ctx, "/v3/cluster/member/remove", fmt.Sprintf(`{"ID":%q}`, m.ID), nil)
}

func localEtcd() etcdClient {
	return etcdClient{fileCertificate(pkiDir+"/etcd/healthcheck-client.crt", pkiDir+"/etcd/healthcheck-client.key"), []string{"127.0.0.1"}}
}

// Rounds of pruneEvery after which a member without a Node is removed. A member that had a Node lost it because somebody
// deleted it. One that never had a Node belongs to a server that is joining: its API starts after its etcd, and its Node
// comes last; only one that was left behind half way stays that long.
const (
	pruneEvery      = 5 * time.Second
	roundsDead      = 2
	roundsAlive     = 6
	roundsUnclaimed = 120
)

// pruner remembers, by member ID, which members had a Node and for how long others have had none.
type pruner struct {
	claimed map[string]bool
	rounds  map[string]int
}

func newPruner() *pruner {
	return &pruner{claimed: map[string]bool{}, rounds: map[string]int{}}
}

// surplus decides which members are to be removed.
func (p *pruner) surplus(members []etcdMember, nodes []apiNode, self string, answers func(etcdMember) bool) []etcdMember {
	names, addresses := map[string]bool{}, map[string]bool{}
	for _, n := range nodes {
		names[n.Metadata.Name] = true
		addresses[n.address()] = true
	}
	if !names[self] { // an incomplete view is no ground for removing anything
		clear(p.rounds)
		return nil
	}
	var gone []etcdMember
	for _, m := range members {
		if names[m.Name] || (m.Name == "" && addresses[m.host()]) {
			p.claimed[m.ID] = p.claimed[m.ID] || m.Name != ""
			delete(p.rounds, m.ID)
			continue
		}
		p.rounds[m.ID]++
		limit := roundsUnclaimed
		if p.claimed[m.ID] {
			limit = roundsDead
			if answers(m) {
				limit = roundsAlive
			}
		}
		if p.rounds[m.ID] >= limit {
			gone = append(gone, m)
		}
	}
	return gone
}

func memberAnswers(m etcdMember) bool {
	c, err := net.DialTimeout("tcp", net.JoinHostPort(m.host(), "2379"), time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// pruneMembers removes the etcd members of Nodes that were deleted, as k3s does.
func (n *node) pruneMembers(ctx context.Context, p *pruner) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	nodes, err := n.api.nodes(ctx)
	if err != nil {
		return
	}
	members, err := localEtcd().members(ctx)
	if err != nil {
		return
	}
	for _, m := range p.surplus(members, nodes, n.NodeName, memberAnswers) {
		err := localEtcd().remove(ctx, m)
		log.Printf("etcd member %q (%s) has no Node: removed (error: %v)", m.Name, m.host(), err)
	}
}
